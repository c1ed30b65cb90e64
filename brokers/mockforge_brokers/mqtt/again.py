"""A publish like the client's last one: the fast path where there is one packet in each burst.

Devices publish to the same topic again and again, mostly a message of the same size, and wait for
each PUBACK or for a while. `burst` finds out of each such packet alone what it found out of the one
before. So where a burst was one plain publish, and the next one begins alike, what the first took
is kept (`Likeness`): the third is compared with it and handed on.

When it may be taken. The burst has the size and the header of the last one, up to its packet
identifier or payload, nothing of the client waits to be handled, and no route was forgotten since
(`Router.alike`): so all holds that burst.py says of its `_forward` and `_accept`, which took the
last one. What is left to ask is asked here: of QoS 1 that the packet identifier is not 0 nor any
unfinished QoS 2 publish there is, and in MQTT 5 that there are no properties. QoS 2, QoS 1 where
sessions are kept on disk, and packets of more than 32 KB go through `burst` each time.

What comes out is the same either way; tests/brokers/mqtt/test_burst.py compares them.
"""

from typing import TYPE_CHECKING, Final

from .codes import V5, PacketType
from .records import Message
from .state.verbatim import UNLIKE, Grants, Likeness, Verbatim
from .wire.encode import IDS

if TYPE_CHECKING:
    from .connection import MqttConnection

_NO_ID: Final = b"\0\0"
_PUBACK_HEAD: Final = b"\x40\x02"


def again(connection: "MqttConnection", data: bytes, like: Likeness) -> bool:
    """Handle a burst that begins and is as long as `like` says.

    False: it is another one all the same, and nothing was done.
    """
    if connection.incomplete or connection.work is not None:
        return False
    if like.grants is not None:
        return _accept_again(connection, data, like, like.grants)
    route = like.route
    route.counts.published += 1
    route.counts.delivered += len(route.sinks)
    connection.counts.payload_in += like.payload
    connection.counts.payload_out += like.payload * len(route.sinks)
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
    own = connection.session
    assert own is not None
    place = len(like.head)
    rest = place + 2
    packet_id = data[place:rest]
    bare = connection.version == V5
    if own.inbound or packet_id == _NO_ID or (bare and data[rest]):
        return False
    tail = data[rest:]
    for sink in grants.lowered:
        out = sink.out
        if not out:
            sink.wake()
        out += (like.lower_head, tail)
        sink.messages_out += 1
    route, payload = like.route, like.payload
    topic, counts = route.counts, connection.counts
    topic.published += 1
    topic.delivered += grants.count
    counts.payload_in += payload
    counts.payload_out += payload * grants.count
    for qos, begin, sessions in like.parts:
        message = Message(route.topic_name, tail[1:] if bare else tail, qos)
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
    connection.messages_in += 1
    connection.unanswered = 1
    connection.out.append(_PUBACK_HEAD + packet_id)
    counts.sent[PacketType.PUBACK] += 1
    return True


def remember(
    connection: "MqttConnection",
    route: Verbatim,
    grants: Grants | None,
    head: bytes,
    size: int,
) -> None:
    """Know the next publish that is like this one, which is a burst by itself."""
    like = connection.like
    if like.head != head:
        # Once more the same, and it is worth it: many publish each time another size.
        if like is UNLIKE:
            connection.like = Likeness(head)
        else:
            like.head, like.size = head, 0
        return
    # Nothing is like a burst in the midst of which its route was forgotten.
    known = connection.verbatim.get(route.topic_name.encode()) is route
    like.size = size if known else 0
    like.route, like.grants = route, grants
    like.payload = size - len(head)
    if grants is not None:
        # Its identifier, and in MQTT 5 the length of no properties, stand behind the head.
        like.payload -= 2 + (connection.version == V5)
        like.lower_head, like.parts = grants.lower_head, grants.parts
    like.cost = like.payload + route.name_size
    connection.broker.router.alike.add(like)
