"""OpenTelemetry's MetricsData, read for people: names, attributes, newest values.

Ten fields of seven messages are read, and only of what somebody looks at: a reader of protobuf's
wire format is shorter than what its library would need, and nothing of it runs as clients push.
"""

import struct
from collections.abc import Iterator

from msgspec import Struct

from ..errors import ProtocolError
from .varints import Malformed, read_uvarint

_VARINT, _BYTES = 0, 2
_FIXED = {1: 8, 5: 4}
"""Bytes of a number by its wire type."""
_NUMBER = 10
"""Bytes that a number may take at the most: it has 64 bits."""
_ZERO = bytes(8)


class MetricValue(Struct, frozen=True):
    """`count` is set where `value` is the sum of that many; `delta`: since the push before."""

    name: str
    attributes: tuple[tuple[str, str], ...]
    value: float
    delta: bool = False
    count: int | None = None


def metric_values(data: bytes) -> list[MetricValue]:
    """The values in order. Raises ProtocolError where this is no MetricsData."""
    try:
        return [
            value
            for resource in _messages(data, 1)
            for scope in _messages(resource, 2)
            for metric in _messages(scope, 2)
            for value in _metric(metric)
        ]
    except (IndexError, struct.error, UnicodeDecodeError, TypeError, Malformed) as error:
        raise ProtocolError(
            f"{len(data)} bytes that are no OpenTelemetry metrics: {error}"
        ) from None


def _metric(data: bytes) -> Iterator[MetricValue]:
    name = ""
    for number, value in _fields(data):
        if number == 1:
            name = _text(value)
        elif number in (5, 7, 9, 11):  # gauge, sum, histogram, summary
            yield from _points(name, number, _bytes(value))


def _points(name: str, kind: int, data: bytes) -> Iterator[MetricValue]:
    fields = list(_fields(data))
    delta = kind in (7, 9) and any(number == 2 and value == 1 for number, value in fields)
    for number, value in fields:
        if number == 1:
            found = dict(_fields(_bytes(value)))
            attributes = tuple(
                _attribute(each)
                for at, each in _fields(_bytes(value))
                if at == (9 if kind == 9 else 7)
            )
            if kind in (9, 11):
                count, total = _whole(found.get(4, _ZERO)), _double(found.get(5, _ZERO))
                yield MetricValue(name, attributes, total, delta, count)
            elif 6 in found:
                yield MetricValue(name, attributes, _whole(found[6]), delta)
            else:
                yield MetricValue(name, attributes, _double(found.get(4, _ZERO)), delta)


def _whole(value: int | bytes) -> int:
    return int.from_bytes(_bytes(value), "little", signed=True)


def _double(value: int | bytes) -> float:
    (number,) = struct.unpack("<d", _bytes(value))
    return float(number)


def _attribute(value: int | bytes) -> tuple[str, str]:
    """KeyValue with its AnyValue."""
    fields = dict(_fields(_bytes(value)))
    shown = ""
    for number, inner in _fields(_bytes(fields.get(2, b""))):
        shown = _text(inner) if number == 1 else str(inner)
    return _text(fields.get(1, b"")), shown


def _messages(data: bytes, wanted: int) -> Iterator[bytes]:
    return (_bytes(value) for number, value in _fields(data) if number == wanted)


def _bytes(value: int | bytes) -> bytes:
    if not isinstance(value, bytes):
        raise TypeError("a message is wanted where a number stands")
    return value


def _text(value: int | bytes) -> str:
    return _bytes(value).decode()


def _fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Number and value of each field in order; numbers of fixed size as their bytes."""
    at = 0
    while at < len(data):
        tag, at = read_uvarint(data, at, _NUMBER)
        kind = tag & 7
        if kind == _VARINT:
            number, at = read_uvarint(data, at, _NUMBER)
            yield tag >> 3, number
            continue
        size = _FIXED.get(kind)
        if kind == _BYTES:
            size, at = read_uvarint(data, at, _NUMBER)
        if size is None:
            raise TypeError(f"no field is of wire type {kind}")
        if size > len(data) - at:
            raise IndexError("a field ends after its message")
        yield tag >> 3, data[at : at + size]
        at += size
