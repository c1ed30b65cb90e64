"""Avro (1.12 of its specification): values by a schema, and object container files by their own.

What a field's bytes are only its schema says, so a payload is read by one that was given for its
destination (`schemas`). It may be bare, as Confluent's serializers frame it (a zero and four bytes
of the schema's number in a registry), or one of "single-object encoding"; that number is not
looked up.
"""

import zlib
from collections.abc import Callable, Mapping
from struct import unpack
from typing import Any, Final

import cramjam
import msgspec

from .plain import DEEPEST, MOST, NotThis, integer, number, octets

LARGEST: Final = 1 << 20
"""Bytes of all blocks of a file, once they are decompressed."""
_FILE: Final = b"Obj\x01"
_SYNC: Final = 16
_LONGEST: Final = 64
"""Bytes of a decimal number, and digits behind its point, up to which it is shown as one."""
_FRAMES: Final = ((b"\x00", 5), (b"\xc3\x01", 10), (b"", 0))
"""How a payload may begin, and how many bytes stand before its value then."""


class SchemaError(ValueError):
    """It is no schema of Avro; the text says what is wrong with it."""


Read = Callable[["_Reader"], Any]


class Schema:
    """What reads the values of one schema."""

    def __init__(self, text: str | bytes) -> None:
        """Raises SchemaError."""
        try:
            tree = msgspec.json.decode(text)
        except (msgspec.DecodeError, ValueError, RecursionError) as error:
            # ValueError: of bytes that are no UTF-8.
            raise SchemaError(f"it is no JSON: {error}") from None
        try:
            self.item = _Types().read_by(tree, "")
        except RecursionError:
            raise SchemaError("it is nested too deep") from None

    def read(self, payload: bytes) -> Any:
        """The value of a payload, bare or framed, all of whose bytes it takes; raises NotThis."""
        for start, skipped in _FRAMES:
            if not payload.startswith(start):
                continue
            reader = _Reader(payload[skipped:])
            try:
                value = self.item(reader)
            except (NotThis, RecursionError):
                continue
            if reader.at == len(reader.data):
                return value
        raise NotThis


def read_file(payload: bytes) -> Any:
    """The values of an object container file, as a list; raises NotThis."""
    if not payload.startswith(_FILE):
        raise NotThis
    reader = _Reader(payload[len(_FILE) :])
    about = _map(reader, lambda inner: inner.take(inner.long()))
    sync = reader.take(_SYNC)
    try:
        schema = Schema(about["avro.schema"])
    except (KeyError, SchemaError):
        raise NotThis from None
    codec = about.get("avro.codec", b"null").decode("latin-1")
    found: list[Any] = []
    room = LARGEST
    while reader.at < len(reader.data):
        count, size = reader.long(), reader.long()
        data = _decompressed(codec, reader.take(size), room)
        room -= len(data)
        reader.spend(count)
        # Limits are those of the file: of small blocks there can be any number.
        block = _Reader(data, reader.left)
        try:
            found += (schema.item(block) for _ in range(count))
        except RecursionError:
            raise NotThis from None
        if reader.take(_SYNC) != sync or block.at != len(block.data):
            raise NotThis
        reader.left = block.left
    return found


def _decompressed(codec: str, data: bytes, room: int) -> bytes:
    """Raises NotThis, also for what blows up to more than `room` bytes, and for rarer codecs."""
    try:
        match codec:
            case "null":
                return data
            case "deflate":
                # One byte more than there may be: to zlib a limit of 0 is none.
                block = zlib.decompressobj(-zlib.MAX_WBITS).decompress(data, room + 1)
                if len(block) <= room:
                    return block
            case "snappy" if cramjam.snappy.decompress_raw_len(data[:-4]) <= room:
                # Behind it is a checksum of what it was.
                block = bytes(cramjam.snappy.decompress_raw(data[:-4]))
                if zlib.crc32(block) == int.from_bytes(data[-4:], "big"):
                    return block
    except (zlib.error, cramjam.DecompressionError):
        pass
    raise NotThis


class _Reader:
    """`left`: how many values there may be more."""

    def __init__(self, data: bytes, left: int = MOST) -> None:
        self.data = data
        self.at = 0
        self.left = left
        self._depth = 0

    def take(self, count: int) -> bytes:
        end = self.at + count
        if count < 0 or end > len(self.data):
            raise NotThis
        piece, self.at = self.data[self.at : end], end
        return piece

    def long(self) -> int:
        """Zigzag in groups of seven bits, the lowest first."""
        value = shift = 0
        while shift < 70:
            byte = self.take(1)[0]
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return (value >> 1) ^ -(value & 1)
            shift += 7
        raise NotThis

    def spend(self, count: int) -> None:
        """So many values more: those that take no bytes could be any number."""
        self.left -= count
        if count < 0 or self.left < 0:
            raise NotThis

    def inside(self, read: Read) -> Any:
        """What is a level deeper."""
        self._depth += 1
        if self._depth > DEEPEST:
            raise NotThis
        value = read(self)
        self._depth -= 1
        return value


def _boolean(reader: _Reader) -> bool:
    byte = reader.take(1)
    if byte > b"\x01":
        raise NotThis
    return byte == b"\x01"


def _text(reader: _Reader) -> str:
    try:
        return reader.take(reader.long()).decode()
    except UnicodeDecodeError:
        raise NotThis from None


_PRIMITIVES: Final[Mapping[str, Read]] = {
    "null": lambda reader: None,
    "boolean": _boolean,
    "int": lambda reader: integer(reader.long()),
    "long": lambda reader: integer(reader.long()),
    "float": lambda reader: number(unpack("<f", reader.take(4))[0]),
    "double": lambda reader: number(unpack("<d", reader.take(8))[0]),
    "bytes": lambda reader: octets(reader.take(reader.long())),
    "string": _text,
}


def _blocks(reader: _Reader, item: Callable[[], None]) -> None:
    """An array's or a map's items: blocks of them, up to one of none."""
    while count := reader.long():
        if count < 0:
            # The block's size in bytes, for who skips it.
            reader.long()
        reader.spend(abs(count))
        for _ in range(abs(count)):
            item()


def _map(reader: _Reader, read: Read) -> dict[str, Any]:
    found: dict[str, Any] = {}

    def item() -> None:
        # The key comes first.
        key = _text(reader)
        found[key] = reader.inside(read)

    _blocks(reader, item)
    return found


def _array(reader: _Reader, read: Read) -> list[Any]:
    found: list[Any] = []
    _blocks(reader, lambda: found.append(reader.inside(read)))
    return found


class _Types:
    """The types of one schema; those with a name may be used wherever they stand, and in itself."""

    def __init__(self) -> None:
        self._named: dict[str, Read] = {}

    def read_by(self, tree: Any, space: str) -> Read:
        """What reads a type; raises SchemaError."""
        match tree:
            case str():
                return _PRIMITIVES.get(tree) or self._by_name(_full(tree, space))
            case list():
                return _union([self.read_by(each, space) for each in tree])
            case dict():
                return self._complex(tree, space)
        raise SchemaError(f"{_shown(tree)} is no type")

    def _by_name(self, name: str) -> Read:
        if name not in self._named:
            raise SchemaError(f"no type is called {name!r}")
        # Not the reader itself: within its own definition it is not there yet.
        return lambda reader: self._named[name](reader)

    def _complex(self, tree: dict[str, Any], space: str) -> Read:
        match tree:
            case {"type": "record" | "error", "fields": list()}:
                return self._record(tree, space)
            case {"type": "enum", "symbols": [*symbols]}:
                return self._name(tree, space, _enum([str(each) for each in symbols]))
            case {"type": "fixed", "size": int(size)}:
                return self._name(tree, space, _octets(tree, lambda reader: size))
            case {"type": "array", "items": items}:
                read = self.read_by(items, space)
                return lambda reader: _array(reader, read)
            case {"type": "map", "values": values}:
                read = self.read_by(values, space)
                return lambda reader: _map(reader, read)
            case {"type": "bytes", "logicalType": "decimal"}:
                return _octets(tree, _Reader.long)
            case {"type": str() | list() | dict() as inner} if inner not in _COMPLEX:
                return self.read_by(inner, space)
        raise SchemaError(f"{_shown(tree)} is no type")

    def _name(self, tree: Any, space: str, read: Read) -> Read:
        self._named[_full_of(tree, space)] = read
        return read

    def _record(self, tree: Any, space: str) -> Read:
        name = _full_of(tree, space)
        self._named[name] = _unfinished
        space = name.rpartition(".")[0]
        fields: list[tuple[str, Read]] = []
        for each in tree["fields"]:
            match each:
                case {"name": str(field), "type": kind}:
                    fields.append((field, self.read_by(kind, space)))
                case _:
                    raise SchemaError(f"a field of {name} has no name or no type")

        def read(reader: _Reader) -> dict[str, Any]:
            reader.spend(len(fields))
            return {field: reader.inside(inner) for field, inner in fields}

        self._named[name] = read
        return read


def _shown(tree: Any) -> str:
    return msgspec.json.encode(tree).decode()[:80]


_COMPLEX: Final = ("record", "error", "enum", "fixed", "array", "map")


def _unfinished(reader: _Reader) -> Any:
    raise NotThis


def _full_of(tree: Any, space: str) -> str:
    name = tree.get("name")
    if not isinstance(name, str):
        raise SchemaError(f"a type {tree['type']} has no name")
    return _full(name, str(tree.get("namespace", space)))


def _full(name: str, space: str) -> str:
    return name if "." in name or not space else f"{space}.{name}"


def _union(branches: list[Read]) -> Read:
    def read(reader: _Reader) -> Any:
        at = reader.long()
        if not 0 <= at < len(branches):
            raise NotThis
        return reader.inside(branches[at])

    return read


def _enum(symbols: list[str]) -> Read:
    def read(reader: _Reader) -> str:
        at = reader.long()
        if not 0 <= at < len(symbols):
            raise NotThis
        return symbols[at]

    return read


def _octets(tree: Any, size: Callable[[_Reader], int]) -> Read:
    """Bytes, or the number that they are the digits of."""
    scale = tree.get("scale", 0)
    # Files bring their schemas, so that any value may stand there.
    number_of_digits = type(scale) is int and scale in range(_LONGEST)
    if tree.get("logicalType") != "decimal" or not number_of_digits:
        return lambda reader: octets(reader.take(size(reader)))

    def read(reader: _Reader) -> str:
        found = reader.take(size(reader))
        return _decimal(found, scale) if len(found) <= _LONGEST else octets(found)

    return read


def _decimal(data: bytes, scale: int) -> str:
    """`-12.50`: a text, since what has more digits than a float would be another number."""
    unscaled = int.from_bytes(data, "big", signed=True)
    digits = str(abs(unscaled)).rjust(scale + 1, "0")
    whole, part = (digits[:-scale], f".{digits[-scale:]}") if scale else (digits, "")
    return f"{'-' if unscaled < 0 else ''}{whole}{part}"
