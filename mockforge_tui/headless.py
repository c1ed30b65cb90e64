"""The brokers with no screen: ready line out, signals in, a graceful end."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from .config import Config
from .event_log import log_events
from .exit_codes import ExitCode
from .instance import running, written
from .readiness import ready_line
from .verdict import Verdict

if TYPE_CHECKING:
    from .fixtures.model import FixtureSet


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
    fixtures: "FixtureSet | None",
    *,
    next_free: bool = False,
    announce: Callable[[str], object] = print,
) -> ExitCode:
    """Run until a signal comes or `exit_after` seconds passed. Raises CannotListen."""
    interruption = Interruption()
    async with running(config, fixtures, next_free=next_free) as instance:
        log_events(instance.runtime.spine)
        verdict = Verdict(instance.runtime.spine, config.fail_on)
        for notice in instance.runtime.notices:
            print(notice, file=sys.stderr)
        facts = instance.facts()
        with written(config, facts):
            announce(ready_line(facts))
            sys.stdout.flush()
            if instance.admin is not None:
                instance.admin.load(facts)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(interruption.asked.wait(), config.exit_after)
    for line in verdict.lines():
        print(line, file=sys.stderr)
    return ExitCode.EXPECTATION_FAILED if verdict.failed else ExitCode.OK
