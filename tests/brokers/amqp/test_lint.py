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


def _acked_for_nothing(scene: Scene) -> None:
    client = scene.client()
    client.send("queue.declare", queue="q")
    client.send("basic.consume", queue="q", no_ack=True)
    client.publish("", "q")
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
    "double-ack": (_acked_twice, "delivery tag 1 of channel 1 was settled or given back before"),
    "needless-ack": (_acked_for_nothing, "delivery tag 1 of channel 1 needed no acknowledgement"),
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


@pytest.mark.parametrize(
    ("first", "name"),
    [
        ([("basic.get", {"no_ack": True})], "needless-ack"),
        ([("basic.get", {}), ("basic.recover", {"requeue": True})], "double-ack"),
        ([("basic.get", {}), ("basic.reject", {"delivery_tag": 1, "requeue": True})], "double-ack"),
    ],
)
def test_ack_of_what_needs_none_is_no_second_one(
    scene: Scene, first: list[tuple[str, dict[str, object]]], name: str
) -> None:
    client = scene.client(tune=(2047, 131_072, 60))
    client.send("queue.declare", queue="q")
    client.publish("", "q")
    for method, values in first:
        client.send(method, **({"queue": "q"} if method == "basic.get" else {}), **values)
    (closed,) = client.send("basic.ack", delivery_tag=1)
    assert closed["reply_text"] == "PRECONDITION_FAILED - unknown delivery tag 1"
    assert {each for each in _findings(scene) if each.endswith("-ack")} == {name}


def _worker(scene: Scene, *queues: str) -> Client:
    """It consumes, with a prefetch, from some of the queues `q` and `r`."""
    client = scene.client(tune=(2047, 131_072, 0))
    client.send("basic.qos", prefetch_count=5)
    for queue in ("q", "r"):
        client.send("queue.declare", queue=queue)
    for queue in queues:
        client.send("basic.consume", queue=queue)
    return client


def _get_without_ack(client: Client) -> None:
    client.fake.send(publish("", "q") * 2)
    client.send("basic.get", queue="q")
    client.send("basic.get", queue="q", no_ack=True)


def _cancelled_without_ack(client: Client) -> None:
    client.send("basic.consume", queue="r", consumer_tag="r", no_ack=True)
    client.fake.send(publish("", "q") + publish("", "r") * 2)
    client.send("basic.cancel", consumer_tag="r")


def _acked_of_another(client: Client) -> None:
    client.send("basic.consume", queue="r")
    client.fake.send(publish("", "q") + publish("", "r") * 2)
    client.send("basic.ack", delivery_tag=3)


def _acked_in_a_transaction(client: Client) -> None:
    client.fake.send(publish("", "q") * 3)
    client.send("tx.select")
    client.send("basic.ack", delivery_tag=2)


def _acked_in_order_in_a_transaction(client: Client) -> None:
    _acked_in_a_transaction(client)
    client.send("basic.ack", delivery_tag=1)


def _committed_in_order(client: Client) -> None:
    """What it settled before is committed when the next one is the oldest already."""
    _acked_of_another(client)
    client.fake.send(publish("", "q") * 2)
    client.send("tx.select")
    client.send("basic.ack", delivery_tag=1)
    client.send("basic.ack", delivery_tag=2)


def _got_and_acked_in_a_transaction(client: Client) -> None:
    client.fake.send(publish("", "r") * 2)
    client.send("tx.select")
    for _ in range(2):
        client.send("basic.get", queue="r")
    client.send("basic.ack", delivery_tag=2)


def _got_beside_a_consumer(client: Client) -> None:
    client.fake.send(publish("", "r") + publish("", "q"))
    client.send("basic.get", queue="r")
    client.fake.send(publish("", "q"))
    client.send("basic.ack", delivery_tag=1)


@pytest.mark.parametrize(
    ("queues", "deed"),
    [
        ("", _get_without_ack),
        ("q", _cancelled_without_ack),
        ("q", _acked_of_another),
        ("q", _acked_in_a_transaction),
        ("q", _acked_in_order_in_a_transaction),
        ("q", _committed_in_order),
        ("", _got_and_acked_in_a_transaction),
        ("q", _got_beside_a_consumer),
    ],
)
def test_tags_that_the_consumer_did_not_settle_are_no_leak(
    scene: Scene, queues: str, deed: Callable[[Client], None]
) -> None:
    client = _worker(scene, *queues)
    deed(client)
    scene.advance(LEAKS_AFTER + 2)
    if deed is _committed_in_order:
        client.send("tx.commit")
    scene.advance(10)
    assert "unacked-leak" not in _findings(scene)


def _got(client: Client) -> None:
    client.fake.send(publish("", "r") * 3)
    for _ in range(3):
        client.send("basic.get", queue="r")


def _consumed_from_two(client: Client) -> None:
    client.send("basic.consume", queue="r")
    client.fake.send(publish("", "q") * 2 + publish("", "r"))


def _committed(client: Client) -> None:
    client.fake.send(publish("", "q") * 3)
    client.send("tx.select")


@pytest.mark.parametrize(
    ("queues", "deed"), [("", _got), ("q", _consumed_from_two), ("q", _committed)]
)
def test_what_the_same_consumer_settled_later_shows_a_leak(
    scene: Scene, queues: str, deed: Callable[[Client], None]
) -> None:
    client = _worker(scene, *queues)
    deed(client)
    scene.advance(2)
    client.send("basic.ack", delivery_tag=2)
    if deed is _committed:
        client.send("tx.commit")
    scene.advance(LEAKS_AFTER + 2)
    scene.advance(10)
    (found,) = [each for each in scene.emitted(LintFound) if each.statement == "unacked-leak"]
    assert "delivery tag 1" in found.text
    assert "later ones are settled (1)" in found.text
    assert _findings(scene)["unacked-leak"] == 1


@pytest.mark.parametrize("before", ["no confirms", "mandatory", "another channel"])
def test_confirmed_loss_is_named_whatever_was_lost_of_its_key_before(
    scene: Scene, before: str
) -> None:
    client = scene.client(tune=(2047, 131_072, 60))
    client.open(2)
    if before == "mandatory":
        client.send("confirm.select")
    channel = 2 if before == "another channel" else 1
    client.fake.send(publish("", "none", b"x", channel, before == "mandatory"))
    client.send("confirm.select")
    assert "confirm-without-mandatory" not in _findings(scene)
    client.fake.send(publish("", "none") * 3)
    assert _findings(scene)["confirm-without-mandatory"] == 1
    client.send("queue.declare", queue="none")
    client.publish("", "none")
    client.send("queue.delete", queue="none")
    client.fake.send(publish("", "none") * 2)
    assert _findings(scene)["confirm-without-mandatory"] == 2
