"""The fast path does what the general one does, however the bytes come (mqtt/burst.py)."""

import gc
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any
from unittest.mock import Mock, patch

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from mockforge_brokers.journal import IN
from mockforge_brokers.limits import Limits
from mockforge_brokers.misbehaviour.lane import Lane
from mockforge_brokers.mqtt import acknowledgements, again, burst, retaining, runs
from mockforge_brokers.mqtt import connection as connection_module
from mockforge_brokers.mqtt.codes import PacketType
from mockforge_brokers.mqtt.connection import MqttConnection
from mockforge_brokers.mqtt.records import cost_of
from mockforge_brokers.mqtt.state import router as router_module
from mockforge_brokers.mqtt.state.session import Session
from mockforge_brokers.mqtt.state.verbatim import UNLIKE
from mockforge_brokers.mqtt.wire.encode import encode_packet
from mockforge_brokers.mqtt.wire.packets import (
    Ack,
    Connect,
    Disconnect,
    Packet,
    Pingreq,
    Publish,
    Request,
    Subscribe,
)
from msgspec import Struct, structs

from brokers.branches import missed_branches
from brokers.fake_peer import FakeClient
from brokers.misbehaving import fault, hold, lane
from brokers.storage.memory_disk import MemoryDisk

from .scene import Scene

LASTING = 1000
"""Session expiry in seconds: those who come back find their session."""


class Taker(Struct, frozen=True):
    """A subscriber; `window` is its Receive Maximum, `size` its Maximum Packet Size (0: none).

    `also` is another filter, with its QoS.
    """

    topic_filter: str
    qos: int
    version: int = 0
    """0: the publisher's."""
    window: int = 0
    size: int = 0
    also: tuple[str, int] | None = None
    as_published: bool = False
    """It gets retained messages marked as such."""


class Setting(Struct, frozen=True):
    """Who is there, and what is limited; `own` is what the publisher itself subscribed to."""

    version: int = 4
    takers: tuple[Taker, ...] = (Taker("#", 0), Taker("+/c", 1), Taker("longer/topic", 2))
    own: str = ""
    queue: int = 1000
    packet: int = 1 << 20
    hurried: bool = False
    unanswered: int = 1024
    """Our Receive Maximum."""
    hand_on: str = "publish"
    """When a QoS 2 message goes on."""
    maximum_qos: int = 2
    disk: bool = False
    """Sessions that last are kept."""
    retained: int = 1000
    """How many messages are."""
    options: tuple[tuple[str, object], ...] = ()
    """Other settings of the broker."""
    faulty: bool = False
    """Each third packet of the publisher vanishes, and its PUBRELs are held for a moment."""


Cuts = list[int]
Action = tuple[str, int, bytes, Cuts]
"""`send`, 0, the publisher's bytes, where to cut them; `rush`, as `send`, and nothing
is written before all pieces came; `ack`, taker, what comes behind its acknowledgements, cuts;
`return`, taker, its new Receive Maximum as one byte, []."""


class Crowd(Scene):
    """One broker with its clients; what they got is in `log`."""

    def __init__(self, stage: Setting) -> None:
        self.disk = MemoryDisk()
        super().__init__(
            Limits(
                mqtt_session_queue=stage.queue,
                mqtt_packet=stage.packet,
                mqtt_retained=stage.retained,
            ),
            journal=False,
            disk=self.disk if stage.disk else None,
            receive_maximum=stage.unanswered,
            qos2_hand_on=stage.hand_on,
            maximum_qos=stage.maximum_qos,
            **dict(stage.options),
        )
        environment = self.environment
        if stage.hurried:
            # Time that passes with every look at it: each turn is up at its first one.
            environment.turn.now, environment.turn.length = count().__next__, 0
        self.stage = stage
        self.log: list[object] = []
        environment.spine.watch(self.log.append)
        self.takers = [self.taker(number) for number in range(len(stage.takers))]
        self.publisher = self.enter("publisher", stage.version)
        self.lane: Lane | None = None
        if stage.faulty:
            environment.faults.add(fault(every=3))
            environment.holds.add(hold(lambda row: row.operation == "PUBREL", timeout=1.0))
            peer = self.publisher.peer
            self.lane = lane(IN, self.publisher.connection, peer, environment, self.forward)
        if stage.own:
            self.ask(self.publisher, Subscribe(1, [Request(stage.own, 1)]))

    def enter(self, name: str, version: int, **limits: int) -> FakeClient:
        properties: dict[str, Any] = {}
        if version == 5:
            properties = {"session_expiry_interval": LASTING, **limits}
        return self.come(Connect(name, version, False, properties=properties))

    def version_at(self, number: int) -> int:
        return self.stage.takers[number].version or self.stage.version

    def taker(self, number: int, window: int = 0) -> FakeClient:
        taker = self.stage.takers[number]
        limits = {"receive_maximum": window or taker.window, "maximum_packet_size": taker.size}
        version = self.version_at(number)
        client = self.enter(
            f"taker {number}", version, **{name: value for name, value in limits.items() if value}
        )
        if not window:
            also = [Request(*taker.also)] if taker.also else []
            own = Request(taker.topic_filter, taker.qos, retain_as_published=taker.as_published)
            self.ask(client, Subscribe(1, [own, *also]))
        return client

    def act(self, action: Action) -> None:
        what, number, data, cuts = action
        store = self.environment.store
        facts = 0 if store is None else store.facts
        match what:
            case "send" if self.lane is not None:
                for piece in pieces_of(data, cuts):
                    self.lane.feed(piece)
                self.environment.clock.advance(2.0)
            case "send":
                self.cut(self.publisher, data, cuts)
            case "rush":
                for piece in pieces_of(data, cuts):
                    if not self.publisher.peer.ended:
                        self.receive(piece)
                self.publisher.peer.wake()
                self.network.settle()
            case "ack":
                acks = self.acknowledgements(number)
                self.cut(self.takers[number], acks + data, cuts)
            case "return":
                self.takers[number].vanish()
                self.takers[number] = self.taker(number, data[0])
        self.log.append([client.take() for client in (self.publisher, *self.takers)])
        # Whoever asked for this waits for the disk, or does not.
        self.log.append(store is not None and store.facts > facts)

    def acknowledgements(self, number: int) -> bytes:
        """For all that the session has in flight, in order, sent already or not."""
        session = self.broker.registry.by_client.get(f"taker {number}")
        inflight = session.inflight.items() if session else ()
        due = (PacketType.PUBCOMP, PacketType.PUBACK, PacketType.PUBREC)
        return b"".join(
            encode_packet(Ack(due[message.qos if message is not None else 0], packet_id), 4)
            for packet_id, message in inflight
        )

    def forward(self, data: bytes) -> None:
        self.cut(self.publisher, data, [])

    def receive(self, data: bytes) -> None:
        """The publisher's bytes are handled, and what they bring about is not written yet."""
        connection, turn = self.publisher.connection, self.environment.turn
        turn.begin()
        connection.receive(data)
        while connection.unfinished and not self.publisher.peer.ended:
            turn.begin()
            connection.receive(b"")

    @staticmethod
    def cut(client: FakeClient, data: bytes, cuts: Cuts) -> None:
        for piece in pieces_of(data, cuts):
            if not client.peer.ended:
                client.send(piece)

    def outcome(self) -> list[object]:
        """What everybody got and what was reported, step by step; counters; sessions."""
        topics = {
            name: (topic.published, topic.delivered)
            for name, topic in self.broker.router.topics.items()
        }
        views = [structs.astuple(view) for view in self.broker.connections()]
        ended = [(client.peer.ended, client.peer.reason) for client in self.network.clients]
        figures = [structs.astuple(family) for family in self.broker.metrics()]
        counts = self.broker.counts
        payloads = (counts.payload_in, counts.payload_out)
        for session in self.broker.registry.by_client.values():
            sent = [each for each in session.inflight.values() if each is not None]
            assert session.inflight_bytes == sum(map(cost_of, sent))
            assert session.inflight_payload == sum(len(each.payload) for each in sent)
            assert session.queued_payload == sum(len(each.payload) for each in session.queue)
        self.environment.clock.advance(0.01)
        kept = (self.disk.rows, self.disk.entities)
        return [self.log, topics, views, ended, figures, payloads, self.broker.dump(), kept]


def pieces_of(data: bytes, cuts: Cuts) -> Iterator[bytes]:
    for cut in [*cuts, len(data)]:
        if data[:cut]:
            yield data[:cut]
        data = data[cut:]


def play(stage: Setting, actions: list[Action], *, fast: bool) -> list[object]:
    known = connection_module.remember_detailed if fast else Mock()
    with (
        patch.dict(burst.PLAIN, clear=not fast),
        patch.dict(burst.ALONE, clear=not fast),
        patch.object(connection_module, "remember_detailed", known),
    ):
        scene = Crowd(stage)
        for action in actions:
            scene.act(action)
        return scene.outcome()


def stream(*packets: Packet, version: int = 4) -> bytes:
    return b"".join(encode_packet(packet, version) for packet in packets)


def publish(topic_name: str, payload: bytes = b"x", packet_id: int = 0, **more: Any) -> Publish:
    return Publish(topic_name, payload, int(packet_id > 0), packet_id=packet_id, **more)


def twice(topic_name: str, *packet_ids: int, payload: bytes = b"x", **more: Any) -> list[Publish]:
    """Publishes of QoS 2."""
    return [Publish(topic_name, payload, 2, packet_id=each, **more) for each in packet_ids]


TOPICS = ("a", "b/c", "longer/topic", "nobody", "\x01", "/odd", "o dd")
publishes = st.builds(
    Publish,
    topic_name=st.sampled_from(TOPICS),
    payload=st.sampled_from([b"", b"x", b"y" * 64, b"z" * 130, b"w" * 17_000]),
    qos=st.sampled_from([0, 0, 1, 1, 2, 2]),
    retain=st.sampled_from([False] * 4 + [True]),
    packet_id=st.integers(1, 5),
    properties=st.sampled_from([{}] * 7 + [{"content_type": "x"}, {"topic_alias": 1}]),
)
others = st.sampled_from([Pingreq(), Ack(PacketType.PUBREL, 1), Disconnect()])
damage = st.sampled_from(
    [
        "3080 0000",  # a length that could be shorter, and no topic
        "3083 8000 0001 61",  # the same with a topic
        "3286 0000 0161 0001 78",
        "30ff ffff ff01",  # a length of five bytes
        "3200",
        "3002 0009",  # a topic longer than its packet
        "3204 0001 6100",
        "3205 0001 6100 00",  # packet identifier 0
        "3a06 0001 6100 0178",  # DUP
        "30",
        "40",
    ]
).map(bytes.fromhex)
streaks = st.tuples(st.one_of(publishes, publishes, publishes, others), st.integers(1, 4))
cuts = st.lists(st.sampled_from([1, 2, 3, 5, 9, 20, 70, 300, 17_003]), max_size=12)
behind_acks = st.sampled_from(["", "", "40020fff", "4003000110", "50020001", "70020001", "4002"])
stages = st.builds(
    Setting,
    version=st.sampled_from([3, 4, 5, 5]),
    takers=st.lists(
        st.builds(
            Taker,
            topic_filter=st.sampled_from(["#", "+/c", "a", "longer/topic", "$share/g/a"]),
            qos=st.sampled_from([0, 1, 1, 2]),
            version=st.sampled_from([0, 0, 0, 0, 4, 5]),
            window=st.sampled_from([0, 0, 1, 2]),
            size=st.sampled_from([0, 0, 0, 0, 50]),
        ),
        min_size=1,
        max_size=3,
    ).map(tuple),
    own=st.sampled_from(["", "", "", "a"]),
    queue=st.sampled_from([1000, 2, 0]),
    packet=st.sampled_from([1 << 20, 1 << 20, 160, 64]),
    unanswered=st.sampled_from([1024, 1024, 3]),
    hand_on=st.sampled_from(["publish", "publish", "release"]),
    maximum_qos=st.sampled_from([2, 2, 2, 1]),
    disk=st.sampled_from([False, False, True]),
    faulty=st.sampled_from([False, False, False, True]),
)


@st.composite
def scripts(draw: st.DrawFn) -> tuple[Setting, list[Action]]:
    stage = draw(stages)
    actions: list[Action] = []
    for _ in range(draw(st.integers(1, 6))):
        what = draw(st.sampled_from(["send", "send", "rush", "ack", "return"]))
        number = draw(st.integers(0, len(stage.takers) - 1))
        match what:
            case "send":
                parts = [
                    encode_packet(packet, stage.version) * times
                    for packet, times in draw(st.lists(streaks, max_size=8))
                ]
                if draw(st.integers(0, 4)) == 0:
                    parts.append(draw(damage))
                actions.append((what, 0, b"".join(parts), draw(cuts)))
            case "rush":
                # Each packet is a burst by itself, most like the one before.
                bursts = [
                    encode_packet(packet, stage.version)
                    for packet, times in draw(st.lists(streaks, max_size=6))
                    for _ in range(times)
                ]
                actions.append((what, 0, b"".join(bursts), [*map(len, bursts)]))
            case "ack":
                actions.append((what, number, bytes.fromhex(draw(behind_acks)), draw(cuts)))
            case _:
                actions.append((what, number, bytes((draw(st.integers(1, 3)),)), []))
    return stage, actions


LEARN = stream(publish("a"), publish("b/c"))
LEARN_5 = stream(publish("a"), publish("b/c"), version=5)
ONE = Setting(takers=(Taker("#", 1),))
HURRIED = Setting(takers=(Taker("#", 1),), hurried=True)
ONE_5 = Setting(version=5, takers=(Taker("#", 1),))
FEW = Setting(takers=(Taker("a", 1), Taker("q/+", 0)))
APART = Setting(takers=(Taker("a", 1), Taker("b/c", 0)))
FEW_5 = Setting(version=5, takers=(Taker("a", 1), Taker("q/+", 0)))
HURRIED_ALONE = Setting(takers=(Taker("a", 1),), hurried=True)
MIXED = Setting(takers=(Taker("a", 0), Taker("#", 2), Taker("+", 1)))


SIZES = (1, 1, 1, 9, 0, 121, 122, 123, 124, 125, 126, 16_374, 16_375, 16_379, 16_380, 2)
SIZES = (*SIZES, 32_757, 32_758, 32_762, 32_763, 32_768, 32_769, 40_000, 3)
"""About where a Remaining Length takes a byte more, and where packets go as pieces."""


BOTH = [each for number in range(1, 9) for each in (
    publish("n", b"x", number), publish("a", b"x", number), *twice("n", number + 20),
    publish("m", b"y", number), publish("n"), *twice("a", number + 40))]  # fmt: skip
"""Of topics that nobody takes, and of one that somebody does."""
JSON: dict[str, Any] = {
    "properties": {
        "payload_format_indicator": 1,
        "content_type": "application/json",
        "user_property": [("site", "north"), ("site", "2")],
    }
}
UNLIKE_JSON: list[dict[str, Any]] = [
    {"properties": each}
    for each in (
        {"message_expiry_interval": 9},
        {"message_expiry_interval": 9, "content_type": "x"},
        {"topic_alias": 1, "content_type": "x"},
        {"user_property": [("line", "a\tb")]},
        {"content_type": "a\tb", "response_topic": "r"},
        {"correlation_data": b"\0\xff", "response_topic": "r"},
    )
]


def sized(qos: int, *sizes: int, **more: Any) -> list[Publish]:
    """Of one topic, with payloads of these sizes."""
    return [publish("a", b"y" * size, qos * (1 + size), **more) for size in sizes or SIZES]


def qos_1(topic_name: str, first: int, last: int) -> list[Publish]:
    """Alike publishes of QoS 1 with these packet identifiers."""
    return [publish(topic_name, b"x", packet_id) for packet_id in range(first, last + 1)]


def in_turn(topic_name: str, first: int, last: int, **more: Any) -> list[Packet]:
    """Publishes of QoS 2, each released before the next one."""
    return [
        packet
        for number in range(first, last + 1)
        for packet in (*twice(topic_name, number, **more), Ack(PacketType.PUBREL, number))
    ]


def alone(*packets: Packet, version: int = 4) -> Action:
    """Each is a burst by itself."""
    bursts = [encode_packet(packet, version) for packet in packets]
    return ("rush", 0, b"".join(bursts), [*map(len, bursts)])


def kept(first: int, *topic_names: str, payload: bytes = b"x") -> list[Publish]:
    """Retained, of QoS 1 with identifiers from `first` on, or QoS 0 where that is 0."""
    return [
        publish(name, payload, first and first + place, retain=True)
        for place, name in enumerate(topic_names)
    ]


def sent(*parts: bytes, cuts: tuple[int, ...] = ()) -> Action:
    return ("send", 0, b"".join(parts), list(cuts))


def next_begun(qos: int, version: int = 4, **more: Any) -> Action:
    """The largest packet with a length of two bytes, and the next one's first byte in its read."""
    least = encode_packet(sized(qos, 0, **more)[0], version)
    packets = sized(qos, 0x3FFF + 2 - len(least), 1, **more)
    assert len(encode_packet(packets[0], version)) == 0x4002
    return sent(stream(*packets, version=version), cuts=(0x4003,))


def overlong(qos: int, size: int = 0, version: int = 4, **more: Any) -> Action:
    """Three times a packet with a length that takes a byte more than it has to."""
    least = encode_packet(sized(qos, 0, **more)[0], version)
    (packet,) = sized(qos, size or 0x7F + 2 - len(least), **more)
    data = encode_packet(packet, version)
    data = bytes((data[0], data[1] | 0x80, 0)) + data[2:]
    return ("send", 0, data * 3, [len(data)] * 2)


@settings(
    max_examples=150, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
@given(scripts())
# Runs of one header and topics that take turns, of both QoS.
@example((ONE, [sent(LEARN, stream(*[publish("a"), publish("b/c")] * 2, *[publish("a")] * 5))]))
@example((ONE, [sent(LEARN, stream(*[publish("a", b"x", n) for n in range(1, 9)]))]))
@example((ONE, [sent(LEARN, stream(publish("a", b"x", 1), publish("b/c", b"x", 2)) * 3)]))
@example((ONE, [sent(LEARN, stream(publish("a"), publish("b/c")) * 99)]))
# Most of a large burst, and a part of it that is not most.
@example((APART, [sent(LEARN, stream(publish("a", b"v" * 40_000), publish("b/c")))]))
@example((APART, [sent(LEARN, stream(publish("b/c"), publish("a", b"v" * 40_000)))]))
@example((APART, [sent(LEARN, stream(publish("a", b"v" * 40_000), publish("b/c", b"v" * 50_000)))]))
# More than one turn has time for.
@example((HURRIED, [sent(LEARN, stream(publish("a"), publish("b/c"), Pingreq()) * 99)]))
@example((HURRIED, [sent(LEARN, stream(publish("a"), publish("b/c")) * 99, stream(Pingreq()))]))
@example((HURRIED, [sent(LEARN, stream(publish("a", b"x", 1)) * 199, stream(Pingreq()))]))
@example((ONE_5, [sent(LEARN_5, stream(*[publish("a", b"x", n) for n in (1, 2, 3)], version=5))]))
# The last of a run is cut off: of the same header, and in the middle of its length.
@example((ONE, [sent(LEARN, stream(publish("a")) * 4, cuts=(len(LEARN) + 21,))]))
@example((ONE, [sent(LEARN, stream(publish("a", b"xyz", 1)) * 4, cuts=(len(LEARN) + 33,))]))
@example((ONE, [sent(LEARN, stream(publish("a", b"z" * 200)) * 2, cuts=(len(LEARN) + 2,))]))
# Lengths of two bytes, and those that are not plain.
@example((ONE, [sent(LEARN, stream(publish("a", b"z" * 200), publish("a", b"z" * 200, 1)))]))
@example((ONE, [sent(LEARN, bytes.fromhex("3083 8000 0001 61"))]))
@example((ONE, [sent(LEARN, bytes.fromhex("3285 0000 0161 0001"))]))
@example((ONE, [sent(LEARN, bytes.fromhex("30ff ffff ff01 00"))]))
# Larger than our Maximum Packet Size.
@example((Setting(packet=64), [sent(LEARN, stream(publish("a", b"y" * 64)))]))
@example((Setting(packet=64), [sent(LEARN, stream(publish("b/c", b"y" * 64, 1)))]))
# No identifier, identifier 0, properties.
@example((ONE, [sent(LEARN, bytes.fromhex("3204 0001 6100"), b"\x30\x00")]))
@example((ONE, [sent(LEARN, bytes.fromhex("3206 0001 6100 0078"))]))
@example((ONE_5, [sent(LEARN_5, stream(publish("a", properties={"topic_alias": 1}), version=5))]))
@example((ONE_5, [sent(LEARN_5, stream(publish("a", b"x", 1, properties={"topic_alias": 1}),
                                       version=5))]))  # fmt: skip
# Packets that end before their topic does, or behind it: what follows looks like the rest of it.
@example((Setting(takers=(Taker("#", 0),)), [sent(LEARN, bytes.fromhex("3200 0001 61 0001 78"))]))
@example((Setting(takers=(Taker("#", 0),)), [sent(LEARN, bytes.fromhex("3203 0001 61 0001 78"))]))
@example((MIXED, [sent(LEARN, bytes.fromhex("3402 0001 61 0001 78"))]))
# The publisher's own topic, and topics that nobody or only QoS 0 takes.
@example((Setting(own="a"), [sent(LEARN, stream(publish("a", b"x", 1), publish("a")) * 3)]))
@example((Setting(), [sent(LEARN, stream(publish("a", b"x", 1), publish("nobody", b"x", 2)) * 3)]))
# Takers of QoS 0 beside those of QoS 1, with lengths of one and two bytes, and large ones.
@example((Setting(takers=(Taker("#", 0), Taker("a", 1), Taker("+", 0))),
          [sent(LEARN, stream(*[publish("a", b"z" * size, 1) for size in (1, 1, 123, 124, 9)]),
                stream(publish("b/c", b"v" * 40_000, 1), publish("b/c", b"x", 1)))]))  # fmt: skip
# A window that is full, a queue that is full, and acknowledgements of all kinds.
@example((Setting(version=5, takers=(Taker("a", 1, window=1),), queue=2),
          [sent(LEARN_5, stream(*[publish("a", b"x", n) for n in range(1, 7)], version=5)),
           ("ack", 0, bytes.fromhex("40020fff 4003000110"), []), ("ack", 0, b"\x50\x02\0\4", [3]),
           ("ack", 0, b"", [])]))  # fmt: skip
@example((ONE, [sent(LEARN, stream(publish("a", b"x", 1)) * 4), ("ack", 0, b"\x40\x02", [7])]))
# Somebody comes back with a smaller window than before, and has more in flight.
@example((Setting(version=5, takers=(Taker("a", 1),)),
          [sent(LEARN_5, stream(*[publish("a", b"x", n) for n in range(1, 7)], version=5)),
           ("return", 0, b"\2", []), ("ack", 0, b"", []), ("ack", 0, b"", [])]))  # fmt: skip
# An identifier that an unfinished QoS 2 publish has, more of QoS 1 than may be, odd topics.
@example((ONE, [sent(LEARN, stream(Publish("a", b"x", 2, packet_id=1), publish("a", b"x", 2),
                                   publish("a", b"x", 1), publish("a", b"x", 1)))]))  # fmt: skip
@example((Setting(version=5, takers=(Taker("#", 1),), unanswered=3),
          [sent(LEARN_5, stream(*[publish("a", b"x", n) for n in range(1, 7)], version=5))] * 2,
          ))  # fmt: skip
@example((ONE, [sent(stream(publish("/odd"), publish("o dd")) * 3)] * 2))
@example((Setting(takers=(Taker("a", 0),)),
          [sent(LEARN), sent(stream(publish("a", b"x", 1)))]))  # fmt: skip
# Both sides of QoS 2: runs, what is cut off or not due, repeated PUBRECs, a window that is full.
@example((Setting(takers=(Taker("a", 2), Taker("#", 1))),
          [sent(stream(*[Publish("a", b"x", 2, packet_id=n) for n in (1, 2, 3)],
                       *[Ack(PacketType.PUBREL, n) for n in (1, 2, 2, 3)]), b"\x62\x02"),
           ("ack", 0, bytes.fromhex("50020001 5002"), [2]), ("ack", 0, b"", [9]),
           ("ack", 1, b"\x50\2\0\1", [])]))  # fmt: skip
@example((Setting(version=5, takers=(Taker("a", 2, window=1),)),
          [sent(stream(*[Publish("a", b"x", 2, packet_id=n) for n in (1, 2, 3)], version=5),
                bytes.fromhex("6203 0001 00 6202 0002")), ("ack", 0, bytes.fromhex("70020002"), []),
           ("ack", 0, bytes.fromhex("70020001 70020001 7002"), []), ("return", 0, b"\2", []),
           ("ack", 0, b"", []), ("ack", 0, b"", [])]))  # fmt: skip
@example((Setting(takers=(Taker("a", 2),)),
          [sent(stream(Publish("a", b"x", 2, packet_id=1))), ("ack", 0, b"", []),
           ("return", 0, b"\2", []), ("ack", 0, b"", [])]))  # fmt: skip
@example((Setting(version=5, takers=(Taker("a", 2),), hand_on="release"),
          [sent(stream(*[Publish("a", b"x", 2, packet_id=n) for n in (1, 2, 3)], version=5),
                stream(*[Ack(PacketType.PUBREL, n) for n in (1, 2, 3)])),
           ("ack", 0, b"", []), ("return", 0, b"\1", []), ("ack", 0, b"", [])]))  # fmt: skip
# A PUBREL alone: of a message that is withheld, or cut in front of its reason code.
@example((Setting(version=5, takers=(Taker("a", 2),), hand_on="release"),
          [sent(stream(Publish("a", b"x", 2, packet_id=1), version=5)),
           sent(stream(Ack(PacketType.PUBREL, 1))), ("ack", 0, b"", [])]))  # fmt: skip
@example((Setting(version=5, takers=(Taker("a", 2),)),
          [sent(stream(Publish("a", b"x", 2, packet_id=1), version=5)),
           sent(bytes.fromhex("6203 0001 00"), cuts=(4,)), ("ack", 0, b"", [])]))  # fmt: skip
# A publish of QoS 2 to takers of each QoS, sent again, to the publisher itself, with properties.
@example((MIXED, [sent(stream(*twice("a", 1, 2, 3, 4, 2, 2)), bytes.fromhex("3c06 0001 6100 0578"),
                       stream(publish("a", b"x", 4), publish("a", b"x", 6)))]))  # fmt: skip
@example((MIXED, [sent(stream(*twice("a", 1)), stream(*twice("a", 2), *twice("b/c", 3)) * 2)]))
@example((Setting(own="a"), [sent(stream(*twice("a", 1, 2, 3)))]))
@example((ONE_5, [sent(stream(*twice("a", 1, 2, 3, 0), version=5))]))
@example((ONE_5, [sent(stream(*twice("a", 1, 2), *twice("a", 3, properties={"content_type": "x"}),
                              version=5))]))  # fmt: skip
# Large ones, more than may be unfinished, queues that are full, lint's hundredth message.
@example((MIXED, [sent(stream(*twice("a", 1, 2, 3, payload=b"v" * 40_000), *twice("a", 4, 5)))]))
@example((Setting(version=5, takers=(Taker("#", 2), Taker("a", 1)), unanswered=4),
          [sent(stream(*twice("a", *range(1, 9)), version=5))]))  # fmt: skip
@example((Setting(takers=(Taker("#", 2), Taker("a", 1)), unanswered=4),
          [sent(stream(*twice("a", *range(1, 9))))]))  # fmt: skip
@example((Setting(version=5, takers=(Taker("a", 2, window=1), Taker("#", 1, window=2)), queue=2),
          [sent(stream(*twice("a", *range(1, 9)), version=5)), ("ack", 0, b"", []),
           ("ack", 1, b"", []), ("ack", 0, b"", [])]))  # fmt: skip
@example((Setting(takers=(Taker("a", 2),)), [sent(stream(*twice("a", *range(1, 251))))]))
@example((HURRIED, [sent(stream(*twice("a", *range(1, 200))), stream(Pingreq()))]))
# The same takers, who get one topic with one QoS and another with several.
@example(
    (
        Setting(takers=(Taker("a", 1, also=("b", 0)), Taker("a", 1, also=("b", 1)))),
        [
            sent(stream(publish("a"), publish("b"))),
            sent(stream(*[publish("ab"[each % 2], b"x", each) for each in range(1, 9)])),
        ],
    )
)
@example((Setting(takers=(Taker("a", 2, also=("b", 1)), Taker("a", 2, also=("b", 2)))),
          [sent(stream(*twice("a", 1), *twice("b", 2), *twice("a", 3, 4), *twice("b", 5, 6),
                       *twice("a", 7)))]))  # fmt: skip
# Who gets each message once for each of its subscriptions.
@example((Setting(takers=(Taker("a", 1, also=("#", 1)),), options=(("merge_overlapping", False),)),
          [sent(LEARN, stream(*sized(1, 1, 2, 3))), ("ack", 0, b"", [])]))  # fmt: skip
@example((Setting(takers=(Taker("a", 2, also=("#", 2)),), options=(("merge_overlapping", False),)),
          [sent(LEARN, stream(*[Publish("a", bytes((each,)), 2, packet_id=each)
                                for each in (1, 2, 3)]))]))  # fmt: skip
# A lower Maximum QoS; sessions on disk; faults and holds on the way in.
@example((Setting(takers=(Taker("a", 1),), maximum_qos=1),
          [sent(LEARN, stream(publish("a", b"x", 1), *twice("a", 2)))]))  # fmt: skip
@example((Setting(takers=(Taker("a", 2), Taker("b/c", 1)), disk=True),
          [sent(stream(*twice("a", 1, 2, 3), *twice("b/c", 4, 5, 6), publish("b/c", b"x", 7))),
           ("ack", 0, b"", []), ("ack", 1, b"", [])]))  # fmt: skip
@example((Setting(faulty=True, takers=(Taker("#", 2),)),
          [sent(stream(*twice("a", *range(1, 12)), *[Ack(PacketType.PUBREL, n) for n in (1, 2)])),
           ("ack", 0, b"", [])]))  # fmt: skip
# One packet in a burst, like the one before: to takers of each QoS, who take no more or lose it.
@example((Setting(takers=(Taker("a", 0), Taker("#", 1, window=2), Taker("+", 0)), queue=2),
          [alone(*[publish("a")] * 4), sent(stream(publish("a"))), alone(*qos_1("a", 1, 5)),
           ("ack", 1, b"", []), alone(*qos_1("a", 1, 3)), ("ack", 1, b"", []),
           *[sent(stream(each)) for each in qos_1("a", 6, 8)]]))  # fmt: skip
@example((Setting(version=5, takers=(Taker("a", 2), Taker("+", 1))),
          [alone(*[publish("a")] * 4, version=5), alone(*qos_1("a", 1, 4), version=5),
           sent(bytes.fromhex("3207 0001 61 0001 01 01")),
           sent(bytes.fromhex("3207 0001 61 0000 00 78"))]))  # fmt: skip
@example((Setting(version=5, takers=(Taker("a", 1, window=2),), queue=2),
          [alone(*qos_1("a", 1, 7), version=5), ("ack", 0, b"", [])]))  # fmt: skip
# The same of QoS 2: released one by one or not, more than may be unfinished, identifiers in use.
@example((MIXED, [alone(*in_turn("a", 1, 6), *in_turn("a", 7, 9, payload=b"y" * 200),
                        *twice("a", 10, 11, 11, 12), *qos_1("a", 10, 14),
                        Ack(PacketType.PUBREL, 11), Ack(PacketType.PUBREL, 99)),
                  ("ack", 1, b"", [4] * 40), ("ack", 1, b"", [4] * 40),
                  ("ack", 2, b"", [4] * 40)]))  # fmt: skip
@example((Setting(version=5, takers=(Taker("a", 2),), unanswered=4),
          [alone(*in_turn("a", 1, 5), *twice("a", 6, 7, 8, 9, 10), version=5)]))  # fmt: skip
@example((Setting(takers=(Taker("a", 2),), unanswered=4), [alone(*twice("a", *range(1, 9)))]))
@example((FEW, [alone(*in_turn("a", 1, 120), *in_turn("n", 1, 120))]))
@example((FEW_5, [alone(*in_turn("n", 1, 6), *in_turn("a", 1, 6),
                        *in_turn("a", 7, 14, **JSON), *in_turn("n", 7, 14, **JSON), version=5),
                  sent(bytes.fromhex("3407 0001 61 0000 00 78")),
                  sent(bytes.fromhex("3407 0001 61 0001 01 01"))]))  # fmt: skip
@example((Setting(version=5, takers=(Taker("a", 2),), hand_on="release"),
          [alone(*qos_1("a", 1, 4), *in_turn("a", 5, 9, **JSON), *in_turn("a", 5, 9),
                 version=5)]))  # fmt: skip
@example((Setting(version=5, takers=(Taker("a", 2, window=2), Taker("+", 1)), queue=2),
          [alone(*in_turn("a", 1, 8), version=5), ("ack", 0, b"", [4] * 9),
           ("ack", 0, b"", [4] * 9), ("return", 0, b"\1", []),
           ("ack", 0, b"", [4] * 9)]))  # fmt: skip
@example((Setting(takers=(Taker("a", 1), Taker("b/c", 2)), disk=True),
          [alone(*in_turn("a", 1, 6), *in_turn("b/c", 1, 6)), ("ack", 1, b"", [4] * 9),
           ("ack", 1, b"", [4] * 9)]))  # fmt: skip
@example((Setting(takers=(Taker("a", 2),), own="a"), [alone(*in_turn("a", 1, 6))]))
# What lint looks at in each hundredth, and what only the disk has to know.
@example((Setting(takers=(Taker("a", 2),)), [alone(*in_turn("a", 1, 101))]))
@example((Setting(takers=(Taker("a", 0),), disk=True),
          [alone(*twice("a", 1, 2, 3)), alone(*twice("a", 4))]))  # fmt: skip
# An unfinished QoS 2 publish, other sizes, another route, what is incomplete or on disk.
@example((Setting(takers=(Taker("#", 1),)),
          [alone(*qos_1("a", 1, 3), *twice("b/c", 7), *qos_1("a", 6, 9),
                 Ack(PacketType.PUBREL, 7), publish("a", b"longer", 8), *qos_1("a", 1, 3)),
           ("return", 0, b"\3", []), alone(*qos_1("a", 4, 6))]))  # fmt: skip
@example(
    (
        ONE,
        [
            alone(*[publish("a")] * 3, *qos_1("a", 1, 3)),
            sent(stream(*qos_1("a", 4, 5), publish("a", b"x", 6)), cuts=(9, 12, 9, 3)),
        ],
    )
)
@example((ONE, [alone(*[publish("a")] * 4),
                # The end of a packet that looks like one.
                sent(stream(publish("nobody", stream(publish("a")))), cuts=(10,)),
                alone(publish("a"))]))  # fmt: skip
@example((Setting(takers=(Taker("a", 1),), disk=True), [alone(*qos_1("a", 1, 4))]))
@example((Setting(takers=(Taker("a", 0),), disk=True),
          [sent(stream(each)) for each in qos_1("a", 1, 5)]))  # fmt: skip
# The same of other sizes: lengths of one, two and three bytes, too large ones, and damaged ones.
@example((Setting(takers=(Taker("a", 0), Taker("#", 1), Taker("+", 0))),
          [alone(*sized(0)), alone(*sized(1))]))  # fmt: skip
# Large ones in one burst, and such as take a length of four bytes.
@example((Setting(takers=(Taker("#", 1),)), [sent(LEARN, stream(
    *[publish("a", b"v" * 40_000, number) for number in (1, 2, 0, 0)]))]))  # fmt: skip
@example((Setting(takers=(Taker("a", 1),), packet=1 << 22),
          [alone(*[publish("a", b"y" * (size and 0x1FFFFF - 6 + size), qos * (1 + size))
                   for qos in (0, 1) for size in (0, 0, 0, 1, 2, 3, 4, 5, 0)])]))  # fmt: skip
@example((Setting(version=5, takers=(Taker("a", 2), Taker("+", 0)), packet=20_000),
          [alone(*sized(0), version=5), alone(*sized(1), version=5)]))  # fmt: skip
@example(
    (
        Setting(takers=(Taker("a", 1), Taker("#", 0)), packet=64),
        [alone(*sized(1, 1, 1, 9, 56, 57)), sent(stream(*qos_1("a", 1, 1)), cuts=(1,))],
    )
)
@example((Setting(takers=(Taker("a", 1),), disk=True), [alone(*sized(1)), ("ack", 0, b"", [])]))
@example((Setting(takers=(Taker("#", 1), Taker("#", 0))),
          [alone(*qos_1("a", 1, 3)), sent(bytes.fromhex("3204 0001 6100"))]))  # fmt: skip
@example((MIXED, [alone(*sized(1, 1, 1, 1, 2, 3, 2, 1, 3), publish("b", b"yy", 9),
                        *sized(1, 2, 9, 2)), ("return", 0, b"\1", []),
                  alone(*sized(1, 2, 3, 2, 3))]))  # fmt: skip
@example((ONE, [alone(*[publish("a")] * 3, *[publish("b")] * 3, publish("a", b"longer")),
                sent(bytes.fromhex("3085 00 0001 6178 78")),
                sent(bytes.fromhex("3106 0001 6178 7878"))]))  # fmt: skip
@example((ONE_5, [alone(*qos_1("a", 1, 3), version=5), sent(bytes.fromhex("3205 0001 6100 04")),
                  sent(bytes.fromhex("3208 0001 6100 0500 7878"))]))  # fmt: skip
# Reads of sizes that no packet has: one with the next one's first byte, a length that is too long.
@example((MIXED, [action for qos in (0, 1) for action in (
              alone(*sized(qos, 1, 1, 1)), next_begun(qos), overlong(qos))]))  # fmt: skip
@example((Setting(version=5, takers=(Taker("a", 1), Taker("+", 0))),
          [action for qos in (0, 1) for action in (
              alone(*sized(qos, 1, 1, 1, 1, **JSON), version=5),
              next_begun(qos, version=5, **JSON), overlong(qos, version=5, **JSON),
              overlong(qos, size=9, version=5, **JSON))]))  # fmt: skip
# The same with properties: those that may go on as they are, others, and takers of each QoS.
@example((Setting(version=5, takers=(Taker("a", 2), Taker("+", 0))),
          [alone(*sized(0, *SIZES, **JSON), version=5),
           alone(*sized(1, *SIZES, **JSON), version=5)]))  # fmt: skip
@example((Setting(version=5, takers=(Taker("#", 1), Taker("+", 0), Taker("a", 0, size=50))),
          [alone(*sized(1, *SIZES, **JSON), version=5)]))  # fmt: skip
@example((Setting(version=5, takers=(Taker("#", 1),), disk=True),
          [alone(*sized(1, 1, 2, 3, 4, **JSON), *sized(1, 1, 2, 3), version=5),
           ("ack", 0, b"", []), ("return", 0, b"\3", []), ("ack", 0, b"", [])]))  # fmt: skip
@example((ONE_5, [alone(*[each for kind in UNLIKE_JSON for each in sized(qos, 1, 2, 3, 4, **kind)],
                        version=5) for qos in (0, 1)]))  # fmt: skip
@example((ONE_5, [alone(*sized(1, 1, 2, 3, **JSON), *sized(1, 4, 5, 6), version=5),
                  alone(*twice("a", 7, 8, 9, **JSON), *sized(1, 7, 1, **JSON), version=5),
                  sent(stream(*sized(1, 1, 2, **JSON), version=5)),
                  sent(stream(publish("b", **JSON), version=5) * 2),
                  sent(bytes.fromhex("3208 0001 61 0001 03 0300"))]))  # fmt: skip
@example((Setting(version=5, takers=(Taker("a", 1),), own="a"),
          [alone(*sized(1, 1, 2, 3, 4, **JSON), version=5)]))  # fmt: skip
@example((Setting(version=5, takers=(Taker("b", 1),)),
          [alone(*sized(1, 1, 2, 3, 4, **JSON), version=5)]))  # fmt: skip
# Retained messages: that nobody takes, of topics with one parent and with others, and with takers.
@example((FEW, [sent(stream(*kept(9, "s/1", "s/2", "r", "s/1", "/s", "s/3", "s s", "s/4", "$x")))]))
@example(
    (
        FEW,
        [
            sent(
                stream(*kept(0, "s/1", "s/2", "s/t/u", "s/t/v", "q/1", "q/c", "r", "a", "b")),
                stream(publish("s/1", b"", retain=True), *kept(0, "s/3", "s/1")),
            )
        ],
    )
)
@example((FEW_5, [sent(stream(*kept(1, "s/1", "s/2", "q/c", "s/3", ""), version=5)),
                  sent(stream(*kept(4, "s/1", "s/2"), version=5))]))  # fmt: skip
@example((Setting(version=5, takers=(Taker("a", 1),),
                  options=(("tell_no_subscribers", False),)),
          [sent(stream(*kept(1, "s/1", "s/2", "a", "s/3"), version=5))]))  # fmt: skip
@example(
    (
        Setting(takers=(Taker("s/+", 1), Taker("+/1/#", 0), Taker("$share/g/q/1/x", 1))),
        [sent(stream(*kept(1, "s/1", "s", "q/1", "q/2", "q/1/x", "q/1/y/z", "q/2/x")))],
    )
)
@example((Setting(takers=(Taker("s/t/#", 1), Taker("q/t", 0))),
          [sent(stream(*kept(1, "s/t", "s/t/u", "s/v", "q/t/u", "q/u", "q/t")))]))  # fmt: skip
@example((Setting(takers=(Taker("a", 1),), retained=3),
          [sent(stream(*kept(1, "s/1", "s/2", "s/3", "s/4", "s/1", "a", "q/1")))]))  # fmt: skip
@example((Setting(version=5, takers=(Taker("a", 1),), retained=1),
          [sent(stream(*kept(1, "s/1", "s/2", "s/3"), version=5))]))  # fmt: skip
@example(
    (
        Setting(takers=(Taker("a", 1),), disk=True),
        [sent(stream(*kept(1, "s/1", "s/2", "s/1")), stream(*kept(0, "s/3", "s/1")))],
    )
)
@example((HURRIED_ALONE, [sent(stream(*kept(1, *[f"s/{each}" for each in range(300)])),
                               stream(Pingreq()))]))  # fmt: skip
@example((Setting(version=5, takers=(Taker("a", 1),), unanswered=3),
          [sent(stream(*kept(1, "s/1", "s/2", "s/3", "s/4"), version=5))]))  # fmt: skip
# With takers of each QoS, with one that wants the mark, and the publisher itself; in turns with
# what nobody takes; a window and a store that are full; and what is large.
@example((MIXED, [sent(stream(*kept(0, "a", "b", "a", "b/c"), *kept(1, "a", "b", "a", "b/c")))]))
@example((Setting(version=5, takers=(Taker("a", 2), Taker("b", 0))),
          [sent(stream(*kept(0, "a", "a", "n", "a"), *kept(1, *"aabnaabmm"), version=5)),
           sent(stream(publish("a", b"x", 1, retain=True), version=5))]))  # fmt: skip
@example((Setting(version=5, takers=(Taker("a", 1, as_published=True),)),
          [sent(stream(*kept(0, "a", "a", "a"), *kept(1, "a", "a", "a"), version=5))]))  # fmt: skip
@example((Setting(takers=(Taker("a", 1),), own="a"),
          [sent(stream(*kept(0, "a", "a", "a"), *kept(1, "a", "a", "a")))]))  # fmt: skip
@example((Setting(version=5, takers=(Taker("a", 1, window=1), Taker("#", 0)), queue=1, retained=1),
          [sent(stream(*kept(1, *"aaabbb"), *kept(0, *"ab"), version=5)),
           ("ack", 0, b"", [])]))  # fmt: skip
@example((MIXED, [sent(stream(*kept(1, "a", "b", payload=b"v" * 40_000),
                              *kept(1, "a", "b", payload=b"v" * 40_000),
                              *kept(0, "a", "b", payload=b"v" * 200)))]))  # fmt: skip
@example((Setting(version=5, takers=(Taker("a", 1), Taker("#", 1)),
                  options=(("merge_overlapping", False),)),
          [sent(stream(*kept(1, *"aaa"), *kept(0, *"aaa"), version=5))]))  # fmt: skip
@example((Setting(takers=(Taker("a", 1, also=("#", 0)),), options=(("merge_overlapping", False),)),
          [sent(stream(*kept(1, *"aaa"), *kept(0, *"aaa")))]))  # fmt: skip
@example((Setting(takers=(Taker("a", 2), Taker("+", 1)), disk=True),
          [sent(stream(*kept(1, *"aaab"), *kept(0, *"aaa"))), ("ack", 0, b"", []),
           ("return", 0, b"\3", [])]))  # fmt: skip
@example((HURRIED, [sent(stream(*kept(1, *"ab" * 150), Pingreq()))]))
# Those that are damaged, long, not served, limited, or have an identifier that is in use.
@example((FEW, [sent(stream(*kept(1, "s/1", "s/2"), *twice("s/3", 7), *kept(6, "s/4", "s/5"),
                            *twice("s/6", 8, retain=True)))]))  # fmt: skip
@example((FEW, [sent(stream(publish("s/1", b"z" * 200, 1, retain=True),
                            publish("s/2", b"z" * 20_000, retain=True)), cuts=(99,))]))  # fmt: skip
@example((FEW, [sent(stream(*kept(1, "s/1")), bytes.fromhex("3307 0003 732f 31 0000"))]))
@example((FEW, [sent(stream(*kept(1, "s/1")), bytes.fromhex("3308 0003 732f 31 0000 78"))]))
@example((FEW, [sent(stream(*kept(0, "s/1")), bytes.fromhex("3106 0003 732f ff 78"))]))
@example((FEW, [sent(stream(*kept(0, "s/1")), bytes.fromhex("3180 8080 0100"), b"x")]))
@example((FEW, [sent(stream(*kept(0, "s/1")), bytes.fromhex("3104 0009 732f 31 78"))]))
@example((FEW, [sent(stream(*kept(0, "s/1")), bytes.fromhex("3106 0003 732f 2b 78"))]))
@example((FEW, [sent(stream(*kept(0, "s/1")), bytes.fromhex("3106 0003 732f 23 78"))]))
@example((FEW, [sent(stream(*kept(0, "s/1")), bytes.fromhex("3106 0003 732f 01 78"))]))
@example((FEW, [sent(stream(*kept(0, "s/1")), bytes.fromhex("3185 00 0002 732f 78"))]))
@example((FEW_5, [sent(stream(*kept(0, "s/1"), version=5), bytes.fromhex("3107 0003 732f 31 00 78"),
                       bytes.fromhex("3109 0003 732f 31 02 01 01 78"))]))  # fmt: skip
@example((Setting(packet=64), [sent(stream(*kept(1, "s/1"), *kept(2, "s/2", payload=b"z" * 64)))]))
@example((Setting(takers=(Taker("a", 0),), maximum_qos=0), [sent(stream(*kept(1, "s/1")))]))
@example((Setting(takers=(Taker("a", 0),), options=(("retain_available", False),)),
          [sent(stream(*kept(0, "s/1")))]))  # fmt: skip
@example((Setting(takers=(Taker("a", 0),), options=(("topic_levels_maximum", 2),)),
          [sent(stream(*kept(1, "s/1", "s/1/2")))]))  # fmt: skip
@example((Setting(version=5, takers=(Taker("a", 0),),
                  options=(("ingest_prefix", "s/"), ("tell_no_subscribers", True))),
          [sent(stream(*kept(1, "s/1", "s/1/2", "t"), version=5))]))  # fmt: skip
# Payloads of which nobody makes a copy: sent again, queued, kept on disk, at a lower QoS.
@example((Setting(takers=(Taker("a", 2, window=1), Taker("+", 1), Taker("#", 0)), queue=2),
          [alone(*in_turn("a", 1, 5, payload=b"v" * 9_000), *sized(1, *[8_999] * 4)),
           ("return", 0, b"\1", []), ("ack", 0, b"", [4] * 9), ("return", 1, b"\1", []),
           ("ack", 1, b"", [4] * 9), ("ack", 0, b"", [4] * 9)]))  # fmt: skip
@example((Setting(version=5, takers=(Taker("a", 2), Taker("#", 0))),
          [alone(*[publish("a", b"v" * 40_000, 1, **JSON)] * 5, version=5),
           ("return", 0, b"\1", []), ("ack", 0, b"", [4] * 9)]))  # fmt: skip
@example((Setting(takers=(Taker("a", 2),), disk=True),
          [alone(*in_turn("a", 1, 5, payload=b"v" * 9_000)), ("return", 0, b"\1", []),
           ("ack", 0, b"", [4] * 9)]))  # fmt: skip
# What nobody takes: in bursts with what somebody does, one by one, and once somebody subscribes.
@example((FEW, [sent(LEARN, stream(*[publish("b/c")] * 2), stream(*BOTH))]))
@example((FEW, [sent(stream(*[publish("n")] * 3, *sized(0, 1, 1)), stream(*BOTH, *BOTH))]))
@example((FEW_5, [sent(stream(*[publish("n")] * 3, *sized(0, 1, 1), *BOTH, *BOTH, version=5))]))
@example(
    (
        Setting(version=5, takers=(Taker("a", 1),), options=(("tell_no_subscribers", False),)),
        [sent(stream(*BOTH, *BOTH, version=5)), alone(*qos_1("n", 1, 4), version=5)],
    )
)
@example((FEW, [sent(stream(*[each for number in range(1, 120) for each in twice("n", number)]))]))
@example((FEW, [alone(*[publish("n")] * 5, *qos_1("n", 1, 5), *twice("n", 7), *qos_1("n", 6, 9),
                      Ack(PacketType.PUBREL, 7), *qos_1("n", 1, 2)),
                sent(bytes.fromhex("3206 0001 6e00 0078")), *[sent(stream(each)) for each in BOTH],
                alone(*qos_1("n", 1, 3), Subscribe(9, [Request("n", 1)]),
                      *qos_1("n", 1, 5))]))  # fmt: skip
@example((FEW_5, [alone(*qos_1("n", 1, 5), Subscribe(9, [Request("#", 1)]), *qos_1("n", 1, 5),
                        version=5)]))  # fmt: skip
@example((FEW_5, [alone(*sized(1, *SIZES), *[publish("n", b"x", 1, **JSON)] * 6,
                        *[publish("n", b"x", 2, **UNLIKE_JSON[1])] * 3, version=5),
                  sent(bytes.fromhex("3208 0001 6e 0001 02 0101"))]))  # fmt: skip
@example((FEW, [alone(*kept(1, "n", "n", "n"), *qos_1("n", 1, 4), *kept(5, "n", "m"))]))
@example((FEW, [sent(LEARN, stream(*kept(0, "a", "b/c", payload=b"v" * 40_000)))]))
@example((Setting(version=5, takers=(Taker("a", 0),), options=(("ingest_prefix", "s/"),)),
          [alone(*[publish("s/1", b"x", 1)] * 4, *[publish("s/1")] * 4, version=5)]))  # fmt: skip
@example((ONE, [alone(*[publish("t" * 3_000)] * 4, *qos_1("t" * 3_000, 1, 4))]))
@example((Setting(takers=(Taker("a", 1),), own="a"), [alone(*qos_1("a", 1, 4))]))
def test_fast_path_and_general_path_have_the_same_outcome(
    script: tuple[Setting, list[Action]],
) -> None:
    stage, actions = script
    assert play(stage, actions, fast=True) == play(stage, actions, fast=False)


@pytest.mark.parametrize("version", [4, 5])
@pytest.mark.parametrize(
    "front",
    [
        Pingreq(),
        publish("a", b"x", 1),
        *twice("a", 1),
        publish("nobody"),
        publish("a", b"longer"),
        Ack(PacketType.PUBREL, 1),
        Ack(PacketType.PUBACK, 1),
        Subscribe(1, [Request("b/c", 1)]),
    ],
    ids=[
        "ping",
        "QoS 1",
        "QoS 2",
        "another topic",
        "another size",
        "PUBREL",
        "PUBACK",
        "SUBSCRIBE",
    ],
)
@pytest.mark.parametrize(
    "behind",
    [publish("a", b"y"), publish("a", b"y", 2), *twice("a", 2, payload=b"y")],
    ids=["0", "1", "2"],
)
def test_a_packet_and_a_publish_in_one_read_are_both_handled_each_time(
    front: Packet, behind: Publish, version: int
) -> None:
    both = stream(front, behind, version=version)
    one = stream(behind, version=version)
    bursts = [both] * 6 + [one] * 3 + [both] * 2
    actions: list[Action] = [("rush", 0, b"".join(bursts), [*map(len, bursts)])]
    actions += [sent(each) for each in bursts]
    stage = Setting(version=version, takers=(Taker("a", 0), Taker("#", 1)))
    assert play(stage, actions, fast=True) == play(stage, actions, fast=False)


LARGE_ONES = stream(*[publish("a", b"v" * 40_000, number) for number in range(1, 6)])
MANY_FILTERS = stream(Subscribe(9, [Request(f"many/filters/{each}/+", 1) for each in range(2_000)]))


@pytest.mark.parametrize(
    "data",
    [
        LEARN + LARGE_ONES,
        # What a packet asked for is not done yet, and those behind it wait.
        MANY_FILTERS + stream(publish("many/filters/7/x", b"w" * 40_000, 7)) + LARGE_ONES,
        stream(publish("a", b"v" * 40_000, 1), Disconnect()) + LARGE_ONES,
        stream(publish("a", b"v" * 40_000, 1), publish("a", b"v" * 70_000, 2)) + LARGE_ONES,
    ],
    ids=["publishes", "slow work", "the end", "too large"],
)
@pytest.mark.parametrize("hurried", [False, True])
@pytest.mark.parametrize("cuts", [(1,), (9, 3), (20_000,), (30_000, 30_000), (50_000,) * 4])
def test_large_packets_may_be_cut_anywhere(data: bytes, hurried: bool, cuts: Cuts) -> None:
    stage = Setting(takers=(Taker("#", 1),), packet=60_000, hurried=hurried)
    whole = play(stage, [sent(data)], fast=True)
    pieces = play(stage, [sent(data, cuts=tuple(cuts))], fast=True)
    assert pieces == whole


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_every_branch_of_the_fast_path_is_entered_by_the_comparison(tmp_path: Path) -> None:
    more = (acknowledgements, again, retaining, runs)
    assert missed_branches(burst, __file__, "same_outcome", tmp_path, *more) == ""


@pytest.mark.parametrize("disk", [False, True])
@pytest.mark.parametrize("qos", [0, 1, 2])
@pytest.mark.parametrize(("version", "detailed"), [(4, False), (5, False), (5, True)])
def test_what_is_like_the_last_publish_but_for_its_size_is_not_walked_again(
    version: int, detailed: bool, qos: int, disk: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = Crowd(Setting(version=version, takers=(Taker("a", 0), Taker("#", 1)), disk=disk))
    more = JSON if detailed else {}
    walked: list[int] = []

    def walk(connection: MqttConnection, data: bytes, position: int) -> int:
        walked.append(len(data))
        return burst.walk(connection, data, position)

    monkeypatch.setattr(connection_module, "walk", walk)
    sizes = (3, 4, 5, 5, 200, 5, 17_000, 6)
    for number, size in enumerate(sizes, 1):
        packet = publish("a", b"y" * size, number * bool(qos), **more)
        scene.ask(scene.publisher, structs.replace(packet, qos=qos))
        if qos == 2:
            scene.ask(scene.publisher, Ack(PacketType.PUBREL, number))
    # Where there are no properties the first learns its route, before two that are alike.
    assert len(walked) == (2 if detailed else 3)


@pytest.mark.parametrize("qos", [0, 1])
@pytest.mark.parametrize("version", [4, 5])
def test_what_nobody_takes_is_walked_until_it_came_alike_twice(
    version: int, qos: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = Crowd(Setting(version=version, takers=(Taker("a", 0),)))
    walked = Mock(side_effect=burst.walk)
    monkeypatch.setattr(connection_module, "walk", walked)
    routes = scene.broker.router.verbatim(version)
    for number in range(1, 9):
        # Once would not be worth a route, as of very many topics that nobody takes.
        assert set(routes) == ({b"n"} if number > 2 else set())
        scene.ask(scene.publisher, publish("n", b"x", number * qos))
    assert walked.call_count == 4
    for number in range(1, 9):
        scene.ask(scene.publisher, publish("m", b"x", number * qos, retain=True))
    assert set(routes) == {b"n"}


@pytest.mark.parametrize("qos", [0, 1])
@pytest.mark.parametrize("version", [4, 5])
def test_of_retained_messages_that_somebody_takes_the_first_is_decoded(
    version: int, qos: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = Crowd(Setting(version=version, takers=(Taker("a", 0), Taker("#", 1))))
    decoded = Mock(side_effect=connection_module.decode_body)
    monkeypatch.setattr(connection_module, "decode_body", decoded)
    for number in range(1, 9):
        scene.ask(scene.publisher, publish("a", b"%d" % number, number * qos, retain=True))
    assert decoded.call_count == 1
    kept_one = scene.broker.router.retained.get("a")
    assert kept_one is not None
    assert kept_one.payload == b"8"


def test_of_what_nobody_takes_each_topic_comes_twice_also_where_they_are_counted_as_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(router_module, "MOST_ROUTES", 4)
    scene = Crowd(Setting(takers=(Taker("a", 0),)))
    routes = scene.broker.router.verbatim(4)
    names = [f"n/{number}" for number in range(7)]
    for name in names:
        scene.ask(scene.publisher, publish(name, b"x", 1))
    assert scene.broker.router.other_topics.published
    assert not routes
    for name in names[-2:]:
        scene.ask(scene.publisher, publish(name, b"x", 1))
    one, other = (routes[name.encode()] for name in names[-2:])
    # What the garbage collector walks is there once.
    assert one.qos_1 is other.qos_1 is one.qos_2


@pytest.mark.parametrize("qos", [0, 1])
def test_very_long_topics_and_properties_are_not_kept_to_be_compared(qos: int) -> None:
    scene = Crowd(Setting(version=5, takers=(Taker("#", 1),)))
    long = {"user_property": [("key", "v" * 30_000)]}
    for number in range(1, 5):
        scene.ask(scene.publisher, publish("t" * 30_000, b"x", number * qos))
        scene.ask(scene.publisher, publish("a", b"x", number * qos, properties=long))
    assert scene.publisher.connection.like is UNLIKE
    assert len(scene.takers[0].take()) > 8 * 30_000


def known_sessions(name: str) -> int:
    gc.collect()
    found = [each for each in gc.get_objects() if isinstance(each, Session)]
    return sum(each.client_id == name for each in found)


@pytest.mark.parametrize("qos", [0, 1])
def test_who_has_gone_is_kept_by_no_publish_that_the_next_one_is_compared_with(qos: int) -> None:
    scene = Scene(journal=False)
    taker = scene.connect("taker of alike publishes", "a", qos=1)
    publisher = scene.connect("publisher")
    for number in range(1, 5):
        scene.send(publisher, publish("a", b"x", number * qos))
    assert known_sessions("taker of alike publishes") == 1
    assert len(scene.broker.router.alike) == 1
    taker.vanish()
    scene.network.clients.remove(taker)
    del taker
    assert known_sessions("taker of alike publishes") == 0
    # Nor is a publisher that has gone.
    scene.connect("taker", "a")
    for _ in range(4):
        scene.send(publisher, publish("a"))
    assert len(scene.broker.router.alike) == 1
    publisher.vanish()
    assert not scene.broker.router.alike


def pieces(stage: Setting, *topics: str) -> list[list[int]]:
    """In which pieces fifty packets of each of these topics in turn leave to each taker."""
    scene = Crowd(stage)
    packets = stream(*map(publish, topics))
    scene.publisher.send(packets)
    for taker in scene.takers:
        taker.take()
    scene.publisher.connection.receive(packets * 50)
    found = [[len(piece) for piece in taker.connection.out] for taker in scene.takers]
    scene.network.settle()
    return found


def test_routes_stand_while_others_come_and_go_that_subscribe_to_nothing() -> None:
    scene = Crowd(Setting(takers=(Taker("#", 0),)))
    scene.publisher.send(LEARN)
    routes = scene.broker.router.verbatim(4)
    known = dict(routes)
    assert set(known) == {b"a", b"b/c"}
    visitor = scene.enter("visitor", 4)
    visitor.send(stream(Disconnect()))
    assert routes == known
    # One whose session is there again is on routes.
    scene.takers[0].vanish()
    assert routes == {}


def test_plain_publishes_of_one_topic_leave_as_one_piece() -> None:
    assert pieces(Setting(takers=(Taker("#", 0),)), "a") == [[6 * 50]]


def test_large_qos_1_packets_leave_as_pieces_that_nobody_joins() -> None:
    scene = Crowd(Setting(takers=(Taker("#", 0), Taker("#", 1))))
    scene.publisher.send(LEARN)
    for taker in scene.takers:
        taker.take()
    scene.publisher.connection.receive(stream(publish("a", b"v" * 40_000, 1)))
    for taker in scene.takers:
        assert taker.connection.bulky
        assert len(taker.connection.out[-1]) == 40_000
    scene.publisher.flush()
    scene.network.settle()


@pytest.mark.parametrize("qos", [1, 2])
def test_of_a_large_payload_that_comes_alone_nobody_makes_a_copy(qos: int) -> None:
    scene = Crowd(Setting(takers=(Taker("#", qos), Taker("+", 0))))
    for number in range(1, 5):
        data = encode_packet(Publish("a", b"v" * 9_000, qos, packet_id=number), 4)
        scene.publisher.connection.receive(data)
    held = scene.takers[0].connection.session.inflight[4]
    parts = [taker.connection.out[-1] for taker in scene.takers]
    assert all(part.obj is data for part in (*parts, held.payload))
    scene.publisher.flush()
    scene.network.settle()
    (*_, queued) = scene.broker.queued(scene.takers[0].connection.client, 9)
    assert bytes(queued.payload) == b"v" * 9_000


def test_a_large_packet_to_takers_of_several_qos_leaves_those_of_others_small() -> None:
    scene = Crowd(Setting(takers=(Taker("b/c", 0), Taker("b/c", 1), Taker("a", 1))))
    scene.publisher.send(LEARN)
    packets = publish("b/c", b"v" * 40_000, 1), publish("a", b"x", 2)
    scene.publisher.connection.receive(stream(*packets))
    assert [taker.connection.bulky for taker in scene.takers] == [True, True, False]
    scene.publisher.flush()
    scene.network.settle()


def test_topics_in_turn_leave_as_one_piece_where_the_same_clients_take_them() -> None:
    both = (Taker("#", 0), Taker("+", 0))
    assert pieces(Setting(takers=both), "a", "b") == [[12 * 50], [12 * 50]]


def test_topics_in_turn_leave_one_by_one_where_others_take_them() -> None:
    assert pieces(Setting(takers=(Taker("#", 0), Taker("a", 0))), "a", "b") == [[6] * 100, [6] * 50]
