"""Where ours once differed from RabbitMQ 3.10.8: what was recorded there, kept here."""

from decimal import Decimal
from typing import Any

import pytest
from mockforge_brokers.amqp.records import Field

from .client import Client, Got, Scene, bodies, names


def taken(client: Client, queue: str) -> bool:
    """Whether a message was in the queue."""
    return names(client.send("basic.get", queue=queue, no_ack=True)) == ["basic.get-ok"]


# The common prefetch of a channel.


def share(client: Client, count: int, *, prefetch: int = 1) -> list[str]:
    """The consumers a, b and c of one queue each, in the order in which they were served."""
    for tag in "abc":
        client.send("queue.declare", queue=tag)
        for _ in range(count):
            client.publish("", tag, b"x")
    client.send("basic.qos", prefetch_count=prefetch, is_global=True)
    served: list[Got] = []
    for tag in "abc":
        served += client.send("basic.consume", queue=tag, consumer_tag=tag)
    order: list[str] = []
    while deliveries := [got for got in served if got.name == "basic.deliver"]:
        order += [got["consumer_tag"] for got in deliveries]
        served = []
        for got in deliveries:
            served += client.send("basic.ack", delivery_tag=got["delivery_tag"])
    return order


def test_common_prefetch_goes_round_between_consumers_of_several_queues(client: Client) -> None:
    assert "".join(share(client, 4)) == "abcabcabcabc"


def test_common_prefetch_of_three_starves_nobody(client: Client) -> None:
    order = share(client, 10, prefetch=3)
    assert [order.count(tag) for tag in "abc"] == [10, 10, 10]
    assert set(order[:9]) == set("abc")


def test_common_prefetch_goes_round_between_consumers_of_one_queue(client: Client) -> None:
    client.send("queue.declare", queue="q")
    for _ in range(20):
        client.publish("", "q", b"x")
    client.send("basic.qos", prefetch_count=1, is_global=True)
    served = client.send("basic.consume", queue="q", consumer_tag="a")
    served += client.send("basic.consume", queue="q", consumer_tag="b")
    counts = {"a": 0, "b": 0}
    while served := [got for got in served if got.name == "basic.deliver"]:
        (got,) = served
        counts[got["consumer_tag"]] += 1
        served = client.send("basic.ack", delivery_tag=got["delivery_tag"])
    assert counts == {"a": 10, "b": 10}


def test_common_prefetch_does_not_count_what_basic_get_took(client: Client) -> None:
    client.send("queue.declare", queue="q")
    for _ in range(6):
        client.publish("", "q", b"x")
    client.send("basic.qos", prefetch_count=2, is_global=True)
    for _ in range(3):
        client.send("basic.get", queue="q")
    assert len(bodies(client.send("basic.consume", queue="q"))) == 2


def test_qos_for_consumers_lifts_the_channels(client: Client) -> None:
    client.send("queue.declare", queue="q")
    for _ in range(10):
        client.publish("", "q", b"x")
    client.send("basic.qos", prefetch_count=2, is_global=True)
    assert len(bodies(client.send("basic.consume", queue="q"))) == 2
    assert len(bodies(client.send("basic.qos", prefetch_count=5))) == 8


def test_common_prefetch_has_room_again_after_a_requeue(client: Client) -> None:
    client.send("queue.declare", queue="q")
    for number in range(3):
        client.publish("", "q", b"%d" % number)
    client.send("basic.qos", prefetch_count=1, is_global=True)
    client.send("basic.consume", queue="q")
    assert bodies(client.send("basic.nack", delivery_tag=1, requeue=True)) == [b"0"]
    assert bodies(client.send("basic.recover", requeue=True)) == [b"0"]
    assert bodies(client.send("basic.reject", delivery_tag=3)) == [b"1"]


# Declaring.


@pytest.mark.parametrize(
    ("first", "second"), [({}, {"x-queue-type": "classic"}), ({"x-queue-type": "classic"}, {})]
)
def test_queue_type_classic_is_none(
    client: Client, first: dict[str, Any], second: dict[str, Any]
) -> None:
    client.send("queue.declare", queue="q", durable=True, arguments=first)
    came = client.send("queue.declare", queue="q", durable=True, arguments=second)
    assert names(came) == ["queue.declare-ok"]


@pytest.mark.parametrize(
    ("first", "second", "text"),
    [
        (
            {"x-queue-type": "classic"},
            {"x-queue-type": "quorum"},
            "'x-queue-type' for queue 'q' in vhost '/': received 'quorum' but current is 'classic'",
        ),
        (
            {},
            {"x-queue-type": "quorum"},
            "'x-queue-type' for queue 'q' in vhost '/': "
            "received the value 'quorum' of type 'longstr' but current is none",
        ),
        (
            {"x-queue-version": 2},
            {},
            "'x-queue-version' for queue 'q' in vhost '/': "
            "received none but current is the value '2' of type 'signedint'",
        ),
    ],
)
def test_other_types_and_versions_are_compared(
    client: Client, first: dict[str, Any], second: dict[str, Any], text: str
) -> None:
    client.send("queue.declare", queue="q", durable=True, arguments=first)
    (close,) = client.send("queue.declare", queue="q", durable=True, arguments=second)
    assert close["reply_text"] == f"PRECONDITION_FAILED - inequivalent arg {text}"


def test_exclusive_queue_is_the_same_whatever_durable_says(client: Client) -> None:
    client.send("queue.declare", queue="q", exclusive=True, durable=True)
    assert names(client.send("queue.declare", queue="q", exclusive=True)) == ["queue.declare-ok"]
    (close,) = client.send("queue.declare", queue="q", exclusive=True, auto_delete=True)
    assert "inequivalent arg 'auto_delete'" in close["reply_text"]


def test_trace_exchange_is_there_and_internal(client: Client) -> None:
    trace = "amq.rabbitmq.trace"
    assert names(client.send("exchange.declare", exchange=trace, passive=True)) == [
        "exchange.declare-ok"
    ]
    same = {"exchange_type": "topic", "durable": True, "internal": True}
    assert names(client.send("exchange.declare", exchange=trace, **same)) == ["exchange.declare-ok"]
    client.send("queue.declare", queue="q")
    assert names(client.send("queue.bind", queue="q", exchange=trace, routing_key="#")) == [
        "queue.bind-ok"
    ]
    (close,) = client.publish(trace, "x")
    assert close["reply_text"] == (
        "ACCESS_REFUSED - cannot publish to internal exchange 'amq.rabbitmq.trace' in vhost '/'"
    )


def test_access_request_is_answered_with_ticket_one(client: Client) -> None:
    (answer,) = client.send("access.request", realm="/data", active=True)
    assert (answer.name, answer["ticket"]) == ("access.request-ok", 1)


# The order of what comes.


def test_recover_ok_comes_before_the_redeliveries(client: Client) -> None:
    client.send("queue.declare", queue="q")
    client.send("basic.consume", queue="q")
    client.publish("", "q", b"x")
    assert names(client.send("basic.recover", requeue=True)) == [
        "basic.recover-ok",
        "basic.deliver",
    ]


def test_delete_ok_comes_before_the_cancels(client: Client) -> None:
    client.send("queue.declare", queue="q")
    client.send("basic.consume", queue="q", consumer_tag="a")
    client.send("basic.consume", queue="q", consumer_tag="b")
    came = client.send("queue.delete", queue="q")
    assert names(came) == ["queue.delete-ok", "basic.cancel", "basic.cancel"]


# Routing.


@pytest.mark.parametrize("first", ["direct", "fanout", "topic"])
def test_sender_selected_keys_count_at_every_exchange_on_the_way(
    client: Client, first: str
) -> None:
    client.send("queue.declare", queue="q")
    client.send("exchange.declare", exchange="first", exchange_type=first)
    client.send("exchange.declare", exchange="second", exchange_type="topic")
    client.send("exchange.bind", destination="second", source="first", routing_key="k1")
    client.send("queue.bind", queue="q", exchange="second", routing_key="k2")
    client.publish("first", "", b"x", headers={"CC": ["k1"], "BCC": ["k2"]})
    assert taken(client, "q")


NUMBERS = {
    "t": Field("T", 1), "b": Field("b", 1), "I": Field("I", 1), "l": Field("l", 1),
    "f": Field("f", 1.0), "d": Field("d", 1.0),
}  # fmt: skip
ALIKE = [
    *[(Field("I", 1), other) for other in NUMBERS.values()],
    *[(other, Field("d", 1.0)) for other in NUMBERS.values()],
    (Field("f", 1.5), Field("d", 1.5)),
    (Field("S", "ü"), Field("x", "ü".encode())),
    (Field("x", b"\xff"), Field("S", b"\xff")),
    (Field("F", {}), Field("A", ())),
    (Field("V", None), Field("t", True)),
    (Field("F", {"a": Field("I", 1)}), Field("F", {"a": Field("I", 1)})),
    (Field("D", Decimal("1.0")), Field("D", Decimal("1.0"))),
]
DIFFERENT = [
    (Field("I", 1), Field("t", True)),
    (Field("I", 1), Field("S", "1")),
    (Field("I", 1), Field("D", Decimal(1))),
    (Field("D", Decimal(1)), Field("D", Decimal("1.0"))),
    (Field("f", 0.1), Field("d", 0.1)),
    (Field("F", {"a": Field("I", 1)}), Field("F", {"a": Field("l", 1)})),
    (Field("A", (Field("I", 1),)), Field("A", (Field("l", 1),))),
    (Field("t", True), Field("V", None)),
]


def _matches(scene: Scene, wanted: Field, given: Field) -> bool:
    client = scene.client()
    client.send("queue.declare", queue="q")
    client.send("queue.bind", queue="q", exchange="amq.headers", arguments={"k": wanted})
    client.publish("amq.headers", "", headers={"k": given})
    return taken(client, "q")


@pytest.mark.parametrize(("wanted", "given"), ALIKE)
def test_headers_that_rabbitmq_takes_for_equal(scene: Scene, wanted: Field, given: Field) -> None:
    assert _matches(scene, wanted, given)


@pytest.mark.parametrize(("wanted", "given"), DIFFERENT)
def test_headers_that_rabbitmq_takes_for_different(
    scene: Scene, wanted: Field, given: Field
) -> None:
    assert not _matches(scene, wanted, given)


def test_what_get_took_before_a_common_prefetch_counts_for_good(client: Client) -> None:
    client.send("queue.declare", queue="q")
    for _ in range(3):
        client.publish("", "q", b"x")
    client.send("basic.get", queue="q")
    client.send("basic.qos", prefetch_count=1, is_global=True)
    assert bodies(client.send("basic.consume", queue="q", consumer_tag="c")) == []
    assert client.send("basic.ack", delivery_tag=1) == []
    came = client.send("basic.qos", prefetch_count=2, is_global=True)
    assert bodies(came + client.received()) == [b"x"]
    assert client.publish("", "q", b"y") == []


def test_a_dead_letter_comes_behind_the_message_that_caused_it(client: Client) -> None:
    letters = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "b", "x-max-length": 1}
    client.send("queue.declare", queue="a", arguments=letters)
    client.send("queue.declare", queue="b")
    for queue in ("a", "b"):
        client.send("queue.bind", queue=queue, exchange="amq.fanout")
    client.publish("", "a", b"old")
    client.send("basic.consume", queue="b", no_ack=True)
    assert bodies(client.publish("amq.fanout", "", b"new")) == [b"new", b"old"]
