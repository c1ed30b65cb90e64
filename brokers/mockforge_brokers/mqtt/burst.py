"""The fast path: a burst of bytes walked in one go, plain packets without an object each.

What it does. `walk` goes over all whole packets of a burst. A stretch of packets of one kind is
one call of a function below, which works on local variables and stops in front of the first packet
that is not plain; `walk` gives that one to the general path (`MqttConnection.handle`), which
decodes any packet and knows every rule, and goes on behind it.

When it may be taken. The bytes that a publisher sent are handed on as they are, so every taker
must want those very bytes. The router says so by a `Verbatim` route, found by the raw topic name:
it was learned from a packet that went the general path, all its takers are connected, ready and of
the publisher's dialect, take packets of any size and set no aliases, none has a subscription
identifier, No Local or a shared subscription, and nobody watches the topic. A publisher whom access
rules concern has no routes at all. Whatever changes one
of these facts forgets all routes. What is left to ask of each packet is in its own bytes:

  _forward  PUBLISH with first byte 0x30: QoS 0, not retained.
  _accept   PUBLISH with first byte 0x32 or 0x34: QoS 1 or 2, not retained, not sent again, with a
            packet identifier that no unfinished QoS 2 publish has; no taker is the publisher
            itself. Who subscribed with a lower QoS gets it with the first byte of that, and at
            QoS 0 without identifier. Of QoS 2 it is one that is handed on at once and not at its
            PUBREL, does not exceed our Receive Maximum and is not the one of a hundred at which
            lint looks; no taker of QoS 2 has its identifiers kept on disk. Those that go to the
            same takers are handed on together (`runs`).
  settle    PUBACK of four bytes for a QoS 1 message in flight, nothing being left to resend.
  receive   PUBREC of four bytes for a QoS 2 message in flight.
  complete  PUBCOMP of four bytes for one whose PUBREC came, nothing being left to resend.
  release   PUBREL of four bytes for an unfinished QoS 2 publish that was handed on already.

A burst that is one such acknowledgement alone comes by `acknowledge`, without `walk`.

In each case the packet is whole, within our Maximum Packet Size, its Remaining Length as short as
can be, and has no properties. `bare` is how many bytes say the latter: in MQTT 5 one, which is 0,
before it none.

A topic that nobody takes has such a route from its second message on: there is nothing to hand on,
and MQTT 5's acknowledgements say so. Retained messages have a way of their own (`retaining`).

What it leaves to the general path. Everything else: the first packet of a topic, DUP, properties,
whatever is malformed, oversized or forbidden, and every other packet type. So no error is raised
here, and none has to be: the general path meets the same bytes next.

What comes out is the same either way, byte for byte and count for count; tests/brokers/mqtt/
test_burst.py compares them. A sink with output was woken for it already, so that only the first
piece of a burst costs the call.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, cast

from ..bytes_io import ByteReader
from . import joining, lint
from .acknowledgements import (
    PUBACK,
    PUBCOMP,
    PUBREC,
    PUBREL,
    complete,
    confirm,
    receive,
    release,
    release_one,
    settle,
)
from .again import MOST, remember
from .codes import V5, PacketType
from .lint_warnings import LAST_OF_MANY, MANY
from .records import Message
from .retaining import RETAINED_QOS_0, RETAINED_QOS_1, retain
from .runs import Header, Run, give_each, look_up
from .state.session import LARGE, Session
from .state.sink import Sink
from .state.verbatim import NOWHERE, Grants
from .wire.frames import check_size, decode_plain_length, decode_varint

if TYPE_CHECKING:
    from .connection import MqttConnection

_QOS_0: Final = 0x30
_QOS_1: Final = 0x32
_QOS_2: Final = 0x34
_BETWEEN_LOOKS: Final = 128
"""Packets in and out between two looks at the time."""
ACK_SIZE: Final = 4
"""Bytes of an acknowledgement without code and properties."""
_NO_ID: Final = b"\0\0"
_NOBODY: Final = Grants(0, ())


def walk(connection: "MqttConnection", data: bytes, position: int) -> int:
    """Handle all whole packets from there on; returns the position of the first byte left over."""
    end = len(data)
    turn = connection.turn
    # A fixed header has two bytes at least, so that one byte alone says nothing yet.
    while end - position > 1 and not connection.closed and connection.work is None:
        if position and turn.now() > turn.until:
            connection.unfinished = True
            break
        first = data[position]
        if connection.session is None:
            joining.expect(connection, first)
        elif first in PLAIN:
            reached = PLAIN[first](connection, data, position, end)
            if reached != position:
                position = reached
                continue
        length, body = decode_varint(data, position + 1, end)
        if length < 0:
            break
        stop = body + length
        check_size(stop - position, connection.limit)
        if stop > end:
            connection.wanted = stop - position
            break
        if not data[body - 1] and body - position > 2:
            lint.check_length(connection, body - position - 1)
        connection.handle(first, ByteReader(data, body, stop))
        position = stop
    if connection.unanswered > connection.receive_maximum and not connection.closed:
        lint.check_unanswered(connection)
    return position


def acknowledge(connection: "MqttConnection", data: bytes) -> bool:
    """As `walk` of a burst of `ACK_SIZE` bytes, if it is one plain acknowledgement by itself.

    Who has one message on the way sends each so. False: it is another one, and nothing was done.
    """
    take = ALONE.get(data[0])
    return (
        take is not None
        and connection.session is not None
        and connection.work is None
        and not connection.incomplete
        and take(connection, data, 0, ACK_SIZE) > 0
    )


# More branches than elsewhere, since a call for each run that is none would cost as much as one.
def _forward(  # noqa: C901
    connection: "MqttConnection", data: bytes, position: int, end: int
) -> int:
    """QoS 0: what goes to the same sinks is handed on as one slice of the burst."""
    routes = connection.verbatim
    bare = int(connection.version == V5)
    turn = connection.turn
    # No packet that ends before this is larger than we take.
    end = min(end, position + connection.limit)
    published = looks = run = heads = 0
    start = position
    sinks: tuple[Sink, ...] = ()
    last = None
    while position + 4 <= end and data[position] == _QOS_0:
        length, body = data[position + 1], position + 2
        if length > 0x7F:
            length, body = decode_plain_length(data, position, end)
        stop = body + length
        if stop > end:
            break
        # A topic length that lies gives a name nobody routed, or an end behind the packet; either
        # breaks off below, and the general path says what is wrong.
        topic_end = body + 2 + (data[body] << 8) + data[body + 1]
        route = routes.get(data[body + 2 : topic_end])
        if route is None or topic_end + bare > stop or (bare and data[topic_end]):
            break
        # Routes with the same takers share one tuple (Router.learn), so that identity tells.
        if route.sinks is not sinks:
            if run:
                _forward_run(connection, sinks, _part(data, start, position), run, heads)
            sinks, start, run, heads = route.sinks, position, 0, 0
            looks += len(sinks)
        count = 1
        if route is last:
            # Twice the same topic: look for packets with the very same header and size. Looking
            # after each packet would cost more than it saves where topics take turns.
            stop, count = _alike(data, position, topic_end + bare, stop, end)
        last = route
        heads += (topic_end + bare - position) * count
        route.counts.published += count
        route.counts.delivered += count * len(sinks)
        run += count
        published += count
        position = stop
        looks += 1
        if looks > _BETWEEN_LOOKS:
            looks = turn.look()
            if looks < 0:
                break
    _forward_run(connection, sinks, _part(data, start, position), run, heads)
    connection.messages_in += published
    # `start` is the one packet's, and what stands in front of it is not of the next one's head.
    if last is not None and published == 1 and not start and position == len(data) <= MOST:
        remember(connection, last, None, data[:heads], position)
    return position


def _alike(data: bytes, position: int, head_end: int, stop: int, end: int) -> tuple[int, int]:
    """The packets that have header and size of the one between `position` and `stop`.

    Returns where the last of them stops, and how many they are with that one.
    """
    head, size, count = data[position:head_end], stop - position, 1
    while data.startswith(head, stop) and stop + size <= end:
        stop += size
        count += 1
    return stop, count


def _part(data: bytes, start: int, stop: int) -> bytes:
    """These bytes of a burst, without a copy where they are large and most of what it keeps."""
    size = stop - start
    if size > LARGE and len(data) // 2 < size < len(data):
        # As `Connection.out` has it, a view will do.
        return cast("bytes", memoryview(data)[start:stop])
    return data[start:stop]


def _forward_run(
    connection: "MqttConnection", sinks: tuple[Sink, ...], piece: bytes, count: int, heads: int
) -> None:
    """So many packets as they are; `heads` of their bytes stand in front of payloads."""
    payload = len(piece) - heads
    connection.counts.payload_in += payload
    connection.counts.payload_out += payload * len(sinks)
    large = len(piece) > LARGE
    for sink in sinks:
        if not sink.out:
            sink.wake()
        sink.out.append(piece)
        sink.messages_out += count
        if large:
            sink.bulky = True


# More branches than elsewhere, since a call for each packet would cost a tenth of its time.
def _accept(  # noqa: C901
    connection: "MqttConnection", data: bytes, position: int, end: int
) -> int:
    """QoS 1 or 2: each subscriber's packet gets its own id, the publisher its PUBACK or PUBREC."""
    bare = int(connection.version == V5)
    turn, looks = connection.turn, 0
    end = min(end, position + connection.limit)
    own = connection.session
    assert own is not None
    first, unreleased = data[position], own.inbound
    twice = first == _QOS_2
    room = _room(connection, own) if twice else 0
    packet_ids: list[bytes] = []
    run = Run(connection)
    messages, pieces = run.messages, run.pieces
    route = last = NOWHERE
    grants, counts, qos, begin, cost = _NOBODY, NOWHERE.counts, 0, b"", 0
    head, size, unread = b"", 0, False
    met: dict[bytes, Header] = {}
    """What is known of headers of this stretch, whose topics may take turns."""
    while looks >= 0 and position + 6 <= end and data[position] == first:
        stop = position + size
        if route is last and size and stop <= end and data.startswith(head, position):
            # The header of the packet before, as above.
            topic_end = position + len(head)
        else:
            length, body = data[position + 1], position + 2
            if length > 0x7F:
                length, body = decode_plain_length(data, position, end)
            stop = body + length
            if stop > end:
                break
            topic_end = body + 2 + (data[body] << 8) + data[body + 1]
            # One that ends before its payload begins is malformed.
            if topic_end + 2 + bare > stop:
                break
            head, size, last = data[position:topic_end], stop - position, route
            known = met.get(head)
            if known is None:
                known = look_up(connection, head, body - position, size)
                if known is None:
                    break
                met[head] = known
            route, grants, counts, qos, begin, cost = known
            # What nobody takes is acknowledged in another way (MQTT 5).
            if packet_ids and unread == bool(grants.count):
                break
            unread = not grants.count
            if route.sinks is not run.sinks or not begin:
                run.turn_to(route.sinks, grants.together)
            # Where they get it with several QoS, `give_each` looks itself.
            if size > LARGE and begin:
                run.large = True
        rest = topic_end + 2
        packet_id = data[topic_end:rest]
        if packet_id == _NO_ID or (bare and data[rest]):
            break
        # QoS 1 and 2 share one room of identifiers, and this one is taken until its PUBREL.
        if twice:
            number = int.from_bytes(packet_id)
            if number in unreleased or len(packet_ids) >= room:
                break
            if counts.published % MANY == LAST_OF_MANY:
                break
            unreleased.add(number)
        elif unreleased and int.from_bytes(packet_id) in unreleased:
            break
        tail = data[rest:stop]
        counts.published += 1
        counts.delivered += grants.count
        if begin:
            messages.append(Message(route.topic_name, tail[1:] if bare else tail, qos))
            pieces += (begin, cost, tail)
        else:
            give_each(connection, route, grants, head, tail)
        packet_ids.append(packet_id)
        position = stop
        looks += grants.count + 1
        if looks > _BETWEEN_LOOKS:
            run.hand_on()
            looks = turn.look()
    run.hand_on()
    if packet_ids:
        connection.messages_in += len(packet_ids)
        if twice:
            own.inbound_changed()
        else:
            connection.unanswered += len(packet_ids)
        kind = PacketType.PUBREC if twice else PacketType.PUBACK
        confirm(connection, kind, packet_ids, unread=unread)
        if size == len(data) <= MOST:
            remember(connection, route, grants, head, size)
    return position


def _room(connection: "MqttConnection", own: Session) -> int:
    """How many QoS 2 publishes may be accepted in one go; 0 where the handler has to withhold them.

    Only MQTT 5 has a limit for those that are unfinished.
    """
    options = connection.broker.options
    if options.qos2_hand_on == "release":
        return 0
    return options.receive_maximum - len(own.inbound) if connection.version == V5 else 0x10000


PLAIN: Final[dict[int, Callable[["MqttConnection", bytes, int, int], int]]] = {
    _QOS_0: _forward,
    _QOS_1: _accept,
    _QOS_2: _accept,
    RETAINED_QOS_0: retain,
    RETAINED_QOS_1: retain,
    PUBACK: settle,
    PUBREC: receive,
    PUBREL: release,
    PUBCOMP: complete,
}
"""What takes a stretch of plain packets that begin with this byte, up to the end of whole bursts;
returns where it stops, which is in front of the first that is not plain."""
ALONE: Final = PLAIN | {PUBREL: release_one}
"""The same of a burst of `ACK_SIZE` bytes."""
