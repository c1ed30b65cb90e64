"""`clock`: the brokers' time."""

import time
from typing import TYPE_CHECKING, Annotated, Final

from ... import units
from ..registry import Arg, command
from ..results import Notice, Result, done
from ..types import DURATION

if TYPE_CHECKING:
    from ..session import Session


_KIND: Final = "clock"


@command("clock show", group="control", aliases=("clock",), examples=("clock",))
def clock_show(session: "Session") -> Result:
    """Show the brokers' time and how far it was moved ahead."""
    clock = session.runtime.clock
    wall = clock.wall()
    shown = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(wall))
    ahead = f", {units.format_duration(clock.offset)} ahead" if clock.offset else ""
    return done(f"{shown} UTC{ahead}", {"wall": wall, "offset": clock.offset})


@command("clock advance", group="control", examples=("clock advance 90s",))
def clock_advance(
    session: "Session", duration: Annotated[float, Arg(DURATION, "how far: 90s, 1h30m")]
) -> Result:
    """Move the brokers' time on at once: whatever falls due on the way happens now.

    Of very much that falls due, all others get their turn in between; then it is a job, whose end
    scripts wait for.
    """
    way = session.runtime.clock.walk(duration, lambda way: arrived())
    if way.over:
        return _passed(session, duration)
    shown = units.format_duration(duration)

    def arrived() -> None:
        session.jobs.stop(job)
        if way.failure is not None:
            raise way.failure
        if session.interactive and job.outcome is not None:
            session.report(Notice("note", job.outcome.text))

    def stop() -> None:
        way.cancel()
        job.outcome = _passed(session, duration - way.left)

    job = session.jobs.open(_KIND, shown, stop)
    job.awaited = True
    text = f"job {job.id} advances the clock by {shown} (job stop {job.id} ends it)"
    return done(text, {"job": job.id})


def _passed(session: "Session", duration: float) -> Result:
    clock = session.runtime.clock
    return done(
        f"{units.format_duration(duration)} passed, {units.format_duration(clock.offset)} in all",
        {"wall": clock.wall(), "offset": clock.offset},
    )


COMMANDS = (clock_show, clock_advance)
