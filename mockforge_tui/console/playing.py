"""Scenarios at the console: run as a job, each step a row as it ends."""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from mockforge_brokers.errors import InvalidInput

from ..expectations.failure import Failure
from ..fixtures.scenarios import Scenario
from ..scenarios.outcome import ScenarioOutcome, Status, StepOutcome
from ..scenarios.runner import Runner, Unmet
from ..scenarios.words import step_line, summary
from .expecting import explained
from .jobs import Job
from .language import Problem
from .results import Notice, Result, done

if TYPE_CHECKING:
    from .session import Session


def runner_of(
    session: "Session", scenario: Scenario, report: Callable[[StepOutcome], object]
) -> Runner:
    """A runner whose lines and explanations are the session's."""

    async def command(line: str) -> None:
        result = session.run(line, confirmed=True)
        job = session.jobs.of(result)
        if job is not None and job.awaited:
            result = await _to_its_end(session, job, result)
        if result.failure is not None:
            raise Unmet(result.failure)
        if not result.ok:
            raise InvalidInput(result.as_text(None).removeprefix("× "))

    return Runner(
        scenario,
        session.runtime,
        command=command,
        explain=lambda failure: explained(session, failure),
        report=report,
    )


async def _to_its_end(session: "Session", job: Job, began: Result) -> Result:
    """What an expectation, or a scenario, came to: the next step is for after it."""
    ended = asyncio.Event()
    job.on_stop.append(ended.set)
    try:
        await ended.wait()
    finally:
        session.jobs.stop(job)
    return job.result(began)


def play(session: "Session", scenarios: Sequence[Scenario]) -> Result:
    """Run them one after the other as a job, whose `outcome` says how they went."""
    outcomes: list[ScenarioOutcome] = []

    async def run() -> None:
        try:
            for scenario in scenarios:
                runner = runner_of(session, scenario, partial(_report, session, scenario))
                outcomes.append(await runner.run())
                if outcomes[-1].status is Status.STOPPED:
                    break
        finally:
            job.outcome = result_of(outcomes)
            session.jobs.stop(job)
        if session.interactive:
            kind = "note" if job.outcome.ok else "problem"
            for line in job.outcome.as_text(None).split("\n"):
                session.report(Notice(kind, line))  # type: ignore[arg-type]

    names = ", ".join(each.name for each in scenarios)
    task = asyncio.get_running_loop().create_task(run())
    # Where the task itself ends the job, to cancel it would be to cancel what it does last.
    job = session.jobs.open("scenario", names, lambda: None if job.outcome else task.cancel())
    job.awaited = True
    return done(f"running {names} (job {job.id})", {"job": job.id})


def result_of(outcomes: Sequence[ScenarioOutcome]) -> Result:
    """The sum of all; the first failure is the one that is shown."""
    failed = [each for each in outcomes if not each.ok]
    if not failed:
        data = [{"name": each.name, "took": round(each.took, 3)} for each in outcomes]
        return done(f"✓ {summary(outcomes)}", {"passed": True, "scenarios": data})
    first = failed[0]
    failure = first.failure or Failure(f"scenario {first.name} to pass", first.text)
    text = f"{first.name} {first.status.value}: {first.text.splitlines()[0] if first.text else ''}"
    return Result(ok=False, problem=Problem(text, 0, 0), failure=failure)


def _report(session: "Session", scenario: Scenario, step: StepOutcome) -> None:
    data = {
        "scenario": scenario.name,
        "step": step.title,
        "status": step.status.value,
        "took": round(step.took, 3),
        "file": str(step.position),
    }
    session.report(Notice("row", step_line(step), data))
