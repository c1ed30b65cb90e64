"""What a binary payload is, by its bytes or a schema, and its value as JSON has values."""

import re
from collections.abc import Callable
from typing import Any, Final, NamedTuple

import msgspec

from . import avro, cbor, protobuf, sparkplug
from .plain import NotThis, plain
from .schemas import SCHEMAS

LARGEST: Final = 1 << 20
"""Bytes of a payload that is looked into."""
_CONTROL: Final = re.compile(rb"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f\x7f]")
"""What stands in no text."""


class Decoded(NamedTuple):
    """`value` can be written as JSON; `sure` is whether the bytes can hardly be anything else."""

    form: str
    value: Any
    sure: bool


def look(payload: bytes, destination: str = "") -> Decoded | None:
    """The first form that all bytes of a payload are of; None where they are JSON or text.

    A schema that was given for its destination is asked first, whatever the bytes look like. Else
    only objects and arrays are recognised: a few bytes that stand for a number could be anything.
    """
    schema = SCHEMAS.of(destination)
    if schema is not None and len(payload) <= LARGEST:
        try:
            return Decoded("Avro", schema.read(payload), True)
        except NotThis:
            pass
    if not 1 < len(payload) <= LARGEST or _is_text(payload):
        return None
    for form, read, sure in _FORMS:
        try:
            value = read(payload)
        except NotThis:
            continue
        return Decoded(form, value, sure)
    return None


def _is_text(payload: bytes) -> bool:
    if _CONTROL.search(payload):
        return False
    try:
        payload.decode()
    except UnicodeDecodeError:
        return False
    return True


def _message_pack(payload: bytes) -> Any:
    first = payload[0]
    # A map or an array: fixmap, fixarray, array 16 and 32, map 16 and 32.
    if not (0x81 <= first <= 0x9F and first != 0x90) and first not in (0xDC, 0xDD, 0xDE, 0xDF):
        raise NotThis
    try:
        return plain(msgspec.msgpack.decode(payload))
    except (msgspec.DecodeError, RecursionError, ValueError):
        raise NotThis from None


_FORMS: Final[tuple[tuple[str, Callable[[bytes], Any], bool], ...]] = (
    # The strictest first: of Sparkplug every field has its type, of Protobuf any bytes may be one.
    ("Avro", avro.read_file, True),
    ("Sparkplug B", sparkplug.read, True),
    ("CBOR", cbor.read, True),
    ("MessagePack", _message_pack, True),
    ("Protobuf", protobuf.read, False),
)
