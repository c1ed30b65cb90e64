"""What lint finds risky or refused in what AMQP's clients do, in every release."""

from collections.abc import Callable

import pytest
from mockforge_brokers.amqp.connection.overdue import LEAKS_AFTER
from mockforge_brokers.amqp.lint import RISKS
from mockforge_brokers.amqp.reconnecting import MANY
from mockforge_brokers.events import ConnectionClosed, LintFound

from .client import Client, Scene, publish


def _findings(scene: Scene) -> dict[str, int]:
    """How often each was met."""
    return {each.statement: each.times for each in scene.broker.findings.views()}


def _no_prefetch(scene: Scene) -> None:
    client = scene.client()
    client.send("queue.declare", queue="q")
    client.send("basic.consume", queue="q")


def _no_heartbeat(scene: Scene) -> None:
    scene.client(tune=(2047, 131_072, 0))


def _confirmed_and_lost(scene: Scene) -> None:
    client = scene.client()
    client.send("confirm.select")
    client.fake.send(publish("amq.topic", "nobody") * 3)


def _acked_twice(scene: Scene) -> None:
    client = scene.client()
    client.send("queue.declare", queue="q")
    client.publish("", "q")
    client.send("basic.get", queue="q")
    client.send("basic.ack", delivery_tag=1)
    client.send("basic.ack", delivery_tag=1)


def _acked_elsewhere(scene: Scene) -> None:
    scene.client().send("basic.nack", delivery_tag=1, requeue=True)


def _two_on_a_single_active_queue(scene: Scene) -> None:
    client = scene.client()
    single = {"x-single-active-consumer": True}
    client.send("queue.declare", queue="q", arguments=single)
    client.send("basic.qos", prefetch_count=1)
    client.send("basic.consume", queue="q")
    client.send("basic.consume", queue="q")


def _declared_otherwise(scene: Scene) -> None:
    client = scene.client(name="shop")
    client.send("queue.declare", queue="q", arguments={"x-max-length": 5})
    client.send("queue.declare", queue="q", arguments={"x-max-length": 6})


def _leaking(scene: Scene) -> None:
    client = scene.client(tune=(2047, 131_072, 0))
    client.send("queue.declare", queue="q")
    client.send("basic.qos", prefetch_count=5)
    client.send("basic.consume", queue="q")
    client.fake.send(publish("", "q") * 3)
    client.send("basic.ack", delivery_tag=2)
    scene.advance(LEAKS_AFTER + 2)
    scene.advance(10)


def _come_and_go(scene: Scene, times: int) -> None:
    """The transport emits that a connection ended; here there is none."""
    for _ in range(times):
        scene.client().fake.vanish()
        number = scene.environment.last_connection
        closed = ConnectionClosed("amqp", number, f"guest@127.0.0.1:{number}", "gone")
        scene.environment.spine.emit(closed)


def _churning(scene: Scene) -> None:
    _come_and_go(scene, MANY)


DEEDS: dict[str, tuple[Callable[[Scene], None], str]] = {
    "no-prefetch": (_no_prefetch, "queue 'q' in vhost '/'"),
    "no-heartbeat": (_no_heartbeat, "no heartbeat"),
    "confirm-without-mandatory": (_confirmed_and_lost, "exchange 'amq.topic' with key 'nobody'"),
    "double-ack": (_acked_twice, "delivery tag 1 of channel 1 was acknowledged before"),
    "ack-of-nothing": (_acked_elsewhere, "delivery tag 1 was never delivered on channel 1"),
    "idle-single-active": (_two_on_a_single_active_queue, "2 consumers of one connection"),
    "declared-otherwise": (_declared_otherwise, "shop declared it with x-max-length=5"),
    "unacked-leak": (_leaking, "tag 1 of channel 1, from queue 'q', is unacked for 60 s"),
    "connection-churn": (_churning, "50 connections within 10 s"),
}


def test_every_risk_has_a_deed_that_shows_it() -> None:
    assert set(DEEDS) == set(RISKS)


@pytest.mark.parametrize("name", DEEDS)
def test_a_deed_is_named_with_its_place_and_remedy(scene: Scene, name: str) -> None:
    deed, place = DEEDS[name]
    deed(scene)
    (found,) = [each for each in scene.emitted(LintFound) if each.statement == name]
    assert place in found.text
    assert found.text.endswith(RISKS[name].remedy)
    assert found.severity == RISKS[name].severity
    assert found.client
    assert _findings(scene)[name] == 1


def _consume(client: Client, queue: str = "q", **given: object) -> None:
    client.send("queue.declare", queue=queue)
    client.send("basic.consume", queue=queue, **given)


def test_what_is_meant_is_not_named(scene: Scene) -> None:
    """The same with a reason: no ack wanted, a common prefetch, mandatory, standby, slowness."""
    client = scene.client(tune=(2047, 131_072, 60))
    _consume(client, no_ack=True)
    client.send("basic.qos", prefetch_count=5, is_global=True)
    _consume(client, "held")
    client.fake.send(publish("", "held") * 3)
    client.send("confirm.select")
    client.publish("amq.topic", "nobody", mandatory=True)
    for _ in range(2):
        other = scene.client(tune=(2047, 131_072, 60))
        single = {"x-single-active-consumer": True}
        other.send("queue.declare", queue="single", arguments=single)
        other.send("basic.qos", prefetch_count=1)
        other.send("basic.consume", queue="single")
    _come_and_go(scene, MANY - 1)
    for _ in range(4):
        scene.advance(25)
    names = set(_findings(scene))
    assert not names & (set(RISKS) - {"no-heartbeat"})


def test_who_acknowledges_slowly_but_in_order_leaks_nothing(scene: Scene) -> None:
    client = scene.client(tune=(2047, 131_072, 0))
    client.send("queue.declare", queue="q")
    client.send("basic.qos", prefetch_count=5)
    client.send("basic.consume", queue="q")
    client.fake.send(publish("", "q") * 3)
    scene.advance(LEAKS_AFTER + 10)
    client.send("basic.ack", delivery_tag=1)
    scene.advance(LEAKS_AFTER + 10)
    assert "unacked-leak" not in _findings(scene)
