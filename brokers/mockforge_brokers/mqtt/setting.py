"""Fields and properties of packets that get other values on purpose."""

import struct
from collections.abc import Mapping
from typing import Any, Final, get_args

from msgspec.structs import replace

from ..errors import InvalidInput, ProtocolError
from .codes import V5, PacketType, Reason
from .wire.decode import decode_packet
from .wire.encode import encode_packet
from .wire.packets import (
    Ack,
    Connect,
    Packet,
    Publish,
    Request,
    Suback,
    Subscribe,
    Unsuback,
    Unsubscribe,
    Will,
)
from .wire.properties import BY_NAME, Kind

_TRUE = {"true": True, "1": True, "false": False, "0": False}


def set_fields(version: int, frame: bytes, values: Mapping[str, str]) -> bytes:
    """The packet with other values; raises InvalidInput."""
    try:
        packet = decode_packet(frame, version)
    except ProtocolError as error:
        raise InvalidInput(f"it is no packet: {error.text}") from None
    if isinstance(packet, Connect):
        # It says itself which version it is of; the connection knows none yet.
        version = packet.version
    kind = PacketType(frame[0] >> 4)
    for name, text in values.items():
        packet = _with(packet, kind, name, text, version)
    try:
        return encode_packet(packet, version)
    except (ValueError, OverflowError, struct.error) as error:
        raise InvalidInput(f"a value does not fit: {error}") from None


_PACKETS: Final = {each.__name__.upper(): each for each in get_args(Packet)}


def field_names(kind: PacketType) -> list[str]:
    """The fields of a packet, and its properties since MQTT 5."""
    packet = _PACKETS.get(kind.name, Ack)
    properties = _properties(kind) if "properties" in packet.__struct_fields__ else []
    return _fields(packet) + properties


def check_value(kind: PacketType, name: str, text: str) -> None:
    """Raises InvalidInput where no packet of this kind can have this value in a field."""
    set_fields(V5, encode_packet(_sample(kind), V5), {name: text})


def _sample(kind: PacketType) -> Packet:
    """One of this kind that has something in each field that it needs."""
    match kind:
        case PacketType.CONNECT:
            return Connect("a", will=Will("a", b""), user_name="a", password=b"")
        case PacketType.PUBLISH:
            return Publish("a", qos=1, packet_id=1)
        case PacketType.SUBSCRIBE:
            return Subscribe(1, [Request("a")])
        case PacketType.UNSUBSCRIBE:
            return Unsubscribe(1, ["a"])
        case PacketType.SUBACK:
            return Suback(1, [0])
        case PacketType.UNSUBACK:
            return Unsuback(1, [0])
        case PacketType.PUBACK | PacketType.PUBREC | PacketType.PUBREL | PacketType.PUBCOMP:
            return Ack(kind, 1)
        case _:
            made: Packet = _PACKETS[kind.name]()
            return made


def _fields(packet: Packet | type[Packet]) -> list[str]:
    return [each for each in packet.__struct_fields__ if each not in ("type", "properties")]


def _properties(kind: PacketType) -> list[str]:
    return sorted(row.name for row in BY_NAME.values() if kind in row.packets)


def _with(packet: Packet, kind: PacketType, name: str, text: str, version: int) -> Packet:
    fields = _fields(packet)
    if name == "qos" and text not in ("0", "1", "2", "3"):
        raise InvalidInput(f"qos has two bits, 0 to 3, not {text!r}")
    if name in fields:
        return replace(packet, **{name: _converted(name, getattr(packet, name), text)})
    allowed = _properties(kind)
    if version < V5 or name not in allowed or not hasattr(packet, "properties"):
        known = fields if version < V5 else fields + allowed
        raise InvalidInput(f"{kind.name} has no field {name}; it has {', '.join(known)}")
    row = BY_NAME[name]
    value = _property(row.kind, name, text)
    return replace(packet, properties={**packet.properties, name: value})


def _property(kind: Kind, name: str, text: str) -> Any:
    match kind:
        case Kind.TEXT:
            return text
        case Kind.BINARY:
            return text.encode()
        case Kind.PAIR:
            key, colon, value = text.partition(":")
            if not colon:
                raise InvalidInput(f"{name} is NAME:VALUE, not {text!r}")
            return [(key, value)]
    return _number(name, text)


def _converted(name: str, value: Any, text: str) -> Any:
    """As the type of the value that it replaces; a list is filled with it."""
    match value:
        case bool():
            if text.lower() not in _TRUE:
                raise InvalidInput(f"{name} is true or false, not {text!r}")
            return _TRUE[text.lower()]
        case int():
            return _number(name, text)
        case bytes():
            return text.encode()
        case None if name == "password":
            return text.encode()
        case None if name == "user_name":
            return text
        case str():
            return text
        case list() if all(isinstance(each, int) for each in value):
            return [_number(name, text)] * len(value)
    raise InvalidInput(f"{name} cannot be set")


def _number(name: str, text: str) -> int:
    if name in ("code", "codes") and text.upper() in Reason.__members__:
        return int(Reason[text.upper()])
    try:
        return int(text, 0)
    except ValueError:
        raise InvalidInput(f"{name} is a number, not {text!r}") from None
