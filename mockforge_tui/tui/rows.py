"""One row of the flow as styled text, in columns that fit the width."""

from collections.abc import Callable
from dataclasses import astuple, dataclass, replace
from functools import lru_cache
from time import localtime
from typing import Any

from mockforge_brokers.journal import OUT, Row

from ..text import clean, decode, fit
from ..units import format_size
from .drawing import Piece
from .palette import LETTERS, Glyphs, Palette

_BINARY = frozenset(range(9)) | frozenset(range(14, 32))


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


@lru_cache(maxsize=32)
def columns(width: int) -> Columns:
    """The columns of a width; one cell is between them, two are the cursor's."""
    if width < 70:
        plan = Columns(5, 0, 9, 8, 18, 0, 4, 0)
    elif width < 84:
        plan = Columns(5, 6, 9, 8, 18, 7, 4, 0)
    elif width < 96:
        plan = Columns(5, 6, 10, 8, 24, 8, 5, 0)
    elif width < 124:
        plan = Columns(6, 9, 12, 10, 28, 10, 5, 0)
    else:
        plan = Columns(6, 12, 16, 12, 32, 12, 6, 0)
    used = 5 + sum(size + 1 for size in astuple(plan) if size)
    return replace(plan, preview=max(0, width - used))


@dataclass(frozen=True, slots=True)
class Field:
    """A column whose value can go into a filter: where it stands, and the field's name."""

    start: int
    end: int
    name: str


def fields(width: int) -> list[Field]:
    """The columns that `+` and `-` work on, with their place in a line."""
    found, at = [], 2
    plan = columns(width)
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


def heading(width: int) -> str:
    plan = columns(width)
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
    return fit(line + " preview", width)


def row_pieces(
    row: Row, width: int, palette: Palette, glyphs: Glyphs, *, chosen: bool = False
) -> list[Piece]:
    """The row in five to eight pieces, exactly `width` cells together."""
    plan = columns(width)
    protocol = palette.protocol(row.protocol)
    event = row.kind == "event"
    sign, sign_style = _sign(row, palette, glyphs)
    lead = glyphs.cursor if chosen else glyphs.mark if row.marked else " "
    number = str(row.seq)[-plan.number :].rjust(plan.number)
    time = " " + clock_text(row.time, plan.time) if plan.time else ""
    pieces = [
        (lead + " ", palette.key if chosen else palette.warning),
        (f"{number}{time} ", palette.faintest if not chosen else palette.muted),
        (f"{LETTERS.get(row.protocol, '?')}{_arrow(row, glyphs)} ", protocol),
        (fit(client_text(row, glyphs), plan.client) + " ", palette.muted if event else protocol),
    ]
    if event:
        text = f"{row.operation}  {fact_text(row)}"
        room = width - 2 - plan.number - len(time) - 1 - 3 - plan.client - 1
        style = palette.error if row.error else palette.faulty if row.fault else palette.muted
        return [*pieces, (fit(text, room), style)]
    operation = operation_text(row)
    if sign:
        pieces.append((fit(operation, plan.operation - 2) + " ", palette.plain))
        pieces.append((sign + " ", sign_style))
    else:
        pieces.append((fit(operation, plan.operation) + " ", palette.plain))
    told = destination_text(row)
    # A frame that is about no topic or queue has that room for what it says.
    preview = preview_text(row, plan.preview)
    if told or row.kind == "message":
        place = fit_middle(told, plan.destination, glyphs)
    else:
        place, preview = fit(fact_text(row), plan.destination), clean(row.error, plan.preview)
    pieces.append((place + " ", palette.strong
                   if row.kind == "message" else palette.muted))  # fmt: skip
    key = fit(_key_text(row, plan.key), plan.key) + " " if plan.key else ""
    size = _size_text(row, plan.size)
    pieces.append((f"{key}{size} ", palette.muted))
    pieces.append((fit(preview, plan.preview),
                   palette.error if row.error else palette.faintest
                   if row.kind != "message" else palette.muted))  # fmt: skip
    return pieces


def fit_middle(text: str, cells: int, glyphs: Glyphs) -> str:
    """Exactly `cells` cells; names in a hierarchy differ at their end, so the middle is cut."""
    if len(text) <= cells or not text.isascii():
        return fit(text, cells)
    head = (cells - 1) // 3
    return text[:head] + glyphs.more + text[len(text) - (cells - 1 - head) :]


def clock_text(wall: float, cells: int) -> str:
    """`12:04:31.102`, `04:31.102` or `31.102`, as fits."""
    at = localtime(wall)
    thousandth = int(wall * 1000) % 1000
    return f"{at.tm_hour:02d}:{at.tm_min:02d}:{at.tm_sec:02d}.{thousandth:03d}"[-cells:]


def client_text(row: Row, glyphs: Glyphs) -> str:
    name = clean(row.client, 40) or (f"c{row.connection}" if row.connection else "")
    return name.replace("∗", glyphs.auto)


def operation_text(row: Row) -> str:
    """The operation as short as people say it: `PUB q1`, `deliver`, `Produce`."""
    operation = clean(row.operation, 40).removeprefix("basic.")
    if operation == "PUBLISH":
        operation = "PUB"
    qos = row.detail.get("qos")
    if operation == "PUB" and isinstance(qos, int):
        return f"PUB q{qos}" + ("r" if row.detail.get("retain") else "")
    return operation


def destination_text(row: Row) -> str:
    """`orders p2@118`, `sensors/room1/temp`, `events order.paid`."""
    detail = row.detail
    text = clean(row.destination, 120)
    if row.direction == OUT and isinstance(detail.get("queue"), str):
        text = clean(detail["queue"], 120)
    if "partition" in detail:
        offset = detail.get("offset")
        text += f" p{detail['partition']}" + (f"@{offset}" if offset is not None else "")
    routing_key = detail.get("routing_key")
    if row.protocol == "amqp" and isinstance(routing_key, str) and routing_key != row.destination:
        text += f" {clean(routing_key, 120)}"
    if detail.get("redelivered"):
        text += " redeliv"
    if not text and detail.get("group"):
        text = f"g:{clean(str(detail['group']), 80)}"
    return text.lstrip()


def preview_text(row: Row, cells: int) -> str:
    """The beginning of the payload, or what the protocol says instead of one."""
    if cells <= 0:
        return ""
    if row.error:
        return clean(row.error, cells)
    if row.payload is not None and (row.payload or row.kind == "message"):
        return payload_text(row.payload, cells)
    return clean(fact_text(row), cells)


def payload_text(payload: bytes, cells: int) -> str:
    """One line of a payload: text with its white space run together, or hex."""
    head = payload[: 8 * cells]
    if is_binary(head):
        return "0x" + head[: cells // 2].hex()
    return decode(b" ".join(head.split()), cells)


def is_binary(data: bytes) -> bool:
    """Whether bytes are better read as hex: control characters in them, or no UTF-8 at all."""
    head = data[:256]
    if any(byte in _BINARY for byte in head):
        return True
    text = head.decode("utf-8", "replace")
    # The last character may be cut in two.
    return text[:-1].count("�") * 4 > len(text)


def fact_text(row: Row) -> str:
    """The detail that no column shows, in a few words."""
    text = row.detail.get("text")
    if isinstance(text, str):
        return clean(text, 400)
    words = []
    for name, value in row.detail.items():
        if name not in _SHOWN and value not in (None, "", (), [], {}):
            words.append(f"{name}={short(value)}")
        if len(words) == 6:
            break
    return clean("  ".join(words), 400)


def short(value: Any) -> str:
    """A value of the detail in one line, whatever it holds."""
    match value:
        case bytes():
            return payload_text(value, 60)
        case str():
            return value[:80]
        case list() | tuple():
            shown = ", ".join(short(each) for each in value[:4])
            return shown + (f" and {len(value) - 4} more" if len(value) > 4 else "")
        case dict():
            items = list(value.items())[:4]
            return " ".join(f"{key}={short(each)}" for key, each in items)
    return str(value)[:80]


_SHOWN = frozenset({"partition", "offset", "routing_key", "qos", "retain", "redelivered", "body"})


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
    # AMQP's is the routing key, which stands beside the exchange.
    if row.key is None or row.protocol == "amqp":
        return ""
    return payload_text(row.key, cells)


def _size_text(row: Row, cells: int) -> str:
    if row.payload is None and not row.size:
        return "–".rjust(cells)
    text = format_size(row.size)
    if len(text) > cells:
        text = text.removesuffix("B")
    return text[:cells].rjust(cells)


Shown = Callable[[Row], bool]
