"""The type system of AMQP 1.0 (part 1): values with the type that they had on the wire.

Python's own types stand for null, boolean, string, binary, list and map; the others are thin
classes of their own, since a client that sent a ubyte expects a ubyte back.
"""

import struct
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple
from uuid import UUID

from ....errors import ProtocolError

DEEPEST: Final = 64
"""Values inside each other; more is an attack, not a message."""
_MOST_EMPTY_ITEMS: Final = 16
"""Items of an array whose items take no bytes: its count costs a sender nothing, and many such
arrays fit into one message."""


class Symbol(str):
    """ASCII from a closed set: names of fields, conditions, capabilities."""

    __slots__ = ()


class Char(str):
    """One Unicode character."""

    __slots__ = ()


class UByte(int):
    __slots__ = ()


class UShort(int):
    __slots__ = ()


class UInt(int):
    __slots__ = ()


class ULong(int):
    __slots__ = ()


class Byte(int):
    __slots__ = ()


class Short(int):
    __slots__ = ()


class Int(int):
    __slots__ = ()


class Long(int):
    __slots__ = ()


class Timestamp(int):
    """Milliseconds since 1970."""

    __slots__ = ()


class Float(float):
    """32 bits; Python's own float stands for a double."""

    __slots__ = ()


class Opaque(NamedTuple):
    """A decimal: carried along as it came."""

    code: int
    data: bytes


class Described(NamedTuple):
    """A value with a descriptor: a ulong or a symbol."""

    descriptor: Any
    value: Any


class Array(NamedTuple):
    """Values of one type, that of the constructor `code`; `descriptor` is None for plain ones."""

    code: int
    items: tuple[Any, ...]
    descriptor: Any = None


class DecodeError(ProtocolError):
    """Bytes that are no value of AMQP 1.0."""


_Layout = struct.Struct
_FIXED: Final[dict[int, tuple[_Layout, Callable[[Any], Any]]]] = {
    0x56: (_Layout(">B"), bool),
    0x50: (_Layout(">B"), UByte),
    0x60: (_Layout(">H"), UShort),
    0x70: (_Layout(">I"), UInt),
    0x52: (_Layout(">B"), UInt),
    0x80: (_Layout(">Q"), ULong),
    0x53: (_Layout(">B"), ULong),
    0x51: (_Layout(">b"), Byte),
    0x61: (_Layout(">h"), Short),
    0x71: (_Layout(">i"), Int),
    0x54: (_Layout(">b"), Int),
    0x81: (_Layout(">q"), Long),
    0x55: (_Layout(">b"), Long),
    0x72: (_Layout(">f"), Float),
    0x82: (_Layout(">d"), float),
    0x73: (_Layout(">I"), lambda point: Char(chr(point))),
    0x83: (_Layout(">q"), Timestamp),
    0x98: (_Layout(">16s"), lambda raw: UUID(bytes=raw)),
    0x74: (_Layout(">4s"), lambda raw: Opaque(0x74, raw)),
    0x84: (_Layout(">8s"), lambda raw: Opaque(0x84, raw)),
    0x94: (_Layout(">16s"), lambda raw: Opaque(0x94, raw)),
}
_EMPTY: Final[dict[int, Any]] = {
    0x40: None,
    0x41: True,
    0x42: False,
    0x43: UInt(0),
    0x44: ULong(0),
}


def _text(raw: bytes) -> str:
    return raw.decode()


def _symbol(raw: bytes) -> Symbol:
    return Symbol(raw.decode("ascii"))


_VARIABLE: Final[dict[int, tuple[int, Callable[[bytes], Any]]]] = {
    0xA0: (1, bytes),
    0xB0: (4, bytes),
    0xA1: (1, _text),
    0xB1: (4, _text),
    0xA3: (1, _symbol),
    0xB3: (4, _symbol),
}
"""By constructor: the bytes of the length, and what the bytes mean."""
_LISTS: Final = {0x45: 0, 0xC0: 1, 0xD0: 4}
_MAPS: Final = {0xC1: 1, 0xD1: 4}
_ARRAYS: Final = {0xE0: 1, 0xF0: 4}


def read(data: bytes, at: int = 0) -> tuple[Any, int]:
    """The value that begins at `at`, and where it ends; raises DecodeError."""
    try:
        return _read(data, at, 0)
    except (IndexError, struct.error):
        raise DecodeError("a value ends too early") from None
    except (UnicodeDecodeError, ValueError, OverflowError) as error:
        raise DecodeError(f"a value that cannot be: {error}") from None


def read_all(data: bytes) -> list[Any]:
    """All values of `data`, one after the other; raises DecodeError."""
    found, at = [], 0
    while at < len(data):
        value, at = read(data, at)
        found.append(value)
    return found


def _read(data: bytes, at: int, depth: int) -> tuple[Any, int]:
    code = data[at]
    if code:
        return _read_plain(code, data, at + 1, depth)
    if depth >= DEEPEST:
        raise DecodeError(f"values are nested more than {DEEPEST} deep")
    descriptor, at = _read(data, at + 1, depth + 1)
    value, at = _read(data, at, depth + 1)
    return Described(descriptor, value), at


def _read_plain(code: int, data: bytes, at: int, depth: int) -> tuple[Any, int]:
    """The value of a constructor that was read already."""
    fixed = _FIXED.get(code)
    if fixed is not None:
        layout, make = fixed
        return make(layout.unpack_from(data, at)[0]), at + layout.size
    if code in _EMPTY:
        return _EMPTY[code], at
    variable = _VARIABLE.get(code)
    if variable is not None:
        width, make = variable
        start, end = _span(data, at, width)
        return make(data[start:end]), end
    if depth >= DEEPEST:
        raise DecodeError(f"values are nested more than {DEEPEST} deep")
    return _read_compound(code, data, at, depth)


def _read_compound(code: int, data: bytes, at: int, depth: int) -> tuple[Any, int]:
    if code == 0x45:
        return [], at
    width = _LISTS.get(code) or _MAPS.get(code) or _ARRAYS.get(code)
    if width is None:
        raise DecodeError(f"0x{code:02x} begins no value")
    start, end = _span(data, at, width)
    count = int.from_bytes(data[start : start + width], "big")
    start += width
    if start > end:
        raise DecodeError("a list, map or array is too short for its count")
    value: Any
    if code in _ARRAYS:
        value, at = _read_array(data, start, count, depth)
    else:
        if count > end - start:
            raise DecodeError(f"{count} items in {end - start} bytes")
        items = []
        at = start
        for _ in range(count):
            item, at = _read(data, at, depth + 1)
            items.append(item)
        value = _map(items) if code in _MAPS else items
    if at != end:
        raise DecodeError("the items of a list, map or array do not take its bytes")
    return value, end


def _map(items: list[Any]) -> dict[Any, Any]:
    if len(items) % 2:
        raise DecodeError("a map with a key that has no value")
    try:
        return dict(zip(items[::2], items[1::2], strict=True))
    except TypeError:
        raise DecodeError("a map whose key is a list, map or array") from None


def _read_array(data: bytes, at: int, count: int, depth: int) -> tuple[Array, int]:
    descriptor = None
    if not data[at]:
        descriptor, at = _read(data, at + 1, depth + 1)
    code = data[at]
    at += 1
    if not code:
        raise DecodeError("an array whose items have two descriptors")
    if count > (_MOST_EMPTY_ITEMS if code in _EMPTY or code == 0x45 else len(data)):
        raise DecodeError(f"an array of {count} items")
    items = []
    for _ in range(count):
        item, at = _read_plain(code, data, at, depth + 1)
        items.append(item)
    return Array(code, tuple(items), descriptor), at


def _span(data: bytes, at: int, width: int) -> tuple[int, int]:
    """Where the bytes begin and end whose length, `width` bytes of it, stands at `at`."""
    start = at + width
    end = start + int.from_bytes(data[at:start], "big")
    if start > len(data) or end > len(data):
        raise DecodeError("a value ends too early")
    return start, end


# Writing.


def write(value: Any) -> bytes:
    """The value's bytes in its shortest form; raises OverflowError or TypeError."""
    if value is None:
        return b"\x40"
    writer = _WRITERS.get(type(value))
    if writer is None:
        raise TypeError(f"AMQP 1.0 has no type for {type(value).__name__}")
    return writer(value)


def write_list(items: Sequence[bytes]) -> bytes:
    """A list of values that are written already."""
    return _compound(0xC0, b"".join(items), len(items)) if items else b"\x45"


def described(code: int, value: bytes) -> bytes:
    """A value, written already, behind the descriptor `code`."""
    return b"\x00\x53" + bytes((code,)) + value


def _compound(short: int, body: bytes, count: int) -> bytes:
    if len(body) < 255 and count < 256:
        return bytes((short, len(body) + 1, count)) + body
    return bytes((short + 0x10,)) + struct.pack(">II", len(body) + 4, count) + body


def _variable(short: int) -> Callable[[bytes], bytes]:
    def write_raw(raw: bytes) -> bytes:
        size = len(raw)
        if size < 256:
            return bytes((short, size)) + raw
        return bytes((short + 0x10,)) + struct.pack(">I", size) + raw

    return write_raw


write_binary: Final = _variable(0xA0)
_write_string: Final = _variable(0xA1)
_write_symbol: Final = _variable(0xA3)


def write_string(value: str) -> bytes:
    return _write_string(value.encode("utf-8", "replace"))


def write_symbol(value: str) -> bytes:
    return _write_symbol(value.encode("ascii", "replace"))


def write_uint(value: int) -> bytes:
    if not value:
        return b"\x43"
    if value < 256:
        return b"\x52" + bytes((value,))
    return b"\x70" + value.to_bytes(4, "big")


def write_ulong(value: int) -> bytes:
    if not value:
        return b"\x44"
    if value < 256:
        return b"\x53" + bytes((value,))
    return b"\x80" + value.to_bytes(8, "big")


def _whole(code: int, width: int, *, signed: bool = False) -> Callable[[int], bytes]:
    prefix = bytes((code,))
    return lambda value: prefix + int(value).to_bytes(width, "big", signed=signed)


def _packed(code: int, layout: str) -> Callable[[Any], bytes]:
    pack = struct.Struct(">B" + layout).pack
    return lambda value: pack(code, value)


def write_map(value: Mapping[Any, Any]) -> bytes:
    items = [write(each) for pair in value.items() for each in pair]
    return _compound(0xC1, b"".join(items), len(items))


def _write_sequence(value: Sequence[Any]) -> bytes:
    return write_list([write(item) for item in value])


def _write_array(value: Array) -> bytes:
    """In the wide form of its items' constructor, which all of them have in common."""
    head = b"" if value.descriptor is None else b"\x00" + write(value.descriptor)
    body = head + bytes((value.code,)) + b"".join(_item(value.code, item) for item in value.items)
    return _compound(0xE0, body, len(value.items))


def _item(code: int, item: Any) -> bytes:
    """One item of an array, without its constructor."""
    if code in _EMPTY or code == 0x45:
        return b""
    fixed = _FIXED.get(code)
    if fixed is not None:
        raw = write(item)
        if isinstance(item, bool):
            return bytes((item,))
        if isinstance(item, int):
            width = fixed[0].size
            return int(item).to_bytes(width, "big", signed=fixed[1] in _SIGNED)
        return raw[1:]
    raw = write(item)
    if raw[0] == code:
        return raw[1:]
    if code in _VARIABLE or code in _MAPS or code in _LISTS:
        return _widened(code, raw)
    return raw[1:]


def _widened(code: int, raw: bytes) -> bytes:
    """A short form's length, and count where it has one, in four bytes each."""
    if raw == b"\x45":
        return struct.pack(">II", 4, 0)
    if code in _VARIABLE:
        return struct.pack(">I", raw[1]) + raw[2:]
    return struct.pack(">II", raw[1] + 3, raw[2]) + raw[3:]


_SIGNED: Final = (Byte, Short, Int, Long, Timestamp)
_WRITERS: Final[dict[type, Callable[[Any], bytes]]] = {
    bool: lambda value: b"\x41" if value else b"\x42",
    UByte: _whole(0x50, 1),
    UShort: _whole(0x60, 2),
    UInt: write_uint,
    ULong: write_ulong,
    Byte: _whole(0x51, 1, signed=True),
    Short: _whole(0x61, 2, signed=True),
    Int: _whole(0x71, 4, signed=True),
    Long: _whole(0x81, 8, signed=True),
    int: _whole(0x81, 8, signed=True),
    Timestamp: _whole(0x83, 8, signed=True),
    Float: _packed(0x72, "f"),
    float: _packed(0x82, "d"),
    Char: lambda value: b"\x73" + ord(value).to_bytes(4, "big"),
    UUID: lambda value: b"\x98" + value.bytes,
    Opaque: lambda value: bytes((value.code,)) + value.data,
    bytes: write_binary,
    str: write_string,
    Symbol: write_symbol,
    list: _write_sequence,
    tuple: _write_sequence,
    dict: write_map,
    Array: _write_array,
    Described: lambda value: b"\x00" + write(value.descriptor) + write(value.value),
}


def array_of_symbols(names: Sequence[str]) -> Array:
    return Array(0xB3, tuple(map(Symbol, names)))


def plain(value: Any) -> Any:
    """The value as people read it, without its types."""
    match value:
        case Described():
            return plain(value.value)
        case Array() | list():
            return [plain(item) for item in (value.items if isinstance(value, Array) else value)]
        case dict():
            return {str(plain(key)): plain(item) for key, item in value.items()}
        case UUID():
            return str(value)
        case Opaque():
            return f"0x{value.data.hex()}"
        case bool() | None:
            return value
        case int():
            return int(value)
        case float():
            return float(value)
        case str():
            return str(value)
    return value
