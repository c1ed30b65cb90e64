"""Publish, route, deliver, acknowledge: what clients rely on."""

from collections.abc import Callable

import pytest
from mockforge_brokers.amqp.broker import AmqpBroker
from mockforge_brokers.amqp.events import MessagesRequeued
from mockforge_brokers.errors import InvalidInput
from mockforge_brokers.events import LintFound, MessageSeen

from .client import Client, Scene, bodies, names, publish


def test_message_reaches_the_consumer_with_its_properties_and_body(scene: Scene) -> None:
    client = scene.client()
    client.send("queue.declare", queue="q")
    client.send("basic.consume", queue="q", consumer_tag="c")
    (delivery,) = client.publish("", "q", b"body", content_type="text/plain", headers={"n": 1})
    assert delivery.values == {
        "consumer_tag": "c",
        "delivery_tag": 1,
        "redelivered": False,
        "exchange": "",
        "routing_key": "q",
    }
    assert delivery.body == b"body"
    assert delivery.properties["content_type"] == "text/plain"


def test_empty_body_has_no_body_frame(client: Client) -> None:
    client.send("queue.declare", queue="q")
    client.send("basic.consume", queue="q", no_ack=True)
    assert bodies(client.publish("", "q")) == [b""]


def test_delivery_carries_the_consumers_channel_not_the_publishers(scene: Scene) -> None:
    publisher, consumer = scene.client().open(7), scene.client().open(9)
    consumer.send("queue.declare", queue="q", channel=9)
    consumer.send("basic.consume", queue="q", channel=9, no_ack=True)
    publisher.publish("", "q", b"one", channel=7)
    (delivery,) = consumer.received()
    assert (delivery.channel, delivery.body) == (9, b"one")


def test_body_is_cut_to_the_consumers_smaller_frames(scene: Scene) -> None:
    publisher, consumer = scene.client(), scene.client(tune=(2047, 4096, 0))
    consumer.send("queue.declare", queue="q")
    consumer.send("basic.consume", queue="q", no_ack=True)
    publisher.publish("", "q", bytes(10_000))
    raw = consumer.fake.peek()
    assert bodies(consumer.received()) == [bytes(10_000)]
    assert raw.count(b"\x03\x00\x01\x00\x00\x0f\xf8") == 2
    assert scene.emitted(LintFound)[0].statement == "small-frames"


def test_body_of_several_frames_is_put_together(scene: Scene) -> None:
    client = scene.client(tune=(2047, 4096, 0))
    client.send("queue.declare", queue="q")
    from mockforge_brokers.amqp.wire import content, frames

    client.fake.send(
        frames.method(1, "basic.publish", routing_key="q")
        + content.make_content(1, b"x" * 9000, {}, 4088)
    )
    assert client.send("basic.get", queue="q")[0].body == b"x" * 9000


@pytest.mark.parametrize("size", [1, 7, 20, 21, 60])
def test_frames_that_come_in_pieces_are_one_message(scene: Scene, size: int) -> None:
    client = scene.client()
    client.send("queue.declare", queue="q")
    client.send("basic.consume", queue="q", no_ack=True)
    data = publish("", "q", b"hello", message_id="1") * 3
    for at in range(0, len(data), size):
        client.fake.send(data[at : at + size])
    assert bodies(client.received()) == [b"hello"] * 3


def test_contents_of_two_channels_may_interleave(scene: Scene) -> None:
    from mockforge_brokers.amqp.wire import frames

    client = scene.client().open(2)
    client.send("queue.declare", queue="q")
    parts = [
        frames.split(publish("", "q", body, channel)) for channel, body in ((1, b"a"), (2, b"b"))
    ]
    for pair in zip(*parts, strict=True):
        for frame in pair:
            client.fake.send(frames.frame(*frame) + frames.HEARTBEAT_FRAME)
    got = [client.send("basic.get", queue="q", no_ack=True)[0].body for _ in range(2)]
    assert got == [b"a", b"b"]


def test_unroutable_mandatory_message_returns_before_its_confirm(client: Client) -> None:
    client.send("confirm.select")
    came = client.publish("amq.direct", "nowhere", b"x", mandatory=True)
    assert names(came) == ["basic.return", "basic.ack"]
    assert (came[0]["reply_code"], came[0]["reply_text"]) == (312, "NO_ROUTE")
    assert came[0].body == b"x"


def test_unroutable_message_is_dropped_and_confirmed(client: Client) -> None:
    client.send("confirm.select")
    assert names(client.publish("amq.direct", "nowhere", b"x")) == ["basic.ack"]


def test_confirms_of_one_burst_come_as_one(client: Client) -> None:
    client.send("queue.declare", queue="q")
    client.send("confirm.select")
    client.fake.send(publish("", "q", b"x") * 5)
    (confirm,) = client.received()
    assert confirm.values == {"delivery_tag": 5, "multiple": True}
    (confirm,) = client.publish("", "q", b"x")
    assert confirm.values == {"delivery_tag": 6, "multiple": False}


def test_confirm_comes_before_the_answer_to_a_later_request(client: Client) -> None:
    from mockforge_brokers.amqp.wire import frames

    client.send("confirm.select")
    client.fake.send(publish("", "q") + frames.method(1, "channel.close", reply_text="bye"))
    assert names(client.received()) == ["basic.ack", "channel.close-ok"]


def test_prefetch_holds_back_until_acknowledged(client: Client) -> None:
    client.send("queue.declare", queue="q")
    client.send("basic.qos", prefetch_count=2)
    client.send("basic.consume", queue="q")
    client.fake.send(b"".join(publish("", "q", bytes([number])) for number in range(5)))
    assert bodies(client.received()) == [b"\0", b"\1"]
    assert bodies(client.send("basic.ack", delivery_tag=1)) == [b"\2"]
    assert bodies(client.send("basic.ack", delivery_tag=3, multiple=True)) == [b"\3", b"\4"]


def test_global_prefetch_counts_all_consumers_of_the_channel(client: Client) -> None:
    client.send("basic.qos", prefetch_count=3, is_global=True)
    for queue in ("a", "b"):
        client.send("queue.declare", queue=queue)
        client.send("basic.consume", queue=queue)
    client.fake.send((publish("", "a") + publish("", "b")) * 3)
    assert len(bodies(client.received())) == 3
    assert len(bodies(client.send("basic.ack", delivery_tag=0, multiple=True))) == 3


def test_prefetch_is_for_consumers_that_come_later(client: Client) -> None:
    client.send("queue.declare", queue="q")
    client.send("basic.consume", queue="q")
    client.send("basic.qos", prefetch_count=1)
    client.fake.send(publish("", "q") * 3)
    assert len(bodies(client.received())) == 3


def test_consumers_take_turns(client: Client) -> None:
    client.send("queue.declare", queue="q")
    for tag in ("a", "b"):
        client.send("basic.consume", queue="q", consumer_tag=tag, no_ack=True)
    client.fake.send(publish("", "q") * 4)
    assert [got["consumer_tag"] for got in client.received()] == ["a", "b", "a", "b"]


def test_consumer_of_higher_priority_is_served_while_it_has_credit(client: Client) -> None:
    client.send("queue.declare", queue="q")
    client.send("basic.consume", queue="q", consumer_tag="low")
    client.send("basic.qos", prefetch_count=2)
    client.send("basic.consume", queue="q", consumer_tag="high", arguments={"x-priority": 5})
    client.fake.send(publish("", "q") * 4)
    assert [got["consumer_tag"] for got in client.received()] == ["high", "high", "low", "low"]


def test_requeued_message_finds_its_old_place_and_is_redelivered(client: Client) -> None:
    client.send("queue.declare", queue="q")
    client.fake.send(b"".join(publish("", "q", bytes([number])) for number in range(4)))
    for _ in range(3):
        client.send("basic.get", queue="q")
    client.send("basic.ack", delivery_tag=2)
    client.send("basic.nack", delivery_tag=3, requeue=True)
    client.send("basic.reject", delivery_tag=1, requeue=True)
    got = [client.send("basic.get", queue="q", no_ack=True)[0] for _ in range(3)]
    assert [(item.body, item["redelivered"]) for item in got] == [
        (b"\0", True),
        (b"\2", True),
        (b"\3", False),
    ]


def test_rejected_message_is_gone(client: Client) -> None:
    client.send("queue.declare", queue="q")
    client.publish("", "q")
    client.send("basic.get", queue="q")
    client.send("basic.reject", delivery_tag=1, requeue=False)
    assert names(client.send("basic.get", queue="q")) == ["basic.get-empty"]


def test_recover_redelivers_all_that_is_unacknowledged(client: Client) -> None:
    client.send("queue.declare", queue="q")
    client.send("basic.consume", queue="q")
    client.fake.send(publish("", "q", b"a") + publish("", "q", b"b"))
    client.received()
    came = client.send("basic.recover", requeue=True)
    assert bodies(came) == [b"a", b"b"]
    assert all(got["redelivered"] for got in came if got.name == "basic.deliver")


def test_recover_async_redelivers_without_an_answer(client: Client) -> None:
    client.send("queue.declare", queue="q")
    client.send("basic.consume", queue="q")
    client.publish("", "q", b"a")
    (again,) = client.send("basic.recover-async", requeue=True)
    assert (again.name, again["redelivered"], again.body) == ("basic.deliver", True, b"a")


def test_flow_that_goes_on_is_answered(client: Client) -> None:
    (ok,) = client.send("channel.flow", active=True)
    assert (ok.name, ok["active"]) == ("channel.flow-ok", True)


def test_get_says_how_many_are_left(client: Client) -> None:
    client.send("queue.declare", queue="q")
    client.fake.send(publish("", "q") * 3)
    assert client.send("basic.get", queue="q")[0]["message_count"] == 2


def test_lost_connection_requeues_in_order(scene: Scene) -> None:
    first, second = scene.client(), scene.client()
    first.send("queue.declare", queue="q")
    first.send("basic.consume", queue="q")
    second.fake.send(b"".join(publish("", "q", bytes([number])) for number in range(3)))
    first.fake.vanish()
    came = second.send("basic.consume", queue="q")
    assert bodies(came) == [b"\0", b"\1", b"\2"]
    assert all(got["redelivered"] for got in came[1:])
    assert scene.emitted(MessagesRequeued)[0].messages == 3


def test_closed_channel_requeues_and_answers(client: Client) -> None:
    client.send("queue.declare", queue="q")
    client.publish("", "q", b"x")
    client.send("basic.get", queue="q")
    assert names(client.send("channel.close", reply_code=200)) == ["channel.close-ok"]
    client.open()
    assert client.send("basic.get", queue="q")[0]["redelivered"]


def test_cancelled_consumer_gets_nothing_more(client: Client) -> None:
    client.send("queue.declare", queue="q")
    client.send("basic.consume", queue="q", consumer_tag="c")
    assert names(client.send("basic.cancel", consumer_tag="c")) == ["basic.cancel-ok"]
    assert client.publish("", "q") == []


def test_deleted_queue_cancels_its_consumers(scene: Scene) -> None:
    consumer, other = scene.client(), scene.client()
    consumer.send("queue.declare", queue="q")
    consumer.send("basic.consume", queue="q", consumer_tag="c")
    other.send("queue.delete", queue="q")
    (cancel,) = consumer.received()
    assert (cancel.name, cancel["consumer_tag"]) == ("basic.cancel", "c")


def test_client_that_did_not_ask_for_it_is_not_told_of_cancelled_consumers(scene: Scene) -> None:
    consumer, other = scene.client(capabilities={}), scene.client()
    consumer.send("queue.declare", queue="q")
    consumer.send("basic.consume", queue="q", consumer_tag="c")
    other.send("queue.delete", queue="q")
    assert consumer.received() == []


def test_copies_go_to_the_keys_in_cc_and_bcc_and_bcc_is_not_shown(client: Client) -> None:
    for queue in ("a", "b", "c"):
        client.send("queue.declare", queue=queue)
    client.publish("", "a", b"x", headers={"CC": ["b"], "BCC": ["c", "a"]})
    for queue in ("a", "b", "c"):
        (got,) = client.send("basic.get", queue=queue)
        assert (got.body, set(got.properties["headers"])) == (b"x", {"CC"})


def test_transaction_publishes_at_commit_and_forgets_at_rollback(client: Client) -> None:
    client.send("queue.declare", queue="q")
    client.send("tx.select")
    client.publish("", "q", b"a")
    client.send("tx.rollback")
    client.publish("", "q", b"b")
    assert names(client.send("basic.get", queue="q")) == ["basic.get-empty"]
    client.send("tx.commit")
    (got,) = client.send("basic.get", queue="q")
    client.send("basic.ack", delivery_tag=1)
    client.send("tx.rollback")
    assert got.body == b"b"
    assert names(client.send("basic.ack", delivery_tag=1)) == []
    assert names(client.send("tx.commit")) == ["tx.commit-ok"]


def test_slow_consumer_lets_its_queue_grow_and_goes_on_when_it_reads(scene: Scene) -> None:
    consumer, publisher = scene.client(), scene.client()
    consumer.send("queue.declare", queue="q")
    consumer.send("basic.consume", queue="q", no_ack=True)
    consumer.fake.set_writable(False)
    publisher.fake.send(publish("", "q", b"x") * 10)
    assert consumer.received() == []
    assert scene.broker.vhost().queues["q"].messages
    consumer.fake.set_writable(True)
    assert len(bodies(consumer.received())) == 10


def test_large_backlog_is_delivered_in_portions(scene: Scene) -> None:
    client = scene.client()
    client.send("queue.declare", queue="q")
    for _ in range(60):
        client.publish("", "q", bytes(100_000))
    first = bodies(client.send("basic.consume", queue="q", no_ack=True))
    assert 0 < len(first) < 60
    rest = 0
    for _ in range(20):
        scene.advance(0)
        rest += len(bodies(client.received()))
    assert len(first) + rest == 60


def test_inside_publisher_uses_the_same_entrance(scene: Scene) -> None:
    client = scene.client()
    client.send("queue.declare", queue="q")
    seen: list[MessageSeen] = []
    stop = scene.broker.watch(seen.append, "amq.topic")
    scene.broker.bind("amq.topic", "q", "order.#")
    properties = {"headers": {"n": 1}}
    assert scene.broker.publish("amq.topic", "order.paid", b"x", properties=properties) == 1
    assert scene.broker.publish("", "q", b"y") == 1
    stop()
    assert [(item.destination, item.key, item.payload) for item in seen] == [
        ("amq.topic", b"order.paid", b"x")
    ]
    assert seen[0].headers == (("n", 1),)
    assert client.send("basic.get", queue="q")[0].body == b"x"
    assert scene.environment.journal is not None
    chunks = [*scene.environment.journal.since(0)]
    assert [chunk.tape.owner.client for chunk in chunks].count("∗prompt") == 2


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"exchange": "nope"}, "no exchange 'nope'"),
        ({"vhost": "nope"}, "vhost 'nope'"),
        ({"properties": {"colour": "red"}}, "property 'colour'"),
        ({"properties": {"priority": 300}}, "0 to 255"),
        ({"properties": {"delivery_mode": "x"}}, "is a number"),
        ({"properties": {"type": "\ud800"}}, "property 'type'"),
        ({"properties": {"headers": 3}}, "headers are names"),
        ({"properties": {"headers": {"k" * 300: 1}}}, "longer than 255 bytes"),
        ({"routing_key": "k" * 300}, "routing key has 300 bytes"),
        ({"mandatory": True, "routing_key": "nowhere"}, "to no queue"),
    ],
)
def test_inside_publisher_is_told_what_is_wrong(
    scene: Scene, arguments: dict[str, object], text: str
) -> None:
    given = {"exchange": "", "routing_key": "q", **arguments}
    exchange, key = given.pop("exchange"), given.pop("routing_key")
    with pytest.raises(InvalidInput, match=text):
        scene.broker.publish(exchange, key, b"", **given)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("declare", "text"),
    [
        (lambda broker: broker.declare_exchange("x", "nope"), "unknown exchange type 'nope'"),
        (lambda broker: broker.declare_exchange("x" * 256), "exchange name has 256 bytes"),
        (lambda broker: broker.declare_queue(""), "a queue needs a name"),
        (lambda broker: broker.declare_queue("\ud800"), "is no legal text"),
        (lambda broker: broker.bind("amq.topic", "q", "k" * 256), "binding key has 256 bytes"),
    ],
)
def test_people_are_told_what_cannot_be_declared(
    scene: Scene, declare: Callable[[AmqpBroker], None], text: str
) -> None:
    with pytest.raises(InvalidInput, match=text):
        declare(scene.broker)
