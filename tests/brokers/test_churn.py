"""What is kept of connections, clients and their names does not grow with every one that came."""

import asyncio
import gc
from collections import Counter
from collections.abc import Awaitable, Callable

import pytest
from mockforge_brokers.amqp.broker import AmqpBroker
from mockforge_brokers.amqp.records import table
from mockforge_brokers.amqp.v1_0.wire import frames as later
from mockforge_brokers.amqp.v1_0.wire.performatives import Composite
from mockforge_brokers.amqp.v1_0.wire.values import Symbol
from mockforge_brokers.amqp.wire.frames import PROTOCOL_HEADER, method
from mockforge_brokers.clock import AdjustableClock, LoopClock, ManualClock
from mockforge_brokers.environment import Environment
from mockforge_brokers.events import ConnectionClosed
from mockforge_brokers.kafka.broker import KafkaBroker
from mockforge_brokers.kafka.codes import ApiKey
from mockforge_brokers.kafka.options import KafkaOptions
from mockforge_brokers.kafka.wire.frames import encode_request
from mockforge_brokers.kafka.wire.messages.cluster import ApiVersionsRequest
from mockforge_brokers.kafka.wire.messages.groups import (
    JoinGroupRequest,
    JoinGroupRequestProtocol,
    LeaveGroupRequest,
)
from mockforge_brokers.limits import Limits
from mockforge_brokers.listener import Listener
from mockforge_brokers.mqtt.broker import MqttBroker
from mockforge_brokers.mqtt.state import router
from mockforge_brokers.mqtt.wire.encode import encode_packet
from mockforge_brokers.mqtt.wire.packets import Connect, Disconnect, Publish, Request, Subscribe
from mockforge_brokers.transport import Server

from .amqp.client import Scene as AmqpScene
from .fake_peer import FakeNetwork
from .kafka.scene import Scene as KafkaScene
from .kafka.scene import fetch

LIMITS = Limits(journal_ended=10, ended_connections=10, kafka_groups=10)
Visit = Callable[[int], None]


def mqtt() -> Visit:
    """Comes with a name, a filter and a topic of its own."""
    clock = AdjustableClock(ManualClock())
    environment = Environment.create(clock, seed=1, limits=LIMITS)
    network = FakeNetwork(MqttBroker(environment), environment)

    def visit(number: int) -> None:
        client = network.connect()
        topic = f"t/{number}"
        client.send(encode_packet(Connect(f"c{number}"), 4))
        client.send(encode_packet(Subscribe(1, [Request(topic, 1)]), 4))
        client.send(encode_packet(Publish(topic, b"x", 1, packet_id=1), 4))
        if number % 2:
            client.send(encode_packet(Disconnect(), 4))
        else:
            client.vanish()
        network.clients.remove(client)
        clock.advance(0.01)

    return visit


def amqp() -> Visit:
    """Comes with a queue, a binding and an unacknowledged message of its own."""
    scene = AmqpScene(limits=LIMITS)
    # What the scene notes for its tests grows, of course.
    scene.stop_noting()

    def visit(number: int) -> None:
        client = scene.client()
        (declared,) = client.send("queue.declare", queue="", exclusive=True)
        key = f"k{number}"
        client.send("queue.bind", queue=declared["queue"], exchange="amq.topic", routing_key=key)
        client.publish("amq.topic", key, b"x")
        client.publish("amq.topic", f"nobody's {key}", b"x")
        client.send("basic.consume", queue=declared["queue"])
        client.fake.vanish()
        scene.network.clients.remove(client.fake)
        # As transport says it of a socket.
        closed = ConnectionClosed("amqp", client.fake.peer.id, "", "it vanished")
        scene.environment.spine.emit(closed)
        scene.advance(0.01)

    return visit


def kafka() -> Visit:
    """Comes with a group of its own, and leaves a long poll behind."""
    scene = KafkaScene(limits=LIMITS)
    scene.broker.create_topic("t", 1)

    def visit(number: int) -> None:
        client = scene.network.connect()
        join = JoinGroupRequest(
            group_id=f"g{number}",
            session_timeout_ms=10_000,
            rebalance_timeout_ms=10_000,
            protocol_type="consumer",
            protocols=[JoinGroupRequestProtocol(name="range", metadata=b"")],
        )
        scene.ask(client, join, 2)
        scene.clock.advance(4)
        scene.network.settle()
        member = scene.answer(client, ApiKey.JOIN_GROUP, 2).member_id
        scene.ask(client, LeaveGroupRequest(group_id=f"g{number}", member_id=member), 1)
        client.take()
        scene.ask(client, fetch("t", 0, wait=400), 11)
        client.vanish()
        scene.network.clients.remove(client)

    return visit


def objects() -> Counter[str]:
    gc.collect()
    return Counter(type(each).__name__ for each in gc.get_objects())


@pytest.mark.parametrize("protocol", [mqtt, amqp, kafka])
def test_nothing_grows_with_every_visitor(
    protocol: Callable[[], Visit], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(router, "MOST_ROUTES", 10)
    visit = protocol()
    # As many as fill what is bounded by number, above all the spine's history.
    for number in range(1000):
        visit(number)
    before = objects()
    for number in range(1000, 2000):
        visit(number)
    grown = objects() - before
    # The journal's gaps are closed from time to time: some hundreds are there or not.
    assert {name: count for name, count in grown.items() if count >= 1000} == {}


async def left_behind(visit: Callable[[], Awaitable[None]]) -> Counter[str]:
    """The objects by type that three visits leave to the collector."""
    # What only the first one makes is made.
    await visit()
    # Other tests of this process may have left connections that somebody still holds.
    before = objects()
    gc.disable()
    try:
        for _ in range(3):
            await visit()
        return Counter(type(each).__name__ for each in gc.get_objects()) - before
    finally:
        gc.enable()


@pytest.mark.parametrize("last_words", [b"", encode_packet(Disconnect(), 4)])
def test_an_ended_mqtt_connection_leaves_nothing_for_the_collector(last_words: bytes) -> None:
    async def main() -> None:
        environment = Environment.create(LoopClock(asyncio.get_running_loop()), seed=1)
        server = Server(MqttBroker(environment), environment)
        port = (await server.listen(Listener("mqtt"))).port

        async def visit() -> None:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(encode_packet(Connect(""), 4))
            await reader.readexactly(4)
            writer.write(encode_packet(Subscribe(1, [Request("t", 1)]), 4))
            writer.write(encode_packet(Publish("t", b"x", 1, packet_id=1), 4))
            await reader.readexactly(5 + 4)
            writer.write(last_words)
            writer.close()
            await writer.wait_closed()
            while server.endpoints:
                await asyncio.sleep(0)

        left = await left_behind(visit)
        # The server's turns may remember the one that they answered last.
        assert left["Endpoint"] <= 1
        assert left["MqttConnection"] + left["Outlet"] == 0
        await server.close()

    asyncio.run(asyncio.wait_for(main(), 150))


def test_an_ended_kafka_connection_leaves_nothing_for_the_collector() -> None:
    async def main() -> None:
        environment = Environment.create(LoopClock(asyncio.get_running_loop()), seed=1)
        broker = KafkaBroker(environment, KafkaOptions())
        server = Server(broker, environment)
        port = (await server.listen(Listener("kafka"))).port

        async def visit() -> None:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(encode_request(ApiVersionsRequest(), 0, 1, "c"))
            await reader.readexactly(int.from_bytes(await reader.readexactly(4)))
            # A long poll that is never answered.
            writer.write(encode_request(fetch("t", 0, wait=60_000), 11, 2, "c"))
            while not all(each.state == "waiting" for each in broker.connections()):
                await asyncio.sleep(0)
            writer.close()
            await writer.wait_closed()
            while server.endpoints:
                await asyncio.sleep(0)

        broker.create_topic("t", 1)
        left = await left_behind(visit)
        names = ("KafkaConnection", "Requests", "Caller", "Waiting")
        assert {name: left[name] for name in names if left[name]} == {}
        await server.close()

    asyncio.run(asyncio.wait_for(main(), 150))


@pytest.mark.parametrize("closes", [False, True])
def test_an_ended_amqp_connection_leaves_nothing_for_the_collector(closes: bool) -> None:
    plain = {"client_properties": table({}), "mechanism": "PLAIN", "locale": "en_US"}
    consume = {"consumer_tag": "c", "arguments": table({})}
    consume |= dict.fromkeys(("no_local", "no_ack", "exclusive", "no_wait"), False)
    asked = [
        (PROTOCOL_HEADER, "connection.start"),
        (method(0, "connection.start-ok", response="\0guest\0guest", **plain), "connection.tune"),
        (method(0, "connection.tune-ok", channel_max=9, frame_max=131_072, heartbeat=60), ""),
        (method(0, "connection.open", virtual_host="/"), "connection.open-ok"),
        (method(1, "channel.open"), "channel.open-ok"),
        (method(1, "basic.consume", queue="q", **consume), "basic.consume-ok"),
    ]
    if closes:
        close = method(
            0, "connection.close", reply_code=200, reply_text="", class_id=0, method_id=0
        )
        asked.append((close, "connection.close-ok"))

    async def main() -> None:
        environment = Environment.create(LoopClock(asyncio.get_running_loop()), seed=1)
        broker = AmqpBroker(environment)
        broker.declare_queue("q")
        server = Server(broker, environment)
        port = (await server.listen(Listener("amqp"))).port

        async def visit() -> None:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            for frame, answer in asked:
                writer.write(frame)
                if answer:
                    head = await reader.readexactly(7)
                    await reader.readexactly(int.from_bytes(head[3:]) + 1)
            writer.close()
            await writer.wait_closed()
            while server.endpoints:
                await asyncio.sleep(0)

        left = await left_behind(visit)
        names = (
            "Connection",
            "Channel",
            "Consumer",
            "Delivery",
            "Heartbeat",
            "Handshake",
        )
        assert {name: left[name] for name in names if left[name]} == {}
        await server.close()

    asyncio.run(asyncio.wait_for(main(), 150))


@pytest.mark.parametrize("closes", [False, True])
def test_an_ended_amqp_1_0_connection_leaves_nothing_for_the_collector(closes: bool) -> None:
    plain = {"mechanism": "PLAIN", "initial_response": b"\0guest\0guest"}
    link = {"source": Composite("source", {"address": "/queues/q"}), "name": "r", "handle": 1}
    flow = {"incoming_window": 10, "next_outgoing_id": 0, "outgoing_window": 10}
    to = {"target": Composite("target", {"address": "/queues/q"}), "name": "s", "handle": 0}
    managing = {
        "source": Composite("source", {"address": "/management"}),
        "target": Composite("target", {"address": "/management"}),
        "properties": {Symbol("paired"): True},
        "name": "m",
    }
    asked = [
        (later.SASL_HEADER, 2),
        (later.sasl("sasl-init", **plain), 1),
        (later.HEADER, 1),
        (later.performative(0, "open", container_id="c"), 1),
        (
            later.performative(
                0, "begin", next_outgoing_id=0, incoming_window=9, outgoing_window=9
            ),
            1,
        ),
        # To a sender flow follows.
        (later.performative(0, "attach", role=False, initial_delivery_count=0, **to), 2),
        (later.performative(0, "attach", role=True, target=Composite("target", {}), **link), 1),
        (later.performative(0, "attach", role=True, handle=2, **managing), 1),
        (
            later.performative(
                0, "attach", role=False, handle=3, initial_delivery_count=0, **managing
            ),
            2,
        ),
        # What it publishes comes back to it, and is never settled: that it is accepted goes before.
        (later.performative(0, "flow", handle=1, link_credit=5, next_incoming_id=0, **flow), 0),
        (
            later.frame(
                0,
                later.performative(0, "transfer", handle=0, delivery_id=0, delivery_tag=b"t")[8:]
                + b"\x00\x53\x75\xa0\x01x",
            ),
            2,
        ),
    ]
    if closes:
        asked.append((later.performative(0, "close"), 1))

    async def main() -> None:
        environment = Environment.create(LoopClock(asyncio.get_running_loop()), seed=1)
        broker = AmqpBroker(environment)
        broker.declare_queue("q")
        server = Server(broker, environment)
        port = (await server.listen(Listener("amqp"))).port

        async def visit() -> None:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            for sent, answers in asked:
                writer.write(sent)
                for _ in range(answers):
                    head = await reader.readexactly(8)
                    if not head.startswith(b"AMQP"):
                        await reader.readexactly(int.from_bytes(head[:4]) - 8)
            writer.close()
            await writer.wait_closed()
            while server.endpoints:
                await asyncio.sleep(0)
            assert len(broker.vhost().queues["q"].messages) == 1
            broker.purge_queue("q")

        left = await left_behind(visit)
        names = (
            "Connection",
            "Session",
            "Sessions",
            "Attached",
            "Outgoing",
            "Incoming",
            "Consumer",
            "ManagementLink",
            "Heartbeat",
            "Handshake",
        )
        assert {name: left[name] for name in names if left[name]} == {}
        await server.close()

    asyncio.run(asyncio.wait_for(main(), 150))
