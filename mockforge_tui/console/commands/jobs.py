"""`job`: what goes on behind the prompt."""

import math
from typing import TYPE_CHECKING, Annotated

from ..lookup import BadArgument
from ..registry import Arg, command
from ..results import Column, Result, count, done, rate, table
from ..types import text

if TYPE_CHECKING:
    from ..session import Session


@command("job ls", group="control", aliases=("jobs",), examples=("jobs",))
def job_ls(session: "Session") -> Result:
    """List what goes on in the background: pub, play, every, tail."""
    rows = [
        {
            "id": job.id,
            "kind": job.kind,
            "what": job.what,
            "steps": job.steps,
            "of": job.limit,
            "rate": None if math.isinf(job.per_second) else job.per_second,
        }
        for job in session.jobs
    ]
    return table(
        rows,
        Column("id", "id", right=True),
        Column("kind", "kind"),
        Column("what", "what"),
        Column("steps", "done", count, right=True),
        Column("of", "of", count, right=True),
        Column("rate", "rate", rate, right=True),
        empty="nothing runs in the background",
    )


@command("job stop", group="control", examples=("job stop all",))
def job_stop(
    session: "Session", which: Annotated[str, Arg(text("id", "jobs"), "a job's number, or all")]
) -> Result:
    """Stop a job, or all."""
    if which == "all":
        return done(f"{session.jobs.stop_all()} stopped")
    job = session.jobs.find(int(which)) if which.isdecimal() else None
    if job is None:
        raise BadArgument("which", f"no job {which}; jobs lists them")
    session.jobs.stop(job)
    return done(f"job {job.id} stopped after {job.steps}", {"job": job.id, "steps": job.steps})


COMMANDS = (job_ls, job_stop)
