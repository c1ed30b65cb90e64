"""Alarms, and the limits of users and virtual hosts, with RabbitMQ 3.10.8's words."""

import pytest
from mockforge_brokers.amqp.events import PublisherBlocked, PublisherUnblocked
from mockforge_brokers.amqp.wire import frames
from mockforge_brokers.errors import InvalidInput

from .client import Client, Got, Scene, names, publish

# Alarms.


def test_alarm_blocks_who_publishes_until_it_is_cleared(scene: Scene, client: Client) -> None:
    client.send("queue.declare", queue="q")
    scene.broker.memory.raise_alarm("memory")
    (blocked,) = client.publish("", "q", b"1")
    assert (blocked.name, blocked["reason"]) == ("connection.blocked", "low on memory")
    assert client.publish("", "q", b"2") == []
    # Not even the first one went through, as with RabbitMQ.
    assert len(scene.broker.vhost().queues["q"].messages) == 0
    scene.broker.memory.clear_alarm("memory")
    scene.advance(0)
    assert names(client.received()) == ["connection.unblocked"]
    assert len(scene.broker.vhost().queues["q"].messages) == 2
    assert len(scene.emitted(PublisherBlocked)) == len(scene.emitted(PublisherUnblocked)) == 1


def test_who_published_before_an_alarm_may_do_all_else(scene: Scene, client: Client) -> None:
    """The Java client's MemoryAlarms.flowControl."""
    client.send("queue.declare", queue="q")
    client.publish("", "q", b"1")
    scene.broker.memory.raise_alarm("memory")
    assert names(client.send("basic.get", queue="q", no_ack=True)) == ["basic.get-ok"]
    came = client.send("basic.consume", queue="q", no_ack=True)
    assert names(came) == ["basic.consume-ok"]
    assert names(client.publish("", "q", b"2")) == ["connection.blocked"]
    scene.broker.memory.clear_alarm("memory")
    scene.advance(0)
    assert names(client.received()) == ["connection.unblocked", "basic.deliver"]
    assert client.send("basic.cancel", consumer_tag=came[0]["consumer_tag"]) != []


def test_what_stands_before_a_publish_is_done_in_an_alarm(scene: Scene, client: Client) -> None:
    client.send("queue.declare", queue="q")
    scene.broker.memory.raise_alarm("memory")
    declare = frames.method(1, "queue.declare", queue="r")
    client.fake.send(declare + publish("", "q", b"1") + declare + publish("", "q", b"2"))
    assert names(client.received()) == ["queue.declare-ok", "connection.blocked"]
    scene.broker.memory.clear_alarm("memory")
    scene.broker.memory.raise_alarm("disk")
    scene.advance(0)
    # Another alarm before its turn came: it is stopped at the same place.
    assert names(client.received()) == ["connection.unblocked", "connection.blocked"]
    scene.broker.memory.clear_alarm("disk")
    scene.advance(0)
    assert names(client.received()) == ["connection.unblocked", "queue.declare-ok"]
    assert [each.content[-2:-1] for each in scene.broker.vhost().queues["q"].messages] == [
        b"1",
        b"2",
    ]


def test_alarm_says_what_is_low(scene: Scene, client: Client) -> None:
    scene.broker.memory.raise_alarm("disk")
    (blocked,) = client.publish("amq.fanout", "")
    assert blocked["reason"] == "low on disk"


@pytest.mark.parametrize(
    ("steps", "reason"),
    [
        (["+memory", "publish", "+disk", "-memory", "-disk"], "low on memory"),
        (["+memory", "+disk", "publish", "-memory", "-disk"], "low on disk & memory"),
        (["+disk", "+memory", "publish", "-disk", "-memory"], "low on disk & memory"),
        (["+disk", "publish", "+disk", "-memory", "-disk"], "low on disk"),
    ],
)
def test_of_several_alarms_one_is_heard_and_the_last_one_cleared_ends_it(
    scene: Scene, client: Client, steps: list[str], reason: str
) -> None:
    """As RabbitMQ 3.10.8 answered these steps."""
    memory, came = scene.broker.memory, []
    for step in steps:
        if step == "publish":
            came += client.publish("amq.fanout", "")
        elif step[0] == "+":
            memory.raise_alarm(step[1:])
        else:
            memory.clear_alarm(step[1:])
        scene.advance(0)
        came += client.received()
        assert ("connection.unblocked" in names(came)) is (step is steps[-1])
    assert names(came) == ["connection.blocked", "connection.unblocked"]
    assert came[0]["reason"] == reason


def test_full_queues_and_a_disk_alarm_are_both_low(scene: Scene, client: Client) -> None:
    memory = scene.broker.memory
    memory.used = memory.limit + 1
    memory.raise_alarm("disk")
    (blocked,) = client.publish("amq.fanout", "")
    assert blocked["reason"] == "low on disk & memory"
    memory.clear_alarm("disk")
    scene.advance(0)
    assert client.received() == []
    memory.used = 0
    memory.settle()
    scene.advance(0)
    assert names(client.received()) == ["connection.unblocked"]


def test_consumers_go_on_while_an_alarm_is_set(scene: Scene, client: Client) -> None:
    client.send("queue.declare", queue="q")
    client.publish("", "q", b"1")
    other = scene.client()
    scene.broker.memory.raise_alarm("memory")
    assert names(other.send("basic.consume", queue="q")) == ["basic.consume-ok", "basic.deliver"]
    assert other.send("basic.ack", delivery_tag=1) == []
    assert names(other.send("queue.declare", queue="new")) == ["queue.declare-ok"]


# Limits.


def refused(scene: Scene) -> str:
    stranger = scene.stranger()
    (close,) = stranger.connect()
    assert (close.name, close["reply_code"]) == ("connection.close", 530)
    return str(close["reply_text"])


def test_virtual_host_has_so_many_connections(scene: Scene) -> None:
    first = scene.client()
    scene.broker.limit_vhost("/", {"max-connections": 1})
    assert refused(scene) == (
        "NOT_ALLOWED - access to vhost '/' refused for user 'guest': connection limit (1) is "
        "reached"
    )
    first.send(
        "connection.close", channel=0, reply_code=200, reply_text="", class_id=0, method_id=0
    )
    scene.client()


def test_limit_of_nothing_lets_nobody_in_and_a_negative_one_everybody(scene: Scene) -> None:
    scene.broker.limit_vhost("/", {"max-connections": 0})
    assert "connection limit (0) is reached" in refused(scene)
    scene.broker.limit_vhost("/", {"max-connections": -1})
    scene.client()


def test_virtual_host_has_so_many_queues(scene: Scene, client: Client) -> None:
    client.send("queue.declare", queue="a")
    scene.broker.limit_vhost("/", {"max-queues": 1})
    assert names(client.send("queue.declare", queue="a")) == ["queue.declare-ok"]
    (close,) = client.send("queue.declare", queue="b")
    assert (close["reply_code"], close["reply_text"]) == (
        406,
        "PRECONDITION_FAILED - cannot declare queue 'b': queue limit in vhost '/' (1) is reached",
    )


def test_user_has_so_many_connections(scene: Scene) -> None:
    scene.client()
    scene.broker.limit_user("guest", {"max-connections": 1})
    assert refused(scene) == (
        "NOT_ALLOWED - connection refused for user 'guest': user connection limit (1) is reached"
    )


def test_user_has_so_many_channels_on_all_connections(scene: Scene) -> None:
    scene.client()
    scene.broker.limit_user("guest", {"max-channels": 2})
    second = scene.client()
    closed: list[Got] = second.send("channel.open", channel=2)
    assert (closed[0].name, closed[0]["reply_code"], closed[0]["reply_text"]) == (
        "connection.close",
        530,
        "NOT_ALLOWED - number of channels opened for user 'guest' has reached the maximum allowed "
        "user limit of (2)",
    )


@pytest.mark.parametrize(
    ("limits", "words"),
    [({"x": 1}, "no such limit"), ({"max-queues": "x"}, "should be a number")],
)
def test_limit_that_cannot_be_is_refused(
    scene: Scene, limits: dict[str, object], words: str
) -> None:
    with pytest.raises(InvalidInput, match=words):
        scene.broker.limit_vhost("/", limits)
