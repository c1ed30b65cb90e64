"""A conversation in each protocol's words with real brokers behind real endpoints, without sockets.

What a client sends is the same bytes in the same order whatever comes back, so that what a rule
does shows as the difference from the conversation without one.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from brokers.amqp.client import CAPABILITIES
from brokers.amqp.client import publish as amqp_publish
from brokers.kafka.scene import fetch, produce
from brokers.wire import Wire
from mockforge_brokers.amqp.records import table
from mockforge_brokers.amqp.v1_0.wire import message as message_1_0
from mockforge_brokers.amqp.v1_0.wire import performatives
from mockforge_brokers.amqp.v1_0.wire.frames import HEADER, SASL_HEADER, frame, performative, sasl
from mockforge_brokers.amqp.v1_0.wire.performatives import Composite
from mockforge_brokers.amqp.wire.frames import PROTOCOL_HEADER, method
from mockforge_brokers.endpoint import Endpoint
from mockforge_brokers.events import FaultFired
from mockforge_brokers.journal import IN, OUT, Row
from mockforge_brokers.kafka.codes import ApiKey
from mockforge_brokers.kafka.wire.catalog import REQUESTS
from mockforge_brokers.kafka.wire.frames import encode_request
from mockforge_brokers.kafka.wire.messages.cluster import MetadataRequestTopic
from mockforge_brokers.kafka.wire.messages.offsets import (
    OffsetCommitRequestPartition,
    OffsetCommitRequestTopic,
)
from mockforge_brokers.kafka.wire.messages.transactions import AddPartitionsToTxnTopic
from mockforge_brokers.kafka.wire.schema import Message
from mockforge_brokers.listener import Listener
from mockforge_brokers.misbehaviour.actions import Watch
from mockforge_brokers.misbehaviour.rules import Match, Rule
from mockforge_brokers.mqtt.codes import PacketType
from mockforge_brokers.mqtt.sn import messages as sn
from mockforge_brokers.mqtt.sn.codec import encode
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
    Unsubscribe,
    Will,
)
from mockforge_brokers.transport import Server
from msgspec.structs import replace

from .console.scene import Scene

Words = list[tuple[int, bytes]]
"""Who of the conversation's clients says what."""
BODY: Final = b'{"id": 7, "status": "paid"}'
TICK: Final = 0.01
"""Seconds between two words, and what each of them is late at most where a rule says so."""


def _kafka() -> Words:
    def ask(client: int, api: ApiKey | Message, version: int, **fields: Any) -> tuple[int, bytes]:
        request = REQUESTS[api](**fields) if isinstance(api, ApiKey) else api
        name = ("order-svc", "audit")[client]
        numbers[client] += 1
        return client, encode_request(request, version, numbers[client], name)

    numbers = [0, 0]
    commit = [
        OffsetCommitRequestTopic(
            name="orders",
            partitions=[OffsetCommitRequestPartition(partition_index=0, committed_offset=1)],
        )
    ]
    orders = [MetadataRequestTopic(name="orders")]
    return [
        ask(0, ApiKey.API_VERSIONS, 3, client_software_name="test", client_software_version="1"),
        ask(1, ApiKey.API_VERSIONS, 3, client_software_name="test", client_software_version="1"),
        ask(0, ApiKey.METADATA, 9, topics=orders),
        ask(0, produce("orders", BODY, b"second"), 8),
        ask(1, fetch("orders", 0), 11),
        ask(0, ApiKey.ADD_PARTITIONS_TO_TXN, 3, v3_and_below_transactional_id="till",
            v3_and_below_producer_id=1, v3_and_below_producer_epoch=0,
            v3_and_below_topics=[AddPartitionsToTxnTopic(name="orders", partitions=[0])]),
        ask(1, ApiKey.OFFSET_COMMIT, 7, group_id="billing", generation_id_or_member_epoch=-1,
            member_id="", topics=commit),
        ask(1, ApiKey.HEARTBEAT, 4, group_id="billing", generation_id=1, member_id="nobody"),
        ask(0, produce("gone", b"nobody"), 8),
    ]  # fmt: skip


def _mqtt() -> Words:
    def say(client: int, packet: Packet) -> tuple[int, bytes]:
        return client, encode_packet(packet, 5)

    told = {"content_type": "application/json", "user_property": [("trace", "abc")]}
    will = Will("gone/dev-7", b"away")
    return [
        say(0, Connect("dev-7", 5, user_name="alice", password=b"a", will=will)),
        say(1, Connect("dev-8", 5, user_name="bob", password=b"b")),
        say(1, Subscribe(1, [Request("sensors/#", 2)], {"user_property": [("trace", "b")]})),
        say(0, Publish("sensors/a", BODY, 0, properties=told)),
        say(0, Publish("sensors/b", b"21.5", 1, packet_id=2, retain=True)),
        say(1, Ack(PacketType.PUBACK, 1)),
        say(0, Publish("sensors/c", b"22.5", 2, packet_id=3)),
        say(0, Ack(PacketType.PUBREL, 3)),
        say(1, Ack(PacketType.PUBREC, 2)),
        say(1, Ack(PacketType.PUBCOMP, 2)),
        say(0, Publish("nobody", b"1", 1, packet_id=4)),
        say(1, Unsubscribe(2, ["sensors/#"])),
        say(0, Pingreq()),
        say(1, Connect("dev-8", 5)),
        say(0, Disconnect()),
    ]


def _mqtt_sn() -> Words:
    spoken = [
        sn.Connect("dev-9", 600),
        sn.Register(1, "sensors/a"),
        sn.Subscribe(2, topic_name="sensors/a", qos=1),
        sn.Publish(1, BODY, 1, message_id=3),
        sn.Puback(1, 1),
        sn.Publish(7, b"lost", 1, message_id=4),
        sn.Pingreq(),
        sn.Unsubscribe(5, topic_name="sensors/a"),
        sn.Disconnect(),
    ]
    return [(0, encode(each)) for each in spoken]


def telling(count: int) -> Words:
    """One client that publishes so many messages for topic `t`, one each tick."""
    told = [Publish("t", b"%d" % number, 1, packet_id=number) for number in range(1, count + 1)]
    return [(0, encode_packet(each, 5)) for each in (Connect("teller", 5), *told)]


def _login(name: str) -> list[bytes]:
    return [
        PROTOCOL_HEADER,
        method(
            0,
            "connection.start-ok",
            client_properties=table({"capabilities": CAPABILITIES, "connection_name": name}),
            mechanism="PLAIN",
            response="\0guest\0guest",
            locale="en_US",
        ),
        method(0, "connection.tune-ok", channel_max=2047, frame_max=131_072, heartbeat=0),
        method(0, "connection.open", virtual_host="/"),
        method(1, "channel.open"),
    ]


def _amqp() -> Words:
    headers = {"trace": "abc"}
    mail: dict[str, Any] = {"queue": "q", "arguments": {}}
    shop = [
        *_login("web"),
        method(1, "queue.declare", **mail),
        method(1, "queue.bind", exchange="amq.topic", routing_key="order.*", **mail),
        method(1, "confirm.select"),
        amqp_publish("amq.topic", "order.paid", BODY, headers=headers, content_type="text/plain"),
        amqp_publish("amq.topic", "order.paid", b"second"),
        amqp_publish("amq.topic", "nowhere", b"lost", mandatory=True),
    ]
    worker = [
        *_login("worker"),
        method(1, "basic.consume", consumer_tag="mail", **mail),
        method(1, "basic.nack", delivery_tag=1, requeue=True),
        method(1, "basic.ack", delivery_tag=2),
        method(1, "basic.ack", delivery_tag=3),
        method(1, "basic.get", queue="q"),
        method(1, "queue.declare", queue="nobody", passive=True, arguments={}),
        method(1, "channel.close-ok"),
        method(0, "connection.close"),
    ]
    return [(0, each) for each in shop] + [(1, each) for each in worker]


def _amqp_1_0() -> Words:
    def say(what: str, /, **fields: Any) -> bytes:
        return performative(0, what, **fields)

    def transfer(number: int, body: bytes, **fields: Any) -> bytes:
        given = {"handle": 0, "delivery_id": number, "delivery_tag": b"t", **fields}
        return frame(0, performatives.write("transfer", **given) + message_1_0.data_section(body))

    address = {"address": "/queues/q"}
    window = {"incoming_window": 1000, "next_outgoing_id": 0, "outgoing_window": 1000}
    spoken = [
        SASL_HEADER,
        sasl("sasl-init", mechanism="PLAIN", initial_response=b"\0guest\0guest"),
        HEADER,
        say("open", container_id="shop"),
        say("begin", **window),
        say("attach", name="s", handle=0, role=False, source=Composite("source", {}),
            target=Composite("target", address), initial_delivery_count=0),
        transfer(0, BODY),
        transfer(1, b"second"),
        say("attach", name="r", handle=1, role=True, source=Composite("source", address),
            target=Composite("target", {})),
        say("flow", handle=1, link_credit=10, next_incoming_id=0, **window),
        say("disposition", role=True, first=0, settled=True, state=Composite("accepted", {})),
        say("detach", handle=1, closed=True),
        say("end"),
        say("close"),
    ]  # fmt: skip
    return [(0, each) for each in spoken]


CONVERSATIONS: Final = {
    "kafka": ("kafka", _kafka),
    "mqtt": ("mqtt", _mqtt),
    "mqtt-sn": ("mqtt", _mqtt_sn),
    "amqp": ("amqp", _amqp),
    "amqp 1.0": ("amqp", _amqp_1_0),
}
"""By name: whose protocol it is, and what is said."""


Frame = tuple[int, int, str]
"""What tells a conversation's frames apart for a rule: connection, direction, operation."""


@dataclass
class Seen:
    """What a conversation was for who looks at it."""

    fired: list[tuple[int, Frame]] = field(default_factory=list)
    """Which rule, for which frame."""
    times: list[float] = field(default_factory=list)
    """And when, in seconds since the beginning."""
    wires: list[list[tuple[float, bytes]]] = field(default_factory=list)
    """For each client: what it was sent, and when."""
    ends: list[tuple[float, str]] = field(default_factory=list)
    """Of each client: when, and how; "" where its connection stays."""


class _NotingWire(Wire):
    def __init__(self, now: Any) -> None:
        super().__init__()
        self.now = now
        self.end: tuple[float, str] = (0.0, "")
        self.notes: list[tuple[float, bytes]] = []

    def write(self, data: bytes) -> None:
        # How many writes it takes is no difference.
        before = self.notes.pop()[1] if self.notes and self.notes[-1][0] == self.now() else b""
        self.notes.append((self.now(), before + data))

    def close(self) -> None:
        self._over("closed")

    def abort(self) -> None:
        self._over("reset")

    def _over(self, how: str) -> None:
        if not self.end[1]:
            self.end = self.now(), how
        self.over = True


class Stage:
    """Brokers on a manual clock, and conversations with them."""

    def __init__(self, name: str, words: Words | None = None) -> None:
        self.protocol, spoken = CONVERSATIONS[name]
        self.words = spoken() if words is None else words
        self.scene = Scene(furnished=False, journal=False)
        self._server = asyncio.run(self._serve())
        self._soon: deque[Callable[[], object]] = deque()
        for each in (self._server.turns, self._server.backlog):
            each._call_soon = self._call_soon
        self._server.poll._call_soon = lambda call: None
        self._server.call_later = self.scene.time.call_later
        # However slow the machine is, what comes is handled in one go.
        self.scene.environment.turn.length = 60.0
        self._server.backlog.crowded = lambda: False  # type: ignore[method-assign]
        self._listener = Listener(self.protocol, port=1, datagram=name == "mqtt-sn")
        self._begun = 0.0
        self._seen = Seen()
        self.scene.spine.watch(self._note)

    async def _serve(self) -> Server:
        return Server(self.scene.brokers[self.protocol], self.scene.environment)

    def _call_soon(self, call: Callable[..., object], *args: object) -> None:
        self._soon.append(lambda: call(*args))

    def _note(self, event: object) -> None:
        if isinstance(event, FaultFired):
            frame = event.connection, event.direction, event.operation
            self._seen.fired.append((event.rule, frame))
            self._seen.times.append(self._now())

    def _now(self) -> float:
        return round(self.scene.time.now() - self._begun, 6)

    def converse(self) -> Seen:
        """All that is to be said; what waits behind its end has its time, too."""
        self.scene.environment.last_connection = 0
        self._prepare()
        ends: list[Endpoint] = []
        self._begun = self.scene.time.now()
        self._seen = seen = Seen()
        for _ in range(len({client for client, _ in self.words})):
            end = self._server._endpoint(self._listener)
            end.connection_made(_NotingWire(self._now))  # type: ignore[arg-type]
            ends.append(end)
        for client, data in self.words:
            wire = ends[client].transport
            if not wire.is_closing():
                ends[client].data_received(data)
            self._turn()
            self.scene.time.advance(TICK)
            self._turn()
        self.scene.time.advance(60 * TICK)
        self._turn()
        for end in ends:
            wire = end.transport
            seen.wires.append(wire.notes)  # type: ignore[attr-defined]
            seen.ends.append(wire.end)  # type: ignore[attr-defined]
            if not end._lost:
                end.abort("over")
            end.connection_lost(None)
        self._turn()
        return seen

    def overheard(self) -> list[list[Row]]:
        """The parts of each frame of the conversation, as rules see them."""
        frames: list[list[Row]] = []
        parts: list[Row] = []

        def note(row: Row) -> bool:
            parts.append(replace(row))
            return True

        def end(event: object) -> None:
            if isinstance(event, FaultFired):
                frames.append(list(parts))
                parts.clear()

        stop = self.scene.spine.watch(end)
        for way in (IN, OUT):
            self.scene.faults.add(Rule(Match("", note, way), Watch()))
        self.converse()
        self.scene.faults.clear()
        stop()
        return frames

    def _prepare(self) -> None:
        self.scene.brokers[self.protocol].reset()
        if self.protocol == "kafka":
            self.scene.kafka.create_topic("orders", 1)
        elif self.words[0][1] == SASL_HEADER:
            self.scene.amqp.declare_queue("q")

    def _turn(self) -> None:
        """What the loop does in its next turns."""
        while self._soon:
            self._soon.popleft()()
