"""How a packet is refused on purpose, and how a message is changed on its way."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from msgspec import UNSET
from msgspec.structs import replace

from ..errors import InvalidInput, ProtocolError
from ..journal import Row
from ..misbehaviour.decisions import Changes
from ..misbehaviour.skimming import Found, Shape
from . import handshake, joining
from .codes import FAILURE, V5, PacketType, Reason
from .handlers import resolve_alias, subscribing, unsubscribing
from .inputs import check_encoding, publish_properties
from .wire.decode import decode_packet
from .wire.frames import decode_varint
from .wire.packets import Ack, Auth, Connect, Packet, Publish, Subscribe, Unsubscribe

if TYPE_CHECKING:
    from .connection import MqttConnection

REFUSALS: Final[Mapping[str, int]] = MappingProxyType(
    {code.name: int(code) for code in Reason if code >= FAILURE}
)

_ANSWERS: Final = {1: PacketType.PUBACK, 2: PacketType.PUBREC}


def parts(rows: list[Row]) -> list[Row]:
    """A row for each topic filter of a SUBSCRIBE or UNSUBSCRIBE, else the rows themselves."""
    [row] = rows
    filters = row.detail.get("filters")
    if not filters or row.operation not in ("SUBSCRIBE", "UNSUBSCRIBE"):
        return rows
    names = [item["topic_filter"] if isinstance(item, dict) else item for item in filters]
    return [_part(row, name) for name in names]


def _part(row: Row, topic_filter: str) -> Row:
    part = replace(row)
    part.destination = topic_filter
    return part


def refuse(
    connection: MqttConnection, packet: bytes, parts: list[Row], code: int, text: str
) -> None:
    """Answer one packet with a reason code, without its effect.

    Before MQTT 5 most acknowledgements have no code: where they have none the connection ends,
    which is what 3.1.1 leaves to a server that does not take a PUBLISH [MQTT-3.3.5-2].
    Raises ProtocolError where something else is wrong about it.
    """
    try:
        decoded = decode_packet(packet, connection.version)
        if isinstance(decoded, Publish) and connection.session is not None:
            resolve_alias(connection, decoded)
    except ProtocolError:
        connection.receive(packet)
        return
    if not _may_come(connection, decoded):
        connection.receive(packet)
        return
    reason = Reason(code)
    version5 = connection.version == V5
    match decoded:
        case Connect():
            joining.introduce(connection, decoded)
            joining.refuse(connection, handshake.Refused(text, reason))
        case Auth() if connection.session is None:
            joining.refuse(connection, handshake.Refused(text, reason))
        case Publish() if version5:
            if decoded.qos:
                answer = Ack(_ANSWERS[decoded.qos], decoded.packet_id, code)
                connection.outlet.explain(answer, text)
        case Subscribe():
            refused = {part.destination: code for part in parts}
            connection.begin(subscribing(connection, decoded, refused, text))
        case Unsubscribe() if version5:
            refused = {part.destination: code for part in parts}
            connection.begin(unsubscribing(connection, decoded, refused, text))
        case _:
            connection.disconnect(reason, text)


def _may_come(connection: MqttConnection, packet: Packet) -> bool:
    """Nothing comes before CONNECT, no second one [MQTT-3.1.0-1] [MQTT-3.1.0-2], and between a
    challenge and CONNACK only AUTH [MQTT-3.1.2-30]."""
    if connection.session is not None:
        return not isinstance(packet, Connect)
    return isinstance(packet, Connect if connection.proving is None else Auth)


def edit(version: int, packet: bytes, changes: Mapping[int, Changes]) -> bytes:
    """The same PUBLISH with the changes of message 0, the only one; raises InvalidInput."""
    for number, each in changes.items():
        packet = _edit(version, packet, number, each)
    return packet


def _edit(version: int, packet: bytes, number: int, changes: Changes) -> bytes:
    try:
        decoded = decode_packet(packet, version)
    except ProtocolError as error:
        raise InvalidInput(f"what is held is no packet: {error.text}") from None
    if not isinstance(decoded, Publish) or number:
        raise InvalidInput(
            f"{PacketType(packet[0] >> 4).name} carries no message {number + 1}:"
            " hold op:PUBLISH to edit one"
        )
    if changes.key is not UNSET:
        raise InvalidInput("an MQTT message has no key: change payload, headers or properties")
    if (changes.headers or changes.properties) and version < V5:
        raise InvalidInput("before MQTT 5 a message has only a payload: change that")
    payload = decoded.payload if changes.payload is UNSET else changes.payload or b""
    edited = replace(decoded, payload=payload, properties=_changed(decoded.properties, changes))
    encoded = check_encoding("edit", edited, version)
    try:
        decode_packet(encoded, version)
    except ProtocolError as error:
        raise InvalidInput(f"edit: {error.text}") from None
    return encoded


def _changed(properties: dict[str, Any], changes: Changes) -> dict[str, Any]:
    given = {name.replace("-", "_"): value for name, value in changes.properties.items()}
    kept = {name: value for name, value in properties.items() if name not in given}
    set_now = {name: value for name, value in given.items() if value is not None}
    changed = kept | publish_properties("edit", set_now)
    if changes.headers:
        pairs = [
            pair for pair in changed.get("user_property", ()) if pair[0] not in changes.headers
        ]
        pairs += [
            (name, str(value)) for name, value in changes.headers.items() if value is not None
        ]
        changed["user_property"] = pairs
    return changed


def body(packet: bytes) -> range:
    """Behind the fixed header, whose length takes one to four bytes [2.1.4]."""
    at = 1
    while at < min(len(packet), 4) and packet[at] & 0x80:
        at += 1
    return range(at + 1, len(packet))


def repeated(packet: bytes) -> bytes:
    """With the DUP flag, where it is a PUBLISH that may have it [MQTT-3.3.1-2]."""
    first = packet[0]
    if first >> 4 == PacketType.PUBLISH and first & 0b0110:
        return bytes((first | 0b1000,)) + packet[1:]
    return packet


# What has no destination has the same one always.
_NAMELESS: Final = frozenset(
    (
        PacketType.PUBACK,
        PacketType.PUBREC,
        PacketType.PUBREL,
        PacketType.PUBCOMP,
        PacketType.SUBACK,
        PacketType.UNSUBACK,
        PacketType.PINGREQ,
        PacketType.PINGRESP,
    )
)


_PUBLISH: Final = int(PacketType.PUBLISH)


def glance(packet: bytes) -> tuple[bytes | int, bool] | None:
    """The topic name of a PUBLISH, unless it stands behind an alias; else the packet's type."""
    try:
        return _look(packet, 0, body(packet).start)
    except IndexError:
        # A PUBLISH that ends before its topic does: its handler says what is wrong.
        return None


def find(data: bytes, at: int) -> Found | None:
    """The packet at `at`; those of its size with the same first byte and topic have its shape."""
    end = len(data)
    try:
        length, begin = data[at + 1], at + 2
        if length >= 0x80:
            length, begin = decode_varint(data, at + 1, end)
        stop = begin + length
        if length < 0 or stop > end:
            return None
        look = _look(data, at, begin)
    except (IndexError, ProtocolError):
        return None
    if look is None:
        return Found(stop, None, None)
    named = len(look[0]) if isinstance(look[0], bytes) else 0
    return Found(stop, look, Shape(data[at : begin + named], 0, b"", stop - at, None, look))


def _look(data: bytes, at: int, begin: int) -> tuple[bytes | int, bool] | None:
    """Of the packet at `at`, whose variable header begins at `begin`."""
    kind = data[at] >> 4
    if kind == _PUBLISH:
        end = begin + 2 + (data[begin] << 8 | data[begin + 1])
        return (data[begin:end], True) if end > begin + 2 else None
    return (kind, True) if kind in _NAMELESS else None
