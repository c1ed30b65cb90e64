"""The brokers inside your own Python process: tests, notebooks, scripts.

with MockForge("fixtures/shop.yaml", seed=42) as mockforge:
    app.start(kafka=mockforge.kafka.bootstrap, amqp=mockforge.amqp.url)
    mockforge.run('pub kafka:orders.created {"id": 1} -k o-1')
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, ParamSpec, TypeVar

from mockforge_brokers.errors import InvalidInput, LocalError

from .config import Config, resolve
from .runtime import Runtime
from .settings import SETTINGS

if TYPE_CHECKING:
    from types import TracebackType

    from .admin_port import Admin
    from .console.results import Result
    from .console.session import Session
    from .fixtures.model import FixtureSet

P = ParamSpec("P")
T = TypeVar("T")

_START: Final = 30.0
"""Seconds that brokers with large fixtures may take to be ready."""
_NOT_RUNNING: Final = "this MockForge does not run: start it, or use it in a with block"
_SETTINGS: Final = frozenset(setting.name for setting in SETTINGS)
_QUIET: Final = {"random_ports": True, "admin": False, "log_level": "warning"}


class Addresses:
    """Where one protocol is served, by the names of the ready line (`bootstrap`, `url`, ...)."""

    def __init__(self, protocol: str, facts: dict[str, Any]) -> None:
        self._protocol = protocol
        self._facts = facts

    def __getattr__(self, name: str) -> str:
        try:
            address: str = self._facts[name]
        except KeyError:
            known = ", ".join(self._facts) or "it is not served"
            raise AttributeError(f"{self._protocol} has no {name!r}: {known}") from None
        return address

    def __repr__(self) -> str:
        return f"<{self._protocol} {' '.join(f'{k}={v}' for k, v in self._facts.items())}>"


class MockForge:
    """Brokers on a loop in a thread of their own, from `start` to `stop`; a context manager.

    `fixtures` are files or folders. `settings` are those of the command line by name
    (`mqtt=False`, `admin=True`, `tls="auto"`, `limits.connections=...` by a dict); unless told
    the ports are free ones and the admin port is closed. Neither ./mockforge-tui.yaml nor
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

    # Life.

    def start(self) -> MockForge:
        """Listen, load and produce; returns when clients can connect."""
        if self._thread is not None:
            raise LocalError("this MockForge runs already")
        if self._paths:
            self._fixtures = _load(self._paths, self.config)
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

    @property
    def kafka(self) -> Addresses:
        return Addresses("kafka", self.facts.get("kafka", {}))

    @property
    def mqtt(self) -> Addresses:
        return Addresses("mqtt", self.facts.get("mqtt", {}))

    @property
    def amqp(self) -> Addresses:
        return Addresses("amqp", self.facts.get("amqp", {}))

    # What can be done.

    def call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `function` in the brokers' thread and hand back what it returns or raises."""

        async def run() -> T:
            return function(*args, **kwargs)

        if self._runtime is None or self._loop is None:
            raise LocalError(_NOT_RUNNING)
        return asyncio.run_coroutine_threadsafe(run(), self._loop).result()

    def run(self, line: str) -> Result:
        """Run one console command; raises InvalidInput with the console's own words."""
        result = self.call(self._execute, line)
        if not result.ok:
            raise InvalidInput(result.as_text(None))
        return result

    def _execute(self, line: str) -> Result:
        if self._session is None:
            from .console.session import Session

            self._session = Session(self.runtime, files=True)
            self._session.confirms = False
        return self._session.run(line, confirmed=True)

    # The thread.

    def _run(self, ready: threading.Event) -> None:
        from .loops import loop_factory

        try:
            with asyncio.Runner(loop_factory=loop_factory()) as runner:
                runner.run(self._serve(ready))
        except BaseException as error:
            self._failure = error
        finally:
            self._runtime = self._session = None
            ready.set()

    async def _serve(self, ready: threading.Event) -> None:
        self._loop = asyncio.get_running_loop()
        self._ending = asyncio.Event()
        self._runtime = runtime = Runtime(self.config)
        admin: Admin | None = None
        try:
            await runtime.start(self._fixtures)
            self.facts = runtime.facts()
            if self.config.admin:
                from .admin_port import open_admin

                admin = await open_admin(runtime)
                self.facts["admin"] = {"url": admin.url}
                admin.load(self.facts)
            ready.set()
            await self._ending.wait()
        finally:
            if self._session is not None:
                self._session.close()
            if admin is not None:
                await admin.close()
            await runtime.stop()


def _load(paths: list[Path], config: Config) -> FixtureSet:
    from .fixtures.problems import FixtureError
    from .rehearsal import read_fixtures

    report = read_fixtures(paths, config)
    if report.errors:
        raise FixtureError(report.errors)
    return report.fixtures
