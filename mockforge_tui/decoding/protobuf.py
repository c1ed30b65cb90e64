"""Protocol Buffers without a schema: what the wire says, as `protoc --decode_raw` shows it.

https://protobuf.dev/programming-guides/encoding. Fields have numbers in place of names. Whether
bytes are a text, a message or neither is a guess, and so is that four or eight bytes are a
floating-point number.
"""

from collections.abc import Iterator
from struct import unpack
from typing import Any, Final

from .plain import DEEPEST, MOST, NotThis, number, octets

VARINT: Final = 0
FIXED_64: Final = 1
LENGTH: Final = 2
GROUP: Final = 3
END_GROUP: Final = 4
FIXED_32: Final = 5

_HIGHEST: Final = 10_000
"""Field numbers above it are legal, and in a guess rather a sign that it is wrong."""

Field = tuple[int, int, Any]
"""Number, wire type, and an int or bytes (of a group: its fields)."""


def fields(data: bytes) -> Iterator[Field]:
    """The fields of a message in their order; raises NotThis."""
    at = 0
    while at < len(data):
        key, at = varint(data, at)
        field, kind = key >> 3, key & 7
        if not 0 < field < 1 << 29:
            raise NotThis
        match kind:
            case 0:
                value, at = varint(data, at)
                yield field, kind, value
                continue
            case 1:
                size = 8
            case 5:
                size = 4
            case 2:
                size, at = varint(data, at)
            case _:
                # Groups are in no message that was made since 2008.
                raise NotThis
        if at + size > len(data):
            raise NotThis
        yield field, kind, data[at : at + size]
        at += size


def varint(data: bytes, at: int) -> tuple[int, int]:
    """The number at a place and where the next begins; raises NotThis."""
    found = 0
    for place in range(10):
        if at + place >= len(data):
            raise NotThis
        byte = data[at + place]
        found |= (byte & 0x7F) << 7 * place
        if byte < 0x80:
            if found >= 1 << 64 or (place and not byte):
                # No encoder writes more bytes than a number needs.
                raise NotThis
            return found, at + place + 1
    raise NotThis


def signed(value: int, bits: int = 64) -> int:
    """A negative int32 or int64, as the varint of its two's complement has it."""
    value &= (1 << bits) - 1
    return value - (1 << bits) if value >> (bits - 1) else value


def read(payload: bytes) -> dict[str, Any]:
    """A message's fields by their numbers; those that stand there again are lists.

    Raises NotThis.
    """
    return _message(payload, 0, [MOST])


def _message(data: bytes, depth: int, left: list[int]) -> dict[str, Any]:
    if depth > DEEPEST or not data:
        raise NotThis
    found: dict[str, list[Any]] = {}
    for field, kind, value in fields(data):
        left[0] -= 1
        if field > _HIGHEST or not left[0]:
            raise NotThis
        found.setdefault(str(field), []).append(_value(kind, value, depth, left))
    return {field: values if len(values) > 1 else values[0] for field, values in found.items()}


def _value(kind: int, value: Any, depth: int, left: list[int]) -> Any:
    match kind:
        case 0:
            return signed(value)
        case 1:
            return _fixed(value, "<d", "<q")
        case 5:
            return _fixed(value, "<f", "<i")
    text = _readable(value)
    if text is not None:
        return text
    try:
        return _message(value, depth + 1, left)
    except NotThis:
        return octets(value)


def _fixed(data: bytes, as_float: str, as_integer: str) -> Any:
    """A floating-point number where it is one of a usual size, else an integer."""
    found: float = unpack(as_float, data)[0]
    if found == 0 or 1e-9 < abs(found) < 1e15:
        # As many digits as four bytes have: 21.5, not 21.499999237060547.
        return number(float(f"{found:.7g}") if len(data) == 4 else found)
    return unpack(as_integer, data)[0]


def _readable(data: bytes) -> str | None:
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return None
    return text if text.isprintable() else None
