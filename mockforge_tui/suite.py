"""Runs the scenarios of a running instance one after the other, says how, writes reports."""

import asyncio
import os
import time
from collections.abc import Callable, Sequence

from mockforge_brokers import __version__

from .config import Config, ConfigError
from .console.playing import runner_of
from .console.session import Session
from .exit_codes import ExitCode
from .fixtures.model import FixtureSet
from .fixtures.scenarios import Scenario
from .readiness import write_for
from .runtime import Runtime
from .scenarios.annotations import annotations
from .scenarios.ctrf import ctrf
from .scenarios.junit import junit
from .scenarios.outcome import ScenarioOutcome, Status
from .scenarios.words import outcome_lines, step_line, summary

Say = Callable[[str], object]


class Suite:
    """The scenarios that were chosen; `outcomes` are those that ended."""

    def __init__(self, scenarios: Sequence[Scenario], runtime: Runtime, config: Config, say: Say):
        self.outcomes: list[ScenarioOutcome] = []
        self._scenarios = scenarios
        self._runtime = runtime
        self._config = config
        self._say = say

    async def run(self, stop: asyncio.Event) -> ExitCode:
        """Run them until `stop` is set; writes reports whatever happened. Raises ConfigError."""
        session = Session(self._runtime, files=True)
        session.confirms = False
        try:
            for scenario in self._scenarios:
                if stop.is_set():
                    self.outcomes.append(_not_begun(scenario))
                else:
                    await self._one(session, scenario, stop)
        finally:
            session.close()
            self._report()
        return self.status

    @property
    def status(self) -> ExitCode:
        found = {each.status for each in self.outcomes}
        if found & {Status.FAILED, Status.STOPPED}:
            return ExitCode.EXPECTATION_FAILED
        if Status.BROKEN in found:
            return ExitCode.BAD_INPUT
        return ExitCode.TIMED_OUT if Status.TIMED_OUT in found else ExitCode.OK

    async def _one(self, session: Session, scenario: Scenario, stop: asyncio.Event) -> None:
        self._say(scenario.name)
        runner = runner_of(session, scenario, lambda step: self._say(step_line(step)))
        ran = asyncio.ensure_future(runner.run())
        stopped = asyncio.ensure_future(stop.wait())
        try:
            await asyncio.wait({ran, stopped}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            # What is under way says so itself; of what has ended nothing is cancelled.
            stopped.cancel()
            ran.cancel()
        outcome = await ran
        self.outcomes.append(outcome)
        for line in outcome_lines(outcome):
            self._say(line)

    def _report(self) -> None:
        self._say(summary(self.outcomes))
        if os.environ.get("GITHUB_ACTIONS") == "true":
            for line in annotations(self.outcomes):
                self._say(line)
        config = self._config
        try:
            if config.junit:
                write_for("--junit", config.junit, junit(self.outcomes))
        finally:
            # That one cannot be written is no reason to be without the other.
            if config.ctrf:
                write_for("--ctrf", config.ctrf, ctrf(self.outcomes, __version__))


def _not_begun(scenario: Scenario) -> ScenarioOutcome:
    return ScenarioOutcome(
        scenario.name, scenario.position, time.time(), Status.STOPPED, text="it was not begun"
    )


def chosen(fixtures: FixtureSet | None, names: Sequence[str]) -> list[Scenario]:
    """The scenarios of these names, or all. Raises ConfigError where there is none."""
    every = {} if fixtures is None else {each.name: each for each in fixtures.scenarios}
    if not every:
        raise ConfigError("there is no scenario to run: `scenarios:` in a fixture file has them")
    for name in names:
        if name not in every:
            raise ConfigError(f"there is no scenario {name}; there is {', '.join(every)}")
    return [every[name] for name in names or every]
