"""Direct reply-to, recorded of RabbitMQ 3.10.8."""

import pytest

from .client import Client, Scene, bodies, names

DIRECT = "amq.rabbitmq.reply-to"


@pytest.fixture
def asker(scene: Scene) -> Client:
    client = scene.client()
    client.send("queue.declare", queue="rpc")
    assert names(client.send("basic.consume", queue=DIRECT, consumer_tag="c", no_ack=True)) == [
        "basic.consume-ok"
    ]
    return client


def asked(server: Client) -> str:
    """The name under which the next request wants its reply."""
    (request,) = server.send("basic.get", queue="rpc", no_ack=True)
    return str(request.properties["reply_to"])


def test_reply_comes_to_the_channel_that_asked(scene: Scene, asker: Client) -> None:
    server = scene.client()
    asker.publish("", "rpc", b"ping", reply_to=DIRECT, correlation_id="7")
    name = asked(server)
    assert name.startswith(f"{DIRECT}.")
    server.publish("", name, b"pong", correlation_id="7")
    (reply,) = asker.received()
    assert (reply["consumer_tag"], reply["exchange"], reply["routing_key"]) == ("c", "", name)
    assert (reply.body, reply.properties) == (b"pong", {"correlation_id": "7"})


def test_mandatory_reply_is_delivered_and_returned_all_the_same(
    scene: Scene, asker: Client
) -> None:
    server = scene.client()
    asker.publish("", "rpc", b"ping", reply_to=DIRECT)
    name = asked(server)
    assert names(server.publish("", name, b"1", mandatory=True)) == ["basic.return"]
    assert server.publish("", name, b"2") == []
    assert names(server.publish("", name, b"3", mandatory=True)) == ["basic.return"]
    assert bodies(asker.received()) == [b"1", b"2", b"3"]


def test_name_can_be_declared_to_see_whether_somebody_waits(scene: Scene, asker: Client) -> None:
    server = scene.client()
    asker.publish("", "rpc", b"ping", reply_to=DIRECT)
    name = asked(server)
    for passive in (True, False):
        (there,) = server.send("queue.declare", queue=name, passive=passive)
        assert (there["queue"], there["message_count"], there["consumer_count"]) == (name, 0, 1)
    asker.send("basic.cancel", consumer_tag="c")
    (close,) = server.send("queue.declare", queue=name, passive=True)
    assert close["reply_code"] == 404


def test_replies_of_two_channels_are_not_mixed_up(scene: Scene, asker: Client) -> None:
    server = scene.client()
    asker.open(2)
    asker.send("basic.consume", channel=2, queue=DIRECT, consumer_tag="c", no_ack=True)
    for channel in (1, 2, 1):
        asker.publish("", "rpc", b"x", channel=channel, reply_to=DIRECT)
    first, second, third = (asked(server) for _ in range(3))
    assert first == third != second
    server.publish("", second, b"two")
    server.publish("", first, b"one")
    assert [(got.channel, got.body) for got in asker.received()] == [(2, b"two"), (1, b"one")]


def test_other_properties_and_headers_of_the_request_stay(scene: Scene, asker: Client) -> None:
    asker.publish("", "rpc", b"x", reply_to=DIRECT, headers={"n": 1}, message_id="m", priority=3)
    (request,) = scene.client().send("basic.get", queue="rpc")
    assert (request.properties["message_id"], request.properties["priority"]) == ("m", 3)
    assert list(request.properties["headers"]) == ["n"]


def test_request_after_the_consumer_went_is_refused(asker: Client) -> None:
    asker.publish("", "rpc", b"x", reply_to=DIRECT)
    asker.send("basic.cancel", consumer_tag="c")
    (close,) = asker.publish("", "rpc", b"x", reply_to=DIRECT)
    assert close["reply_text"] == "PRECONDITION_FAILED - fast reply consumer does not exist"
    assert (close["class_id"], close["method_id"]) == (60, 40)


def test_reply_to_nobody_is_unroutable(scene: Scene, asker: Client) -> None:
    server = scene.client()
    asker.publish("", "rpc", b"x", reply_to=DIRECT)
    name = asked(server)
    asker.fake.vanish()
    assert names(server.publish("", name, b"late", mandatory=True)) == ["basic.return"]


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"no_ack": False}, "reply consumer cannot acknowledge"),
        ({"no_ack": True, "consumer_tag": "d"}, "reply consumer already set"),
    ],
)
def test_consumer_of_replies_is_one_and_does_not_acknowledge(
    scene: Scene, asker: Client, fields: dict[str, object], text: str
) -> None:
    client = asker if "consumer_tag" in fields else scene.client()
    (close,) = client.send("basic.consume", queue=DIRECT, **fields)
    assert close["reply_text"] == f"PRECONDITION_FAILED - {text}"


def test_slow_asker_gets_its_replies_later(scene: Scene, asker: Client) -> None:
    server = scene.client()
    asker.publish("", "rpc", b"x", reply_to=DIRECT)
    name = asked(server)
    asker.fake.set_writable(False)
    server.publish("", name, b"later")
    assert bodies(asker.received()) == []
    asker.fake.set_writable(True)
    assert bodies(asker.received()) == [b"later"]


def test_waiting_replies_show_as_no_queue_and_end_with_the_channel(
    scene: Scene, asker: Client
) -> None:
    assert [view.name for view in scene.broker.destinations() if view.kind == "queue"] == ["rpc"]
    asker.send("channel.close")
    assert scene.broker.vhost().replies == {}
