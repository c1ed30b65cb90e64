"""The consumer timeout as RabbitMQ 4.3 has it: deliveries are released, links live on."""

import pytest
from mockforge_brokers.amqp.options import AmqpOptions
from mockforge_brokers.amqp.v1_0.wire.values import Symbol, UInt

from ..client import Scene
from .client import Client, Got, bodies, names


def _house(release: str = "4.3", kind: str = "quorum") -> Scene:
    scene = Scene(AmqpOptions(consumer_timeout=10, heartbeat=0, as_version=release))
    scene.broker.declare_queue("q", durable=True, arguments={"x-queue-type": kind})
    for number in range(3):
        scene.broker.publish("", "q", b"%d" % number)
    return scene


def _released(came: list[Got]) -> list[tuple[int, int, bool, str]]:
    found = [got for got in came if got.name == "disposition"]
    return [(got["first"], got["last"] or got["first"], got["settled"], got.state) for got in found]


def test_a_late_delivery_is_released_and_somebody_else_gets_it() -> None:
    scene = _house()
    client, other = Client(scene).connect(), Client(scene).connect()
    assert bodies(client.receiver("/queues/q", credit=3)) == [b"0", b"1", b"2"]
    other.receiver("/queues/q", credit=10)
    client.settle(1, "accepted")
    scene.advance(9)
    assert client.received() == []
    scene.advance(2)
    assert _released(client.received()) == [
        (0, 0, False, "released"),
        (2, 2, False, "released"),
    ]
    came = other.received()
    assert bodies(came) == [b"0", b"2"]
    # It did not fail: nothing is counted.
    assert came[0].sections is not None
    assert came[0].sections.header.get("delivery_count", 0) == 0


def test_a_late_link_gets_nothing_more_until_it_settled() -> None:
    scene = _house()
    client = Client(scene).connect()
    client.receiver("/queues/q", credit=2)
    client.grant(credit=10, delivery_count=2)
    scene.advance(11)
    assert _released(client.received()) == [(0, 2, False, "released")]
    assert client.settle(0, "accepted") == []
    assert client.settle(1, "released") == []
    # All three are settled: what came back is its again.
    assert bodies(client.settle(2, "accepted")) == [b"0", b"1", b"2"]


def test_who_settles_in_time_is_left_alone() -> None:
    scene = _house()
    client = Client(scene).connect()
    client.receiver("/queues/q", credit=1)
    for number in range(3):
        scene.advance(8)
        came = client.settle(number, "accepted")
        assert "disposition" not in names(came)
        client.grant(credit=1, delivery_count=number + 1)
    assert client.received() == []


@pytest.mark.parametrize(("release", "kind"), [("4.1", "quorum"), ("4.3", "classic")])
def test_only_quorum_queues_of_4_3_look_at_it(release: str, kind: str) -> None:
    scene = _house(release, kind)
    client = Client(scene).connect()
    client.receiver("/queues/q", credit=3)
    scene.advance(40)
    assert client.received() == []


def test_a_late_link_that_ends_has_nothing_to_give_back() -> None:
    scene = _house()
    client = Client(scene).connect()
    client.receiver("/queues/q", credit=3)
    scene.advance(11)
    client.received()
    client.send("detach", handle=1, closed=True)
    assert client.settle(0, "accepted", last=2) == []
    queue = scene.broker.vhost().queues["q"]
    assert (len(queue.messages), queue.unacked) == (3, 0)


@pytest.mark.parametrize("by", ["attach", "queue", "policy"])
def test_a_link_its_queue_or_a_policy_may_have_a_timeout_of_its_own(by: str) -> None:
    scene = Scene(AmqpOptions(consumer_timeout=100, heartbeat=0, as_version="4.3"))
    arguments: dict[str, object] = {"x-queue-type": "quorum"}
    if by == "queue":
        arguments["x-consumer-timeout"] = 5000
    scene.broker.declare_queue("q", durable=True, arguments=arguments)
    scene.broker.declare_queue("other", durable=True, arguments={"x-queue-type": "quorum"})
    if by == "policy":
        scene.broker.set_policy("quick", "^q$", {"consumer-timeout": 5000})
    client = Client(scene).connect()
    properties = {Symbol("rabbitmq:consumer-timeout"): UInt(5000)} if by == "attach" else {}
    for queue, handle in (("other", 1), ("q", 2)):
        scene.broker.publish("", queue, b"x")
        more = {"properties": properties} if queue == "q" else {}
        client.receiver(f"/queues/{queue}", handle=handle, credit=1, **more)
    scene.advance(4)
    assert client.received() == []
    scene.advance(3)
    assert _released(client.received()) == [(1, 1, False, "released")]
    scene.advance(100)
    assert _released(client.received()) == [(0, 0, False, "released")]
