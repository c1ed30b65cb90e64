"""Expectations at the console: waited for as a job, with what `why` adds to a failure."""

from dataclasses import replace
from typing import TYPE_CHECKING

from ..expectations.failure import Failure
from ..expectations.waiting import Outcome, Waiting
from ..fixtures.expected.model import Expectation
from ..units import format_duration
from .language import Problem
from .results import Notice, Result, done
from .rows import record_of

if TYPE_CHECKING:
    from .session import Session


def begin(session: "Session", expectation: Expectation) -> Result:
    """Look, and wait if need be: the result, or a job whose `outcome` it will be.

    Raises InvalidInput.
    """
    ended: list[Result] = []
    waiting: list[Waiting] = []

    def end(outcome: Outcome) -> None:
        result = result_of(session, outcome)
        ended.append(result)
        if waiting:
            job.outcome = result
            session.jobs.stop(job)
            if session.interactive:
                _report(session, result)

    began = Waiting(expectation, session.runtime, end)
    if ended:
        return ended[0]
    waiting.append(began)
    job = session.jobs.open("expect", str(expectation), began.cancel)
    job.awaited = True
    return done(f"expecting {expectation} (job {job.id})", {"job": job.id})


def _report(session: "Session", result: Result) -> None:
    """To a person who typed on meanwhile; all others wait for the outcome."""
    first, *rest = result.as_text(None).split("\n")
    session.report(Notice("note" if result.ok else "problem", first.removeprefix("× ")))
    for line in rest:
        session.report(Notice("note", line))


def result_of(session: "Session", outcome: Outcome) -> Result:
    """What a person gets to read of an outcome."""
    if outcome.failure is None:
        data = {
            "met": True,
            "took": round(outcome.took, 6),
            "count": len(outcome.messages or outcome.frames),
            "messages": [each.record for each in outcome.messages[:100]],
        }
        if outcome.frames:
            data["frames"] = [record_of(each) for each in outcome.frames[:100]]
        took = f", after {format_duration(outcome.took)}" if outcome.took >= 0.0005 else ""
        return done(f"✓ {outcome.expectation}{took}", data)
    failure = explained(session, outcome.failure)
    text = f"{failure.expected}: {failure.seen}"
    return Result(ok=False, problem=Problem(text, 0, 0), failure=failure)


def explained(session: "Session", failure: Failure) -> Failure:
    """The failure with the first cause that `why` finds, where nothing better is known."""
    if failure.suggestion or not failure.about:
        return failure
    answer = session.run(f"why {failure.about}")
    if not answer.ok or not answer.data["findings"]:
        return failure
    return replace(failure, suggestion=answer.data["findings"][0]["text"])
