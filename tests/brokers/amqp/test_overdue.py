"""The consumer timeout: who does not acknowledge in time loses the channel."""

from itertools import count
from typing import Any

import pytest
from mockforge_brokers.amqp.connection.overdue import Ages
from mockforge_brokers.amqp.events import MessagesRequeued
from mockforge_brokers.amqp.options import AmqpOptions
from mockforge_brokers.amqp.state.policies import NamedPolicy
from mockforge_brokers.amqp.wire.frames import method
from mockforge_brokers.events import RequestDenied

from ..fake_peer import finish
from .client import Client, Got, Scene, bodies, names, publish
from .v1_0.client import Client as LaterClient


def house_with(seconds: float) -> Scene:
    return Scene(AmqpOptions(consumer_timeout=seconds, heartbeat=600))


def client_of(scene: Scene) -> Client:
    client = scene.client(tune=(2047, 131_072, 600))
    client.send("queue.declare", queue="q")
    return client


def test_delivery_without_ack_closes_its_channel_and_is_ready_again() -> None:
    scene = house_with(10)
    client = client_of(scene)
    client.publish("", "q", b"x")
    client.send("basic.consume", queue="q")
    scene.advance(9)
    assert client.received() == []
    scene.advance(2)
    (close,) = client.received()
    assert (close.name, close.channel, close["class_id"], close["method_id"]) == (
        "channel.close",
        1,
        0,
        0,
    )
    assert close["reply_code"] == 406
    assert close["reply_text"] == (
        "PRECONDITION_FAILED - delivery acknowledgement on channel 1 timed out. Timeout value "
        "used: 10000 ms. This timeout value can be configured, see consumers doc guide to learn "
        "more"
    )
    assert len(scene.broker.vhost().queues["q"].messages) == 1
    assert [event.operation for event in scene.emitted(RequestDenied)] == ["consumer_timeout"]


def test_what_basic_get_took_counts_too() -> None:
    scene = house_with(10)
    client = client_of(scene)
    client.publish("", "q", b"x")
    client.send("basic.get", queue="q")
    scene.advance(12)
    assert names(client.received()) == ["channel.close"]


def test_consumer_that_acknowledges_in_time_goes_on() -> None:
    scene = house_with(10)
    client = client_of(scene)
    client.send("basic.consume", queue="q")
    for tag in range(1, 8):
        client.publish("", "q", b"x")
        scene.advance(6)
        assert client.send("basic.ack", delivery_tag=tag) == []


def test_delivery_is_measured_from_when_it_went_out_not_from_its_turn() -> None:
    scene = house_with(10)
    client = client_of(scene)
    client.send("basic.consume", queue="q")
    for _ in range(3):
        client.publish("", "q", b"x")
    scene.advance(6)
    client.send("basic.ack", delivery_tag=1)
    scene.advance(3)
    client.send("basic.ack", delivery_tag=2)
    scene.advance(3)
    assert names(client.received()) == ["channel.close"]


def test_what_stays_unacked_is_no_younger_for_a_look_while_very_many_are_settled() -> None:
    scene = house_with(10)
    client = client_of(scene)
    turn = scene.environment.turn
    turn.now, turn.length = count().__next__, 0.0
    client.fake.send(publish("", "q", b"x") * 1100)
    client.send("basic.consume", queue="q")
    scene.advance(8)
    connection = client.fake.connection
    connection.receive(method(1, "basic.ack", delivery_tag=1090, multiple=True))
    assert connection.unfinished
    scene.advance(2)
    assert client.received() == []
    finish(connection)
    scene.advance(2)
    assert names(client.received()) == ["channel.close"]


def test_no_timeout_closes_nothing() -> None:
    scene = house_with(0)
    client = client_of(scene)
    client.publish("", "q", b"x")
    client.send("basic.get", queue="q")
    scene.advance(1000)
    assert client.received() == []


# Timeouts of a queue, and of a consumer (RabbitMQ 3.12 and 4.3; rabbit_channel, rabbit_fifo).


def like(release: str, **capabilities: bool) -> tuple[Scene, Client]:
    scene = Scene(AmqpOptions(as_version=release, consumer_timeout=100, heartbeat=0))
    given = {"consumer_cancel_notify": True, **capabilities}
    return scene, scene.client(tune=(2047, 131_072, 0), capabilities=given)


def declare(client: Client, queue: str = "q", kind: str = "quorum", **arguments: Any) -> list[Got]:
    given = {name.replace("_", "-"): value for name, value in arguments.items()}
    given = {"x-queue-type": kind, **given}
    return client.send("queue.declare", queue=queue, durable=True, arguments=given)


@pytest.mark.parametrize(
    ("release", "argument", "policy", "used"),
    [
        ("3.10", 10_000, 20_000, None),
        ("3.13", 10_000, 20_000, 10_000),
        ("3.13", 20_000, 10_000, 10_000),
        ("3.13", None, 20_000, 20_000),
        ("4.1", 10_000, None, 10_000),
    ],
)
@pytest.mark.parametrize("kind", ["classic", "quorum"])
def test_queue_has_a_timeout_by_argument_or_policy(
    release: str, argument: int | None, policy: int | None, used: int | None, kind: str
) -> None:
    scene, client = like(release)
    declare(client, kind=kind, **({"x_consumer_timeout": argument} if argument else {}))
    if policy:
        named = NamedPolicy("slow", ".*", {"consumer-timeout": policy})
        scene.broker.vhost().set_policy(named)
    client.publish("", "q", b"x")
    client.send("basic.get", queue="q")
    scene.advance((used or 90_000) / 1000 - 2)
    assert client.received() == []
    scene.advance(4)
    came = client.received()
    assert names(came) == (["channel.close"] if used else [])
    assert not came or f"used: {used} ms" in came[0]["reply_text"]


def test_only_the_oldest_delivery_of_a_channel_is_looked_at() -> None:
    scene, client = like("3.13")
    declare(client, "slow", x_consumer_timeout=50_000)
    declare(client, "fast", x_consumer_timeout=10_000)
    for queue in ("slow", "fast"):
        client.publish("", queue, b"x")
        client.send("basic.get", queue=queue)
    scene.advance(30)
    assert client.received() == []
    client.send("basic.ack", delivery_tag=1)
    scene.advance(2)
    assert names(client.received()) == ["channel.close"]


@pytest.mark.parametrize(
    ("kind", "given", "reason"),
    [
        ("quorum", -1, ": {value_negative,-1}"),
        ("quorum", "5s", ': "expected integer, got longstr"'),
        ("classic", 5, " of queue type rabbit_classic_queue"),
        ("stream", 5, " of queue type rabbit_stream_queue"),
    ],
)
def test_4_3_knows_the_argument_of_quorum_queues_and_their_consumers(
    kind: str, given: Any, reason: str
) -> None:
    _, client = like("4.3")
    text = "PRECONDITION_FAILED - invalid arg 'x-consumer-timeout' for queue 'q' in vhost '/'"
    (closed,) = declare(client, kind=kind, x_consumer_timeout=given)
    assert closed["reply_text"] == text + reason
    other = client.open(2)
    other.send(
        "queue.declare", channel=2, queue="q", durable=True, arguments={"x-queue-type": kind}
    )
    other.send("basic.qos", channel=2, prefetch_count=1)
    (closed,) = other.send(
        "basic.consume", channel=2, queue="q", arguments={"x-consumer-timeout": given}
    )
    assert closed["reply_text"] == text + reason


class Late:
    """RabbitMQ 4.3 whose consumer `a` let two of three deliveries wait for too long."""

    def __init__(self, **declared: Any) -> None:
        self.scene, self.client = like("4.3")
        self.other = self.scene.client(tune=(2047, 131_072, 0))
        declare(self.client, **declared)
        self.queue = self.scene.broker.vhost().queues["q"]
        self.client.send("basic.qos", prefetch_count=10)
        timeout = {"x-consumer-timeout": 10_000}
        self.client.send("basic.consume", queue="q", consumer_tag="a", arguments=timeout)
        for body in (b"0", b"1", b"2"):
            self.client.publish("", "q", body, delivery_mode=2)
        self.client.send("basic.ack", delivery_tag=2)
        self.scene.advance(12)
        self.came = self.client.received()

    def counts(self) -> tuple[int, int]:
        return len(self.queue.messages), self.queue.unacked


def test_late_deliveries_of_4_3_cancel_the_consumer_and_are_ready_again() -> None:
    late = Late()
    assert names(late.came) == ["basic.cancel"]
    assert late.came[0]["consumer_tag"] == "a"
    assert late.counts() == (2, 0)
    assert [event.messages for event in late.scene.emitted(MessagesRequeued)] == [2]
    assert [each.state for each in late.scene.broker.consumers()] == ["timed out"]
    came = late.other.send("basic.consume", queue="q", consumer_tag="b")[1:]
    assert [(got.body, got["redelivered"]) for got in came] == [(b"0", True), (b"2", True)]
    # They did not fail: x-delivery-count does not count them.
    assert [list(got.properties["headers"]) for got in came] == [["x-acquired-count"]] * 2
    late.scene.advance(30)
    assert late.client.received() == []


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("basic.ack", {"delivery_tag": 3, "multiple": True}),
        ("basic.ack", {"delivery_tag": 0, "multiple": True}),
        ("basic.nack", {"delivery_tag": 3, "multiple": True, "requeue": False}),
        ("basic.nack", {"delivery_tag": 3, "multiple": True, "requeue": True}),
        ("basic.recover", {"requeue": True}),
    ],
)
def test_consumer_goes_on_once_it_settled_what_was_late(name: str, values: dict[str, Any]) -> None:
    late = Late()
    came = late.client.send(name, **values)
    assert bodies(came) == [b"0", b"2"]
    assert late.counts() == (0, 2)


def test_consumer_waits_for_its_last_late_delivery() -> None:
    late = Late()
    assert late.client.send("basic.ack", delivery_tag=1) == []
    assert late.client.send("basic.ack", delivery_tag=1)[0]["reply_code"] == 406


def test_channel_that_ends_gives_back_no_late_delivery_twice() -> None:
    late = Late()
    late.client.send("channel.close", reply_code=200, reply_text="", class_id=0, method_id=0)
    assert late.counts() == (2, 0)


@pytest.mark.parametrize("later", [False, True])
def test_of_very_many_young_deliveries_a_look_sees_hardly_any(
    later: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene, client = like("4.3")
    declare(client)
    for _ in range(300):
        client.publish("", "q", b"x")
    if later:
        receiver = LaterClient(scene).connect()
        receiver.receiver("/queues/q", credit=300)
    else:
        client.send("basic.consume", queue="q")
    scene.advance(3)
    assert scene.broker.vhost().queues["q"].unacked == 300
    looked = 0
    age = Ages.__getitem__

    def counted(ages: Ages, number: int) -> float:
        nonlocal looked
        looked += 1
        return age(ages, number)

    monkeypatch.setattr(Ages, "__getitem__", counted)
    scene.advance(1)
    assert 0 < looked < 5


def test_a_policy_shortens_what_a_look_takes_for_young() -> None:
    scene, client = like("4.3")
    declare(client)
    client.send("basic.consume", queue="q", consumer_tag="a")
    client.publish("", "q", b"0")
    scene.broker.set_policy("t", "q", {"consumer-timeout": 10_000})
    scene.advance(12)
    assert "basic.cancel" in names(client.received())


def test_late_deliveries_survive_a_restart_once() -> None:
    late = Late()
    late.scene.broker.restart()
    kept = late.scene.broker.vhost().queues["q"].messages
    assert len(kept) == 2


def test_late_delivery_that_a_transaction_settles_is_nobodys_at_its_end() -> None:
    late = Late()
    late.client.send("tx.select")
    late.client.send("basic.ack", delivery_tag=1)
    late.client.send("basic.reject", delivery_tag=3, requeue=True)
    late.scene.broker.restart()
    kept = late.scene.broker.vhost().queues["q"].messages
    assert [message.size for message in kept] == [1, 1]


def test_next_single_active_consumer_takes_what_was_late() -> None:
    scene, client = like("4.3")
    declare(client, x_single_active_consumer=True)
    timeout = {"x-consumer-timeout": 10_000}
    client.send("basic.consume", queue="q", consumer_tag="a", arguments=timeout)
    client.send("basic.consume", queue="q", consumer_tag="b")
    client.publish("", "q", b"x")
    scene.advance(12)
    came = client.received()
    assert names(came) == ["basic.cancel", "basic.deliver"]
    assert came[1]["consumer_tag"] == "b"


@pytest.mark.parametrize("how", ["no capability", "cancelled", "get"])
def test_where_nobody_can_be_cancelled_the_channel_ends(how: str) -> None:
    scene, client = like("4.3", consumer_cancel_notify=how != "no capability")
    declare(client, x_consumer_timeout=10_000)
    client.publish("", "q", b"x")
    if how == "get":
        client.send("basic.get", queue="q")
    else:
        client.send("basic.consume", queue="q", consumer_tag="a")
    if how == "cancelled":
        client.send("basic.cancel", consumer_tag="a")
    scene.advance(12)
    (closed,) = client.received()
    assert "Timeout value used: -1 ms" in closed["reply_text"]
