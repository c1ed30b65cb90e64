"""What stands on an arrow, and beside it."""

from collections.abc import Callable, Iterator
from typing import Any, Final

from mockforge_brokers.journal import Row
from mockforge_brokers.protocols import protocol_of

from ...text import clean
from ...units import format_duration
from ..cells import destination_text, fact_text, operation_text, payload_text, short
from .pairs import Frame
from .rungs import Rung

_HOUSEKEEPING: Final = frozenset(
    {"correlation_id", "channel", "packet_id", "throttle_time_ms", "error_code", "code",
     "session_present", "version_major", "version_minor", "timestamp", "text",
     "partition", "offset", "routing_key", "qos", "retain", "redelivered", "body"}
)  # fmt: skip
"""Facts that tell people little: they are in the inspector."""
_MOST_FACTS: Final = 6
_PREVIEW: Final = 120
LOST: Final = frozenset({"drop", "blackhole"})
"""Faults by which a frame does not arrive."""

KindOf = Callable[[int], str]
"""The kind of a fault rule that hit something, by its number."""


def label_of(row: Row, rung: Rung) -> str:
    """`Produce orders p0 o-17 {"id": 17}`, `PUBACK`, `basic.ack #3`."""
    if rung.first.is_event:
        text = f"{row.operation} {row.destination}".strip()
        said = fact_text(row)
        return clean(f"{text}: {said}" if said else text)
    parts = [operation_text(row)]
    channel = row.detail.get("channel")
    if isinstance(channel, int) and channel > 1:
        parts.append(f"ch{channel}")
    parts.append(destination_text(row))
    if rung.count > 1:
        return " ".join(each for each in (*parts, f"×{rung.count:,}") if each)
    tag = row.detail.get("delivery_tag")
    if isinstance(tag, int):
        parts.append(f"#{tag}" + (" and before" if row.detail.get("multiple") else ""))
    if rung.messages > 1:
        parts.append(f"and {rung.messages - 1:,} more")
    elif row.kind == "message":
        parts += _message(row)
    elif not parts[-1]:
        parts.append(_facts(row))
    return " ".join(each for each in parts if each)


def _message(row: Row) -> Iterator[str]:
    if row.key is not None and protocol_of(row.protocol).keyed:
        yield payload_text(row.key, 24)
    if row.payload:
        yield payload_text(row.payload, _PREVIEW, row.destination)


def _facts(row: Row) -> str:
    """What a frame says that is about no topic or queue, without what is nothing or usual."""
    said = [
        f"{name}={short(value)}"
        for name, value in row.detail.items()
        if name not in _HOUSEKEEPING and _tells(name, value)
    ]
    return clean("  ".join(said[:_MOST_FACTS]), 200)


def _tells(name: str, value: Any) -> bool:
    """Neither nothing, nor a whole table, nor which version a request is in."""
    if isinstance(value, dict | bytes) or value in (None, "", (), [], 0, False):
        return False
    if isinstance(value, list | tuple) and not isinstance(value[0], str | int):
        return False
    return not (name == "version" and isinstance(value, int))


def notes_of(rung: Rung, error: str, kind_of: KindOf, now: float) -> list[tuple[str, str]]:
    """What stands beside the arrow, each with its role: time or waits, held, fault, error.

    `error` is its row's.
    """
    frame = rung.first
    if frame.is_event:
        return []
    notes: list[tuple[str, str]] = []
    if frame.asked is not None:
        notes.append(("time", taken(frame.time - frame.asked.time)))
    elif rung.last.awaited and rung.last.answered is None and not frame.held:
        notes.append(("waits", f"waits {taken(now - rung.last.time)}"))
    if frame.held:
        notes.append(("held", f"held h{frame.held}"))
    if frame.fault:
        notes.append(("fault", f"fault {frame.fault} {kind_of(frame.fault)}".rstrip()))
    if error:
        notes.append(("error", clean(error, 120)))
    return notes


def is_lost(frame: Frame, kind_of: KindOf) -> bool:
    return bool(frame.fault) and kind_of(frame.fault) in LOST


def taken(seconds: float) -> str:
    """`0.4 ms`, `12 ms`, `1.25 s`, `2m05s`."""
    if seconds < 0.00005:
        return "0 ms"
    if seconds < 0.00995:
        return f"{seconds * 1000:.1f} ms"
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 59.95:
        return f"{seconds:.2f} s"
    return format_duration(seconds)
