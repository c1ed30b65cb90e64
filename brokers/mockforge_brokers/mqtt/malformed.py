"""Packets that no correct server sends, by name: for the client's decoder to meet them.

What each is stands in the protocol's description. A PUBLISH among them goes to `malformed/NAME`, so
that a client which takes it all the same shows it as such; acknowledgements are of packet
identifier 65,535, which clients that count from 1 have not used.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from ..errors import InvalidInput
from .codes import V5, PacketType
from .wire.encode import encode_ack
from .wire.frames import encode_varint
from .wire.properties import encode_text

_UNUSED: Final = 65_535


def packet(name: str, version: int) -> bytes:
    """The packet as a client of this version gets it; raises InvalidInput."""
    made = _OF_5.get(name)
    if made is not None:
        if version < V5:
            raise InvalidInput(f"{name} is of MQTT 5, and the client speaks an older version")
        return made
    make = _OF_ALL.get(name)
    if make is None:
        raise InvalidInput(f"MQTT has no malformed packet {name}")
    return make(version)


def _packet(first: int, body: bytes) -> bytes:
    return bytes((first,)) + encode_varint(len(body)) + body


def _publish(
    name: str | bytes, version: int, *, first: int = 0x30, packet_id: bytes = b""
) -> bytes:
    """To the topic of this name, or with these bytes as its topic name."""
    topic = name if isinstance(name, bytes) else f"malformed/{name}".encode()
    properties = b"\0" if version == V5 else b""
    return _packet(first, len(topic).to_bytes(2) + topic + packet_id + properties + b"x")


def _with_properties(name: str, properties: bytes, length: int | None = None) -> bytes:
    """A PUBLISH with these bytes as its properties; `length`: what its Property Length says."""
    size = len(properties) if length is None else length
    body = encode_text(f"malformed/{name}") + encode_varint(size) + properties
    return _packet(0x30, body + b"x")


def _unsolicited(kind: PacketType) -> Callable[[int], bytes]:
    return lambda version: encode_ack(kind, _UNUSED)


def _suback(version: int) -> bytes:
    return _packet(0x90, _UNUSED.to_bytes(2) + (b"\0\0" if version == V5 else b"\0"))


def _connack(version: int) -> bytes:
    return _packet(0x20, b"\0\0\0" if version == V5 else b"\0\0")


_OF_ALL: Final[Mapping[str, Callable[[int], bytes]]] = MappingProxyType(
    {
        "bad-varint": lambda version: b"\x30\xff\xff\xff\xff\x7f",
        "long-length": lambda version: b"\x30\xff\xff\xff\x7f" + encode_text("malformed/"),
        "type-0": lambda version: b"\x00\x00",
        "wrong-flags": lambda version: b"\xdf\x00",
        "qos-3": lambda version: _publish("qos-3", version, first=0x36, packet_id=b"\0\1"),
        "packet-id-0": lambda version: _publish(
            "packet-id-0", version, first=0x32, packet_id=b"\0\0"
        ),
        "bad-utf8": lambda version: _publish(b"malformed/\xc3\x28", version),
        "null-in-topic": lambda version: _publish(b"malformed/\0", version),
        "empty-topic": lambda version: _publish(b"", version),
        "wildcard-topic": lambda version: _publish(b"malformed/#", version),
        "topic-beyond-end": lambda version: _packet(0x30, b"\x00\xffmalformed/"),
        "short-puback": lambda version: b"\x40\x01\x00",
        "unsolicited-puback": _unsolicited(PacketType.PUBACK),
        "unsolicited-pubrec": _unsolicited(PacketType.PUBREC),
        "unsolicited-pubrel": _unsolicited(PacketType.PUBREL),
        "unsolicited-pubcomp": _unsolicited(PacketType.PUBCOMP),
        "unsolicited-suback": _suback,
        "unsolicited-pingresp": lambda version: b"\xd0\x00",
        "second-connack": _connack,
        "from-a-client": lambda version: b"\xc0\x00",
    }
)

_OF_5: Final[Mapping[str, bytes]] = MappingProxyType(
    {
        # 127 is an identifier of no property, and of one byte.
        "unknown-property": _with_properties("unknown-property", b"\x7f\x01"),
        "duplicate-property": _with_properties(
            "duplicate-property", (b"\x03" + encode_text("text/plain")) * 2
        ),
        "long-properties": _with_properties("long-properties", b"", length=100),
        "alias-0": _with_properties("alias-0", b"\x23\x00\x00"),
        "unsolicited-alias": _packet(0x30, encode_text("") + b"\x03\x23\xff\xff" + b"x"),
        "bad-reason": _packet(0x40, _UNUSED.to_bytes(2) + b"\x01"),
    }
)
