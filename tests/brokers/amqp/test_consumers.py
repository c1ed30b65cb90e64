"""What people see of consumers: credit, what is unacked, and for how long."""

import pytest
from mockforge_brokers.amqp.consumers import ConsumerView

from .client import Scene, bodies, publish
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


SAME_TAG = {
    # Prefetch of the first and the second; the bodies of the second, then with each of three acks.
    ("quorum", 3, 3): ([], ["3", "4", "5"], 6),
    ("quorum", 3, 5): (["3", "4"], ["5", "6", "7"], 4),
    ("quorum", 3, 2): ([], ["3", "4", "5"], 6),
    ("quorum", 2, 0): ([str(n) for n in range(2, 12)], [], 0),
    ("classic", 3, 3): (["3", "4", "5"], ["6", "7", "8"], 3),
    ("classic", 3, 5): (["3", "4", "5", "6", "7"], ["8", "9", "10"], 1),
    ("classic", 3, 2): (["3", "4"], ["5", "6", "7"], 4),
}
"""Of twelve messages, as RabbitMQ 4.3.6 gave them, and how many were ready at the end."""


@pytest.mark.parametrize("case", SAME_TAG)
def test_who_consumes_again_under_the_same_tag_settles_what_was_there(
    scene: Scene, case: tuple[str, int, int]
) -> None:
    (kind, first, second), (begun, acknowledged, ready) = case, SAME_TAG[case]
    client = scene.client()
    client.send("queue.declare", queue="q", durable=True, arguments={"x-queue-type": kind})
    for number in range(12):
        client.publish("", "q", str(number).encode())
    client.send("basic.qos", prefetch_count=first)
    client.send("basic.consume", queue="q", consumer_tag="t")
    client.send("basic.cancel", consumer_tag="t")
    client.send("basic.qos", prefetch_count=second)
    came = client.send("basic.consume", queue="q", consumer_tag="t")
    assert bodies(came[1:]) == [body.encode() for body in begun]
    more = [client.send("basic.ack", delivery_tag=tag) for tag in range(1, first + 1)]
    assert [each.body for got in more for each in got] == [body.encode() for body in acknowledged]
    assert all(len(got) <= 1 for got in more)
    (there,) = client.send("queue.declare", queue="q", passive=True)
    assert (there["consumer_count"], there["message_count"]) == (1, ready)


@pytest.mark.parametrize("kind", ["classic", "quorum"])
@pytest.mark.parametrize("other", ["channel", "tag", "queue"])
def test_another_consumer_begins_anew(scene: Scene, kind: str, other: str) -> None:
    client = scene.client()
    for queue in ("q", "r"):
        client.send("queue.declare", queue=queue, durable=True, arguments={"x-queue-type": kind})
        for _ in range(9):
            client.publish("", queue, b"x")
    client.send("basic.qos", prefetch_count=3)
    client.send("basic.consume", queue="q", consumer_tag="t")
    client.send("basic.cancel", consumer_tag="t")
    tag, queue = ("u" if other == "tag" else "t"), ("r" if other == "queue" else "q")
    number = 1
    if other == "channel":
        number = 2
        client.send("channel.open", channel=2)
        client.send("basic.qos", channel=2, prefetch_count=3)
    came = client.send("basic.consume", channel=number, queue=queue, consumer_tag=tag)
    assert len(came[1:]) == 3
    assert not client.send("basic.ack", delivery_tag=3, multiple=True)
