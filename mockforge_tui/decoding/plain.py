"""Values of all kinds as those that JSON has."""

import math
from typing import Any, Final

MOST: Final = 20_000
"""Values of one payload: what has more is shown as bytes."""
DEEPEST: Final = 32
_DECIMAL: Final = 4096
"""Bits of a number that is written with decimal digits."""


class NotThis(Exception):
    """These bytes are not of this form."""


def number(value: float) -> float | str:
    """JSON has no NaN and no infinity."""
    return value if math.isfinite(value) else str(value)


def integer(value: int) -> int | str:
    """Of more than 64 bits: what most readers of JSON would make another number of."""
    if -(1 << 63) <= value < 1 << 64:
        return value
    # Python refuses to write some thousand digits: that takes the square of their time.
    return str(value) if value.bit_length() <= _DECIMAL else hex(value)


def octets(data: bytes) -> str:
    """`h'00ff'`, as CBOR's own diagnostic notation has bytes."""
    return f"h'{data.hex()}'"


def name(key: Any) -> str:
    """Of a member, whose key may be of any type."""
    return key if isinstance(key, str) else str(plain(key))


def plain(value: Any, depth: int = 0) -> Any:
    """Raises NotThis for what is too deep."""
    if depth > DEEPEST:
        raise NotThis
    match value:
        case dict():
            return {name(key): plain(each, depth + 1) for key, each in value.items()}
        case list() | tuple():
            return [plain(each, depth + 1) for each in value]
        case bool() | None | str():
            return value
        case int():
            return integer(value)
        case float():
            return number(value)
        case bytes() | bytearray() | memoryview():
            return octets(bytes(value))
    return str(value)
