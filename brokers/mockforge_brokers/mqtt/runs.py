"""Publishes of QoS 1 or 2 in a row that go to the same takers: the fast path hands them on at once.

What each needs of its own is a `Message`, which is in flight until its acknowledgement, and three
pieces of output: what its packet begins with, its packet identifier, and the rest. In a run the
identifiers of a session follow each other, so that a taker's messages are put in flight and its
pieces are written by one call each, however many they are. Who cannot take them so (they wait,
there is no room, or identifiers in between are in use) is given one after the other.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

from .again import fit
from .codes import V5
from .records import Message, cost_of
from .state.session import LARGE, Session
from .state.sink import Sink
from .state.verbatim import Grants, TopicCounts, Verbatim
from .wire.encode import IDS

if TYPE_CHECKING:
    from .connection import MqttConnection

Taker = tuple[Session, Sink]
Takers = tuple[Taker, ...]
Header = tuple[Verbatim, Grants, TopicCounts, int, bytes, int]
"""What is known of packets that begin alike up to their packet identifier: their route, who gets
them, the counts of their topic, and where all takers get them with the same QoS, that, the
beginning of what they get, and what a message counts for (`cost_of`)."""
_packet_id: Final = IDS.__getitem__


class Run:
    """`messages` that are yet to be handed on to `takers`; the sinks of these are `sinks`.

    `pieces` are three for each: what its packet begins with, what it counts for (`cost_of`) in the
    place of its identifier, and what stands behind that. `large` says that some are.
    """

    __slots__ = ("_bare", "_connection", "large", "messages", "pieces", "sinks", "takers")

    def __init__(self, connection: "MqttConnection") -> None:
        self._connection = connection
        self._bare = int(connection.version == V5)
        self.messages: list[Message] = []
        self.pieces: list[Any] = []
        self.sinks: tuple[Sink, ...] = ()
        self.takers: Takers = ()
        self.large = False

    def turn_to(self, sinks: tuple[Sink, ...], takers: Takers) -> None:
        """What is noted from here on is for these; for nobody where they do not get the same."""
        self.hand_on()
        self.sinks, self.takers = sinks if takers else (), takers

    def hand_on(self) -> None:
        """To all takers; what was noted of the messages is gone then."""
        messages, pieces = self.messages, self.pieces
        count = len(messages)
        if not count:
            return
        cost, bodies = sum(pieces[1::3]), pieces[2::3]
        payload = sum(map(len, bodies)) - self._bare * count
        counts = self._connection.counts
        counts.payload_in += payload
        counts.payload_out += payload * len(self.takers)
        others: list[Taker] = []
        for session, sink in self.takers:
            first = session.begin_all(messages, cost, payload)
            if not first:
                others.append((session, sink))
                continue
            pieces[1::3] = map(_packet_id, range(first, first + count))
            out = sink.out
            if not out:
                sink.wake()
            out += pieces
            sink.messages_out += count
            session.begun(count)
        if others:
            count_of = self._connection.broker.router.count
            for message, begin, rest in zip(messages, pieces[::3], bodies, strict=True):
                _give(self._connection, count_of(message.topic_name), message, begin, rest, others)
        if self.large:
            self.large = False
            for sink in self.sinks:
                sink.bulky = True
        messages.clear()
        pieces.clear()


def look_up(connection: "MqttConnection", head: bytes, topic: int, size: int) -> Header | None:
    """What is known of packets that begin so, the topic with its length standing at `topic`; None
    where they cannot be handed on as they are."""
    route = connection.verbatim.get(head[topic + 2 :])
    # What a publisher sends to itself and its PUBACKs go out in one order, which writing all
    # PUBACKs at the end of the stretch would change.
    if route is None or connection.session in route.takers:
        return None
    grants = route.qos_2 if head[0] & 4 else route.qos_1
    if grants is None:
        return None
    qos, begin = 0, b""
    if grants.together:
        if grants.size != size:
            fit(grants, head, topic, size)
        ((qos, begin, _),) = grants.parts
    cost = size - len(head) - 2 - int(connection.version == V5) + route.name_size
    return route, grants, route.counts, qos, begin, cost


def give_each(
    connection: "MqttConnection", route: Verbatim, grants: Grants, head: bytes, rest: bytes
) -> None:
    """One message to takers of several QoS; `rest` is what stands behind its identifier."""
    size, bare = len(head) + 2 + len(rest), int(connection.version == V5)
    if grants.size != size:
        fit(grants, head, len(head) - len(route.topic_name.encode()) - 2, size)
    payload = len(rest) - bare
    connection.counts.payload_in += payload
    connection.counts.payload_out += payload * grants.count
    for sink in grants.lowered:
        if not sink.out:
            sink.wake()
        sink.out += (grants.lower_head, rest)
        sink.messages_out += 1
    for qos, begin, takers in grants.parts:
        message = Message(route.topic_name, rest[bare:], qos)
        _give(connection, route.counts, message, begin, rest, takers)
    # Then the pieces leave by writev, without being joined (bulk.py).
    if size > LARGE:
        for sink in route.sinks:
            sink.bulky = True


def _give(
    connection: "MqttConnection",
    counts: TopicCounts,
    message: Message,
    begin: bytes,
    rest: bytes,
    takers: Iterable[Taker],
) -> None:
    """One message to takers, each of whom gets it with these beginning and rest, or keeps it."""
    cost = cost_of(message)
    for session, sink in takers:
        own_id = session.begin(message, cost)
        if own_id > 0:
            if not sink.out:
                sink.wake()
            sink.out += (begin, IDS[own_id], rest)
            sink.messages_out += 1
        else:
            connection.counts.payload_out -= len(message.payload)
            # What waits in the session's queue is delivered; what a full one lost is not.
            counts.delivered += own_id
        session.begun(1)
