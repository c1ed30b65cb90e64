"""Routes on which a publisher's own bytes are handed on, for the fast path."""

from collections.abc import Sequence
from typing import Final

from ..records import NO_PROPERTIES
from .session import Session
from .sink import Sink

Taker = tuple[Session, Sink, int]
"""The QoS is that of its subscription."""
Part = tuple[int, bytes, tuple[tuple[Session, Sink], ...]]
"""The sessions, each with its sink, whose packets have this QoS and begin with these bytes."""


class TopicCounts:
    """What went through one topic; `topic_name` None stands for all that are too many."""

    __slots__ = ("delivered", "published", "topic_name")

    def __init__(self, topic_name: str | None) -> None:
        self.topic_name = topic_name
        self.published = 0
        self.delivered = 0


class Grants:
    """Who gets a publish of QoS 1 or 2 on a verbatim route, by the QoS that it has for them.

    `lowered` are the sinks of those who subscribed with QoS 0, `granted` the sessions of others,
    by QoS; they are `together` where that is everybody and each gets it once, with the same QoS.
    The fast path makes what their packets begin with (`lower_head`, `parts`), and that is right for
    packets of `size` bytes: a route's topic is always the same, so that only the length in the
    header can differ.
    """

    __slots__ = ("count", "granted", "lower_head", "lowered", "parts", "size", "together")

    def __init__(self, qos: int, takers: Sequence[Taker]) -> None:
        self.count = len(takers)
        self.lowered = tuple(sink for _, sink, wish in takers if not wish)
        self.granted: dict[int, tuple[tuple[Session, Sink], ...]] = {}
        for each in range(1, qos + 1):
            found = tuple(
                (session, sink) for session, sink, wish in takers if min(wish, qos) == each
            )
            if found:
                self.granted[each] = found
        # Who gets each message twice would get a run of them twice, and not each twice in turn.
        each_once = len({session for session, _, _ in takers}) == len(takers)
        alike = each_once and not self.lowered and len(self.granted) == 1
        self.together = next(iter(self.granted.values())) if alike else ()
        self.lower_head = b""
        self.parts: tuple[Part, ...] = ()
        self.size = 0


_NOBODY: Final = Grants(2, ())
"""One for all topics: for no takers nothing is made, whatever a packet's size and topic."""


class Verbatim:
    """A route whose sinks all take the publisher's own bytes.

    `sinks` get QoS 0; routes with the same ones share the object. QoS 1 and 2 go by their `Grants`,
    None where they cannot be handed on so. `takers` are the sessions of all: where the publisher is
    one of them, its PUBLISH and its acknowledgement take turns on one connection.
    """

    __slots__ = (
        "as_published",
        "counts",
        "name_size",
        "qos_1",
        "qos_2",
        "sinks",
        "takers",
        "topic_name",
    )

    def __init__(self, counts: TopicCounts, topic_name: str, sinks: tuple[Sink, ...]) -> None:
        self.counts = counts
        self.topic_name = topic_name
        self.name_size = len(topic_name)
        """What the topic's name counts for in the cost of a message (`cost_of`)."""
        self.sinks = sinks
        self.as_published = False
        """Somebody gets retained messages marked as such (Retain As Published)."""
        self.qos_1: Grants | None = None
        self.qos_2: Grants | None = None
        self.takers: frozenset[Session] = frozenset()

    def grant(self, takers: Sequence[Taker], maximum: int) -> None:
        """Let it take QoS 1 and 2 as well, up to our Maximum QoS and as far as that is right."""
        if not takers:
            self.qos_1 = _NOBODY if maximum >= 1 else None
            self.qos_2 = _NOBODY if maximum == 2 else None
            return
        wishes = [wish for _, _, wish in takers]
        self.takers = frozenset(session for session, _, _ in takers)
        # Who gets a message once for each of its subscriptions gets them in their order, and not
        # those of one QoS before those of another.
        each_once = len(self.takers) == len(takers)
        if maximum >= 1 and (each_once or min(wishes) >= 1):
            self.qos_1 = Grants(1, takers)
        # A session on disk has a QoS 2 message's identifier written before it goes out (stored.py).
        kept = any(wish == 2 and session.keeps_identifiers for session, _, wish in takers)
        if maximum == 2 and not kept and (each_once or min(wishes) == max(wishes)):
            self.qos_2 = Grants(2, takers)


class Likeness:
    """The last publish of a client that was a burst by itself, for the next one that is like it.

    A burst that begins with the byte `first`, and has `name` behind its Remaining Length and these
    `properties`, is: packet identifier and payload alone differ. `size` and `head` are of the last
    one, and with them `payload`, `cost`, `lower_head` and `parts`: those of `grants` for this size.
    `size` is 0 until the same came twice, and once the route is forgotten. `grants` is None where
    QoS is 0. With `kept` there are takers whose messages go to disk.
    """

    __slots__ = (
        "cost",
        "first",
        "fit",
        "grants",
        "head",
        "kept",
        "lower_head",
        "name",
        "parts",
        "payload",
        "properties",
        "rest",
        "route",
        "size",
        "sizes",
        "twice",
        "values",
        "weight",
    )

    def __init__(self) -> None:
        self.first = 0
        self.twice = False
        """It has QoS 2."""
        self.name = b""
        """The topic name with its length; where QoS is 0, the properties too (MQTT 5)."""
        self.properties = b""
        """With their length, which is there where none are; empty before MQTT 5."""
        self.values = NO_PROPERTIES
        """The same by their names."""
        self.fit = True
        """They may be handed on as they are, as far as was looked."""
        self.weight = 0
        """What they take in bytes (`Message.weight`)."""
        self.head = b""
        self.rest = 0
        """Where its packet identifier ends, if it has one."""
        self.lower_head = b""
        self.payload = 0
        """Bytes of its payload."""
        self.cost = 0
        self.kept = False
        self.sizes: dict[int, tuple[bytes, int, int, bytes, tuple[Part, ...]]] = {}
        """By some other sizes: `head`, `payload`, `cost`, `lower_head` and `parts`."""
        self.forget()

    def forget(self) -> None:
        """Know nobody any more to whom it went, nor keep them."""
        self.size = 0
        self.sizes.clear()
        self.route = NOWHERE
        self.grants: Grants | None = None
        self.parts: tuple[Part, ...] = ()


NOWHERE: Final = Verbatim(TopicCounts(None), "", ())
UNLIKE: Final = Likeness()
"""Of a client that has published nothing; an empty burst is never asked about."""
