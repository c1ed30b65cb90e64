"""`clock`: the brokers' time."""

import time
from typing import TYPE_CHECKING, Annotated

from ... import units
from ..registry import Arg, command
from ..results import Result, done
from ..types import DURATION

if TYPE_CHECKING:
    from ..session import Session


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
    """Move the brokers' time on at once: whatever falls due on the way happens now."""
    clock = session.runtime.clock
    clock.advance(duration)
    return done(
        f"{units.format_duration(duration)} passed, {units.format_duration(clock.offset)} in all",
        {"wall": clock.wall(), "offset": clock.offset},
    )


COMMANDS = (clock_show, clock_advance)
