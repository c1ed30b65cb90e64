"""`diff`: what differs between two messages."""

from collections.abc import Iterable
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any, Final

from mockforge_brokers.journal import OUT, Row

from ...expectations.message import place_of
from ...text import clean
from ...units import clock_time, counted, format_duration
from ..comparing import changes
from ..language import Token
from ..lookup import BadArgument, numbers_of, view
from ..registry import Arg, Type, command
from ..results import Column, Result, plain, table
from .timeline import courses_of

if TYPE_CHECKING:
    from ..session import Session

_MOST: Final = 500
_BACK: Final = 20_000
"""Rows among which the message before is looked for."""
_WHOLE: Final = 16
"""Characters of a value that are shown from its beginning."""
_AROUND: Final = 6
_SIGNS: Final = {"changed": "~", "added": "+", "removed": "-"}


def _message(token: Token) -> str:
    value = token.value
    numbers = numbers_of(value)
    if not value or (numbers is not None and len(numbers) != 1):
        raise ValueError("which message? #1845, @focus, @marked, or a target: the newest there")
    return value


_MESSAGE = Type("message", _message, "messages")


@command(
    "diff",
    group="messages",
    examples=("diff kafka:orders", "diff kafka:orders amqp:events/order.paid", "diff #1 @focus"),
)
def diff(
    session: "Session",
    which: Annotated[
        str,
        Arg(_MESSAGE, "#1845 (a row), @focus, @marked, or a target: the newest there", "MESSAGE"),
    ],
    other: Annotated[
        str | None, Arg(_MESSAGE, "another one; else the one before `which`", "MESSAGE")
    ] = None,
) -> Result:
    """Show what differs between two messages, or between one and the one before it.

    JSON (and what else has fields) is compared by fields, text by lines, bytes in hex; headers and
    properties too. The one before has the same key, or where it has none the same topic. Of a
    message that is stored it is looked for among those shown with it.
    """
    if other is not None:
        first = _found(session, which, "which", "")
        before, after = first, _found(session, other, "other", f"#{first.seq}")
    else:
        before, after = _pair(session, which)
    return _shown(before, after)


def _found(session: "Session", which: str, argument: str, unlike: str) -> Row:
    """One message; of those that are marked the newest that is not `unlike` (`#7`)."""
    rows: list[Row] = []
    numbers = numbers_of(which)
    if numbers is not None:
        rows = list(view(session, "diff #N").numbered(numbers[0], numbers[0]))
        missing = f"row {which} is not there (any more)"
    elif which in ("@focus", "@marked"):
        rows = list(view(session, f"diff {which}").marked())
        if which == "@marked":
            marked = [row for row in rows if row.marked and f"#{row.seq}" != unlike]
            rows = sorted(marked, key=lambda row: row.seq, reverse=True)
        missing = f"nothing {'else ' if unlike else ''}is {which[1:]}"
    else:
        return _row(courses_of(session, which, argument)[-1])
    if not rows:
        raise BadArgument(argument, missing)
    if rows[0].kind != "message":
        raise BadArgument(argument, f"#{rows[0].seq} {rows[0].operation} is no message")
    return rows[0]


def _pair(session: "Session", which: str) -> tuple[Row, Row]:
    """A message behind the one before it; of two that are marked the older one first."""
    if numbers_of(which) is None and which not in ("@focus", "@marked"):
        *earlier, last = map(_row, courses_of(session, which, "which"))
        return _before(last, reversed(earlier)), last
    row = _found(session, which, "which", "")
    screen = view(session, "diff")
    if which == "@marked":
        return _found(session, which, "which", f"#{row.seq}"), row
    if not row.seq:
        return _before(row, screen.before(row)), row
    rows = screen.numbered(max(1, row.seq - _BACK), row.seq - 1)
    return _before(row, reversed(rows)), row


def _row(course: Any) -> Row:
    row: Row = course.steps[0].row
    return row


def _before(row: Row, earlier: Iterable[Row]) -> Row:
    found = next((each for each in earlier if _is_alike(each, row)), None)
    if found is None:
        raise BadArgument("which", f"nothing before it went {_place(row)}: name the other one, too")
    return found


def _is_alike(other: Row, row: Row) -> bool:
    """Another of the same key and place, which went the same way; a delivery to the same client."""
    same = (other.protocol, other.kind, other.destination, other.key, other.direction) == (
        row.protocol, row.kind, row.destination, row.key, row.direction,
    )  # fmt: skip
    way = other.operation == row.operation
    return same and way and (row.direction != OUT or other.connection == row.connection)


def _place(row: Row) -> str:
    key = f" with key {plain(row.key)}" if row.key is not None else ""
    return f"to {row.destination}{key}"


def _shown(before: Row, after: Row) -> Result:
    names = [_name(before), _name(after)]
    if names[0] == names[1]:
        # Of a queue's messages none says when it came.
        names = ["the one before", "this one"]
    found = list(islice(changes(before, after), _MOST + 1))
    heading = f"{names[0]} and {names[1]}"
    if all(each.seq or each.time for each in (before, after)):
        heading += f", {format_duration(abs(after.time - before.time))} apart"
    records = [
        {
            "change": each.kind,
            "part": each.part,
            "field": each.field,
            "before": each.before,
            "after": each.after,
        }
        for each in found[:_MOST]
    ]
    if not records:
        return table([], *_columns(names, {}), empty=f"{heading}: no difference")
    said = f"{heading}: {counted(len(records), 'difference')}"
    if len(found) > _MOST:
        said = f"{heading}: the first {_MOST} differences"
    nearer = dict(pair for each in records for pair in _nearer(each["before"], each["after"]))
    return replace(table(records, *_columns(names, nearer)), text=said)


def _columns(names: list[str], nearer: dict[str, str]) -> tuple[Column, ...]:
    def near(value: Any) -> str:
        return plain(nearer.get(value, value))

    return (
        Column("change", "", lambda value: _SIGNS[value]),
        Column("part", "part"),
        Column("field", "field"),
        Column("before", names[0], near),
        Column("after", names[1], near),
    )


def _nearer(before: str | None, after: str | None) -> list[tuple[str, str]]:
    """Long values that begin alike, from shortly before they differ: a column would cut that."""
    if before is None or after is None or max(len(before), len(after)) <= _WHOLE:
        return []
    signs = enumerate(zip(before, after, strict=False))
    at = next((at for at, (one, other) in signs if one != other), min(len(before), len(after)))
    if at < _AROUND * 2:
        return []
    return [(each, f"…{each[at - _AROUND :]}") for each in (before, after)]


def _name(row: Row) -> str:
    """`#1845`, or of a stored one `orders p0@97`, the time when it came, or its place."""
    if row.seq:
        return f"#{row.seq}"
    if row.detail.get("offset") is not None or not row.time:
        return clean(place_of(row), 60)
    return clock_time(row.time)


COMMANDS = (diff,)
