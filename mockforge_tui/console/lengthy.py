"""Commands that may have much to do: in steps, and as a job where these are not over at once."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, TypeVar

from mockforge_brokers.fairness import Chores, Stepped

from .jobs import Job
from .results import Notice, Result, done

if TYPE_CHECKING:
    from .session import Session

T = TypeVar("T")
_CELLS: Final = 76
"""Of a picture that comes later: there is room for them on any terminal."""


def worked(
    session: "Session",
    chores: Chores,
    kind: str,
    what: str,
    steps: Stepped[T],
    outcome: Callable[[T], Result],
) -> Result:
    """What the steps come to, in words; else that a job goes on with them among the `chores`.

    Scripts wait for its end, and `job stop` leaves the rest undone. Raises what a step raises.
    """
    job: Job | None = None
    ended: Result | None = None
    over = False

    def work() -> Stepped[None]:
        nonlocal ended, over
        try:
            ended = outcome((yield from steps))
        finally:
            over = True
            if job is not None:
                arrived(job)

    def arrived(job: Job) -> None:
        job.outcome = ended or done(f"{kind} {what} was stopped before its end")
        session.jobs.stop(job)
        if session.interactive and ended is not None:
            for line in ended.as_text(_CELLS).split("\n"):
                session.report(Notice("note", line))

    def stop() -> None:
        # A job that arrives is stopped by its own last step.
        if not over:
            working.close()

    working = work()
    chores.do(working)
    if ended is not None:
        return ended
    job = session.jobs.open(kind, what, stop)
    job.awaited = True
    text = f"job {job.id} goes on with {kind} {what} (job stop {job.id} ends it)"
    return done(text, {"job": job.id})
