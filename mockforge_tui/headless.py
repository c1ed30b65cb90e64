"""The brokers with no screen: ready line out, signals in, a graceful end."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .colours import page
from .config import Config
from .event_log import log_events
from .exit_codes import ExitCode
from .exit_conditions import read, wait_for
from .instance import running, written
from .readiness import ready_line
from .runtime import Runtime
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
            instance.load(facts)
            status = await _until_the_end(config, fixtures, instance.runtime, interruption.asked)
    for line in verdict.lines():
        print(line, file=sys.stderr)
    return ExitCode.EXPECTATION_FAILED if verdict.failed and not status else status


async def _until_the_end(
    config: Config, fixtures: "FixtureSet | None", runtime: Runtime, asked: asyncio.Event
) -> ExitCode:
    """Wait for a signal, `exit_after` or `exit_when`, whichever comes first."""
    stop = asyncio.Event()
    signalled = asyncio.ensure_future(asked.wait())
    work: list[asyncio.Future[Any]] = [signalled]
    occasion: asyncio.Future[ExitCode] | None = None
    if config.exit_when is not None:
        occasion = asyncio.ensure_future(_occasion(config, fixtures, runtime, stop))
        work.append(occasion)
    ended, _ = await asyncio.wait(
        work, timeout=config.exit_after, return_when=asyncio.FIRST_COMPLETED
    )
    signalled.cancel()
    stop.set()
    # Scenarios that are under way report what they have.
    status = ExitCode.OK if occasion is None else await occasion
    if ended or occasion is None:
        return status
    print(f"error: {config.exit_when} did not come within --exit-after", file=sys.stderr)
    return ExitCode.TIMED_OUT


async def _occasion(
    config: Config, fixtures: "FixtureSet | None", runtime: Runtime, stop: asyncio.Event
) -> ExitCode:
    """Returns once it has come, or soon after `stop` is set."""
    when = read(config.exit_when or "")
    if when.kind != "scenarios":
        coming = asyncio.ensure_future(wait_for(when, runtime.brokers))
        stopped = asyncio.ensure_future(stop.wait())
        await asyncio.wait({coming, stopped}, return_when=asyncio.FIRST_COMPLETED)
        for task in (coming, stopped):
            task.cancel()
        return ExitCode.OK
    from .suite import Suite, chosen

    def say(line: str) -> None:
        print(page(line, sys.stderr), file=sys.stderr)

    suite = Suite(chosen(fixtures, ()), runtime, config, say)
    return await suite.run(stop)
