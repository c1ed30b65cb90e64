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

from ..advancing import advance
from ..config import Config, resolve
from ..runtime import Runtime
from .answer import WITHIN, Answer
from .base import Forge
from .reading import Readings, read_all
from .settings import settings_of
from .thread import NOT_RUNNING, LoopThread
from .verbs import Ended, ExpectationFailed, Hits, refuse_on_a_loop, seconds

if TYPE_CHECKING:
    from types import TracebackType

    from mockforge_brokers.misbehaviour.rules import Rule

    from ..admin_port import Admin, Management
    from ..expectations.message import Message
    from ..expectations.waiting import Outcome
    from ..fixtures.expected.model import Came, Expectation
    from ..fixtures.messages import Outgoing
    from ..fixtures.model import FixtureSet
    from .console import Console

P = ParamSpec("P")
T = TypeVar("T")

_START: Final = 30.0
"""Seconds that brokers with large fixtures may take to be ready."""
_QUIET: Final = {"random_ports": True, "admin": False, "log_level": "warning"}


class MockForge(Forge):
    """Brokers on a loop in a thread of their own, from `start` to `stop`; a context manager.

    `fixtures` are files or folders. `settings` are those of the command line by name, as values or
    as its texts (`mqtt=False`, `admin=True`, `tls="auto"`, `users=["alice:secret"]`,
    `limit_connections=50`); where they say nothing the ports are free ones and the admin port is
    closed. Neither ./mockforge-tui.yaml nor
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
        given = settings_of(settings)
        self.config = config or resolve({**_QUIET, **given}, {}, file="").config
        self.facts: dict[str, Any] = {}
        """What the ready line says."""
        self._paths = [Path(path) for path in (*fixtures, *self.config.fixtures)]
        self._fixtures: FixtureSet | None = None
        self._thread = LoopThread(self._serve, self._over)
        self._runtime: Runtime | None = None
        self._console: Console | None = None
        self._waiting: set[Future[Ended]] = set()
        self._rules: dict[int, Rule] = {}
        """Faults of tests, until they are removed."""
        self._readings = Readings()
        self._seed = 0
        """Of the start, where nobody gave one."""
        self._began = 0.0
        """Wall time of the start or the last reset: what is older is another test's."""

    # Life.

    def start(self) -> MockForge:
        """Listen, load and produce; returns when clients can connect."""
        if self._runtime is None:
            # Another start is as the first one was, whatever was loaded since.
            self._fixtures = read_all(self._paths, self.config) if self._paths else None
        self._thread.start(_START)
        return self

    def stop(self) -> None:
        """Close all connections and ports; without effect where nothing runs."""
        self._thread.stop()

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
        starting = asyncio.ensure_future(asyncio.to_thread(self.start))
        try:
            return await asyncio.shield(starting)
        except asyncio.CancelledError:
            # A block that never began has no end that would stop them.
            await asyncio.wait({starting})
            await asyncio.to_thread(self.stop)
            raise

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
            raise LocalError(NOT_RUNNING)
        return self._runtime

    # What can be done.

    def call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `function` in the brokers' thread and hand back what it returns or raises."""
        return self._thread.call(function, *args, **kwargs)

    def run(self, line: str, *, within: str | float = WITHIN) -> Answer:
        __tracebackhide__ = True
        console = self.call(self._at_the_console)
        if self.call(console.streams, line):
            refuse_on_a_loop(f"mockforge.aio.run({line!r})")
        return self._thread.wait(console.answer(line, seconds(within)))

    def _at_the_console(self) -> Console:
        """Made when first asked for: many tests need none of it."""
        if self._console is None:
            from .console import Console

            self._console = Console(self.runtime)
        return self._console

    # What tests do.

    def scenario(self, name: str) -> None:
        """Run a scenario of the loaded files. Raises ExpectationFailed unless it passes."""
        __tracebackhide__ = True
        from ..scenarios.words import outcome_lines

        refuse_on_a_loop(f"mockforge.aio.scenario({name!r})")
        console = self.call(self._at_the_console)
        scenarios = () if self._fixtures is None else self._fixtures.scenarios
        outcome = self._thread.wait(console.play(scenarios, name))
        if not outcome.ok:
            raise ExpectationFailed("\n".join(outcome_lines(outcome)))

    def mark(self) -> int:
        """A point in the flow of messages: `since=` it counts only what came later."""
        return self.call(lambda: self.runtime.record.mark())

    def snapshot(self, name: str) -> None:
        self.call(lambda: self.runtime.take_snapshot(name))

    def reset(self, *, to: str | None = None) -> None:
        """Back to the state right after loading, or to a snapshot; messages count from here."""
        self.call(self._go_back, to)

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
        self.use(self._readings.of(paths, self.config), seed)

    def journal(self, count: int = 50) -> list[str]:
        """The newest things that happened since the start or the last reset, a line each."""
        return self.call(self._lines, count)

    def begin_recording(self, name: str, where: str) -> None:
        self.call(lambda: self._at_the_console().begin_recording(name, where))

    def end_recording(self, name: str) -> bytes:
        return self.call(lambda: self._at_the_console().end_recording(name))

    def replay_lines(self, text: str, name: str, speed: float | Literal["max"]) -> int:
        from ..fixtures.recordings import parse_recording

        messages, ended = parse_recording(text, name), threading.Event()
        job = self.call(lambda: self._at_the_console().replay(messages, speed, ended.set))
        ended.wait()
        if job.outcome is not None and job.outcome.problem is not None:
            raise InvalidInput(job.outcome.problem.text)
        return job.steps

    # What handles ask for (`Verbs`).

    def begin(self, expectation: Expectation, since: int | None) -> Future[Ended]:
        from ..console.rows import record_of
        from ..expectations.waiting import Waiting

        future: Future[Ended] = Future()

        def done(outcome: Outcome) -> None:
            self._waiting.discard(future)
            try:
                failure = outcome.failure
                text = "" if failure is None else self._at_the_console().page(failure)
            except Exception as error:  # or who waits would wait for ever
                future.set_exception(error)
            else:
                frames = [record_of(each) for each in outcome.frames]
                future.set_result(Ended(outcome.messages, text, frames))

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
        number = self.call(lambda: self.runtime.faults.add(rule).id)
        self._rules[number] = rule
        return number

    def hits(self, fault: int) -> Hits:
        # Also of one that is over (`for`, a reset): what it hit is asked for at the block's end.
        rule = self._rules[fault]
        return self.call(lambda: Hits(rule.hits, rule.seen))

    def remove_fault(self, fault: int) -> None:
        self.call(self.runtime.faults.remove, fault)
        self._rules.pop(fault, None)

    def advance(self, seconds: float) -> None:
        self._thread.wait(advance(self.runtime.clock, seconds))

    def now(self) -> float:
        return self.call(self.runtime.clock.wall)

    def _go_back(self, to: str | None) -> None:
        self.runtime.reset(to)
        self._fixtures, self.facts["seed"] = self.runtime.fixtures, self.runtime.seed
        self._began = self.runtime.clock.wall()

    def _restart(self, fixtures: FixtureSet | None, seed: int | None) -> None:
        self._fixtures = fixtures
        self.runtime.load(fixtures, seed)
        self._began = self.runtime.clock.wall()

    def _lines(self, count: int) -> list[str]:
        from ..console.journal import newest_lines

        runtime = self.runtime
        return newest_lines(runtime.journal, runtime.spine, count, self._began)

    # The thread.

    def _over(self) -> None:
        self._runtime = self._console = None
        for future in tuple(self._waiting):
            future.set_exception(LocalError(NOT_RUNNING))
        self._waiting.clear()

    async def _serve(self, ready: Callable[[], None], ending: asyncio.Event) -> None:
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
            runtime.open_recording()
            ready()
            await ending.wait()
        finally:
            if self._console is not None:
                self._console.close()
            for port in (management, admin):
                if port is not None:
                    await port.close()
            await runtime.stop()
            runtime.forget()
