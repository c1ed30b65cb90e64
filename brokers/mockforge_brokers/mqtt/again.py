"""A publish like the client's last one: the fast path where there is one packet in each burst.

Devices publish to the same topic again and again, each time a few bytes more or less, and wait for
each PUBACK or for a while. `burst` finds out of each such packet alone what it found out of the one
before. So where a burst was one plain publish, and the next one begins alike, what the first took
is kept (`Likeness`): the third is compared with it and handed on.

When it may be taken. The burst has the first byte, the topic and the properties of the last one,
and is as long as its header says; nothing of the client waits to be handled, and no route was
forgotten since (`Router.alike`): so all holds that burst.py says of its `_forward` and `_accept`,
which took the last one. What is left to ask is asked here: of another size that we take it, of
QoS 1 that the packet identifier is not 0 nor any unfinished QoS 2 publish there is.

Properties (MQTT 5) are those of the last two publishes, which went the general path: so nothing is
wrong about them, and they are handed on as they are, since they have no topic alias, no expiry, no
text that lint has to see each time, and we would write them no other way (`_as_they_are`).

A payload of some size is not copied: what is in flight, and what is written, is a view of what was
read, which is that packet and no more.

What comes out is the same either way; tests/brokers/mqtt/test_burst.py compares them.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, cast

from ..bytes_io import ByteReader
from . import lint
from .acknowledgements import confirm
from .codes import V5, PacketType
from .lint_warnings import LAST_OF_MANY, MANY
from .records import NO_PROPERTIES, DetailedMessage, Message, weight_of_properties
from .state.session import LARGE
from .state.verbatim import UNLIKE, Grants, Likeness, Verbatim
from .wire.encode import IDS
from .wire.frames import decode_varint, encode_varint
from .wire.properties import decode_properties, encode_properties

if TYPE_CHECKING:
    from .connection import MqttConnection

_FIRST: Final = (b"\x30", b"\x32", b"\x34")
"""What a packet begins with, by the QoS that it has for who takes it."""
_LONGEST: Final = 2048
"""Bytes of topic and properties together that a connection keeps: they may have 32 KB."""
_MOST_SIZES: Final = 8
"""Sizes of which a connection keeps what was made for them."""
_BETWEEN: Final = (0x80 + 2, 0x4000 + 3)
"""Sizes between those with a length of one, two and three bytes."""
MOST: Final = 0x1FFFFF + 4
"""Bytes of a packet with a length of three bytes: what is longer goes through `burst` each time."""
_WORTH: Final = 8192
"""Bytes of a packet from which on its payload is not copied: it is seen as a part of the packet. Of
4 KB a view and what joins it take as long as the copy."""
_NO_ID: Final = b"\0\0"
_PUBACK: Final = int(PacketType.PUBACK)
_PUBREC: Final = int(PacketType.PUBREC)
_PUBACK_HEAD: Final = b"\x40\x02"
_PUBREC_HEAD: Final = b"\x50\x02"


def again(connection: "MqttConnection", data: bytes, like: Likeness) -> bool:
    """Handle a burst that begins with the first byte of `like`, if it is alike.

    False: it is another one, and nothing was done.
    """
    if len(data) == like.size:
        if not data.startswith(like.head):
            return False
    elif not _fits(connection, data, like):
        return False
    if connection.incomplete or connection.work is not None:
        return False
    route, grants = like.route, like.grants
    if grants is not None:
        return _accept_again(connection, data, like, grants)
    route.counts.published += 1
    route.counts.delivered += len(route.sinks)
    connection.counts.payload_in += like.payload
    connection.counts.payload_out += like.payload * len(route.sinks)
    if like.size > LARGE:
        _leave_as_pieces(route)
    for sink in route.sinks:
        if not sink.out:
            sink.wake()
        sink.out.append(data)
        sink.messages_out += 1
    connection.messages_in += 1
    return True


def _accept_again(
    connection: "MqttConnection", data: bytes, like: Likeness, grants: Grants
) -> bool:
    """The same of QoS 1 or 2."""
    own = connection.session
    assert own is not None
    rest, properties = like.rest, like.properties
    packet_id = data[rest - 2 : rest]
    if packet_id == _NO_ID or (properties and not data.startswith(properties, rest)):
        return False
    unreleased, twice, topic, counts = own.inbound, like.twice, like.route.counts, connection.counts
    if unreleased or twice:
        number = int.from_bytes(packet_id)
        if number in unreleased:
            return False
    if twice:
        # Before MQTT 5, which has properties, if none are in there, nothing limits them.
        full = properties and len(unreleased) >= connection.broker.options.receive_maximum
        if full or topic.published % MANY == LAST_OF_MANY:
            return False
        unreleased.add(number)
        kind, head = _PUBREC, _PUBREC_HEAD
    else:
        connection.unanswered = 1
        kind, head = _PUBACK, _PUBACK_HEAD
    topic.published += 1
    counts.payload_in += like.payload
    connection.messages_in += 1
    if grants.count:
        if like.size > LARGE:
            _leave_as_pieces(like.route)
        # As `Connection.out` and `Message` have it, a view will do.
        view = like.size > _WORTH
        tail = cast("bytes", memoryview(data)[rest:]) if view else data[rest:]
        _hand_on(connection, tail, like, grants)
    if twice:
        own.inbound_changed()
    if properties and not grants.count:
        confirm(connection, kind, [packet_id], unread=True)
    else:
        connection.out.append(head + packet_id)
        counts.sent[kind] += 1
    return True


def _hand_on(connection: "MqttConnection", tail: bytes, like: Likeness, grants: Grants) -> None:
    """`tail` is what stands behind the packet identifier."""
    for sink in grants.lowered:
        out = sink.out
        if not out:
            sink.wake()
        out += (like.lower_head, tail)
        sink.messages_out += 1
    route, payload, properties, kept = like.route, like.payload, like.properties, like.kept
    topic, counts = route.counts, connection.counts
    topic.delivered += grants.count
    counts.payload_out += payload * grants.count
    for qos, begin, sessions in like.parts:
        body = tail[len(properties) :] if properties else tail
        if like.values:
            message: Message = _detailed(like, body, qos)
        else:
            message = Message(route.topic_name, body, qos)
        for session, sink in sessions:
            own_id = session.begin(message, like.cost)
            if own_id > 0:
                out = sink.out
                if not out:
                    sink.wake()
                out += (begin, IDS[own_id], tail)
                sink.messages_out += 1
            else:
                counts.payload_out -= payload
                topic.delivered += own_id
            if kept:
                session.begun(1)


def _leave_as_pieces(route: Verbatim) -> None:
    """What goes to its takers now leaves by writev, without being joined (bulk.py)."""
    for sink in route.sinks:
        sink.bulky = True


def _fits(connection: "MqttConnection", data: bytes, like: Likeness) -> bool:
    """Whether a burst is alike but for its size; `like` is of that size then."""
    size = len(data)
    known = like.sizes.get(size)
    if known is not None:
        if not data.startswith(known[0]):
            return False
        like.head, like.payload, like.cost, like.lower_head, like.parts = known
        like.size, like.rest = size, len(like.head) + 2
        return True
    # A body of a byte more than the packet just below these sizes has a longer length, too.
    if size < len(like.name) + 2 or size in _BETWEEN:
        return False
    # As `encode_varint`, written out for what most are.
    if size < 0x80 + 2:
        head = bytes((like.first, size - 2)) + like.name
    elif size < 0x4000 + 3:
        length = size - 3
        head = bytes((like.first, length & 0x7F | 0x80, length >> 7)) + like.name
    else:
        head = bytes((like.first,)) + encode_varint(size - 4) + like.name
    # One that ends within its packet identifier is malformed.
    least = len(head) if like.grants is None else len(head) + 2 + len(like.properties)
    if not least <= size <= min(connection.limit, MOST) or not data.startswith(head):
        return False
    _fit(like, head, size)
    if len(like.sizes) >= _MOST_SIZES:
        like.sizes.clear()
    like.sizes[size] = head, like.payload, like.cost, like.lower_head, like.parts
    return True


def remember(
    connection: "MqttConnection",
    route: Verbatim,
    grants: Grants | None,
    head: bytes,
    size: int,
    properties: bytes = b"",
) -> None:
    """Know the next publish that is like this one, which is a burst by itself.

    `head` is all in front of its packet identifier or payload; `properties` are there if any are.
    """
    like, first = connection.like, head[0]
    name = head[2 if head[1] < 0x80 else 3 if head[2] < 0x80 else 4 :]
    there = properties or (b"\0" if connection.version == V5 else b"")
    if len(name) + len(properties) > _LONGEST:
        return
    if like.name != name or like.first != first or like.properties != there:
        # Once more the same, and it is worth it: many publish each time to another topic.
        if like is UNLIKE:
            connection.like = like = Likeness()
        like.first, like.name, like.properties, like.size = first, name, there, 0
        like.twice = first == _FIRST[2][0]
        like.fit, like.values = True, NO_PROPERTIES
        like.sizes.clear()
        return
    if properties and like.fit:
        like.values = _as_they_are(properties)
        like.fit = bool(like.values)
    if not like.fit:
        return
    like.weight = weight_of_properties(like.values)
    router = connection.broker.router
    like.route, like.grants, like.kept = route, grants, router.keeper.keeps
    like.sizes.clear()
    _fit(like, head, size)
    # Nothing is like a burst in the midst of which its route was forgotten.
    known = connection.verbatim.get(route.topic_name.encode()) is route
    like.size = size if known else 0
    router.alike.add(like)


def remember_detailed(connection: "MqttConnection", data: bytes) -> None:
    """As `remember` of a publish of MQTT 5 with properties, which went the general path: of this
    burst, if it is one by itself."""
    end = len(data)
    length, body = decode_varint(data, 1, end)
    # A last byte of 0 adds nothing: the length is not as short as can be, as ours would be.
    longer = body > 2 and not data[body - 1]
    if longer or body + length != end or end > MOST or data[:1] not in _FIRST:
        return
    topic_end = body + 2 + (data[body] << 8) + data[body + 1]
    route = connection.verbatim.get(data[body + 2 : topic_end])
    if route is None:
        return
    qos = data[0] >> 1 & 3
    at = topic_end + 2 if qos else topic_end
    length, stop = decode_varint(data, at, end)
    stop += length
    grants = route.qos_2 if qos == 2 else route.qos_1
    # One that is handed on at its PUBREL is not taken here.
    if qos == 2 and connection.broker.options.qos2_hand_on == "release":
        grants = None
    if not qos:
        remember(connection, route, None, data[:stop], end, data[at:stop])
    elif grants is not None and connection.session not in route.takers:
        remember(connection, route, grants, data[:topic_end], end, data[at:stop])


def _detailed(like: Likeness, payload: bytes, qos: int) -> Message:
    name, values = like.route.topic_name, like.values
    return DetailedMessage(name, payload, qos, False, values, None, (), like.weight)


def _as_they_are(properties: bytes) -> Mapping[str, Any]:
    """The properties, if they may be handed on as the bytes that they are; else none."""
    reader = ByteReader(properties, what="PUBLISH")
    values = decode_properties(reader, PacketType.PUBLISH)
    if "topic_alias" in values or "message_expiry_interval" in values:
        return NO_PROPERTIES
    if encode_properties(values) != properties or not lint.has_plain_text(values):
        return NO_PROPERTIES
    return values


def _fit(like: Likeness, head: bytes, size: int) -> None:
    """Let it be about packets of `size` bytes, of which one begins with `head`."""
    like.head, like.size, like.rest = head, size, len(head) + 2
    like.payload = payload = size - len(head)
    grants = like.grants
    if grants is not None:
        # Its identifier, and in MQTT 5 the properties, stand behind the head.
        like.payload = payload = payload - 2 - len(like.properties)
        if grants.size != size:
            fit(grants, head, len(head) - len(like.name), size)
        like.lower_head, like.parts = grants.lower_head, grants.parts
    like.cost = payload + like.route.name_size + like.weight


def fit(grants: Grants, head: bytes, body: int, size: int) -> None:
    """Make beginnings for packets of `size` bytes, of which one begins with `head`.

    `head` ends with its topic, which stands at `body`.
    """
    grants.size = size
    grants.parts = tuple(
        (qos, _FIRST[qos] + head[1:], sessions) for qos, sessions in grants.granted.items()
    )
    if grants.lowered:
        # It has no packet identifier, which is two bytes.
        grants.lower_head = _FIRST[0] + encode_varint(size - body - 2) + head[body:]
