"""A message of AMQP 1.0 (part 3.2): its sections, and which bytes are the bare message."""

from typing import Any, Final

from msgspec import Struct

from . import values
from .performatives import SECTIONS, composite, section_code
from .performatives import write as write_composite
from .values import DecodeError, Described

_HEADER: Final = 0x70
_DELIVERY_ANNOTATIONS: Final = 0x71
_MESSAGE_ANNOTATIONS: Final = 0x72
_PROPERTIES: Final = 0x73
_APPLICATION: Final = 0x74
_MAPS: Final = {
    _DELIVERY_ANNOTATIONS: "delivery",
    _MESSAGE_ANNOTATIONS: "annotations",
    _APPLICATION: "application",
}
"""Sections that are maps, and the field of `Sections` that holds each; nobody reads the footer."""
_DATA: Final = 0x75
_SEQUENCE: Final = 0x76
_VALUE: Final = 0x77
_FOOTER: Final = 0x78
_BODIES: Final = (_DATA, _SEQUENCE, _VALUE)


class Sections(Struct):
    """`bare` are the bytes that nobody may change: properties, body, footer and what is between.

    `delivery` are its delivery annotations. `body` is what its data sections hold, or, where
    `encoded`, body and footer as they came: values and sequences of AMQP's own types.
    """

    header: dict[str, Any]
    delivery: dict[Any, Any]
    annotations: dict[Any, Any]
    properties: dict[str, Any]
    application: dict[Any, Any]
    body: bytes
    encoded: bool
    bare: bytes


def read(data: bytes, *, ordered: bool = True) -> Sections:
    """The sections of a whole message; raises DecodeError.

    Not `ordered` for the management node's requests: one widespread client writes a body of null
    before the properties, and RabbitMQ takes it.
    """
    found = Sections({}, {}, {}, {}, {}, b"", False, b"")
    at, last, bare, start, end = 0, 0, -1, -1, 0
    pieces: list[bytes] = []
    while at < len(data):
        begin = at
        value, at = values.read(data, at)
        code = section_code(value.descriptor) if isinstance(value, Described) else 0
        if not code:
            raise DecodeError("a message has bytes that are no section of it")
        if ordered:
            _check_order(code, last)
        last = code
        if code >= _PROPERTIES and bare < 0:
            bare = begin
        if code in _BODIES:
            start = begin if start < 0 else start
            end = at
        _take(found, code, value, pieces)
    if start < 0:
        raise DecodeError("a message without a body")
    found.bare = data[bare:]
    found.encoded = not pieces
    found.body = data[start : len(data) if ordered else end] if found.encoded else b"".join(pieces)
    return found


def _check_order(code: int, last: int) -> None:
    if code < last or (code == last and code not in (_DATA, _SEQUENCE)):
        raise DecodeError(f"{SECTIONS[code]} stands behind {SECTIONS[last]}")
    if last in _BODIES and code in _BODIES and code != last:
        raise DecodeError(f"a body of {SECTIONS[last]} and {SECTIONS[code]}")


def _take(found: Sections, code: int, value: Described, pieces: list[bytes]) -> None:
    content = value.value
    match code:
        case 0x70:
            found.header = composite(value).fields
        case 0x73:
            found.properties = composite(value).fields
        case 0x75:
            if not isinstance(content, bytes):
                raise DecodeError("a data section is no binary")
            pieces.append(content)
        case 0x71 | 0x72 | 0x74 | 0x78:
            if not isinstance(content, dict):
                raise DecodeError(f"{SECTIONS[code]} is no map")
            if code in _MAPS:
                setattr(found, _MAPS[code], content)
        case 0x76 if not isinstance(content, list):
            raise DecodeError("an amqp-sequence is no list")


def header(**fields: Any) -> bytes:
    return write_composite("header", **fields)


def annotations(found: dict[Any, Any]) -> bytes:
    """The section of message annotations; none where there are none."""
    return values.described(_MESSAGE_ANNOTATIONS, values.write_map(found)) if found else b""


def bare_message(properties: dict[str, Any], application: dict[Any, Any], body: bytes) -> bytes:
    """`body` is a body section, or several of them."""
    pieces = []
    if any(value is not None for value in properties.values()):
        pieces.append(write_composite("properties", **properties))
    if application:
        pieces.append(values.described(_APPLICATION, values.write_map(application)))
    return b"".join((*pieces, body))


def data_section(body: bytes) -> bytes:
    return values.described(_DATA, values.write_binary(body))


def value_section(value: Any) -> bytes:
    return values.described(_VALUE, values.write(value))


def body_value(body: bytes) -> Any:
    """What an encoded body holds, for people: its value, or the items of its sequences."""
    found: list[Any] = []
    for section in values.read_all(body):
        code = section_code(section.descriptor)
        if code == _VALUE:
            return section.value
        if code == _SEQUENCE:
            found += section.value
    return found
