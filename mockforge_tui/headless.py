"""The brokers with no screen: ready line out, signals in, a graceful end."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .admin_port import open_admin
from .config import Config
from .exit_codes import ExitCode
from .fixtures.model import FixtureSet
from .readiness import environment_lines, ready_line, startup_ms, write_whole
from .runtime import Runtime


class Interruption:
    """SIGTERM and the first Ctrl-C set `asked`; the second Ctrl-C ends the process at once."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            with contextlib.suppress(NotImplementedError):  # Windows' loops have no signals
                loop.add_signal_handler(number, self._ask, number)

    def _ask(self, number: int) -> None:
        if self.asked.is_set() and number == signal.SIGINT:
            os._exit(ExitCode.INTERRUPTED)
        self.asked.set()


async def serve(
    config: Config,
    fixtures: FixtureSet | None,
    *,
    next_free: bool = False,
    announce: Callable[[str], object] = print,
) -> ExitCode:
    """Run until a signal comes or `exit_after` seconds passed. Raises CannotListen."""
    interruption = Interruption()
    runtime = Runtime(config, next_free=next_free)
    await runtime.start(fixtures)
    admin = await open_admin(runtime) if config.admin else None
    try:
        for notice in runtime.notices:
            print(notice, file=sys.stderr)
        facts = ready_facts(runtime, admin.url if admin else None, fixtures)
        with written(config, facts):
            announce(ready_line(facts))
            sys.stdout.flush()
            if admin is not None:
                admin.load()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(interruption.asked.wait(), config.exit_after)
    finally:
        if admin is not None:
            await admin.close()
        await runtime.stop()
    return ExitCode.OK


def ready_facts(
    runtime: Runtime, admin_url: str | None, fixtures: FixtureSet | None
) -> dict[str, Any]:
    """The ready line's values, in its order."""
    facts = runtime.facts()
    if admin_url is not None:
        facts["admin"] = {"url": admin_url}
    files, generators, warnings = 0, 0, 0
    if fixtures is not None:
        files, generators = len(fixtures.files), len(fixtures.generators)
        warnings = len(fixtures.warnings)
    facts["fixtures"] = {"files": files, "generators": generators, "warnings": warnings}
    head = {"version": facts.pop("version"), "pid": facts.pop("pid")}
    return {**head, "startup_ms": startup_ms(), **facts}


@contextlib.contextmanager
def written(config: Config, facts: dict[str, Any]) -> Any:
    """The ready file and the env file, whole or not at all; the ready file goes at the end."""
    if config.env_file:
        write_whole(Path(config.env_file), environment_lines(facts))
    if config.ready_file:
        write_whole(Path(config.ready_file), ready_line(facts) + "\n")
    try:
        yield
    finally:
        if config.ready_file:
            Path(config.ready_file).unlink(missing_ok=True)
