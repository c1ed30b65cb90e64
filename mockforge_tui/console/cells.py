"""What a row says, in the words that a line of a screen or of a diagram has room for."""

from typing import Any, Final

import msgspec
from mockforge_brokers.journal import OUT, Row

from ..decoding import look
from ..text import clean, decode

_BINARY = frozenset(range(9)) | frozenset(range(14, 32))
_LOOKED_INTO: Final = 4_096
"""Bytes of a payload whose form is found out for its one line."""
_SHOWN: Final = frozenset(
    {"partition", "offset", "routing_key", "qos", "retain", "redelivered", "body"}
)


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
    if isinstance(routing_key, str) and routing_key != row.destination:
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
        return payload_text(row.payload, cells, row.destination)
    return clean(fact_text(row), cells)


def payload_text(payload: bytes, cells: int, destination: str = "") -> str:
    """One line of a payload: text with its white space run together, or hex.

    What is surely CBOR and the like is shown as JSON.
    """
    decoded = look(payload, destination) if len(payload) <= _LOOKED_INTO else None
    if decoded is not None and decoded.sure:
        payload = msgspec.json.encode(decoded.value)
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
    # A channel is the same in nearly all frames of a client: what differs has the room first.
    for name, value in sorted(row.detail.items(), key=lambda fact: fact[0] == "channel"):
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
