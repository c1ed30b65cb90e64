"""`mockforge-tui run`: brokers, scenarios and the programs under test, from start to report."""

import asyncio
import os
import shlex
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any

from mockforge_brokers.errors import InvalidInput

from ..config import Config
from ..event_log import log_events
from ..exit_codes import ExitCode
from ..fixtures.model import FixtureSet
from ..fixtures.scenarios import Scenario
from ..headless import Interruption
from ..instance import running, written
from ..readiness import environment
from ..suite import Say, Suite
from ..verdict import Verdict

_GRACE = 5.0
"""Seconds that the program under test gets to end."""


async def run_suite(
    config: Config,
    fixtures: FixtureSet | None,
    scenarios: Sequence[Scenario],
    apps: Sequence[str] = (),
    say: Say = print,
) -> ExitCode:
    """Start brokers, run the scenarios beside the programs under test, end. Raises CannotListen."""
    interruption = Interruption()
    async with running(config, fixtures) as instance:
        runtime = instance.runtime
        log_events(runtime.spine)
        verdict = Verdict(runtime.spine, config.fail_on)
        runtime.record.start()
        facts = instance.facts()
        with written(config, facts):
            instance.load(facts)
            async with _programs(apps, facts):
                suite = Suite(scenarios, runtime, config, say)
                with _ending_after(config.exit_after, interruption.asked) as over:
                    status = await suite.run(interruption.asked)
                if over.is_set():
                    print("error: the scenarios did not end within --exit-after", file=sys.stderr)
                    status = ExitCode.TIMED_OUT
    for line in verdict.lines():
        print(line, file=sys.stderr)
    return ExitCode.EXPECTATION_FAILED if verdict.failed and not status else status


@contextmanager
def _ending_after(seconds: float | None, stop: asyncio.Event) -> Iterator[asyncio.Event]:
    """Set `stop` after so many seconds, and with it what the block is given."""
    over = asyncio.Event()

    def end() -> None:
        over.set()
        stop.set()

    timer = None
    if seconds is not None:
        timer = asyncio.get_running_loop().call_later(seconds, end)
    try:
        yield over
    finally:
        if timer is not None:
            timer.cancel()


@asynccontextmanager
async def _programs(lines: Sequence[str], facts: dict[str, Any]) -> AsyncIterator[None]:
    """Programs under test, with the addresses in their environment; they end with the block."""
    started: list[asyncio.subprocess.Process] = []
    try:
        for line in lines:
            try:
                program, *words = shlex.split(line) or [""]
                started.append(
                    await asyncio.create_subprocess_exec(
                        program, *words, env={**os.environ, **environment(facts)}, stdout=2
                    )
                )
            except (OSError, ValueError) as error:
                raise InvalidInput(f"--app {line}: {error}") from None
        yield
    finally:
        for line, process in zip(lines, started, strict=False):
            if process.returncode is None:
                with suppress(ProcessLookupError):  # it ended just now
                    process.terminate()
            elif process.returncode:
                # Perhaps that is why nothing came.
                status = process.returncode
                print(f"--app {line}: ended before the scenarios, status {status}", file=sys.stderr)
        for process in started:
            try:
                await asyncio.wait_for(process.wait(), _GRACE)
            except TimeoutError:
                process.kill()
                await process.wait()
