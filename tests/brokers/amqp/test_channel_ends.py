"""What a channel leaves behind when it ends by an error, and what a refusal changes: nothing."""

from typing import Any

import pytest
from mockforge_brokers.amqp.options import AmqpOptions
from mockforge_brokers.amqp.wire import content

from .client import Client, Scene, bodies, names, publish

DIRECT = "amq.rabbitmq.reply-to"
STREAM = {"x-queue-type": "stream"}
QUORUM = {"x-queue-type": "quorum", "x-single-active-consumer": True}


@pytest.fixture
def mixed(scene: Scene) -> Client:
    """It has a message of a classic queue and one of a stream."""
    client = scene.client()
    client.send("queue.declare", queue="s", durable=True, arguments=STREAM)
    client.send("queue.declare", queue="q")
    client.publish("", "s", b"stream")
    client.publish("", "q", b"classic")
    client.send("basic.qos", prefetch_count=5)
    client.send("basic.consume", queue="s", arguments={"x-stream-offset": "first"})
    client.send("basic.get", queue="q")
    return client


@pytest.mark.parametrize(
    ("method", "values"),
    [
        ("basic.nack", {"delivery_tag": 0, "multiple": True, "requeue": True}),
        ("basic.nack", {"delivery_tag": 2, "multiple": True}),
        ("basic.recover", {"requeue": True}),
    ],
)
def test_what_a_stream_does_not_take_back_loses_nothing_of_others(
    scene: Scene, mixed: Client, method: str, values: dict[str, Any]
) -> None:
    assert names(mixed.send(method, **values)) == ["connection.close"]
    scene.advance(0)
    queue = scene.broker.vhost().queues["q"]
    assert (len(queue.messages), queue.unacked) == (1, 0)
    (again,) = scene.client().send("basic.get", queue="q", no_ack=True)
    assert (again.body, again["redelivered"]) == (b"classic", True)


def test_channel_that_ends_within_a_content_keeps_none_of_it() -> None:
    scene = Scene(AmqpOptions(consumer_timeout=10))
    client = scene.client()
    client.send("queue.declare", queue="q")
    client.publish("", "q", b"late")
    client.send("basic.get", queue="q")
    whole = publish("", "q", b"x" * 600)
    first, rest = whole[:-608], content.body_frames(1, b"x" * 600, 300)
    client.fake.send(first + rest[:308])
    scene.advance(30)
    assert names(client.received()) == ["channel.close"]
    client.fake.send(rest[308:])
    client.send("channel.close-ok")
    views = {view.name: view for view in scene.environment.usage.views()}
    assert views["amqp_message"].used == 0


@pytest.mark.parametrize(
    "values", [{"consumer_tag": "other"}, {"arguments": {"x-priority": "high"}}]
)
def test_refused_consumer_of_replies_leaves_no_queue(scene: Scene, values: dict[str, Any]) -> None:
    client = scene.client()
    client.send("queue.declare", queue="q")
    client.send("basic.consume", queue="q", consumer_tag="other")
    client.send("basic.consume", queue=DIRECT, no_ack=True, **values)
    client.fake.vanish()
    scene.advance(0)
    assert scene.broker.vhost().replies == {}


def refusal(came: list[Any]) -> tuple[str, int, str]:
    (got,) = came
    return got.name, got["reply_code"], got["reply_text"]


def test_refusals_come_in_rabbitmqs_order(scene: Scene) -> None:
    client = scene.client()
    client.send("basic.consume", queue=DIRECT, no_ack=True, consumer_tag="a")
    needs_ack = client.send("basic.consume", queue=DIRECT, consumer_tag="b")
    assert refusal(needs_ack)[2] == "PRECONDITION_FAILED - reply consumer cannot acknowledge"
    client = scene.client()
    client.send("basic.consume", queue=DIRECT, no_ack=True, consumer_tag="a")
    again = client.send("basic.consume", queue=DIRECT, no_ack=True, consumer_tag="a")
    assert refusal(again)[2] == "PRECONDITION_FAILED - reply consumer already set"
    client = scene.client()
    client.send("queue.declare", queue="q")
    client.send("basic.consume", queue="q", consumer_tag="a")
    # The tag comes before the queue, which is not there.
    again = client.send("basic.consume", queue="nope", consumer_tag="a")
    assert refusal(again) == (
        "connection.close",
        530,
        "NOT_ALLOWED - attempt to reuse consumer tag 'a'",
    )


def test_names_for_replies_are_declared_passively_whatever_is_asked(scene: Scene) -> None:
    client = scene.client()
    (there,) = client.send("queue.declare", queue=DIRECT)
    assert (there["queue"], there["message_count"], there["consumer_count"]) == (DIRECT, 0, 1)
    gone = client.send("queue.declare", queue=f"{DIRECT}X")
    assert refusal(gone)[1:] == (404, f"NOT_FOUND - no queue '{DIRECT}X' in vhost '/'")


def test_nobody_gets_from_a_quorum_queue_with_a_single_active_consumer(scene: Scene) -> None:
    client = scene.client()
    client.send("queue.declare", queue="q", durable=True, arguments=QUORUM)
    assert refusal(client.send("basic.get", queue="q")) == (
        "channel.close",
        405,
        "RESOURCE_LOCKED - cannot obtain access to locked queue 'q' in vhost '/'. basic.get "
        "operations are not supported by quorum queues with single active consumer",
    )


def test_acks_that_let_another_consumer_begin_count_for_the_common_prefetch() -> None:
    """The deliveries that an ack brings with it are outstanding, too."""
    scene = Scene(AmqpOptions(as_version="4.1"))
    client = scene.client()
    client.send("queue.declare", queue="q", durable=True, arguments=QUORUM)
    client.publish("", "q", b"1")
    client.send("basic.consume", queue="q", consumer_tag="low")
    client.send("basic.consume", queue="q", consumer_tag="high", arguments={"x-priority": 5})
    # Behind the common prefetch no consumer of a quorum queue would be taken.
    client.send("basic.qos", prefetch_count=2, is_global=True)
    for _ in range(4):
        client.publish("", "q", b"more")
    assert len(bodies(client.send("basic.ack", delivery_tag=1))) == 2
    assert [view.unacked for view in scene.broker.channels()] == [2]
    assert len(bodies(client.send("basic.ack", delivery_tag=2))) == 1


NAMED = [
    ("queue.declare", {"queue": "m\ny-q"}, "queue.declare-ok"),
    ("queue.declare", {"queue": "m\ry-q", "passive": True}, "queue.declare-ok"),
    ("exchange.declare", {"exchange": "my-\r\nx", "exchange_type": "topic"}, "exchange.declare-ok"),
    ("queue.bind", {"queue": "my-\nq", "exchange": "m\ny-x"}, "queue.bind-ok"),
    ("queue.unbind", {"queue": "my-\nq", "exchange": "m\ny-x"}, "queue.unbind-ok"),
    ("queue.delete", {"queue": "my-q\n"}, "queue.delete-ok"),
    ("exchange.delete", {"exchange": "\nmy-x"}, "exchange.delete-ok"),
]


def test_rights_are_those_of_the_name_without_line_ends(scene: Scene) -> None:
    access = scene.environment.access
    access.add_user("alice", "secret", ("amqp",))
    scene.broker.define(
        "permissions",
        {"user": "alice", "vhost": "/", **dict.fromkeys(("configure", "write", "read"), "^my-")},
    )
    client = scene.client(user="alice", password="secret")
    for method, values, answer in NAMED:
        assert names(client.send(method, **values)) == [answer], method
    assert list(scene.broker.vhost().queues) == []
    # Where a name is only used it is as it came.
    client.send("queue.declare", queue="my-q")
    assert refusal(client.send("queue.purge", queue="my-\nq"))[1] == 404


def test_replies_need_no_right_to_read(scene: Scene) -> None:
    access = scene.environment.access
    access.add_user("alice", "secret", ("amqp",))
    scene.broker.define(
        "permissions",
        {"user": "alice", "vhost": "/", "configure": "", "read": "", "write": "^amq.default$"},
    )
    client = scene.client(user="alice", password="secret")
    client.send("basic.consume", queue=DIRECT, no_ack=True)
    (name,) = scene.broker.vhost().replies
    assert names(client.send("queue.declare", queue=name)) == ["queue.declare-ok"]
    assert bodies(client.publish("", name, b"answer")) == [b"answer"]


@pytest.mark.parametrize("size", [10, 40_000, 300_000])
@pytest.mark.parametrize("ends", ["vanish", "connection", "channel"])
def test_who_ends_in_the_midst_of_a_message_has_published_nothing(
    scene: Scene, size: int, ends: str
) -> None:
    """Behind the method, within and behind the header, within and behind a first body frame."""
    whole = publish("", "q", b"x" * size)
    method = len(publish("", "q", b"")) - len(content.make_content(1, b"", {}, 131_064))
    header = method + len(content.make_content(1, b"", {}, 131_064))
    places = (method, method + 9, header, header + 5, header + 8, min(header + 131_072, len(whole)))
    scene.broker.declare_queue("q")
    for at in places:
        client = scene.client()
        client.fake.send(whole[: min(at, len(whole) - 1)])
        match ends:
            case "vanish":
                client.fake.vanish()
            case "connection":
                scene.broker.disconnect(client.peer.id, "enough")
            case _:
                client.send("channel.open")
        scene.advance(0)
        views = {view.name: view for view in scene.environment.usage.views()}
        if ends == "vanish":
            assert views["amqp_message"].used == 0
        assert not scene.broker.vhost().queues["q"].published
    assert scene.broker.memory.used == 0
    scene.client().publish("", "q", b"whole")
    assert scene.broker.vhost().queues["q"].published == 1
