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
_CALLS: Final = 500
"""Calls that fall due and are made in one turn of the loop."""


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
    clock = session.runtime.clock
    # Whoever else moves on between two steps adds to it.
    left = duration

    def step() -> bool:
        nonlocal left
        before = clock.offset
        try:
            return clock.advance_towards(before + left, _CALLS)
        finally:
            left -= clock.offset - before

    if step():
        return _passed(session, duration)
    shown = units.format_duration(duration)

    def end() -> None:
        if job.outcome is None:
            job.outcome = _passed(session, duration - left)

    job = session.jobs.open(_KIND, shown, end)
    job.awaited = True

    def go_on() -> None:
        job.timer = None
        try:
            arrived = step()
        except BaseException:
            session.jobs.stop(job)
            raise
        if job.stopped:
            return
        if not arrived:
            job.timer = clock.next_turn(go_on)
            return
        job.outcome = _passed(session, duration)
        session.jobs.stop(job)
        if session.interactive:
            session.report(Notice("note", job.outcome.text))

    job.timer = clock.next_turn(go_on)
    text = f"job {job.id} advances the clock by {shown} (job stop {job.id} ends it)"
    return done(text, {"job": job.id})


def _passed(session: "Session", duration: float) -> Result:
    clock = session.runtime.clock
    return done(
        f"{units.format_duration(duration)} passed, {units.format_duration(clock.offset)} in all",
        {"wall": clock.wall(), "offset": clock.offset},
    )


COMMANDS = (clock_show, clock_advance)
