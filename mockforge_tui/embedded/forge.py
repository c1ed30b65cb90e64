"""The brokers on a loop in a thread of this process.

with MockForge("fixtures/shop.yaml", seed=42) as mockforge:
    app.start(kafka=mockforge.kafka.bootstrap, amqp=mockforge.amqp.url)
    mockforge.kafka.publish("orders.created", {"id": 1}, key="o-1")
    mockforge.amqp.expect(exchange="billing", json={"order": 1}, within=5)
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, ParamSpec, TypeVar

from mockforge_brokers.errors import InvalidInput, LocalError

from ..config import Config, resolve
from ..config.table import SETTINGS
from ..nearest import get_close_matches
from ..runtime import Runtime
from .answer import WITHIN, Answer, Heard, unended
from .base import Forge
from .verbs import Ended, ExpectationFailed, Hits, refuse_on_a_loop, seconds

if TYPE_CHECKING:
    from types import TracebackType

    from ..admin_port import Admin, Management
    from ..console.jobs import Job
    from ..console.session import Session
    from ..expectations.message import Message
    from ..expectations.waiting import Outcome
    from ..fixtures.expected.model import Came, Expectation
    from ..fixtures.messages import Outgoing
    from ..fixtures.model import FixtureSet
    from ..scenarios.outcome import ScenarioOutcome

P = ParamSpec("P")
T = TypeVar("T")

_START: Final = 30.0
"""Seconds that brokers with large fixtures may take to be ready."""
_NOT_RUNNING: Final = "this MockForge does not run: start it, or use it in a with block"
_SETTINGS: Final = frozenset(setting.name for setting in SETTINGS)
_QUIET: Final = {"random_ports": True, "admin": False, "log_level": "warning"}


class MockForge(Forge):
    """Brokers on a loop in a thread of their own, from `start` to `stop`; a context manager.

    `fixtures` are files or folders. `settings` are those of the command line by name
    (`mqtt=False`, `admin=True`, `tls="auto"`, `limits.connections=...` by a dict); where they say
    nothing the ports are free ones and the admin port is closed. Neither ./mockforge-tui.yaml nor
    MOCKFORGE_ variables are looked at. Raises InvalidInput (ConfigError, FixtureError) for what
    cannot be used and CannotListen for a port that is taken.

    All methods may be called from any thread but the brokers' own. `async with` does the same
    without holding up the caller's loop while the brokers start and stop.
    """

    def __init__(
        self, *fixtures: str | Path, config: Config | None = None, **settings: Any
    ) -> None:
        if config is not None and settings:
            raise InvalidInput("MockForge takes a config or settings, not both")
        for name in settings:
            if name not in _SETTINGS:
                near = get_close_matches(name, _SETTINGS, 1)
                hint = f", did you mean {near[0]}?" if near else ""
                raise InvalidInput(f"MockForge has no setting {name!r}{hint}")
        self.config = config or resolve({**_QUIET, **settings}, {}, file="").config
        self.facts: dict[str, Any] = {}
        """What the ready line says."""
        self._paths = [Path(path) for path in fixtures]
        self._fixtures: FixtureSet | None = None
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ending: asyncio.Event | None = None
        self._runtime: Runtime | None = None
        self._session: Session | None = None
        self._failure: BaseException | None = None
        self._waiting: set[Future[Ended]] = set()
        self._read: dict[object, FixtureSet] = {}
        self._seed = 0
        """Of the start, where nobody gave one."""
        self._began = 0.0
        """Wall time of the start or the last reset: what is older is another test's."""

    # Life.

    def start(self) -> MockForge:
        """Listen, load and produce; returns when clients can connect."""
        if self._thread is not None:
            raise LocalError("this MockForge runs already")
        if self._paths:
            self._fixtures = read_all(self._paths, self.config)
        ready = threading.Event()
        self._failure = None
        self._thread = threading.Thread(
            target=self._run, args=(ready,), name="mockforge", daemon=True
        )
        self._thread.start()
        if not ready.wait(_START):
            raise LocalError(f"the brokers were not ready within {_START:g} s")
        if self._failure is not None:
            self._thread.join()
            self._thread = None
            raise self._failure
        return self

    def stop(self) -> None:
        """Close all connections and ports; without effect where nothing runs."""
        thread, self._thread = self._thread, None
        if thread is None or self._loop is None or self._ending is None:
            return
        self._loop.call_soon_threadsafe(self._ending.set)
        thread.join()
        if self._failure is not None:
            raise self._failure

    def __enter__(self) -> MockForge:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    async def __aenter__(self) -> MockForge:
        return await asyncio.to_thread(self.start)

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await asyncio.to_thread(self.stop)

    # What is there.

    @property
    def runtime(self) -> Runtime:
        """The running brokers; touch them by `call` only."""
        if self._runtime is None:
            raise LocalError(_NOT_RUNNING)
        return self._runtime

    # What can be done.

    def call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `function` in the brokers' thread and hand back what it returns or raises."""

        async def run() -> T:
            return function(*args, **kwargs)

        if self._runtime is None or self._loop is None:
            raise LocalError(_NOT_RUNNING)
        return asyncio.run_coroutine_threadsafe(run(), self._loop).result()

    def run(self, line: str, *, within: str | float = WITHIN) -> Answer:
        __tracebackhide__ = True
        if self.call(self._streams, line):
            refuse_on_a_loop(f"run({line!r})")
        if self._loop is None:
            raise LocalError(_NOT_RUNNING)
        return asyncio.run_coroutine_threadsafe(
            self._answer(line, seconds(within)), self._loop
        ).result()

    def _streams(self, line: str) -> bool:
        return self._console().streams(line)

    async def _answer(self, line: str, within: float) -> Answer:
        __tracebackhide__ = True
        session, heard = self._console(), Heard()
        if not session.streams(line):
            return heard.answer(session.run(line, confirmed=True))
        result = session.heard_by(heard.report).run(line, confirmed=True)
        job = session.jobs.of(result)
        if job is not None:
            ended = asyncio.Event()
            job.on_stop.append(ended.set)
            try:
                await asyncio.wait_for(ended.wait(), within)
            except TimeoutError:
                session.jobs.stop(job)
                raise unended(line, within) from None
            result = job.result(result)
        return heard.answer(result)

    def _console(self) -> Session:
        if self._session is None:
            from ..console.session import Session

            self._session = Session(self.runtime, files=True)
            self._session.confirms = False
        return self._session

    # What tests do.

    def scenario(self, name: str) -> None:
        """Run a scenario of the loaded files. Raises ExpectationFailed unless it passes."""
        __tracebackhide__ = True
        from ..scenarios.words import outcome_lines

        if self._loop is None or self._runtime is None:
            raise LocalError(_NOT_RUNNING)
        outcome = asyncio.run_coroutine_threadsafe(self._play(name), self._loop).result()
        if not outcome.ok:
            raise ExpectationFailed("\n".join(outcome_lines(outcome)))

    async def _play(self, name: str) -> ScenarioOutcome:
        from ..console.playing import runner_of

        scenarios = () if self._fixtures is None else self._fixtures.scenarios
        found = next((each for each in scenarios if each.name == name), None)
        if found is None:
            known = ", ".join(each.name for each in scenarios) or "none is loaded"
            raise InvalidInput(f"there is no scenario {name}: {known}")
        return await runner_of(self._console(), found, lambda step: None).run()

    def mark(self) -> int:
        """A point in the flow of messages: `since=` it counts only what came later."""
        return self.call(lambda: self.runtime.record.newest)

    def reset(self) -> None:
        """Back to the state right after loading; messages and events count from here."""
        self.call(self._restart, self._fixtures, None)

    def load(self, *fixtures: str | Path, seed: int | None = None) -> None:
        """As `reset`, with the fixtures of these files or folders instead. Raises FixtureError."""
        paths = [Path(path) for path in fixtures]
        self.use(read_all(paths, self.config) if paths else None, seed)

    def use(self, fixtures: FixtureSet | None, seed: int | None = None) -> None:
        """As `load`, with fixtures that were read already. Raises InvalidInput."""
        self._check_nodes(fixtures)
        if seed is None:
            own = None if fixtures is None else fixtures.seed
            seed = next(each for each in (self.config.seed, own, self._seed) if each is not None)
        self.call(self._restart, fixtures, seed)
        self.facts["seed"] = self.call(lambda: self.runtime.seed)

    def _check_nodes(self, fixtures: FixtureSet | None) -> None:
        """A test that runs on fewer brokers than its file says would pass or fail for nothing."""
        from ..protocols.kafka import lacking

        problem = lacking(self.runtime.brokers.kafka, fixtures)
        if problem and self.config.kafka_nodes is None:
            raise InvalidInput(problem)

    def renew(self, paths: Sequence[Path], seed: int | None = None) -> None:
        """As `load`; files are read once as long as they do not change."""
        if not paths:
            self.use(None, seed)
            return
        files = [file for path in paths for file in ([path] if path.is_file() else path.rglob("*"))]
        times = tuple(sorted((str(f), f.stat().st_mtime_ns) for f in files if f.is_file()))
        key = (tuple(paths), times)
        if key not in self._read:
            self._read[key] = read_all(list(paths), self.config)
        self.use(self._read[key], seed)

    def journal(self, count: int = 50) -> list[str]:
        """The newest things that happened since the start or the last reset, a line each."""
        return self.call(self._lines, count)

    def begin_recording(self, name: str, where: str) -> None:
        from ..filters import FilterError

        def begin() -> None:
            try:
                found = self._console().filter_of(where) if where else None
            except FilterError as error:
                raise InvalidInput(f"filter: {error.text}") from None
            self.runtime.recordings.start(name, where=found)

        self.call(begin)

    def end_recording(self, name: str) -> bytes:
        def end() -> bytes:
            recordings = self.runtime.recordings
            recording = recordings[name]
            recordings.remove(recording)
            if recording.problem:
                raise InvalidInput(recording.problem)
            return recording.content()

        return self.call(end)

    def replay_lines(self, text: str, name: str, speed: float | Literal["max"]) -> int:
        from ..console.replaying import factor, replay
        from ..fixtures.recordings import parse_recording

        messages, pace, ended = parse_recording(text, name), factor(str(speed)), threading.Event()

        def begin() -> Job:
            job = replay(self._console(), messages, pace)
            if job.stopped:
                ended.set()
            else:
                job.on_stop.append(ended.set)
            return job

        job = self.call(begin)
        ended.wait()
        if job.outcome is not None and job.outcome.problem is not None:
            raise InvalidInput(job.outcome.problem.text)
        return job.steps

    # What handles ask for (`Verbs`).

    def begin(self, expectation: Expectation, since: int | None) -> Future[Ended]:
        from ..expectations.waiting import Waiting

        future: Future[Ended] = Future()

        def done(outcome: Outcome) -> None:
            self._waiting.discard(future)
            future.set_result(self._ended(outcome))

        self._waiting.add(future)
        try:
            self.call(Waiting, expectation, self.runtime, done, since)
        except BaseException:
            self._waiting.discard(future)
            raise
        return future

    def find(self, came: Came, since: int | None) -> list[Message]:
        from ..expectations.checks import CameCheck

        def look() -> list[Message]:
            record = self.runtime.record
            check = CameCheck(came, self.runtime, record.begin if since is None else since)
            check.look()
            return check.found

        return self.call(look)

    def publish(self, message: Outgoing) -> None:
        self.call(self.runtime.publish, message)

    def add_fault(self, fault: Mapping[str, Any]) -> int:
        from ..fixtures.native.faults import fault_of, rule_of

        rule = rule_of(fault_of(fault))
        return self.call(lambda: self.runtime.faults.add(rule).id)

    def hits(self, fault: int) -> Hits:
        def look() -> Hits:
            rule = self.runtime.faults.rules[fault]
            return Hits(rule.hits, rule.seen)

        return self.call(look)

    def remove_fault(self, fault: int) -> None:
        self.call(self.runtime.faults.remove, fault)

    def advance(self, seconds: float) -> None:
        self.call(self.runtime.clock.advance, seconds)

    def now(self) -> float:
        return self.call(self.runtime.clock.wall)

    def _restart(self, fixtures: FixtureSet | None, seed: int | None) -> None:
        self._fixtures = fixtures
        self.runtime.load(fixtures, seed)
        self._began = self.runtime.clock.wall()

    def _ended(self, outcome: Outcome) -> Ended:
        if outcome.failure is None:
            return Ended(outcome.messages)
        from ..console.expecting import explained

        failure = explained(self._console(), outcome.failure)
        return Ended(outcome.messages, failure.as_text())

    def _lines(self, count: int) -> list[str]:
        from ..console.journal import newest_lines

        runtime = self.runtime
        return newest_lines(runtime.journal, runtime.spine, count, self._began)

    # The thread.

    def _run(self, ready: threading.Event) -> None:
        from ..loops import loop_factory

        try:
            with asyncio.Runner(loop_factory=loop_factory()) as runner:
                runner.run(self._serve(ready))
        except BaseException as error:
            self._failure = error
        finally:
            self._runtime = self._session = None
            ready.set()
            for future in tuple(self._waiting):
                future.set_exception(LocalError(_NOT_RUNNING))
            self._waiting.clear()

    async def _serve(self, ready: threading.Event) -> None:
        self._loop = asyncio.get_running_loop()
        self._ending = asyncio.Event()
        # `config` stays as it was given: fixtures that are loaded later may say otherwise.
        fixtures = self._fixtures
        config = self.config if fixtures is None else fixtures.complete(self.config)
        self._runtime = runtime = Runtime(config)
        admin: Admin | None = None
        management: Management | None = None
        try:
            runtime.record.start()
            await runtime.start(fixtures)
            self._began = runtime.clock.wall()
            self.facts = runtime.facts()
            self._seed = runtime.seed
            if self.config.admin:
                from ..admin_port import open_admin

                admin = await open_admin(runtime)
                self.facts["admin"] = {"url": admin.url}
                admin.load(self.facts)
            if self.config.manages_amqp:
                from ..admin_port import open_management

                management = await open_management(runtime)
                self.facts["amqp"]["management"] = management.url
                management.load()
            ready.set()
            await self._ending.wait()
        finally:
            if self._session is not None:
                self._session.close()
            for port in (management, admin):
                if port is not None:
                    await port.close()
            await runtime.stop()
            runtime.forget()


def read_all(paths: list[Path], config: Config) -> FixtureSet:
    """The fixtures of files and folders. Raises FixtureError."""
    from ..fixtures.source.problems import FixtureError
    from ..rehearsal import read_fixtures

    report = read_fixtures(paths, config)
    if report.errors:
        raise FixtureError(report.errors)
    return report.fixtures
