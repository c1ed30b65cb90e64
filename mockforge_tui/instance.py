"""A running instance: brokers, fixtures and admin, from start to graceful end."""

import gc
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from .admin_port import Admin, Management, open_admin, open_management
from .config import Config, ConfigError
from .readiness import environment_lines, is_special, ready_line, startup_ms, write_for
from .runtime import Runtime

if TYPE_CHECKING:
    from .fixtures.model import FixtureSet
    from .reloading import FixtureWatch


class Instance(Struct, frozen=True):
    runtime: Runtime
    fixtures: "FixtureSet | None"
    admin: Admin | None
    management: Management | None = None

    def facts(self) -> dict[str, Any]:
        """The ready line's values, in its order."""
        facts = self.runtime.facts()
        if self.management is not None:
            facts["amqp"]["management"] = self.management.url
        if self.admin is not None:
            facts["admin"] = {"url": self.admin.url}
        files, generators, warnings = 0, 0, 0
        if self.fixtures is not None:
            files, generators = len(self.fixtures.files), len(self.fixtures.generators)
            warnings = len(self.fixtures.warnings)
        facts["fixtures"] = {"files": files, "generators": generators, "warnings": warnings}
        head = {"version": facts.pop("version"), "pid": facts.pop("pid")}
        return {**head, "startup_ms": startup_ms(), **facts}

    def load(self, facts: dict[str, Any]) -> None:
        """Let the web ports answer, now that the ready line is out."""
        if self.admin is not None:
            self.admin.load(facts)
        if self.management is not None:
            self.management.load()


@asynccontextmanager
async def running(
    config: Config, fixtures: "FixtureSet | None", *, next_free: bool = False
) -> AsyncIterator[Instance]:
    """Listen, load and produce; at the end close every connection. Raises CannotListen.

    The web ports are bound, but answer only after `Instance.load`.
    """
    runtime = Runtime(config, next_free=next_free)
    admin = management = watch = None
    try:
        await runtime.start(fixtures)
        if config.admin:
            admin = await open_admin(runtime)
        if config.manages_amqp:
            management = await open_management(runtime)
        runtime.open_recording()
        # What is there now stays: full collections need not look at it again.
        gc.freeze()
        gc.enable()
        if config.watch and fixtures is not None:
            watch = _watching(fixtures, runtime)
        yield Instance(runtime, fixtures, admin, management)
    finally:
        if watch is not None:
            await watch.stop()
        for port in (management, admin):
            if port is not None:
                await port.close()
        await runtime.stop()
    record = Path(config.record).expanduser() if config.record else None
    for recording in runtime.recordings.values() if record else ():
        if Path(recording.path) == record and recording.problem:
            raise ConfigError(f"--record {recording.problem}")


def _watching(fixtures: "FixtureSet", runtime: Runtime) -> "FixtureWatch":
    from .reloading import FixtureWatch

    watch = FixtureWatch(fixtures.roots, runtime)
    watch.start()
    return watch


@contextmanager
def written(config: Config, facts: dict[str, Any]) -> Iterator[None]:
    """The ready file and the env file, whole or not at all; the ready file goes at the end."""
    if config.env_file:
        write_for("--env-file", config.env_file, environment_lines(facts))
    if config.ready_file:
        write_for("--ready-file", config.ready_file, ready_line(facts) + "\n")
    try:
        yield
    finally:
        if config.ready_file and not is_special(Path(config.ready_file)):
            Path(config.ready_file).unlink(missing_ok=True)
