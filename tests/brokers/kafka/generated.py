"""Every message of the table in every version, and values for them from a seed."""

from random import Random
from typing import Any

from mockforge_brokers.kafka.codes import ErrorCode
from mockforge_brokers.kafka.wire.catalog import REQUESTS, RESPONSES
from mockforge_brokers.kafka.wire.messages.groups import (
    ConsumerProtocolAssignment,
    ConsumerProtocolSubscription,
)
from mockforge_brokers.kafka.wire.schema import Array, Field, Message, Struct, WireType, unwrap

MESSAGES: list[type[Message]] = [
    *REQUESTS.values(),
    *RESPONSES.values(),
    ConsumerProtocolSubscription,
    ConsumerProtocolAssignment,
]
VERSIONS = [
    (message, version)
    for message in MESSAGES
    for version in range(message.versions.first, message.versions.last + 1)
]
IDS = [f"{message.__name__}-v{version}" for message, version in VERSIONS]

_BITS = {"int8": 7, "int16": 15, "uint16": 16, "int32": 31, "int64": 40}


def value_of(struct: type[Struct], version: int, random: Random) -> Any:
    """A struct whose fields of this version have values; others keep their default."""
    return struct(
        **{f.name: _field(f, version, random) for f in struct.fields if version in f.versions}
    )


def example_of(struct: type[Struct], version: int, number: int = 0) -> Any:
    """The same values each time: two items in each array, and each item has its number in it."""
    return struct(
        **{f.name: _example(f, version, number) for f in struct.fields if version in f.versions}
    )


def _example(field: Field, version: int, number: int) -> Any:
    wire, _ = unwrap(field.annotation)
    if isinstance(wire, Array):
        return [_example_item(field, wire.of, version, each) for each in range(2)]
    return _example_item(field, wire, version, number)


def _example_item(
    field: Field, wire: WireType | Array | type[Struct], version: int, number: int
) -> Any:
    if isinstance(wire, Array):
        raise TypeError("Kafka has no arrays of arrays")
    if not isinstance(wire, WireType):
        return example_of(wire, version, number)
    if wire.name == "bool":
        return True
    if wire.name == "float64":
        return float(number)
    if wire.name == "uuid":
        return bytes(15) + bytes([number + 1])
    if wire.name == "string":
        return f"{field.name[0]}{number}"
    if wire.name in ("bytes", "records"):
        return b""
    return _MEANINGFUL.get(field.name, number)


_MEANINGFUL = {
    "acks": -1,
    **dict.fromkeys(("resource_type", "resource_type_filter", "operation", "permission_type"), 2),
    **dict.fromkeys(("resource_pattern_type", "pattern_type", "pattern_type_filter"), 3),
}
"""Numbers of which the client library of Apache Kafka takes no other."""


def _field(field: Field, version: int, random: Random) -> Any:
    wire, _ = unwrap(field.annotation)
    if field.tag is not None and random.random() < 0.3:
        return field.default
    if field.nullable and version in field.nullable and random.random() < 0.3:
        return None
    if isinstance(wire, Array):
        return [_item(field, wire.of, version, random) for _ in range(random.choice((0, 1, 3)))]
    return _item(field, wire, version, random)


def _item(field: Field, wire: WireType | Array | type[Struct], version: int, random: Random) -> Any:
    if isinstance(wire, Array):
        raise TypeError("Kafka has no arrays of arrays")
    if not isinstance(wire, WireType):
        return value_of(wire, version, random)
    if field.name.endswith("error_code"):
        return int(random.choice(list(ErrorCode)))
    if wire.name == "bool":
        return random.random() < 0.5
    if wire.name == "uuid":
        return random.randbytes(16)
    if wire.name == "string":
        # Also beyond 126 bytes, where a compact length takes two.
        return "".join(random.choices("abc-Ω€😀", k=random.choice((0, 5, 90))))
    if wire.name in ("bytes", "records"):
        return random.randbytes(random.choice((0, 7, 300)))
    if wire.name == "float64":
        return random.random() * 1e6
    return random.getrandbits(_BITS[wire.name])
