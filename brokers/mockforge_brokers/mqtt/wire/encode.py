"""Values into packet bytes."""

from collections.abc import Callable
from typing import Any, Final

from ..codes import V5, V31, PacketType
from .frames import encode_varint
from .packets import (
    Ack,
    Auth,
    Connack,
    Connect,
    Disconnect,
    Packet,
    Pingreq,
    Pingresp,
    Publish,
    Request,
    Suback,
    Subscribe,
    Unsuback,
    Unsubscribe,
)
from .properties import encode_binary, encode_properties, encode_text


class _Numbers(dict[int, bytes]):
    """16-bit numbers as bytes, made when first asked for: all at once would delay a start."""

    def __missing__(self, number: int) -> bytes:
        made = self[number] = number.to_bytes(2, "big")
        return made


IDS: Final = _Numbers()
"""Each packet identifier's two bytes."""


def encode_packet(packet: Packet, version: int) -> bytes:
    """The whole packet. A PUBACK, PUBREC, PUBREL, PUBCOMP or DISCONNECT is kept shortest."""
    first, body = _ENCODERS[type(packet)](packet, version)
    return bytes((first,)) + encode_varint(len(body)) + body


def encode_ack(kind: PacketType, packet_id: int, code: int = 0) -> bytes:
    """PUBACK, PUBREC, PUBREL or PUBCOMP without properties; code 0 for all before MQTT 5."""
    first = kind << 4 | (2 if kind is PacketType.PUBREL else 0)
    if code:
        return bytes((first, 3, packet_id >> 8, packet_id & 0xFF, code))
    return bytes((first, 2, packet_id >> 8, packet_id & 0xFF))


def _connect(packet: Connect, version: int) -> tuple[int, bytes]:
    version = packet.version
    flags = packet.clean_start << 1
    fields = [encode_text(packet.client_id)]
    will = packet.will
    if will is not None:
        flags |= 4 | will.qos << 3 | will.retain << 5
        if version == V5:
            fields.append(encode_properties(will.properties))
        fields += (encode_text(will.topic_name), encode_binary(will.payload))
    if packet.user_name is not None:
        flags |= 0x80
        fields.append(encode_text(packet.user_name))
    if packet.password is not None:
        flags |= 0x40
        fields.append(encode_binary(packet.password))
    head = encode_text("MQIsdp" if version == V31 else "MQTT") + bytes(
        (version | packet.bridge << 7, flags)
    )
    properties = encode_properties(packet.properties) if version == V5 else b""
    return 0x10, head + IDS[packet.keep_alive] + properties + b"".join(fields)


def _connack(packet: Connack, version: int) -> tuple[int, bytes]:
    properties = encode_properties(packet.properties) if version == V5 else b""
    return 0x20, bytes((packet.session_present, packet.code)) + properties


def _publish(packet: Publish, version: int) -> tuple[int, bytes]:
    first = 0x30 | packet.dup << 3 | packet.qos << 1 | packet.retain
    packet_id = IDS[packet.packet_id] if packet.qos else b""
    properties = encode_properties(packet.properties) if version == V5 else b""
    return first, encode_text(packet.topic_name) + packet_id + properties + packet.payload


def _ack(packet: Ack, version: int) -> tuple[int, bytes]:
    first = packet.type << 4 | (2 if packet.type is PacketType.PUBREL else 0)
    body = IDS[packet.packet_id]
    if version == V5 and (packet.code or packet.properties):
        body += bytes((packet.code,))
        if packet.properties:
            body += encode_properties(packet.properties)
    return first, body


def _subscribe(packet: Subscribe, version: int) -> tuple[int, bytes]:
    properties = encode_properties(packet.properties) if version == V5 else b""
    return 0x82, IDS[packet.packet_id] + properties + b"".join(map(_request, packet.requests))


def _request(request: Request) -> bytes:
    options = request.qos | request.no_local << 2 | request.retain_as_published << 3
    return encode_text(request.topic_filter) + bytes((options | request.retain_handling << 4,))


def _suback(packet: Suback, version: int) -> tuple[int, bytes]:
    properties = encode_properties(packet.properties) if version == V5 else b""
    return 0x90, IDS[packet.packet_id] + properties + bytes(packet.codes)


def _unsubscribe(packet: Unsubscribe, version: int) -> tuple[int, bytes]:
    properties = encode_properties(packet.properties) if version == V5 else b""
    filters = b"".join(map(encode_text, packet.topic_filters))
    return 0xA2, IDS[packet.packet_id] + properties + filters


def _unsuback(packet: Unsuback, version: int) -> tuple[int, bytes]:
    if version < V5:
        return 0xB0, IDS[packet.packet_id]
    properties = encode_properties(packet.properties)
    return 0xB0, IDS[packet.packet_id] + properties + bytes(packet.codes)


def _pingreq(packet: Pingreq, version: int) -> tuple[int, bytes]:
    return 0xC0, b""


def _pingresp(packet: Pingresp, version: int) -> tuple[int, bytes]:
    return 0xD0, b""


def _disconnect(packet: Disconnect, version: int) -> tuple[int, bytes]:
    return 0xE0, _code_body(packet.code, packet, version)


def _auth(packet: Auth, version: int) -> tuple[int, bytes]:
    return 0xF0, _code_body(packet.code, packet, version)


def _code_body(code: int, packet: Disconnect | Auth, version: int) -> bytes:
    if version < V5 or not (code or packet.properties):
        return b""
    if not packet.properties and isinstance(packet, Disconnect):
        return bytes((code,))
    return bytes((code,)) + encode_properties(packet.properties)


_ENCODERS: Final[dict[type, Callable[[Any, int], tuple[int, bytes]]]] = {
    Connect: _connect,
    Connack: _connack,
    Publish: _publish,
    Ack: _ack,
    Subscribe: _subscribe,
    Suback: _suback,
    Unsubscribe: _unsubscribe,
    Unsuback: _unsuback,
    Pingreq: _pingreq,
    Pingresp: _pingresp,
    Disconnect: _disconnect,
    Auth: _auth,
}
"""What makes a packet's first byte and all that follows its Remaining Length."""
