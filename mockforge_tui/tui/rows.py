"""One row of the flow as styled text, in columns that fit the width."""

from collections.abc import Callable
from dataclasses import astuple, dataclass
from functools import lru_cache
from typing import Any, Final

from mockforge_brokers.journal import OUT, Row
from mockforge_brokers.protocols import letter_of, protocol_of

from ..console.cells import destination_text, fact_text, operation_text, payload_text, preview_text
from ..text import clean, fit, width
from ..units import clock_time, format_size
from .drawing import Piece
from .palette import Glyphs, Palette


@dataclass(frozen=True, slots=True)
class Columns:
    """Cells of each column; 0 leaves a column out. The preview takes what is left."""

    number: int
    time: int
    client: int
    operation: int
    destination: int
    key: int
    size: int
    preview: int


@dataclass(frozen=True, slots=True)
class Need:
    """Cells that the rows of a page would take in the columns that give way to the preview."""

    client: int = 6
    operation: int = 7
    destination: int = 12
    key: int = 0

    def grown(self, other: "Need") -> "Need":
        pairs = zip(astuple(self), astuple(other), strict=True)
        return Need(*(max(one, two) for one, two in pairs))


ROOMY: Final = Need(16, 12, 40, 16)
"""What no column is wider than, whatever the rows would take."""
_LEAST: Final = Need(9, 7, 18, 6)


def need(row: Row, glyphs: Glyphs) -> Need:
    """What one row would take."""
    if row.kind == "event":
        return Need(client=len(client_text(row, glyphs)))
    sign = 2 if row.held or row.fault or row.error else 0
    key = (
        0 if row.key is None or protocol_of(row.protocol).routed else min(16, max(3, len(row.key)))
    )
    destination = width(destination_text(row)) if row.kind == "message" else 0
    return Need(
        width(client_text(row, glyphs)), len(operation_text(row)) + sign, destination, key
    )  # fmt: skip


@lru_cache(maxsize=256)
def columns(cells: int, wanted: Need = ROOMY) -> Columns:
    """The columns of a width; one cell is between them, two are the cursor's.

    They take what the rows need, and the preview has the rest: a quarter at the least where
    there is room, for which the longest columns give way.
    """
    number, time, size = (5, 0, 4) if cells < 70 else (5, 6, 4) if cells < 84 else (
        (6, 9, 5) if cells < 124 else (6, 12, 6))  # fmt: skip
    if 84 <= cells < 96:
        time, size = 6, 4
    sizes = [min(one, most) for one, most in zip(astuple(wanted), astuple(ROOMY), strict=True)]
    fixed = 5 + number + 1 + (time + 1 if time else 0) + size + 1
    gaps = sum(1 for each in sizes if each)
    least = 0 if cells < 70 else 9 if cells < 84 else 12 if cells < 110 else cells // 4
    room = cells - fixed - gaps - least
    while sum(sizes) > room:
        # The destination first, then whichever is furthest over the least that it can do with.
        over = [each - least for each, least in zip(sizes, astuple(_LEAST), strict=True)]
        at = max(range(4), key=lambda each: (over[each], each == 2))
        if over[at] <= 0:
            break
        sizes[at] -= 1
    client, operation, destination, key = sizes
    used = fixed + sum(each + 1 for each in sizes if each)
    preview = cells - used
    if preview < 0:
        destination, preview = destination + preview, 0
    return Columns(number, time, client, operation, destination, key, size, preview)


@dataclass(frozen=True, slots=True)
class Field:
    """A column whose value can go into a filter: where it stands, and the field's name."""

    start: int
    end: int
    name: str


def fields(cells: int, wanted: Need = ROOMY) -> list[Field]:
    """The columns that `+` and `-` work on, with their place in a line."""
    found, at = [], 2
    plan = columns(cells, wanted)
    for size, name in (
        (plan.number, ""),
        (plan.time, ""),
        (2, "proto"),
        (plan.client, "client"),
        (plan.operation, "op"),
        (plan.destination, "topic"),
        (plan.key, "key"),
        (plan.size, "size"),
    ):
        if size:
            if name:
                found.append(Field(at, at + size, name))
            at += size + 1
    return found


def heading(cells: int, wanted: Need = ROOMY) -> str:
    plan = columns(cells, wanted)
    parts = [
        ("#", plan.number, str.rjust),
        ("time", plan.time, str.ljust),
        ("p", 2, str.ljust),
        ("client", plan.client, str.ljust),
        ("op", plan.operation, str.ljust),
        ("topic · queue · routing", plan.destination, str.ljust),
        ("key", plan.key, str.ljust),
        ("size", plan.size, str.rjust),
    ]
    line = "  " + " ".join(pad(text[:size], size) for text, size, pad in parts if size)
    return fit(line + " preview", cells)


def row_pieces(
    row: Row,
    cells: int,
    palette: Palette,
    glyphs: Glyphs,
    *,
    chosen: bool = False,
    wanted: Need = ROOMY,
) -> list[Piece]:
    """The row in five to eight pieces, exactly `cells` cells together."""
    plan = columns(cells, wanted)
    protocol = palette.protocol(row.protocol)
    event = row.kind == "event"
    sign, sign_style = _sign(row, palette, glyphs)
    lead = glyphs.cursor if chosen else glyphs.mark if row.marked else " "
    number = str(row.seq)[-plan.number :].rjust(plan.number)
    time = " " + clock_text(row.time, plan.time) if plan.time else ""
    pieces = [
        (lead + " ", palette.key if chosen else palette.warning),
        (f"{number}{time} ", palette.faintest if not chosen else palette.muted),
        (f"{letter_of(row.protocol)}{_arrow(row, glyphs)} ", protocol),
        (fit(client_text(row, glyphs), plan.client) + " ", palette.muted if event else protocol),
    ]
    if event:
        text = f"{row.operation}  {fact_text(row)}"
        room = cells - 2 - plan.number - len(time) - 1 - 3 - plan.client - 1
        style = palette.error if row.error else palette.faulty if row.fault else palette.muted
        return [*pieces, (fit(text, room), style)]
    operation = operation_text(row)
    if sign:
        pieces.append((fit(operation, plan.operation - 2) + " ", palette.plain))
        pieces.append((sign + " ", sign_style))
    else:
        pieces.append((fit(operation, plan.operation) + " ", palette.plain))
    destination = destination_text(row)
    # A frame that is about no topic or queue has that room for what it says.
    preview = preview_text(row, plan.preview)
    if destination or row.kind == "message":
        place = fit_middle(destination, plan.destination, glyphs)
    else:
        place, preview = _facts(row, plan)
    pieces.append((place + " ", palette.strong
                   if row.kind == "message" else palette.muted))  # fmt: skip
    key = fit(_key_text(row, plan.key), plan.key) + " " if plan.key else ""
    size = _size_text(row, plan.size)
    pieces.append((f"{key}{size} ", palette.muted))
    pieces.append((fit(preview, plan.preview),
                   palette.error if row.error else palette.faintest
                   if row.kind != "message" else palette.muted))  # fmt: skip
    return pieces


def _facts(row: Row, plan: Columns) -> tuple[str, str]:
    """What a frame says that is about no topic or queue: in that column, or where there is room."""
    text = fact_text(row)
    if row.error or width(text) <= plan.destination or plan.preview <= plan.destination:
        return fit(text, plan.destination), clean(row.error, plan.preview)
    return " " * plan.destination, clean(text, plan.preview)


def fit_middle(text: str, cells: int, glyphs: Glyphs) -> str:
    """Exactly `cells` cells; names in a hierarchy differ at their end, so the middle is cut."""
    if len(text) <= cells or not text.isascii():
        return fit(text, cells)
    head = (cells - 1) // 3
    return text[:head] + glyphs.more + text[len(text) - (cells - 1 - head) :]


def clock_text(wall: float, cells: int) -> str:
    """`12:04:31.102`, `04:31.102` or `31.102`, as fits."""
    return clock_time(wall)[-cells:]


def client_text(row: Row, glyphs: Glyphs) -> str:
    name = clean(row.client, 40) or (f"c{row.connection}" if row.connection else "")
    return name.replace("∗", glyphs.auto)


def _sign(row: Row, palette: Palette, glyphs: Glyphs) -> tuple[str, Any]:
    if row.held:
        return glyphs.held, palette.holding
    if row.fault:
        return glyphs.fault, palette.faulty
    if row.error:
        return glyphs.error, palette.error
    return "", palette.plain


def _arrow(row: Row, glyphs: Glyphs) -> str:
    if row.kind == "event":
        return glyphs.event
    return glyphs.outward if row.direction == OUT else glyphs.inward


def _key_text(row: Row, cells: int) -> str:
    return payload_text(row.key, cells) if row.key is not None and _has_own_key(row) else ""


def _has_own_key(row: Row) -> bool:
    """Not a routing key, which stands beside the exchange already."""
    return not protocol_of(row.protocol).routed


def _size_text(row: Row, cells: int) -> str:
    if row.payload is None and not row.size:
        return "–".rjust(cells)
    text = format_size(row.size)
    if len(text) > cells:
        text = text.removesuffix("B")
    return text[:cells].rjust(cells)


Shown = Callable[[Row], bool]
