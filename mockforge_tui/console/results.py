"""What a command found or did: one value that becomes a table for people or JSON for programs."""

import json
import math
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from msgspec import Struct
from msgspec.structs import asdict

from .. import text, units
from .language import Problem

if TYPE_CHECKING:
    from ..expectations.failure import Failure

JsonRecord = Mapping[str, Any]
VERSION = 1
_NARROWEST = 8
_WHOLE = 32
"""Cells that a column keeps of its own, however narrow the terminal."""
_PICTURE = 120
"""Cells of a picture where nobody says how many there are."""
_LONGEST = 4_000
"""Characters of a sentence that may name what a client calls itself."""


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that a front end shows between results: a tailed row, the end of a job.

    `kind` is row (data), note or problem; `data` is its form for programs. `formed`: the text is
    what was asked for (`-f`), also by programs. `content` is what an export writes, as it is.
    """

    kind: Literal["row", "note", "problem"]
    text: str
    data: Mapping[str, Any] = field(default_factory=dict)
    formed: bool = False
    content: bytes | None = None

    def as_line(self) -> str:
        """The form for programs, on one line."""
        return to_json(self.data)


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table: the record's key, its heading, and how a value is spelled.

    A `whole` one is the last to be cut. One that is `drawn` is made to its very width, of a record
    or, for the heading, of None; what `show` gives is then as long as it would like to be.
    """

    key: str
    title: str
    show: Callable[[Any], str] = field(default=lambda value: plain(value))
    right: bool = False
    whole: bool = False
    drawn: Callable[[JsonRecord | None, int], str] | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """The outcome of one line.

    `text` is the one line for people, `data` what programs get (records of a table, or one
    record). `fields` are what a filter behind a | may ask of a table's records: its columns and
    what the records have beside them. `problem` says what went wrong and where in the line;
    `question` asks for a yes before anything is done. `ends` tells the front end to quit with
    this exit code. `failure`: an expectation was not met. `narrates`: the data went out as rows,
    and this only narrates. `picture` draws lines of at most so many cells, above the text.
    """

    command: str = ""
    ok: bool = True
    text: str = ""
    data: Any = None
    columns: tuple[Column, ...] = ()
    fields: tuple[str, ...] = ()
    problem: Problem | None = None
    question: str = ""
    in_json: bool = False
    ends: int | None = None
    narrates: bool = False
    failure: "Failure | None" = None
    picture: Callable[[int], Sequence[str]] | None = None

    @property
    def records(self) -> Sequence[JsonRecord]:
        """The rows of a table; nothing for any other result."""
        return self.data if self.columns else ()

    def as_json(self, width: int | None = None) -> dict[str, Any]:
        """The form that programs read; `text` is what people see on `width` cells."""
        answer: dict[str, Any] = {"_command": self.command, "_version": VERSION, "ok": self.ok}
        if self.problem is not None:
            answer["error"] = text.encodable(self.problem.text)
            answer["place"] = [self.problem.start, self.problem.end]
            if self.failure is not None:
                answer["failure"] = for_json(self.failure.as_json())
        elif self.question:
            answer["error"] = text.encodable(f"{self.question} Confirm with -y")
        else:
            answer["text"] = self.as_text(width)
            answer["data"] = for_json(self.data)
        return answer

    def as_line(self) -> str:
        """The JSON form on one line, without the table that `data` has already."""
        answer = self.as_json()
        if self.columns and "text" in answer:
            answer["text"] = text.encodable(self.text)
        return to_json(answer)

    def as_text(self, width: int | None = None) -> str:
        """Lines for a terminal of `width` cells, free of anything that a terminal obeys.

        Sentences that are longer go on in a second line; tables are cut. In a pipe (None) neither.
        """
        if self.failure is not None:
            return f"× {self.failure.as_text()}"
        if self.problem is not None:
            return _wrapped(f"× {self.problem.text}", width)
        if self.question:
            return _wrapped(self.question, width)
        parts = []
        if self.columns:
            parts += table_lines(self.columns, self.records, width)
        if self.picture is not None:
            parts += [text.clean(line) for line in self.picture(width or _PICTURE)]
        if self.text:
            parts += [_wrapped(line, width) for line in self.text.split("\n")]
        return "\n".join(parts)


def _wrapped(line: str, width: int | None) -> str:
    """One clean line, or several where it is a sentence that is too long."""
    shown = text.clean(line, _LONGEST)
    if width is None or text.width(shown) <= width or line.startswith(" "):
        return shown
    return "\n".join(textwrap.wrap(shown, width, subsequent_indent="  ", break_on_hyphens=False))


def done(line: str, data: Any = None) -> Result:
    """A command did something; `line` says what in one sentence."""
    return Result(text=line, data=data)


def table(
    records: Sequence[JsonRecord],
    *columns: Column,
    empty: str = "nothing",
    fields: Sequence[str] = (),
) -> Result:
    """A command found records; `empty` is said when there are none.

    `fields` names what records have that is no column: asked for even while there are none.
    """
    known = [*(column.key for column in columns), *fields, *(records[0] if records else ())]
    return Result(
        text="" if records else empty,
        data=[dict(record) for record in records],
        columns=columns,
        fields=tuple(dict.fromkeys(known)),
    )


def facts_table(facts: Mapping[str, Any]) -> Result:
    """A command shows one thing: a line for each fact, and one for each item of a list."""
    rows = []
    for name, value in facts.items():
        items = value if isinstance(value, list) and value else [value]
        for number, item in enumerate(items):
            rows.append({"field": "" if number else name, "value": item})
    columns = (Column("field", "field"), Column("value", "value"))
    return Result(text="\n".join(table_lines(columns, rows, None)), data=dict(facts))


def failed(line: str, start: int = 0, end: int = 0) -> Result:
    return Result(ok=False, problem=Problem(line, start, end))


def selected(result: Result, records: Sequence[JsonRecord]) -> Result:
    """A table with fewer rows."""
    if not result.records:
        return result
    left = f"{len(result.records) - len(records)} of {len(result.records)} left out"
    return replace(result, data=list(records), text=left)


def table_lines(
    columns: Sequence[Column], records: Sequence[JsonRecord], width: int | None = 120
) -> list[str]:
    """Lines of a table: a heading, then a line for each record, cut to `width` cells.

    Where that is too narrow the widest columns give way. None: nothing is cut.
    """
    if not records:
        return []
    cells = [[text.clean(column.show(record.get(column.key))) for column in columns]
             for record in records]  # fmt: skip
    wanted = [
        max(text.width(column.title), *(text.width(row[i]) for row in cells))
        for i, column in enumerate(columns)
    ]
    # A heading is cut before the figures below it, which would be others without their ends.
    least = [
        min(_WHOLE if column.whole else _NARROWEST, max(text.width(row[i]) for row in cells))
        for i, column in enumerate(columns)
    ]
    room = None if width is None else width - 2 * (len(columns) - 1)
    widths = wanted if room is None else _fitted(wanted, least, room)
    lines = [_joined(columns, widths, _drawn(columns, widths, None, [c.title for c in columns]))]
    lines += [
        _joined(columns, widths, _drawn(columns, widths, record, row))
        for record, row in zip(records, cells, strict=True)
    ]
    return lines if width is None else [text.fit(line, width).rstrip() for line in lines]


def _drawn(
    columns: Sequence[Column],
    widths: Sequence[int],
    record: JsonRecord | None,
    cells: Sequence[str],
) -> list[str]:
    """The cells of a line, with those that are made to a column's width."""
    return [
        cell if column.drawn is None else text.clean(column.drawn(record, room))
        for column, room, cell in zip(columns, widths, cells, strict=True)
    ]


def _fitted(wanted: Sequence[int], least: Sequence[int], room: int) -> list[int]:
    """The widths that columns get of `room` cells: all that they want, or a fair share."""
    widths = list(wanted)
    over = sum(widths) - room
    while over > 0:
        giving = [at for at, width in enumerate(widths) if width > least[at]]
        if not giving:
            break
        at = max(giving, key=widths.__getitem__)
        widest = widths[at]
        below = max((widths[other] for other in giving if widths[other] < widest), default=0)
        give = max(1, min(over, widest - max(below, least[at])))
        widths[at] -= give
        over -= give
    return widths


def _joined(columns: Sequence[Column], widths: Sequence[int], cells: Sequence[str]) -> str:
    parts = []
    for column, room, cell in zip(columns, widths, cells, strict=True):
        fitted = text.fit(cell, room)
        parts.append(fitted.rstrip().rjust(room) if column.right and cell.isascii() else fitted)
    return "  ".join(parts).rstrip()


def to_json(value: Any) -> str:
    """One line of JSON that no terminal obeys, whatever clients put into the value."""
    return text.encodable_json(json.dumps(for_json(value), ensure_ascii=False))


def for_json(value: Any) -> Any:
    """The same value as JSON in UTF-8 can have it: bytes as text, infinity as `max`."""
    match value:
        case None | bool() | int():
            return value
        case str():
            return text.encodable(value)
        case float():
            return value if math.isfinite(value) else units.format_rate(value)
        case Mapping():
            return {text.encodable(str(key)): for_json(each) for key, each in value.items()}
        case Struct():
            return for_json(asdict(value))
        case list() | tuple():
            return [for_json(each) for each in value]
    return text.encodable(plain(value))


# How values are spelled -------------------------------------------------------------------


def plain(value: Any) -> str:
    match value:
        case None:
            return "–"
        case bool():
            return "yes" if value else "no"
        case str():
            return value
        case bytes():
            return value.decode("utf-8", "replace")
        case list() | tuple():
            return ", ".join(plain(each) for each in value)
        case Mapping():
            shown = {key: each for key, each in value.items() if each not in (None, "", (), [])}
            return " ".join(f"{key}={plain(each)}" for key, each in shown.items())
        case Struct():
            return plain(asdict(value))
    return str(value)


def count(value: Any) -> str:
    return "–" if value is None else f"{value:,}".replace(",", " ")


def size(value: Any) -> str:
    return "–" if value is None else units.format_size(value)


def duration(value: Any) -> str:
    return "–" if value is None else units.format_duration(value)


def rate(value: Any) -> str:
    return "–" if value is None else units.format_rate(value)


def on_off(value: Any) -> str:
    return "●" if value else "○"
