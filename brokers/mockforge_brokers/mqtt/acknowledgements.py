"""The fast path of acknowledgements: what subscribers send of what they got, and publishers PUBREL.

Each function is one of burst.py's for a stretch of packets of one kind, and stops in front of the
first that is not plain; there it says which are.
"""

from collections.abc import Iterator
from struct import Struct
from typing import TYPE_CHECKING, Final

from ..journal import OUT
from . import choices
from .codes import V5, PacketType, Reason
from .records import Message
from .state.session import RELEASED, Session

if TYPE_CHECKING:
    from .connection import MqttConnection

PUBACK: Final = 0x40
PUBREC: Final = 0x50
PUBREL: Final = 0x62
PUBCOMP: Final = 0x70
_PLAIN_PUBACK: Final = 0x4002
_PLAIN_PUBREC: Final = 0x5002
_PLAIN_PUBREL: Final = 0x6202
_PLAIN_PUBCOMP: Final = 0x7002
"""The first two bytes of an acknowledgement without code and properties."""

_PUBREL_TYPE: Final = int(PacketType.PUBREL)
_PUBCOMP_TYPE: Final = int(PacketType.PUBCOMP)
_NO_MATCHING_SUBSCRIBERS: Final = bytes((Reason.NO_MATCHING_SUBSCRIBERS,))
_NO_MESSAGE: Final = Message("", b"", 0)
_unpacked: Final = Struct(">HH").iter_unpack


def _fours(data: bytes, position: int) -> Iterator[tuple[int, int]]:
    """Of each four bytes from there on the first two, and the packet identifier behind them."""
    # One acknowledgement alone, as many send them, is not worth a view.
    if not position and not len(data) % 4:
        return _unpacked(data)
    return _unpacked(memoryview(data)[position : len(data) - (len(data) - position) % 4])


def settle(connection: "MqttConnection", data: bytes, position: int, end: int) -> int:
    """PUBACKs without a reason code, of messages that are in flight."""
    session = connection.session
    start = position
    # While something is left to resend, which comes first depends on each single PUBACK.
    if session is None or session.unsent:
        return position
    inflight, freed, beside = session.inflight, 0, 0
    name, name_size = "", 0
    for head, packet_id in _fours(data, position):
        if head != _PLAIN_PUBACK:
            break
        message = inflight.get(packet_id)
        if message is None or message.qos != 1:
            break
        del inflight[packet_id]
        # Those of one topic have one name, which is not measured again.
        if message.topic_name is not name:
            name = message.topic_name
            name_size = len(name)
        freed += len(message.payload)
        beside += name_size + message.weight
        position += 4
    if position > start:
        session.inflight_bytes -= freed + beside
        session.inflight_payload -= freed
        _freed(connection, session, PacketType.PUBACK, data[start:position])
    return position


def receive(connection: "MqttConnection", data: bytes, position: int, end: int) -> int:
    """PUBRECs without a reason code, each answered with its PUBREL."""
    session = connection.session
    assert session is not None
    start = position
    inflight, kept, freed, beside = session.inflight, session.keeps_identifiers, 0, 0
    for head, packet_id in _fours(data, position):
        message = inflight.get(packet_id)
        if head != _PLAIN_PUBREC or message is None or message.qos != 2:
            break
        # It stays in flight as RELEASED: the window is not free before PUBCOMP (MQTT 5, 4.9).
        if kept:
            session.received(packet_id)
        else:
            # As `Session.received`, written out.
            inflight[packet_id] = RELEASED
            freed += len(message.payload)
            beside += len(message.topic_name) + message.weight
        position += 4
    session.inflight_bytes -= freed + beside
    session.inflight_payload -= freed
    if position > start:
        _answer(connection, b"\x62", data[start:position])
    return position


def complete(connection: "MqttConnection", data: bytes, position: int, end: int) -> int:
    """PUBCOMPs without a reason code."""
    session = connection.session
    assert session is not None
    start = position
    if session.unsent:
        return position
    inflight = session.inflight
    for head, packet_id in _fours(data, position):
        if head != _PLAIN_PUBCOMP or inflight.get(packet_id, _NO_MESSAGE) is not RELEASED:
            break
        del inflight[packet_id]
        position += 4
    if position > start:
        _freed(connection, session, PacketType.PUBCOMP, data[start:position])
    return position


def release(connection: "MqttConnection", data: bytes, position: int, end: int) -> int:
    """PUBRELs without a reason code, each answered with its PUBCOMP."""
    session = connection.session
    assert session is not None
    if session.withheld:
        return position
    start = position
    inbound = session.inbound
    for head, packet_id in _fours(data, position):
        if head != _PLAIN_PUBREL or packet_id not in inbound:
            break
        inbound.remove(packet_id)
        position += 4
    if position > start:
        session.inbound_changed()
        _answer(connection, b"\x70", data[start:position])
    return position


def release_one(connection: "MqttConnection", data: bytes, position: int, end: int) -> int:
    """As `release` of a burst that is one: who has one message on the way sends each PUBREL so."""
    session = connection.session
    assert session is not None
    packet_id = data[2] << 8 | data[3]
    inbound = session.inbound
    if packet_id not in inbound or session.withheld or data[1] != 2:
        return 0
    inbound.remove(packet_id)
    session.inbound_changed()
    connection.out.append(b"\x70" + data[1:])
    counts = connection.counts
    counts.received[_PUBREL_TYPE] += 1
    counts.sent[_PUBCOMP_TYPE] += 1
    return end


def confirm(
    connection: "MqttConnection", kind: int, packet_ids: list[bytes], *, unread: bool
) -> None:
    """Tell a publisher by PUBACKs or PUBRECs that these are taken over; MQTT 5 has a code for that
    nobody takes them (`unread`), which all of them are or none."""
    count, counts = len(packet_ids), connection.counts
    head, code = bytes((kind << 4, 2)), b""
    if unread and connection.version == V5:
        if connection.options.tell_no_subscribers:
            head, code = bytes((kind << 4, 3)), _NO_MATCHING_SUBSCRIBERS
            counts.codes(OUT, kind, code * count, V5)
        else:
            choices.report_untold(connection)
    connection.out.append(head + (code + head).join(packet_ids) + code)
    counts.sent[kind] += count


def _freed(connection: "MqttConnection", session: Session, kind: int, packets: bytes) -> None:
    """The packet identifiers of these are free again, and what waits for one may go."""
    connection.counts.received[kind] += len(packets) // 4
    session.freed_by(packets)
    # Nothing is left to resend where this is called.
    if session.queue:
        session.pump()


def _answer(connection: "MqttConnection", first: bytes, packets: bytes) -> None:
    """As many packets of four bytes as came, which differ in their first byte."""
    count = len(packets) // 4
    if count == 1:
        connection.out.append(first + packets[1:])
    else:
        answer = bytearray(packets)
        answer[::4] = first * count
        connection.out.append(bytes(answer))
    # PUBREC is answered by PUBREL, and that by PUBCOMP: each by the type that is next.
    counts, kind = connection.counts, first[0] >> 4
    counts.received[kind - 1] += count
    counts.sent[kind] += count
