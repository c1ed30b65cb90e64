"""What people see of consumers: credit, what is unacked, and for how long."""

import pytest
from mockforge_brokers.amqp.consumers import ConsumerView

from .client import Scene, publish
from .v1_0.client import Client as LaterClient


def _only(scene: Scene) -> ConsumerView:
    (found,) = scene.broker.consumers()
    return found


def test_credit_and_unacked_are_those_of_each_consumer(scene: Scene) -> None:
    client = scene.client(name="app")
    for queue in ("a", "b"):
        client.send("queue.declare", queue=queue)
        client.fake.send(publish("", queue) * 5)
    client.send("basic.qos", prefetch_count=3)
    client.send("basic.consume", queue="a", consumer_tag="limited")
    client.send("basic.qos", prefetch_count=0)
    client.send("basic.consume", queue="b", consumer_tag="endless")
    client.send("basic.consume", queue="b", consumer_tag="quick", no_ack=True)
    client.send("basic.ack", delivery_tag=1)
    found = {each.tag: each for each in scene.broker.consumers()}
    limited, endless, quick = found["limited"], found["endless"], found["quick"]
    assert (limited.credit, limited.unacked, limited.state) == (0, 3, "no credit")
    assert (limited.client, limited.channel, limited.prefetch) == ("app", 1, 3)
    assert (endless.credit, endless.unacked, endless.state) == (None, 5, "waiting")
    assert (quick.credit, quick.unacked, quick.oldest, quick.no_ack) == (None, 0, None, True)


def test_a_common_prefetch_counts_for_all_of_its_channel(scene: Scene) -> None:
    client = scene.client()
    client.send("queue.declare", queue="q")
    client.send("basic.qos", prefetch_count=4, is_global=True)
    client.send("basic.consume", queue="q", consumer_tag="c")
    client.fake.send(publish("", "q") * 3)
    assert (_only(scene).credit, _only(scene).unacked) == (1, 3)


def test_the_oldest_unacked_message_has_an_age(scene: Scene) -> None:
    client = scene.client(tune=(2047, 131_072, 0))
    client.send("queue.declare", queue="q")
    client.send("basic.consume", queue="q")
    assert _only(scene).oldest is None
    client.publish("", "q")
    assert _only(scene).oldest == 0.0
    scene.advance(10)
    client.publish("", "q")
    scene.advance(10)
    # To about a second: that often is it looked at.
    assert _only(scene).oldest == pytest.approx(20, abs=1)
    client.send("basic.ack", delivery_tag=1)
    assert _only(scene).oldest == pytest.approx(10, abs=1)
    client.send("basic.ack", delivery_tag=2)
    assert _only(scene).oldest is None


def test_an_age_is_kept_through_many_deliveries(scene: Scene) -> None:
    client = scene.client(tune=(2047, 131_072, 0))
    client.send("queue.declare", queue="q")
    client.send("basic.consume", queue="q")
    client.publish("", "q")
    for tag in range(2, 300):
        scene.advance(1)
        client.publish("", "q")
        client.send("basic.ack", delivery_tag=tag)
    assert _only(scene).oldest == pytest.approx(298, abs=10)


def test_links_of_amqp_1_0_are_among_them(scene: Scene) -> None:
    scene.broker.declare_queue("q", durable=True)
    client = LaterClient(scene).connect()
    client.receiver("/queues/q", credit=5)
    scene.broker.publish("", "q", b"x")
    scene.advance(7)
    found = _only(scene)
    assert (found.tag, found.client, found.credit, found.unacked) == ("r1", "c1", 4, 1)
    assert found.oldest == pytest.approx(7, abs=1)
    client.settle(0, "accepted")
    assert (_only(scene).unacked, _only(scene).oldest) == (0, None)


def test_who_stands_by_says_so(scene: Scene) -> None:
    scene.broker.declare_queue("q", arguments={"x-single-active-consumer": True})
    for name in ("first", "second"):
        scene.client(name=name).send("basic.consume", queue="q")
    found = {each.client: each.state for each in scene.broker.consumers()}
    assert found == {"first": "waiting", "second": "standby"}


def test_queues_and_exchanges_have_their_rates(scene: Scene) -> None:
    client = scene.client()
    client.send("queue.declare", queue="q")
    client.send("queue.bind", queue="q", exchange="amq.fanout")
    scene.advance(4)
    for _ in range(4):
        client.fake.send(publish("amq.fanout", "") * 10)
        scene.advance(1)
    client.send("basic.consume", queue="q", no_ack=True)
    views = {each.name: each.detail for each in scene.broker.destinations()}
    assert views["amq.fanout"]["in_per_second"] == pytest.approx(10, abs=5)
    assert views["q"]["in_per_second"] == pytest.approx(10, abs=5)
    assert views["q"]["out_per_second"] > 0
    scene.advance(10)
    assert {each.name: each.detail for each in scene.broker.destinations()}["q"][
        "in_per_second"
    ] == 0
