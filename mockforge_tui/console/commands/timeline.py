"""`timeline`: what became of one message."""

import re
from math import inf
from typing import TYPE_CHECKING, Annotated, Any

from mockforge_brokers.errors import InvalidInput
from mockforge_brokers.journal import Row
from mockforge_brokers.protocols import title_of

from ...units import clock_time
from ..language import Token
from ..lookup import BadArgument, resolved, view
from ..registry import Arg, Type, command
from ..results import Column, Result, table
from ..targets import BareTarget, Place, parse_target
from ..timelines.about import TIMELINES, is_of
from ..timelines.course import Course, Step
from ..timelines.reading import rows_about

if TYPE_CHECKING:
    from ..session import Session

_ROW = re.compile(r"#(\d+)")


def _message(token: Token) -> str:
    if not token.value:
        raise ValueError("which message? #1845 (a row), or a target whose newest one is meant")
    return token.value


_MESSAGE = Type("message", _message, "targets")


@command(
    "timeline",
    group="messages",
    aliases=("trace message",),
    examples=("timeline amqp:events/order.paid", "timeline kafka:orders[0]@0", "timeline #1"),
)
def timeline(
    session: "Session",
    which: Annotated[
        str, Arg(_MESSAGE, "#1845 (a row), or a target: the newest message there", "MESSAGE")
    ],
) -> Result:
    """Follow one message: who published it, who got it and when, and what they did with it.

    Steps come from the journal's frames, so they go back as far as it does. AMQP and MQTT give
    messages no name: of several that are alike in all, the first one published is taken to be
    delivered first. What AMQP 1.0 brings or takes is not followed.
    """
    course = _of_row(session, which) if _ROW.fullmatch(which) else _newest(session, which)
    first = course.steps[0].row
    assert first is not None
    # Python's sort is stable: what one read or write brought stays in its order.
    steps = sorted(course.steps, key=lambda each: first.time if each.row is None else each.row.time)
    steps += TIMELINES[first.protocol](session).waiting(course)
    return table(
        [_record(each, first.time) for each in steps],
        Column("time", "time", lambda time: "–" if time is None else clock_time(time)),
        Column("after", "after", _after, right=True),
        Column("step", "step"),
        Column("who", "who"),
        Column("place", "place"),
        Column("note", "note"),
        fields=("connection", "channel", "operation"),
    )


def _record(step: Step, first: float) -> dict[str, Any]:
    row = step.row
    record: dict[str, Any] = {"step": step.what, "place": step.place, "note": step.note}
    if row is None:
        return {"time": None, "after": None, "who": step.who, **record}
    # What the prompt and fixtures publish comes by no connection.
    who = step.who or row.client or (f"c{row.connection}" if row.connection else "")
    return {
        "time": round(row.time, 6),
        "after": max(0.0, round(row.time - first, 6)),
        "who": who,
        **record,
        "connection": row.connection,
        "channel": row.detail.get("channel"),
        "operation": row.operation,
    }


def _after(seconds: Any) -> str:
    """Since the first step: `0.4 ms`, `1.25 s`."""
    if seconds is None:
        return "–"
    return f"{seconds * 1000:.1f} ms" if seconds < 1 else f"{seconds:.2f} s"


_BEFORE, _BEHIND = 2_000, 5_000
"""Rows of the flow around one whose frame has left the journal."""


def _of_row(session: "Session", which: str) -> Course:
    number, screen = int(which[1:]), view(session, "timeline #N")
    rows = screen.numbered(number, number)
    if not rows:
        raise BadArgument("which", f"row {which} is not there (any more)")
    row: Row = rows[0]
    found = _course_of(row, _courses(session, row.protocol, row.time))
    if found is None:
        # The flow keeps rows longer than the journal keeps frames, but may have left some out.
        around = screen.numbered(max(1, number - _BEFORE), number + _BEHIND)
        mine = [each for each in around if each.protocol == row.protocol and each.kind != "event"]
        timelines = TIMELINES[row.protocol](session)
        found = _course_of(row, timelines.courses(mine, up_to_now=False))
    if found is None:
        raise BadArgument("which", f"row {which} is of no message: choose a publish or delivery")
    return found


def _course_of(row: Row, courses: list[Course]) -> Course | None:
    return next((each for each in courses if each.has(row)), None)


def _newest(session: "Session", which: str) -> Course:
    return courses_of(session, which, "which")[-1]


def courses_of(session: "Session", which: str, argument: str) -> list[Course]:
    """The messages of a target that the journal has, oldest first, at least one.

    Raises BadArgument, InvalidInput.
    """
    try:
        target = parse_target(which)
    except ValueError as error:
        raise BadArgument(argument, str(error)) from None
    place: Place | BareTarget = resolved(session, target, argument)
    if isinstance(place, BareTarget):
        raise BadArgument(argument, f"{which} is not known")
    if place.protocol not in session.runtime.brokers:
        raise BadArgument(argument, f"{title_of(place.protocol)} does not run here")
    found = [each for each in _courses(session, place.protocol) if is_of(each, place)]
    if not found:
        raise BadArgument(argument, f"the journal has no message of {which}")
    return found


def _courses(session: "Session", protocol: str, moment: float = inf) -> list[Course]:
    journal = session.runtime.journal
    if journal is None:
        raise InvalidInput("no frames are kept here: the journal is off")
    rows, up_to_now = rows_about(journal, protocol, moment)
    return TIMELINES[protocol](session).courses(rows, up_to_now=up_to_now)


COMMANDS = (timeline,)
"""The command of this file."""
