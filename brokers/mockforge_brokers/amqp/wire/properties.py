"""The properties of class basic (AMQP 1.8) in a content header's payload."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

from ...bytes_io import ByteReader
from ...errors import ProtocolError
from ..codes import ReplyCode
from .field_table import read_table, skip_table, write_table
from .frames import HEAD_SIZE

PROPERTIES: Final[tuple[tuple[str, str, int], ...]] = (
    ("content_type", "shortstr", 1 << 15),
    ("content_encoding", "shortstr", 1 << 14),
    ("headers", "table", 1 << 13),
    ("delivery_mode", "octet", 1 << 12),
    ("priority", "octet", 1 << 11),
    ("correlation_id", "shortstr", 1 << 10),
    ("reply_to", "shortstr", 1 << 9),
    ("expiration", "shortstr", 1 << 8),
    ("message_id", "shortstr", 1 << 7),
    ("timestamp", "longlong", 1 << 6),
    ("type", "shortstr", 1 << 5),
    ("user_id", "shortstr", 1 << 4),
    ("app_id", "shortstr", 1 << 3),
    ("cluster_id", "shortstr", 1 << 2),
)
"""Name, type and flag of each property, in wire order."""

NAMES: Final = frozenset(name for name, _, _ in PROPERTIES)
FLAG_HEADERS: Final = 1 << 13
FLAG_DELIVERY_MODE: Final = 1 << 12
FLAG_PRIORITY: Final = 1 << 11
FLAG_REPLY_TO: Final = 1 << 9
FLAG_EXPIRATION: Final = 1 << 8
FLAG_USER_ID: Final = 1 << 4
_FIXED: Final = 12
"""Class id, weight and body size stand before the flags."""


def decode_properties(payload: bytes) -> dict[str, Any]:
    """The properties of a content header's payload, by name; raises ProtocolError."""
    reader = ByteReader(payload, _FIXED, what="content header")
    flags = reader.uint16()
    values: dict[str, Any] = {}
    for name, kind, flag in PROPERTIES:
        if flags & flag:
            values[name] = _read(reader, kind)
    if reader.remaining:
        raise ProtocolError(
            f"content header: {reader.remaining} bytes too many", ReplyCode.SYNTAX_ERROR
        )
    return values


_SHORT: Final = 0
_TABLE: Final = -1
_MODE: Final = -2
"""Steps over properties whose size is not known, and over the one whose value is wanted."""


@lru_cache(1024)
def _steps(flags: int) -> tuple[int, ...]:
    """What these flags say is there, in order: how many bytes each, or what kind.

    Publishers set the same few flags on all that they send.
    """
    sizes = {"octet": 1, "longlong": 8, "shortstr": _SHORT, "table": _TABLE}
    return tuple(
        _MODE if name == "delivery_mode" else sizes[kind]
        for name, kind, flag in PROPERTIES
        if flags & flag
    )


def check_properties(payload: bytes, flags: int) -> int:
    """Walk the properties of a content header's payload; returns the delivery mode, 1 for none.

    Nothing is decoded. Raises ProtocolError (541) where RabbitMQ's parser fails. The two flags
    that no property has (one of them announces more flags) are not looked at, as there.
    """
    at = _FIXED + 2
    delivery_mode = 1
    try:
        for step in _steps(flags):
            if step == _SHORT:
                at += payload[at] + 1
            elif step > 0:
                at += step
            elif step == _TABLE:
                at = skip_table(payload, at)
            else:
                delivery_mode = payload[at]
                at += 1
        if at == len(payload):
            return delivery_mode
        reason = f"{abs(len(payload) - at)} bytes too {'many' if at < len(payload) else 'few'}"
    except (IndexError, ProtocolError) as error:
        reason = str(error) if isinstance(error, ProtocolError) else "it ends too early"
    raise ProtocolError(f"content header: {reason}", ReplyCode.INTERNAL_ERROR)


def place_of(frame: bytes, flags: int, wanted: int) -> int:
    """Where the value of a property begins in a content's first frame, which was checked before.

    `wanted` is the property's flag, which is among `flags`.
    """
    at = HEAD_SIZE + _FIXED + 2
    for _, kind, flag in PROPERTIES:
        if flag == wanted:
            return at
        if flags & flag:
            if kind == "shortstr":
                at += frame[at] + 1
            elif kind == "table":
                at += 4 + int.from_bytes(frame[at : at + 4], "big")
            else:
                at += 1 if kind == "octet" else 8
    raise ValueError(f"no property has the flag {wanted}")


def _read(reader: ByteReader, kind: str) -> Any:
    if kind == "shortstr":
        return reader.take(reader.uint8()).decode("utf-8", "surrogateescape")
    if kind == "octet":
        return reader.uint8()
    if kind == "longlong":
        return reader.uint64()
    return read_table(reader)


def encode_header(body_size: int, properties: Mapping[str, Any]) -> bytes:
    """A content header's payload for class basic."""
    flags = 0
    pieces = []
    for name, kind, flag in PROPERTIES:
        value = properties.get(name)
        if value is not None:
            flags |= flag
            pieces.append(_write(kind, value))
    start = b"\x00\x3c\x00\x00" + body_size.to_bytes(8, "big") + flags.to_bytes(2, "big")
    return start + b"".join(pieces)


def _write(kind: str, value: Any) -> bytes:
    if kind == "shortstr":
        raw: bytes = value.encode("utf-8", "surrogateescape")
        return len(raw).to_bytes(1, "big") + raw
    if kind == "table":
        return write_table(value)
    return int(value).to_bytes(1 if kind == "octet" else 8, "big")
