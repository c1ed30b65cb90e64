"""Packet bytes into values, strictly: what the specification forbids is a ProtocolError."""

from collections.abc import Callable
from typing import Final

from ...bytes_io import ByteReader
from ...errors import ProtocolError
from ..codes import LEGAL_CODES, V5, V31, V311, PacketType, Reason
from .frames import decode_varint
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
    Will,
)
from .properties import WILL, decode_properties, read_text

_NAMES: Final = {"MQIsdp": (V31,), "MQTT": (V311, V5)}


_PUBLISH: Final = int(PacketType.PUBLISH)
_BRIDGE: Final = 0x80
_HEAD_OF_31: Final = b"\0\6MQIsdp\3"
_USUAL_HEADS: Final = {b"\0\4MQTT\4": V311, b"\0\4MQTT\5": V5}
"""How nearly every CONNECT begins, and the version that it says so."""
_HEAD_SIZE: Final = 7


class UnsupportedVersion(ProtocolError):
    """The protocol's name is right and its level is none of ours."""


def decode_packet(data: bytes, version: int) -> Packet:
    """One whole packet, fixed header included; a CONNECT tells its version itself."""
    length, body = decode_varint(data, 1, len(data))
    if length != len(data) - body:
        raise malformed(f"a packet of {len(data)} bytes says that {length} follow its header")
    return decode_body(data[0], ByteReader(data, body), version)


def decode_body(first: int, reader: ByteReader, version: int) -> Packet:
    """A packet whose first byte is `first`; `reader` covers all after Remaining Length."""
    kind, flags = first >> 4, first & 0x0F
    if kind == _PUBLISH:
        return _publish(flags, reader, version)
    if kind == 0:
        raise malformed("packet type 0 is reserved")
    reader.what, decode, wanted = BY_NUMBER[kind]
    # 3.1 leaves these bits unused, and its clients set DUP in what they send again.
    if flags != wanted and version != V31 and not _is_connect_of_31(kind, reader):
        raise malformed(f"{reader.what} with flags {flags:04b}, not {wanted:04b} [MQTT-2.1.3-1]")
    packet = decode(reader, version)
    if reader.position != reader.end:
        raise malformed(f"{reader.what}: {reader.remaining} bytes too many")
    return packet


def _is_connect_of_31(kind: int, reader: ByteReader) -> bool:
    return kind == PacketType.CONNECT and reader.data.startswith(_HEAD_OF_31, reader.position)


def malformed(text: str) -> ProtocolError:
    return ProtocolError(text, Reason.MALFORMED_PACKET)


def _connect(reader: ByteReader, version: int) -> Connect:
    version, bridge = _version(reader)
    flags = reader.uint8()
    if flags & 1 and version != V31:
        raise malformed("CONNECT: the reserved flag is set [MQTT-3.1.2-3]")
    will_qos, will_retain = flags >> 3 & 3, bool(flags & 0x20)
    if will_qos == 3:
        raise malformed("CONNECT: Will QoS is 3 [MQTT-3.1.2-12]")
    if not flags & 4 and (will_qos or will_retain) and version != V31:
        raise malformed("CONNECT: a Will QoS or Will Retain without a will [MQTT-3.1.2-11]")
    if flags & 0x40 and not flags & 0x80 and version < V5:
        raise malformed("CONNECT: a password without a user name [MQTT-3.1.2-22]")
    keep_alive = reader.uint16()
    properties = decode_properties(reader, PacketType.CONNECT) if version == V5 else {}
    packet = Connect(read_text(reader), version, bool(flags & 2), keep_alive, bridge=bridge)
    packet.properties = properties
    if flags & 4:
        properties = decode_properties(reader, WILL) if version == V5 else {}
        topic_name = read_text(reader)
        payload = reader.take(reader.uint16())
        packet.will = Will(topic_name, payload, will_qos, will_retain, properties)
    if flags & 0x80:
        packet.user_name = read_text(reader)
    if flags & 0x40:
        packet.password = reader.take(reader.uint16())
    return packet


def _version(reader: ByteReader) -> tuple[int, bool]:
    """The protocol level, and whether it is a bridge that asks: then its highest bit is set.

    So Mosquitto's bridges do it before MQTT 5 (`try_private`, mosquitto.conf(5)).
    """
    begin = reader.data[reader.position : reader.position + _HEAD_SIZE]
    usual = _USUAL_HEADS.get(begin)
    if usual is not None and reader.end - reader.position >= _HEAD_SIZE:
        reader.position += _HEAD_SIZE
        return usual, False
    name, level = read_text(reader), reader.uint8()
    bridge = level in (V31 | _BRIDGE, V311 | _BRIDGE)
    if bridge:
        level ^= _BRIDGE
    versions = _NAMES.get(name)
    if versions is None:
        raise malformed(f"CONNECT: the protocol's name is {name[:20]!r} [MQTT-3.1.2-1]")
    if level not in versions:
        raise UnsupportedVersion(
            f"CONNECT: {name} level {level} is not served [MQTT-3.1.2-2]",
            Reason.UNSUPPORTED_PROTOCOL_VERSION,
        )
    return level, bridge


def _connack(reader: ByteReader, version: int) -> Connack:
    flags = reader.uint8()
    if flags > 1:
        raise malformed("CONNACK: reserved flags are set [MQTT-3.2.2-1]")
    packet = Connack(reader.uint8(), bool(flags))
    if version == V5:
        packet.properties = decode_properties(reader, PacketType.CONNACK)
    return packet


def _publish(flags: int, reader: ByteReader, version: int) -> Publish:
    reader.what = "PUBLISH"
    qos, dup = flags >> 1 & 3, bool(flags & 8)
    if qos == 3:
        raise malformed("PUBLISH: QoS 3 [MQTT-3.3.1-4]")
    packet = Publish(read_text(reader), qos=qos, retain=bool(flags & 1), dup=dup)
    if qos:
        packet.packet_id = _packet_id(reader)
    if version == V5:
        packet.properties = decode_properties(reader, PacketType.PUBLISH)
    packet.payload = reader.take(reader.remaining)
    return packet


def _packet_id(reader: ByteReader) -> int:
    packet_id = reader.uint16()
    if not packet_id:
        raise ProtocolError(
            f"{reader.what}: packet identifier 0 [MQTT-2.2.1-3]", Reason.PROTOCOL_ERROR
        )
    return packet_id


def _ack(kind: PacketType) -> Callable[[ByteReader, int], Ack]:
    def decode(reader: ByteReader, version: int) -> Ack:
        packet = Ack(kind, _packet_id(reader))
        if version == V5 and reader.remaining:
            packet.code = _code(reader, kind)
            if reader.remaining:
                packet.properties = decode_properties(reader, kind)
        return packet

    return decode


def _code(reader: ByteReader, kind: PacketType) -> int:
    code = reader.uint8()
    if code not in LEGAL_CODES[kind]:
        raise ProtocolError(
            f"{kind.name}: it has no reason code 0x{code:02X} [{_CODE_STATEMENTS[kind]}]",
            Reason.PROTOCOL_ERROR,
        )
    return code


_CODE_STATEMENTS: Final = {
    PacketType.PUBACK: "MQTT-3.4.2-1",
    PacketType.PUBREC: "MQTT-3.5.2-1",
    PacketType.PUBREL: "MQTT-3.6.2-1",
    PacketType.PUBCOMP: "MQTT-3.7.2-1",
    PacketType.DISCONNECT: "MQTT-3.14.2-1",
    PacketType.AUTH: "MQTT-3.15.2-1",
}


def _subscribe(reader: ByteReader, version: int) -> Subscribe:
    packet = Subscribe(_packet_id(reader), [])
    if version == V5:
        packet.properties = decode_properties(reader, PacketType.SUBSCRIBE)
    while reader.remaining:
        _plain_requests(reader, packet.requests)
        if reader.remaining:
            packet.requests.append(_request(read_text(reader), reader.uint8(), version))
    if not packet.requests:
        raise ProtocolError(
            "SUBSCRIBE without a topic filter [MQTT-3.8.3-2]", Reason.PROTOCOL_ERROR
        )
    return packet


def _plain_requests(reader: ByteReader, requests: list[Request]) -> None:
    """The requests that follow each other from here on with no more than a QoS in their options.

    `_request` reads any of them and says what is wrong; a client may send thousands.
    """
    data, at, end = reader.data, reader.position, reader.end
    while at + 3 <= end:
        stop = at + 2 + (data[at] << 8) + data[at + 1]
        if stop >= end or data[stop] > 2:
            break
        try:
            topic_filter = data[at + 2 : stop].decode()
        except UnicodeDecodeError:
            break
        if "\0" in topic_filter:
            break
        requests.append(Request(topic_filter, data[stop]))
        at = stop + 1
    reader.position = at


def _request(topic_filter: str, options: int, version: int) -> Request:
    qos = options & 3
    if version == V31:
        # Its six other bits are reserved and not used.
        options = qos
    if qos == 3 or options & (0xC0 if version == V5 else 0xFC):
        raise malformed(
            f"SUBSCRIBE {topic_filter}: options 0x{options:02x} use reserved values [MQTT-3.8.3-5]"
        )
    handling = options >> 4
    if handling == 3:
        raise ProtocolError(
            f"SUBSCRIBE {topic_filter}: Retain Handling is 3 [MQTT 3.8.3.1]",
            Reason.PROTOCOL_ERROR,
        )
    return Request(topic_filter, qos, bool(options & 4), bool(options & 8), handling)


def _suback(reader: ByteReader, version: int) -> Suback:
    packet = Suback(_packet_id(reader), [])
    if version == V5:
        packet.properties = decode_properties(reader, PacketType.SUBACK)
    packet.codes = list(reader.take(reader.remaining))
    return packet


def _unsubscribe(reader: ByteReader, version: int) -> Unsubscribe:
    packet = Unsubscribe(_packet_id(reader), [])
    if version == V5:
        packet.properties = decode_properties(reader, PacketType.UNSUBSCRIBE)
    while reader.remaining:
        packet.topic_filters.append(read_text(reader))
    if not packet.topic_filters:
        raise ProtocolError(
            "UNSUBSCRIBE without a topic filter [MQTT-3.10.3-2]", Reason.PROTOCOL_ERROR
        )
    return packet


def _unsuback(reader: ByteReader, version: int) -> Unsuback:
    packet = Unsuback(_packet_id(reader))
    if version == V5:
        packet.properties = decode_properties(reader, PacketType.UNSUBACK)
        packet.codes = list(reader.take(reader.remaining))
    return packet


def _disconnect(reader: ByteReader, version: int) -> Disconnect:
    packet = Disconnect()
    if version == V5 and reader.remaining:
        packet.code = _code(reader, PacketType.DISCONNECT)
        if reader.remaining:
            packet.properties = decode_properties(reader, PacketType.DISCONNECT)
    return packet


def _auth(reader: ByteReader, version: int) -> Auth:
    if version < V5:
        raise malformed("AUTH came with MQTT 5, packet type 15 is reserved before")
    packet = Auth()
    if reader.remaining:
        packet.code = _code(reader, PacketType.AUTH)
        packet.properties = decode_properties(reader, PacketType.AUTH)
    return packet


def _pingreq(reader: ByteReader, version: int) -> Pingreq:
    return Pingreq()


def _pingresp(reader: ByteReader, version: int) -> Pingresp:
    return Pingresp()


_DECODERS: Final[dict[PacketType, tuple[Callable[[ByteReader, int], Packet], int]]] = {
    PacketType.CONNECT: (_connect, 0),
    PacketType.CONNACK: (_connack, 0),
    PacketType.PUBACK: (_ack(PacketType.PUBACK), 0),
    PacketType.PUBREC: (_ack(PacketType.PUBREC), 0),
    PacketType.PUBREL: (_ack(PacketType.PUBREL), 2),
    PacketType.PUBCOMP: (_ack(PacketType.PUBCOMP), 0),
    PacketType.SUBSCRIBE: (_subscribe, 2),
    PacketType.SUBACK: (_suback, 0),
    PacketType.UNSUBSCRIBE: (_unsubscribe, 2),
    PacketType.UNSUBACK: (_unsuback, 0),
    PacketType.PINGREQ: (_pingreq, 0),
    PacketType.PINGRESP: (_pingresp, 0),
    PacketType.DISCONNECT: (_disconnect, 0),
    PacketType.AUTH: (_auth, 0),
}
"""Decoder and the flags that the first byte must have; PUBLISH has flags of its own."""
BY_NUMBER: Final = {int(kind): (kind.name, *found) for kind, found in _DECODERS.items()}
"""The same for who has only the number, which makes no member of an enum for each packet."""
