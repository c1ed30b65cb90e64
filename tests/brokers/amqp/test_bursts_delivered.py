"""Messages of a burst that a consumer gets at once come as those that it gets one by one."""

from typing import Any
from unittest.mock import patch

import pytest
from mockforge_brokers.amqp.channel import delivery
from mockforge_brokers.amqp.channel.delivery import Delivery
from mockforge_brokers.amqp.channel.publishing import Publishing
from mockforge_brokers.amqp.state.queues.queue import Queue
from mockforge_brokers.amqp.wire import frames

from .client import Scene, publish

BURSTS = {
    "few": [publish("", "q", b"body") * 5],
    "many": [publish("", "q", b"body") * 100],
    "of two sizes": [publish("", "q", b"body") * 7 + publish("", "q", b"longer") * 7],
    "empty": [publish("", "q", b"") * 7],
    "of two keys": [publish("", "q", b"body") * 7 + publish("amq.direct", "k", b"body") * 7],
    "with ids": [b"".join(publish("", "q", b"body", message_id=each) for each in "abcdefgh")],
    "on another channel": [publish("", "q", b"body", channel=2) * 7],
    "larger than a frame": [publish("", "q", b"b" * 5000) * 5],
    "bulky": [publish("", "q", b"b" * 40_000) * 5],
    "bulky, in pieces and of two keys": [
        publish("", "q", b"b" * 40_000) * 3,
        publish("amq.direct", "k", b"c" * 40_000) * 3 + publish("", "q", b"d" * 40_000) * 2,
        publish("", "q", b"body") * 2 + publish("", "q", b"e" * 40_000, channel=2) * 3,
    ],
    "long": [publish("", "q", b"b" * 4096) * 5],
    "in pieces": [publish("", "q", b"body") * 6, publish("", "q", b"body") * 6],
}
TAKERS = {
    "one": [{"no_ack": True}],
    "one with small frames": [{"no_ack": True, "frame": 4096}],
    "two": [{"no_ack": True}, {"no_ack": True}],
    "one who acknowledges": [{"no_ack": False}],
    "one who acknowledges, with small frames": [{"no_ack": False, "frame": 4096}],
    "one who takes few": [{"no_ack": False, "prefetch": 3}],
    "one whose channel takes few": [{"no_ack": False, "prefetch": 3, "is_global": True}],
    "one after the other": [{"no_ack": False, "prefetch": 1}],
    "one of each": [{"no_ack": True}, {"no_ack": False}],
}

_ALL = {"delivery_tag": 0, "multiple": True}
SETTLEMENTS = [
    frames.method(1, "basic.ack", **_ALL),
    frames.method(1, "basic.nack", **_ALL, requeue=True),
    *[frames.method(1, "basic.ack", **_ALL)] * 3,
]


def outcome(burst: list[bytes], takers: list[dict[str, Any]], *, stopped: bool) -> list[object]:
    scene = Scene()
    publisher = scene.client(tune=(2047, 131_072, 0))
    publisher.open(2)
    publisher.send("queue.declare", queue="q")
    publisher.send("queue.bind", queue="q", exchange="amq.direct", routing_key="k")
    publisher.send("confirm.select")
    clients = []
    for taker in takers:
        client = scene.client(tune=(2047, taker.get("frame", 131_072), 0))
        few = taker.get("prefetch", 0)
        client.send("basic.qos", prefetch_count=few, is_global=taker.get("is_global", False))
        client.send("basic.consume", queue="q", consumer_tag="c", no_ack=taker["no_ack"])
        clients.append(client)
    if stopped:
        clients[0].fake.connection.set_writable(False)
    seen: list[object] = []

    def look() -> None:
        nonlocal seen
        seen += [(each.fake.connection.bulky, len(each.fake.connection.out)) for each in clients]
        seen += [publisher.fake.take(), *(each.fake.take() for each in clients)]
        queue = scene.broker.vhost().queues["q"]
        seen.append([message.content for message in queue.messages])
        seen.append((queue.published, queue.delivered, queue.unacked, queue.redelivered))
        seen += [scene.broker.memory.used, [each.fake.connection.outgoing for each in clients]]
        unacked = [each.fake.connection.channels.open[1].unacked for each in clients]
        seen += [
            [(tag, one.content, one.consumer and one.consumer.tag) for tag, one in all_.items()]
            for all_ in unacked
        ]
        # Who held back goes on.
        scene.advance(0)

    for part in burst:
        publisher.fake.send(part)
        look()
    scene.advance(0.01)
    for settle in SETTLEMENTS:
        for client, taker in zip(clients, takers, strict=True):
            if not taker["no_ack"]:
                client.fake.send(settle)
                look()
    if stopped:
        clients[0].fake.connection.set_writable(True)
        scene.advance(0.01)
        look()
    return [seen, scene.broker.destinations(), scene.broker.connections(), scene.events]


@pytest.mark.parametrize("most", [0, 150, 1_000_000])
@pytest.mark.parametrize("stopped", [False, True])
@pytest.mark.parametrize("takers", TAKERS)
@pytest.mark.parametrize("burst", BURSTS)
def test_a_burst_is_delivered_as_its_messages_are(
    burst: str, takers: str, stopped: bool, most: int
) -> None:
    """`most` is what is delivered before the consumer's connection holds back."""
    with patch.object(delivery, "_BURST", most):
        found = outcome(BURSTS[burst], TAKERS[takers], stopped=stopped)
        with (
            patch.object(Publishing, "takes_all", lambda *_: False),
            patch.object(Queue, "_deliver_some", lambda *_: False),
        ):
            assert found == outcome(BURSTS[burst], TAKERS[takers], stopped=stopped)


def test_a_burst_for_one_who_does_not_acknowledge_is_delivered_together() -> None:
    counts: list[int] = []

    def counted(self: Delivery, route: Any, contents: Any, size: int) -> int:
        counts.append(deliver_all(self, route, contents, size))
        return counts[-1]

    deliver_all = Delivery.deliver_all
    with patch.object(Delivery, "deliver_all", counted):
        outcome(BURSTS["many"], TAKERS["one"], stopped=False)
    # The first is examined, and the second known.
    assert max(counts) >= 98


@pytest.mark.parametrize("taker", ["one", "one who acknowledges"])
def test_what_waits_is_delivered_together(taker: str) -> None:
    counts: list[int] = []

    def counted(self: Delivery, messages: Any, *, no_ack: bool) -> int:
        counts.append(deliver_messages(self, messages, no_ack=no_ack))
        return counts[-1]

    deliver_messages = Delivery.deliver_messages
    scene = Scene()
    publisher, client = scene.client(), scene.client()
    publisher.send("queue.declare", queue="q")
    publisher.fake.send(b"".join(publish("", "q", b"body") for _ in range(300)))
    with patch.object(Delivery, "deliver_messages", counted):
        client.send("basic.consume", queue="q", no_ack=TAKERS[taker][0]["no_ack"])
    assert counts == [256, 44]
