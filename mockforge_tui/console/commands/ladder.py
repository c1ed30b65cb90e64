"""`ladder`: a connection as a sequence diagram."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, Final

from mockforge_brokers.journal import IN
from mockforge_brokers.protocols import title_of
from mockforge_brokers.snapshots import ConnectionView

from ...text import clean
from ...units import clock_time, counted
from ..ladder.drawing import arrow, fact, lifelines
from ..ladder.reading import Reading, read
from ..ladder.rungs import Ladder, Rung
from ..ladder.wording import is_lost, label_of, notes_of, taken
from ..lookup import BadArgument
from ..registry import Arg, Opt, command
from ..results import Column, JsonRecord, Result, plain, table
from ..types import COUNT
from .connections import CONNECTION, Which, connections_of

if TYPE_CHECKING:
    from ..session import Session

_SHOWN: Final = 50
_LONGEST: Final = 60
"""Cells that a label takes where there is room for more."""
_NOTABLE: Final = 0.001
_SHORTEST: Final = 44
"""Cells that a diagram takes where there is room, so that names have some too."""
_AROUND: Final = 8
"""Cells of an arrow beside its label."""


@command(
    "ladder",
    group="connections",
    aliases=("sequence",),
    examples=("ladder dev-7", "ladder c7 -n 20", "ladder c7 --all --single"),
)
def ladder(
    session: "Session",
    which: Annotated[Which, Arg(CONNECTION, "a connection (c7) or a client's name")],
    *,
    most: Annotated[int, Opt(("-n", "--count"), COUNT, "the newest so many arrows (50)")] = _SHOWN,
    noise: Annotated[bool, Opt(("--all",), None, "pings and empty polls too")] = False,
    single: Annotated[bool, Opt(("--single",), None, "an arrow for each frame")] = False,
) -> Result:
    """Draw what a client and the broker sent each other, as a sequence diagram.

    Beside an answer stands how long it took, beside a request without one how long it waits;
    faults, held frames and errors are marked, and what a fault dropped does not arrive. Frames
    that are alike and follow at once are one arrow. The journal has the newest frames of each
    connection, also of one that is over. On the screen, `L` draws it as it goes on.
    """
    journal = session.runtime.journal
    if journal is None:
        raise BadArgument("which", "frames are not kept here: start it with a journal")
    views = connections_of(session, which)
    numbers = [each.id for each in views]
    reading = read(journal, session.runtime.spine, session.runtime.holds, numbers)
    found = Ladder(numbers, reading.row)
    for row in reading.feed.since(0):
        found.meet(row)
    rungs = found.rungs(noise=noise, folded=not single)
    records = _records(session, reading, rungs[-most:])
    shown = table(
        records,
        Column("time", "time", clock_time),
        Column("after", "after", _after, right=True),
        *([Column("connection", "conn", lambda number: f"c{number}")] if len(views) > 1 else []),
        Column("label", "", _natural, drawn=_drawing(views)),
        Column("note", "note"),
        empty=f"{_named(views)}: no frame is kept",
        fields=_FIELDS,
    )
    return replace(shown, text=_summary(views, found, rungs, reading, most)) if records else shown


_FIELDS: Final = (
    "connection", "direction", "operation", "frames", "answers_after", "waits", "error", "fault",
    "held", "lost",
)  # fmt: skip


def _records(session: "Session", reading: Reading, rungs: Sequence[Rung]) -> list[JsonRecord]:
    now = session.runtime.clock.wall()
    return [_record(reading, rung, now) for rung in rungs]


def _record(reading: Reading, rung: Rung, now: float) -> JsonRecord:
    frame, row, kind_of = rung.first, reading.row(rung.first.number), reading.feed.kind_of
    assert row is not None
    waits = frame.awaited and rung.last.answered is None
    return {
        "time": round(frame.time, 6),
        "after": None if rung.after is None else round(rung.after, 6),
        "connection": frame.connection,
        "direction": "" if frame.is_event else ("in", "out")[frame.direction],
        "operation": frame.operation,
        "label": label_of(row, rung),
        "note": "  ".join(text for _, text in notes_of(rung, row.error, kind_of, now)),
        "frames": rung.count,
        "answers_after": None if frame.asked is None else round(frame.time - frame.asked.time, 6),
        "waits": round(now - rung.last.time, 6) if waits else None,
        "error": row.error,
        "fault": frame.fault,
        "held": frame.held,
        "lost": is_lost(frame, kind_of),
    }


def _after(seconds: Any) -> str:
    """Below a millisecond the time beside it says enough."""
    return f"+{taken(seconds)}" if seconds is not None and seconds >= _NOTABLE else ""


def _natural(label: Any) -> str:
    return (clean(plain(label), _LONGEST) + "." * _AROUND).ljust(_SHORTEST, ".")


def _drawing(views: Sequence[ConnectionView]) -> Any:
    client = clean(views[0].client, 40) or f"c{views[0].id}"

    def drawn(record: JsonRecord | None, cells: int) -> str:
        if record is None:
            return lifelines(client, "broker", cells)
        if not record["direction"]:
            return str(fact(record["label"], cells))
        direction = IN if record["direction"] == "in" else 1 - IN
        return str(arrow(record["label"], direction, cells, lost=record["lost"]))

    return drawn


def _named(views: Sequence[ConnectionView]) -> str:
    numbers = ", ".join(f"c{each.id}" for each in views)
    first = views[0]
    what = f"{title_of(first.protocol)}, {first.address}"
    return f"{numbers} {clean(first.client, 60)} ({what})"


def _summary(
    views: Sequence[ConnectionView], found: Ladder, rungs: Sequence[Rung], reading: Reading,
    most: int,
) -> str:  # fmt: skip
    parts = [f"{_named(views)}: {counted(len(found), 'frame')}"]
    hidden = len(rungs) - most
    if hidden > 0:
        parts.append(f"{counted(hidden, 'older arrow')} left out (-n {len(rungs)} draws them)")
    if found.left or not reading.all_read:
        parts.append("older frames are not looked at")
    elif not reading.all_kept:
        parts.append("what came before is not kept")
    waiting = found.waiting
    if waiting:
        parts.append(f"{counted(len(waiting), 'request')} without an answer")
    return "; ".join(parts)


COMMANDS = (ladder,)
