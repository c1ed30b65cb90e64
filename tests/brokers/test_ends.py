"""However a connection ends, nothing that it queued or parked takes effect afterwards."""

from collections.abc import Callable
from typing import Any

import pytest
from mockforge_brokers.amqp.wire.frames import method
from mockforge_brokers.clock import ManualClock
from mockforge_brokers.contract import Broker
from mockforge_brokers.environment import Environment
from mockforge_brokers.kafka.broker import KafkaBroker
from mockforge_brokers.kafka.wire.frames import encode_request
from mockforge_brokers.kafka.wire.messages.cluster import MetadataRequest, MetadataRequestTopic
from mockforge_brokers.mqtt.broker import MqttBroker
from mockforge_brokers.mqtt.wire.encode import encode_packet
from mockforge_brokers.mqtt.wire.packets import Connect, Disconnect, Publish, Request, Subscribe

from .amqp.client import Scene, bodies, publish
from .fake_peer import FakeClient, FakeNetwork
from .kafka.scene import fetch, produce


def _kill(client: FakeClient) -> None:
    assert client.network.broker.disconnect(client.peer.id, "by hand")


def _cut(client: FakeClient) -> None:
    assert client.network.broker.disconnect(client.peer.id, "by hand", reset=True)


def _reset(client: FakeClient) -> None:
    client.network.broker.reset()


def _vanish(client: FakeClient) -> None:
    client.vanish()


def _break_the_rules(client: FakeClient) -> None:
    client.send(b"\xff" * 64)


def _shut_down(client: FakeClient) -> None:
    client.connection.shutdown()


ENDS: list[Callable[[FakeClient], None]] = [
    _kill,
    _cut,
    _reset,
    _vanish,
    _break_the_rules,
    _shut_down,
]
every_end = pytest.mark.parametrize("end", ENDS, ids=lambda end: end.__name__.strip("_"))


def network(build: Callable[[Environment], Broker]) -> FakeNetwork:
    environment = Environment.create(ManualClock(), seed=1)
    return FakeNetwork(build(environment), environment)


def pass_time(net: FakeNetwork) -> None:
    clock = net.environment.clock
    assert isinstance(clock, ManualClock)
    for _ in range(40):
        clock.advance(1)
        net.settle()


@every_end
def test_kafka_requests_behind_a_parked_one_are_never_carried_out(
    end: Callable[[FakeClient], None],
) -> None:
    net = network(KafkaBroker)
    broker: Any = net.broker
    broker.create_topic("t", 1)
    client = net.connect()
    asked = MetadataRequest(
        topics=[MetadataRequestTopic(name="made")], allow_auto_topic_creation=True
    )
    client.send(
        encode_request(fetch("t", 0, wait=400), 11, 1, "x")
        + encode_request(produce("t", b"zombie"), 9, 2, "x")
        + encode_request(asked, 5, 3, "x")
    )
    end(client)
    if end is _reset:
        broker.create_topic("t", 1)
    pass_time(net)
    assert (list(broker.cluster.topics), broker.cluster.topics["t"].records) == (["t"], 0)
    assert client.peer.ended
    assert broker.connections() == []


@every_end
def test_amqp_publishes_of_a_transaction_that_was_not_committed_are_forgotten(
    end: Callable[[FakeClient], None],
) -> None:
    scene = Scene()
    client, other = scene.client(), scene.client()
    client.send("queue.declare", queue="q")
    client.send("tx.select")
    client.fake.send(publish("", "q", b"lost") + publish("", "q", b"half")[:-3])
    end(client.fake)
    pass_time(scene.network)
    if end is _reset:
        assert scene.broker.destinations() == []
        return
    assert other.send("queue.declare", queue="q")[0]["message_count"] == 0


def test_amqp_frames_behind_a_close_take_no_effect() -> None:
    scene = Scene()
    client, other = scene.client(), scene.client()
    client.send("queue.declare", queue="q")
    close = method(0, "connection.close", reply_code=200, reply_text="", class_id=0, method_id=0)
    client.fake.send(publish("", "q", b"kept") + close + publish("", "q", b"late"))
    assert bodies(other.send("basic.consume", queue="q", no_ack=True)) == [b"kept"]


@pytest.mark.parametrize("end", [end for end in ENDS if end is not _break_the_rules])
def test_mqtt_packets_behind_an_incomplete_one_take_no_effect(
    end: Callable[[FakeClient], None],
) -> None:
    net = network(MqttBroker)
    watcher, client = net.connect(), net.connect()
    watcher.send(encode_packet(Connect("watcher"), 4))
    watcher.send(encode_packet(Subscribe(1, [Request("#", 1)]), 4))
    client.send(encode_packet(Connect("client"), 4))
    watcher.take()
    seen: list[Any] = []
    net.broker.watch(seen.append)
    client.send(encode_packet(Publish("t", b"x" * 100, 1, packet_id=1), 4)[:-1])
    end(client)
    pass_time(net)
    assert client.peer.ended
    assert seen == []


def test_mqtt_packets_behind_a_disconnect_take_no_effect() -> None:
    net = network(MqttBroker)
    client = net.connect()
    seen: list[Any] = []
    net.broker.watch(seen.append)
    early, late = (encode_packet(Publish(name, b"x"), 4) for name in ("early", "late"))
    client.send(encode_packet(Connect("client"), 4) + early + encode_packet(Disconnect(), 4) + late)
    assert [one.destination for one in seen] == ["early"]


def test_sending_is_paused_by_any_hand_and_resumed_by_the_last() -> None:
    net = network(KafkaBroker)
    client = net.connect()
    client.peer.pause_sending()
    client.peer.pause_sending()
    client.peer.resume_sending()
    assert net.broker.connections()[0].state == "slow"
    client.peer.resume_sending()
    assert net.broker.connections()[0].state != "slow"
