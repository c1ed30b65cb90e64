"""Field tables (AMQP 4.2.5.5) with the types that RabbitMQ reads and writes."""

import struct
from decimal import Decimal
from typing import Any, Final

from ...bytes_io import ByteReader
from ...errors import ProtocolError
from ..codes import ReplyCode
from ..records import Field, Table, octets_of

_DEEPEST: Final = 64
"""Tables and arrays inside each other; more is an attack, not a message."""

_FIXED: Final[dict[str, struct.Struct]] = {
    "b": struct.Struct(">b"),
    "B": struct.Struct(">B"),
    "s": struct.Struct(">h"),
    "u": struct.Struct(">H"),
    "I": struct.Struct(">i"),
    "i": struct.Struct(">I"),
    "l": struct.Struct(">q"),
    "L": struct.Struct(">q"),
    "f": struct.Struct(">f"),
    "d": struct.Struct(">d"),
    "T": struct.Struct(">Q"),
}
_DECIMAL: Final = struct.Struct(">Bi")


_WIDTHS: Final = {ord(kind): layout.size for kind, layout in _FIXED.items()} | {
    ord("t"): 1,
    ord("V"): 0,
    ord("D"): 5,
}
_TEXTS: Final = frozenset(b"Sx")
_NESTED: Final = {ord("F"): True, ord("A"): False}


def skip_table(data: bytes, at: int, depth: int = 0, *, named: bool = True) -> int:
    """Where the table at `at` ends (not `named`: the array); raises ProtocolError or IndexError.

    Looks at the structure only, and takes what RabbitMQ takes: texts may be any bytes.
    """
    start = at + 4
    end = start + int.from_bytes(data[at:start], "big")
    if end > len(data) or depth > _DEEPEST:
        raise ProtocolError(f"a table of {end - start} bytes, {len(data) - start} left")
    at = start
    while at < end:
        if named:
            at += data[at] + 1
        kind = data[at]
        at += 1
        width = _WIDTHS.get(kind)
        if width is not None:
            at += width
        elif kind in _TEXTS:
            at += 4 + int.from_bytes(data[at : at + 4], "big")
        elif kind in _NESTED:
            at = skip_table(data, at, depth + 1, named=_NESTED[kind])
        else:
            raise ProtocolError(f"unknown field type {chr(kind)!r} at offset {at - 1}")
    if at != end:
        raise ProtocolError("a table's last field passes its end")
    return at


def read_text(reader: ByteReader, length: int) -> str | bytes:
    """Text where it is UTF-8, else the bytes as they are: nothing is lost on the way back."""
    raw = reader.take(length)
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw


def read_table(reader: ByteReader, depth: int = 0) -> Table:
    """The table at the reader's position; raises ProtocolError."""
    end = _end_of(reader, depth)
    table: Table = {}
    while reader.position < end:
        name = reader.take(reader.uint8()).decode("utf-8", "surrogateescape")
        table[name] = _read_field(reader, depth)
    _check_end(reader, end)
    return table


def _read_array(reader: ByteReader, depth: int) -> tuple[Field, ...]:
    end = _end_of(reader, depth)
    items = []
    while reader.position < end:
        items.append(_read_field(reader, depth))
    _check_end(reader, end)
    return tuple(items)


def _end_of(reader: ByteReader, depth: int) -> int:
    if depth > _DEEPEST:
        raise ProtocolError(
            f"{reader.what}: tables nest deeper than {_DEEPEST}", ReplyCode.SYNTAX_ERROR
        )
    length = reader.uint32()
    end = reader.position + length
    if end > reader.end:
        raise ProtocolError(
            f"{reader.what}: a table of {length} bytes, {reader.remaining} left",
            ReplyCode.SYNTAX_ERROR,
        )
    return end


def _check_end(reader: ByteReader, end: int) -> None:
    if reader.position != end:
        raise ProtocolError(
            f"{reader.what}: a table's last field passes its end", ReplyCode.SYNTAX_ERROR
        )


def _read_field(reader: ByteReader, depth: int) -> Field:
    kind = chr(reader.uint8())
    fixed = _FIXED.get(kind)
    if fixed is not None:
        return Field(kind, reader.unpack(fixed)[0])
    match kind:
        case "S":
            return Field(kind, read_text(reader, reader.uint32()))
        case "t":
            return Field(kind, reader.uint8() != 0)
        case "F":
            return Field(kind, read_table(reader, depth + 1))
        case "A":
            return Field(kind, _read_array(reader, depth + 1))
        case "V":
            return Field(kind, None)
        case "x":
            return Field(kind, reader.take(reader.uint32()))
        case "D":
            scale, number = reader.unpack(_DECIMAL)
            return Field(kind, Decimal(number).scaleb(-scale))
    raise ProtocolError(
        f"{reader.what}: unknown field type {kind!r} at offset {reader.position - 1}",
        ReplyCode.SYNTAX_ERROR,
    )


def write_table(table: Table) -> bytes:
    """The table with its length in front."""
    pieces: list[bytes] = []
    for name, field in table.items():
        raw = name.encode("utf-8", "surrogateescape")
        pieces += (len(raw).to_bytes(1, "big"), raw, _write_field(field))
    body = b"".join(pieces)
    return len(body).to_bytes(4, "big") + body


def _write_field(field: Field) -> bytes:
    return field.type.encode() + _write_value(field.type, field.value)


def _write_value(kind: str, value: Any) -> bytes:
    fixed = _FIXED.get(kind)
    if fixed is not None:
        return fixed.pack(value)
    match kind:
        case "S" | "x":
            # Names of queues, keys and the like may be any bytes, and come into tables as text.
            raw = octets_of(value)
            return len(raw).to_bytes(4, "big") + raw
        case "t":
            return b"\x01" if value else b"\x00"
        case "F":
            return write_table(value)
        case "A":
            body = b"".join(map(_write_field, value))
            return len(body).to_bytes(4, "big") + body
        case "D":
            return _write_decimal(value)
    return b""


def _write_decimal(value: Decimal) -> bytes:
    exponent = value.as_tuple().exponent
    scale = -exponent if isinstance(exponent, int) and exponent < 0 else 0
    return _DECIMAL.pack(scale, int(value.scaleb(scale)))
