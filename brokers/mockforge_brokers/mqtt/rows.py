"""Raw packets as people see them, at any time after they passed."""

from collections.abc import Hashable, Mapping
from typing import Any

from ..errors import ProtocolError
from ..journal import Row
from .codes import FAILURE, V5, VERSION_NAMES, PacketType, reason_name
from .wire.decode import decode_packet
from .wire.lenient import read_broken
from .wire.packets import (
    Ack,
    Auth,
    Connack,
    Connect,
    Disconnect,
    Packet,
    Pingreq,
    Pingresp,
    Publish,
    Suback,
    Subscribe,
    Unsuback,
    Unsubscribe,
)

_NOISE = (Pingreq, Pingresp)


def read_rows(direction: int, frame: bytes, version: int, aliases: Mapping[int, str]) -> list[Row]:
    """The one row of a packet; bytes that are none make a row with `error`.

    `aliases` are the connection's inbound topic aliases as they stand now.
    """
    row = Row("mqtt", direction, _operation(frame), size=len(frame), frame=frame)
    try:
        packet = decode_packet(frame, version)
    except ProtocolError as error:
        row.detail, stopped = read_broken(frame, version)
        row.error = f"{error.text}, at byte {stopped} of {len(frame)}"
        row.destination = row.detail.get("topic_name", "")
        return [row]
    row.correlation = _correlation(direction, packet)
    if isinstance(packet, Publish):
        _describe_publish(row, packet, aliases if direction == 0 else {})
        return [row]
    row.kind = "noise" if isinstance(packet, _NOISE) else "control"
    _describe(row, packet, version)
    row.headers = tuple(row.detail.get("user_property", ()))
    return [row]


def _correlation(direction: int, packet: Packet) -> Hashable:
    """Common to a request and its acknowledgements: who chose the packet identifier, and it."""
    match packet:
        case Connect() | Connack():
            return "CONNECT"
        case Pingreq() | Pingresp():
            return "PINGREQ"
        case Publish(packet_id=0):
            return None
        case Publish() | Subscribe() | Unsubscribe():
            return direction, packet.packet_id
        case Ack(type=PacketType.PUBREL):
            return direction, packet.packet_id
        case Ack() | Suback() | Unsuback():
            return 1 - direction, packet.packet_id
        case _:
            return None


def _operation(frame: bytes) -> str:
    kind = frame[0] >> 4 if frame else 0
    return PacketType(kind).name if kind else "?"


def _describe_publish(row: Row, packet: Publish, aliases: Mapping[int, str]) -> None:
    row.kind = "message"
    properties = packet.properties
    row.destination = packet.topic_name or aliases.get(properties.get("topic_alias", 0), "")
    row.payload = packet.payload
    row.size = len(packet.payload)
    row.headers = tuple(properties.get("user_property", ()))
    row.detail = {"qos": packet.qos, "retain": packet.retain}
    if packet.dup:
        row.detail["dup"] = True
    if packet.qos:
        row.detail["packet_id"] = packet.packet_id
    row.detail |= {name: value for name, value in properties.items() if name != "user_property"}


def _describe(row: Row, packet: Packet, version: int) -> None:
    match packet:
        case Connect():
            row.detail = _connect_detail(packet)
        case Connack() | Ack() | Disconnect() | Auth():
            row.detail = _plain_detail(packet)
            kind = PacketType[row.operation]
            # What 3.1.1 acknowledges has no code.
            if version == V5 or isinstance(packet, Connack):
                reason = reason_name(kind, packet.code, version)
                # In front: a line of the flow may have no room for more.
                row.detail = {"reason": reason, **row.detail}
            refused = isinstance(packet, Connack) and packet.code
            if packet.code >= FAILURE or refused:
                row.error = row.detail["reason"]
        case Subscribe():
            row.destination = ", ".join(request.topic_filter for request in packet.requests)
            row.detail = {"packet_id": packet.packet_id}
            row.detail["filters"] = [
                {name: getattr(request, name) for name in request.__struct_fields__}
                for request in packet.requests
            ]
            row.detail |= packet.properties
        case Unsubscribe():
            row.destination = ", ".join(packet.topic_filters)
            row.detail = {"packet_id": packet.packet_id, "filters": packet.topic_filters}
            row.detail |= packet.properties
        case Suback() | Unsuback():
            row.detail = _plain_detail(packet)
            kind = PacketType[row.operation]
            names = [reason_name(kind, code) for code in packet.codes]
            row.detail = {"reasons": names, **row.detail}
            failed = [
                name for name, code in zip(names, packet.codes, strict=True) if code >= FAILURE
            ]
            row.error = ", ".join(failed)
        case _:
            pass


def _connect_detail(packet: Connect) -> dict[str, Any]:
    detail: dict[str, Any] = {
        "client_id": packet.client_id,
        "version": VERSION_NAMES[packet.version],
        "clean_start": packet.clean_start,
        "keep_alive": packet.keep_alive,
    }
    if packet.user_name is not None:
        detail["user_name"] = packet.user_name
    will = packet.will
    if will is not None:
        detail["will"] = {
            "topic_name": will.topic_name,
            "payload": will.payload,
            "qos": will.qos,
            "retain": will.retain,
            **will.properties,
        }
    return detail | packet.properties


def _plain_detail(packet: Packet) -> dict[str, Any]:
    detail = {
        name: getattr(packet, name)
        for name in packet.__struct_fields__
        if name not in ("type", "properties")
    }
    return detail | getattr(packet, "properties", {})
