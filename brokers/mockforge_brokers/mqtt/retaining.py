"""The fast path of retained publishes: what devices leave under thousands of topics in a row.

`retain` is one of burst.py's functions for a stretch of packets of one kind, and its rules hold
here too: it stops in front of the first packet that is not plain. Plain is a PUBLISH with first
byte 0x31 or 0x33 (QoS 0 or 1, retained, not sent again) with a payload, of a topic that nobody
takes at present (no subscription and no rule of the server reaches it, and nobody watches it), or
of one with a verbatim route whose takers get it as any other message: none has Retain As
Published, none is the publisher itself.

It is whole, within our Maximum Packet Size, its Remaining Length as short as can be, without
properties, its packet identifier neither 0 nor that of an unfinished QoS 2 publish. Its topic is
printable text without wildcards that does not begin with $, and not doubtful unless lint has said
so of this client. Nothing of it is taken from whom access rules concern, where topics are limited,
or where its QoS or retained messages are not served or cannot be written to disk.
"""

from typing import TYPE_CHECKING, Final

from . import choices
from .acknowledgements import confirm
from .capabilities import limits_topics
from .codes import V5, PacketType
from .lint_warnings import DOUBTFUL_TOPIC, doubtful
from .records import Message
from .runs import give_each
from .state.session import LARGE
from .state.verbatim import Verbatim
from .wire.frames import decode_plain_length

if TYPE_CHECKING:
    from .connection import MqttConnection

RETAINED_QOS_0: Final = 0x31
RETAINED_QOS_1: Final = 0x33
_QOS_0: Final = b"\x30"
_QOS_1: Final = b"\x32"
_BETWEEN_LOOKS: Final = 128
"""Messages between two looks at the time."""
_NO_ID: Final = b"\0\0"


# More branches than elsewhere, since a call for each packet would cost a tenth of its time.
def retain(  # noqa: C901
    connection: "MqttConnection", data: bytes, position: int, end: int
) -> int:
    """Keep each, and hand on what somebody takes; returns the position of the first byte left."""
    first = data[position]
    qos = first >> 1 & 1
    if not _serves(connection, qos):
        return position
    router, own, turn = connection.broker.router, connection.session, connection.turn
    assert own is not None
    bare = int(connection.version == V5)
    behind = 2 * qos + bare
    warned = DOUBTFUL_TOPIC in connection.linted
    end = min(end, position + connection.limit)
    packet_ids: list[bytes] = []
    unread_before = True
    count = looks = payloads = 0
    while looks >= 0 and position + 6 <= end and data[position] == first:
        length, body = data[position + 1], position + 2
        if length > 0x7F:
            length, body = decode_plain_length(data, position, end)
        stop = body + length
        if stop > end:
            break
        topic_end = body + 2 + (data[body] << 8) + data[body + 1]
        rest = topic_end + behind
        # Without a payload it clears what is retained.
        if rest >= stop or (bare and data[rest - 1]):
            break
        raw_topic = data[body + 2 : topic_end]
        topic_name = _plain_topic(raw_topic)
        if not topic_name or (not warned and doubtful(topic_name)):
            break
        if qos:
            packet_id = data[topic_end : topic_end + 2]
            if packet_id == _NO_ID or (own.inbound and int.from_bytes(packet_id) in own.inbound):
                break
        unread = router.is_for_nobody(topic_name)
        # Its payload is copied once it is sure that it goes on as it is.
        route = None if unread else _route(connection, raw_topic, qos)
        if not unread and route is None:
            break
        router.retain(Message(topic_name, data[rest:stop], qos, True))
        if route is None:
            router.count(topic_name).published += 1
        else:
            looks += _hand_on(
                connection, route, qos, data[position:topic_end], data[rest - bare : stop]
            )
        if qos:
            if packet_ids and unread != unread_before:
                _acknowledge(connection, packet_ids, unread=unread_before)
                packet_ids = []
            if bare and unread and not packet_ids:
                _tell_choice(connection)
            packet_ids.append(packet_id)
            unread_before = unread
        payloads += stop - rest
        position = stop
        count += 1
        looks += 1
        if looks > _BETWEEN_LOOKS:
            looks = turn.look()
    connection.messages_in += count
    connection.counts.payload_in += payloads
    if packet_ids:
        _acknowledge(connection, packet_ids, unread=unread_before)
    return position


def _route(connection: "MqttConnection", raw_topic: bytes, qos: int) -> Verbatim | None:
    """To who takes a message as it is; None where somebody may not."""
    route = connection.verbatim.get(raw_topic)
    if route is None or route.as_published or connection.session in route.takers:
        return None
    return None if qos and route.qos_1 is None else route


def _hand_on(
    connection: "MqttConnection", route: Verbatim, qos: int, head: bytes, rest: bytes
) -> int:
    """Give a message to who takes it; returns to how many. `head` ends with its topic, `rest` is
    what stands behind its identifier.

    Who takes it now gets it without the retain flag [MQTT-3.3.1-12].
    """
    payload = len(rest) - int(connection.version == V5)
    if route.qos_1 is not None and qos:
        count = route.qos_1.count
        # It counts what came in, too.
        connection.counts.payload_in -= payload
        give_each(connection, route, route.qos_1, _QOS_1 + head[1:], rest)
    else:
        count = len(route.sinks)
        packet = _QOS_0 + head[1:] + rest
        connection.counts.payload_out += payload * count
        for sink in route.sinks:
            if not sink.out:
                sink.wake()
            sink.out.append(packet)
            sink.messages_out += 1
        # Then it leaves by writev, without being joined (bulk.py).
        if len(packet) > LARGE:
            for sink in route.sinks:
                sink.bulky = True
    route.counts.published += 1
    route.counts.delivered += count
    return count


def _acknowledge(connection: "MqttConnection", packet_ids: list[bytes], *, unread: bool) -> None:
    connection.unanswered += len(packet_ids)
    confirm(connection, PacketType.PUBACK, packet_ids, unread=unread)


def _serves(connection: "MqttConnection", qos: int) -> bool:
    """Whether all may be kept that is plain, whoever sends it."""
    options = connection.options
    return (
        connection.guard is None
        and options.retain_available
        and qos <= options.maximum_qos
        and not limits_topics(options)
        and not options.ingest_prefix
        and not (qos and connection.broker.router.keeper.failing)
    )


def _plain_topic(raw: bytes) -> str:
    """A topic name in which nothing is wrong, or strange but for slashes and spaces; else ""."""
    try:
        name = raw.decode()
    except UnicodeDecodeError:
        return ""
    if name.isprintable() and "+" not in name and "#" not in name and not name.startswith("$"):
        return name
    return ""


def _tell_choice(connection: "MqttConnection") -> None:
    if not connection.options.tell_no_subscribers:
        choices.report_untold(connection)
