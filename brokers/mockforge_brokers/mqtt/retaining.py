"""The fast path of retained publishes: what devices leave under thousands of topics in a row.

`retain` is one of burst.py's functions for a stretch of packets of one kind, and its rules hold
here too: it stops in front of the first packet that is not plain. Plain is a PUBLISH with first
byte 0x31 or 0x33 (QoS 0 or 1, retained, not sent again) with a payload, of a topic that nobody
takes at present: no subscription and no rule of the server reaches it, and nobody watches it.
So all that is left to do is to keep it, to count it and to acknowledge it.

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
from .wire.frames import decode_plain_length

if TYPE_CHECKING:
    from .connection import MqttConnection

RETAINED_QOS_0: Final = 0x31
RETAINED_QOS_1: Final = 0x33
_BETWEEN_LOOKS: Final = 128
"""Messages between two looks at the time."""
_NO_ID: Final = b"\0\0"


# More branches than elsewhere, since a call for each packet would cost a tenth of its time.
def retain(  # noqa: C901
    connection: "MqttConnection", data: bytes, position: int, end: int
) -> int:
    """Keep what nobody takes now; returns the position of the first byte left over."""
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
        topic_name = _plain_topic(data[body + 2 : topic_end])
        if not topic_name or (not warned and doubtful(topic_name)):
            break
        if qos:
            packet_id = data[topic_end : topic_end + 2]
            if packet_id == _NO_ID or (own.inbound and int.from_bytes(packet_id) in own.inbound):
                break
        if not router.retain_for_nobody(Message(topic_name, data[rest:stop], qos, True)):
            break
        if qos:
            if bare and not count:
                _tell_choice(connection)
            packet_ids.append(packet_id)
        payloads += stop - rest
        position = stop
        count += 1
        looks += 1
        if looks > _BETWEEN_LOOKS:
            looks = turn.look()
    connection.messages_in += count
    connection.counts.payload_in += payloads
    if packet_ids:
        connection.unanswered += len(packet_ids)
        confirm(connection, PacketType.PUBACK, packet_ids, unread=True)
    return position


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
