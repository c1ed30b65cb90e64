"""What a dead letter says of deliveries that failed before it died, as RabbitMQ 4.3.6 has it."""

from typing import Any

import pytest
from mockforge_brokers.amqp.options import AmqpOptions

from ..storage.memory_disk import MemoryDisk
from .client import Client, Got, Scene

Seen = tuple[bool, int, int]
"""Redelivered, x-acquired-count and x-delivery-count."""
CHANNEL_CLOSE = {"reply_code": 200, "reply_text": "", "class_id": 0, "method_id": 0}
FRESH, ONCE, TWICE = (False, 0, 0), (True, 1, 1), (True, 2, 2)


def chain(client: Client, *kinds: str, **arguments: Any) -> None:
    """Queues q0, q1, ..., each with the next one for its dead letters; one message in q0."""
    for number, kind in enumerate(kinds):
        given: dict[str, Any] = {"x-queue-type": kind} | (arguments if number == 0 else {})
        if number + 1 < len(kinds):
            given |= {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": f"q{number + 1}"}
        client.send("queue.declare", queue=f"q{number}", durable=True, arguments=given)
    client.publish("", "q0", b"x", delivery_mode=2)


def seen(got: Got) -> Seen:
    headers = got.properties.get("headers", {})
    acquired, failed = (headers.get(f"x-{name}-count") for name in ("acquired", "delivery"))
    return got["redelivered"], getattr(acquired, "value", 0), getattr(failed, "value", 0)


def settle(client: Client, queue: str, how: str) -> None:
    """By reject, nack (R, N: for good), or the end of a channel (c), one after the other."""
    for each in how:
        taker = client.open(2) if each == "c" else client
        channel = 2 if each == "c" else 1
        (got,) = taker.send("basic.get", queue=queue, channel=channel)
        if each == "c":
            taker.send("channel.close", channel=2, **CHANNEL_CLOSE)
        else:
            method = "basic.reject" if each in "rR" else "basic.nack"
            client.send(method, delivery_tag=got["delivery_tag"], requeue=each.islower())


def last(client: Client, queue: str) -> Seen:
    (got,) = client.send("basic.get", queue=queue, no_ack=True)
    return seen(got)


@pytest.fixture
def client() -> Client:
    return Scene(AmqpOptions(as_version="4.3")).client()


@pytest.mark.parametrize("first", ["quorum", "classic"])
@pytest.mark.parametrize(
    ("how", "of_first", "of_second"),
    [
        ("N", FRESH, FRESH),
        ("R", ONCE, ONCE),
        ("nN", FRESH, FRESH),
        ("rN", ONCE, ONCE),
        ("nnrR", TWICE, TWICE),
        ("cN", ONCE, ONCE),
        ("R R", ONCE, TWICE),
        ("N R", FRESH, ONCE),
        ("rrR R", (True, 3, 3), (True, 4, 4)),
    ],
)
def test_what_failed_here_or_where_it_died_before_is_counted(
    client: Client, first: str, how: str, of_first: Seen, of_second: Seen
) -> None:
    here, _, there = how.partition(" ")
    chain(client, first, "quorum", "classic", "quorum")
    settle(client, "q0", here)
    (got,) = client.send("basic.get", queue="q1")
    assert seen(got) == of_first
    reject = "basic.reject" if there else "basic.nack"
    client.send(reject, delivery_tag=got["delivery_tag"], requeue=False)
    (got,) = client.send("basic.get", queue="q2")
    # A classic queue knows the count, and says no more than that there is one.
    assert seen(got) == (of_second[0], 0, 0)
    client.send("basic.nack", delivery_tag=got["delivery_tag"], requeue=False)
    assert last(client, "q3") == of_second


@pytest.mark.parametrize("kind", ["quorum", "classic"])
@pytest.mark.parametrize(
    ("arguments", "how", "expected"),
    [
        ({"x-message-ttl": 100}, "", FRESH),
        ({"x-message-ttl": 100}, "r", ONCE),
        ({"x-message-ttl": 100}, "n", FRESH),
        ({"x-max-length": 1}, "", FRESH),
        ({"x-max-length": 1}, "r", ONCE),
    ],
)
def test_whatever_it_died_of(
    client: Client, kind: str, arguments: dict[str, Any], how: str, expected: Seen
) -> None:
    chain(client, kind, "quorum", **arguments)
    settle(client, "q0", how)
    if "x-max-length" in arguments:
        client.publish("", "q0", b"too much")
    client.fake.connection.vhost.clock.advance(0.2)  # type: ignore[attr-defined]
    assert last(client, "q1") == expected


def test_the_limit_of_the_next_queue_counts_what_failed_in_the_one_before(client: Client) -> None:
    limited = {"x-queue-type": "quorum", "x-delivery-limit": 1}
    client.send("queue.declare", queue="q1", durable=True, arguments=limited)
    chain(client, "classic", **{"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "q1"})
    settle(client, "q0", "R")
    settle(client, "q1", "r")
    assert client.send("basic.get", queue="q1")[0].name == "basic.get-empty"


def test_what_its_limit_made_a_dead_letter_failed_once_more_than_that(client: Client) -> None:
    chain(client, "quorum", "quorum", **{"x-delivery-limit": 1})
    settle(client, "q0", "rr")
    assert last(client, "q1") == TWICE


@pytest.mark.parametrize("no_ack", [True, False])
@pytest.mark.parametrize("kind", ["quorum", "classic"])
def test_a_consumer_that_waits_for_it_is_told_too(client: Client, kind: str, no_ack: bool) -> None:
    chain(client, "classic", kind)
    other = client.open(2)
    other.send("basic.consume", channel=2, queue="q1", consumer_tag="c", no_ack=no_ack)
    (got,) = client.send("basic.get", queue="q0")
    (came,) = client.send("basic.reject", delivery_tag=got["delivery_tag"], requeue=False)
    assert came["redelivered"]


def test_each_of_very_many_queues_gets_it_so(client: Client) -> None:
    chain(client, "classic", **{"x-dead-letter-exchange": "amq.fanout"})
    for number in range(300):
        client.send("queue.declare", queue=f"d{number}", durable=True)
        client.send("queue.bind", queue=f"d{number}", exchange="amq.fanout")
    settle(client, "q0", "R")
    assert {last(client, f"d{number}") for number in (0, 150, 299)} == {(True, 0, 0)}


def test_a_transaction_rejects_as_well(client: Client) -> None:
    chain(client, "classic", "quorum")
    client.send("tx.select")
    settle(client, "q0", "R")
    client.send("tx.commit")
    assert last(client, "q1") == ONCE


@pytest.mark.parametrize("release", ["3.10", "3.13", "4.1"])
def test_releases_before_know_nothing_of_it(release: str) -> None:
    client = Scene(AmqpOptions(as_version=release)).client()
    chain(client, "classic", "classic")
    settle(client, "q0", "rR")
    assert last(client, "q1") == FRESH


@pytest.mark.parametrize("kind", ["quorum", "classic"])
@pytest.mark.parametrize("clean", [True, False])
def test_it_is_known_after_a_start(kind: str, clean: bool) -> None:
    options, disk = AmqpOptions(as_version="4.3"), MemoryDisk()
    scene = Scene(options, disk=disk)
    client = scene.client()
    chain(client, "classic", kind, "quorum", **{"x-overflow": "drop-head", "x-max-length": 9})
    settle(client, "q0", "rR")
    scene.advance(0.1)
    client = Scene(options, disk=disk, found=disk.kept(clean=clean)).client()
    (got,) = client.send("basic.get", queue="q1")
    assert seen(got) == (TWICE if kind == "quorum" else (True, 0, 0))
    client.send("basic.nack", delivery_tag=1, requeue=False)
    assert last(client, "q2") == TWICE


@pytest.mark.parametrize("kind", ["quorum", "classic"])
def test_it_is_known_after_a_restart_without_a_disk(kind: str) -> None:
    scene = Scene(AmqpOptions(as_version="4.3"))
    chain(client := scene.client(), "classic", kind, "quorum")
    settle(client, "q0", "rR")
    scene.broker.restart()
    client = scene.client()
    (got,) = client.send("basic.get", queue="q1")
    assert seen(got) == (TWICE if kind == "quorum" else (True, 0, 0))
