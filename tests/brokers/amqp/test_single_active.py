"""The single active consumer: who is it, who is next, and who takes over.

Classic queues, and quorum queues up to 3.13: asked of RabbitMQ 3.10.8. Quorum queues from 4.0 on:
its source (rabbit_fifo, activate_next_consumer).
"""

from typing import Any

import pytest
from mockforge_brokers.amqp.options import AmqpOptions
from mockforge_brokers.amqp.v1_0.wire.frames import performative
from mockforge_brokers.amqp.v1_0.wire.performatives import Composite
from mockforge_brokers.amqp.wire.frames import method

from ..calls import calls_of
from .client import Client, Got, Scene, bodies, names, publish
from .v1_0.client import Client as LaterClient


def like(release: str) -> Scene:
    return Scene(AmqpOptions(as_version=release))


def declare(client: Client, kind: str = "classic") -> None:
    given = {"x-queue-type": kind, "x-single-active-consumer": True}
    client.send("queue.declare", queue="q", durable=True, arguments=given)


def consume(client: Client, tag: str, priority: int = 0, **values: Any) -> list[Got]:
    arguments = {"x-priority": priority} if priority else {}
    came = client.send("basic.consume", queue="q", consumer_tag=tag, arguments=arguments, **values)
    return [got for got in came if got.name == "basic.deliver"]


def tags(came: list[Got]) -> list[str]:
    return [got["consumer_tag"] for got in came]


CHAINS = [
    ("classic", "3.10", (0, 0, 0), "abc"),
    ("classic", "3.10", (0, 5, 10), "acb"),
    ("classic", "3.10", (5, 0, 10), "acb"),
    ("classic", "3.10", (10, 5, 0), "abc"),
    ("classic", "4.3", (0, 5, 10), "acb"),
    ("quorum", "3.10", (0, 5, 10), "abc"),
    ("quorum", "3.13", (5, 0, 10), "abc"),
    ("quorum", "4.1", (0, 5, 10), "cba"),
    ("quorum", "4.1", (5, 0, 10), "cab"),
    ("quorum", "4.3", (5, 10, 0), "bac"),
]


@pytest.mark.parametrize(("kind", "release", "priorities", "order"), CHAINS)
def test_each_is_active_until_it_goes(
    kind: str, release: str, priorities: tuple[int, ...], order: str
) -> None:
    client = like(release).client()
    declare(client, kind)
    for tag, priority in zip("abc", priorities, strict=True):
        consume(client, tag, priority, no_ack=True)
    found = ""
    for _ in priorities:
        (tag,) = tags(client.publish("", "q", b"x"))
        found += tag
        client.send("basic.cancel", consumer_tag=tag)
    assert found == order


@pytest.fixture
def later() -> Client:
    """A client of RabbitMQ 4.1 whose active consumer `low` has one message, `one`."""
    client = like("4.1").client()
    declare(client, "quorum")
    client.send("basic.qos", prefetch_count=5)
    consume(client, "low")
    assert bodies(client.publish("", "q", b"one")) == [b"one"]
    return client


@pytest.mark.parametrize(
    ("settle", "values"),
    [
        ("basic.ack", {"delivery_tag": 1}),
        ("basic.ack", {"delivery_tag": 0, "multiple": True}),
        ("basic.reject", {"delivery_tag": 1, "requeue": False}),
        ("basic.nack", {"delivery_tag": 1, "requeue": True}),
        ("basic.recover", {"requeue": True}),
    ],
)
def test_higher_priority_takes_over_once_the_active_one_settled_all_it_has(
    later: Client, settle: str, values: dict[str, Any]
) -> None:
    assert consume(later, "high", 1) == []
    assert later.publish("", "q", b"two") == []
    came = [got for got in later.send(settle, **values) if got.name == "basic.deliver"]
    assert tags(came) == ["high"] * len(came)
    assert b"two" in bodies(came)
    assert tags(later.publish("", "q", b"three")) == ["high"]


def test_the_same_priority_does_not_take_over(later: Client) -> None:
    consume(later, "other")
    assert tags(later.publish("", "q", b"two")) == ["low"]


def test_what_a_transaction_settles_is_held_until_it_is_committed(later: Client) -> None:
    later.send("tx.select")
    consume(later, "high", 1)
    later.send("basic.ack", delivery_tag=1)
    later.publish("", "q", b"two")
    assert later.send("queue.declare", queue="q", passive=True)[0]["message_count"] == 0
    assert sorted(names(later.send("tx.commit"))) == ["basic.deliver", "tx.commit-ok"]


def test_the_one_that_gives_way_is_active_again_if_the_higher_one_goes(later: Client) -> None:
    consume(later, "high", 1)
    later.send("basic.cancel", consumer_tag="high")
    assert later.publish("", "q", b"two") == []
    assert tags(later.send("basic.ack", delivery_tag=1)) == ["low"]


def test_of_the_same_priority_the_one_with_more_credit_is_next(later: Client) -> None:
    later.send("basic.qos", prefetch_count=1)
    consume(later, "one at a time")
    later.send("basic.qos", prefetch_count=9)
    consume(later, "nine")
    later.send("basic.cancel", consumer_tag="low")
    assert tags(later.publish("", "q", b"two")) == ["nine"]


def test_end_of_the_channel_lets_the_next_one_begin(later: Client) -> None:
    other = later.open(2)
    other.send("basic.consume", queue="q", consumer_tag="high", channel=2)
    close = {"reply_code": 200, "reply_text": "", "class_id": 0, "method_id": 0}
    came = later.send("channel.close", **close)
    assert sorted(names(came)) == ["basic.deliver", "channel.close-ok"]


def acknowledged(number: int) -> bytes:
    state = Composite("accepted", {})
    return performative(
        0, "disposition", role=True, first=number, last=number, settled=True, state=state
    )


def looks(protocol: str, others: int) -> int:
    """Functions called for a message that one who gives way settles beside others' messages."""
    scene = like("4.1")
    client = scene.client()
    declare(client, "quorum")
    client.send("queue.declare", queue="other")
    client.fake.send(publish("", "other", b"x") * others + publish("", "q", b"x") * 5)
    taker: Client | LaterClient
    if protocol == "1.0":
        taker = LaterClient(scene).connect()
        taker.receiver("/queues/other", credit=others, handle=0)
        taker.receiver("/queues/q", credit=5, handle=1)
        settle = acknowledged(others)
    else:
        taker = scene.client()
        taker.send("basic.consume", queue="other", consumer_tag="other")
        assert len(consume(taker, "low")) == 5
        settle = method(1, "basic.ack", delivery_tag=others + 1, multiple=False)
    assert consume(client, "high", 1) == []
    connection = taker.fake.connection
    return calls_of(lambda: connection.receive(settle))


@pytest.mark.parametrize("protocol", ["0-9-1", "1.0"])
def test_who_gives_way_is_asked_for_what_is_left_without_a_look_at_the_others(
    protocol: str,
) -> None:
    looks(protocol, 5)
    assert looks(protocol, 5) == looks(protocol, 500)


def test_one_that_gives_way_is_counted_with_its_last_acknowledgement(later: Client) -> None:
    """As rabbit_fifo, whose `complete` gives the credit back before the next one is chosen."""
    later.send("basic.qos", prefetch_count=5)
    consume(later, "other")
    consume(later, "high", 1)
    later.send("basic.cancel", consumer_tag="high")
    later.send("basic.ack", delivery_tag=1)
    assert tags(later.publish("", "q", b"two")) == ["low"]


def test_a_commit_lets_the_next_one_begin_whatever_it_says_of_the_messages() -> None:
    for settle in ("basic.ack", "basic.reject", "basic.nack"):
        client = like("4.1").client()
        declare(client, "quorum")
        client.send("basic.qos", prefetch_count=5)
        consume(client, "low")
        client.fake.send(publish("", "q", b"x") * 3)
        client.received()
        client.send("tx.select")
        consume(client, "high", 1)
        for tag in (1, 2, 3):
            more = {} if settle == "basic.ack" else {"requeue": False}
            client.send(settle, delivery_tag=tag, **more)
        assert names(client.send("tx.commit")) == ["tx.commit-ok"]
        client.send("tx.commit")
        other = client.open(2)
        other.publish("", "q", b"two", channel=2)
        other.send("queue.declare", queue="q", passive=True, channel=2)
        queue = client.fake.connection.vhost.queues["q"]
        assert queue.active is not None
        assert queue.active.tag == "high"


@pytest.mark.parametrize(
    ("kind", "counted"), [("quorum", [1, 1, 1, 1, 0]), ("classic", [1, 2, 3, 2, 0])]
)
@pytest.mark.parametrize("release", ["3.10", "4.3"])
def test_a_quorum_queue_counts_of_its_consumers_the_active_one(
    release: str, kind: str, counted: list[int]
) -> None:
    client = like(release).client()
    declare(client, kind)
    seen = []

    def look() -> None:
        (answer,) = client.send("queue.declare", queue="q", passive=True)
        seen.append(answer["consumer_count"])

    for tag in "abc":
        consume(client, tag)
        look()
    client.send("basic.cancel", consumer_tag="a")
    look()
    for tag in "bc":
        client.send("basic.cancel", consumer_tag=tag)
    look()
    assert seen == counted


# Asked of 3.10.8 and 4.3.6; but for 3.10's classic queue, whose next one waits for a message.


@pytest.mark.parametrize("release", ["3.10", "4.3"])
@pytest.mark.parametrize("kind", ["classic", "quorum"])
def test_all_hear_of_the_end_of_the_queue_in_the_order_in_which_they_came(
    kind: str, release: str
) -> None:
    scene = like(release)
    client, other = scene.client(), scene.client()
    declare(client, kind)
    for tag in ("active", "next", "last"):
        consume(client, tag)
    client.publish("", "q", b"x")
    assert other.send("queue.delete", queue="q")[0]["message_count"] == 0
    assert [(got.name, got["consumer_tag"]) for got in client.received()] == [
        ("basic.cancel", tag) for tag in ("active", "next", "last")
    ]
    assert client.send("basic.ack", delivery_tag=1) == []
    declare(client, kind)
    consume(client, "new")
    assert tags(client.publish("", "q", b"y")) == ["new"]


@pytest.mark.parametrize("release", ["3.10", "4.3"])
@pytest.mark.parametrize("kind", ["classic", "quorum"])
@pytest.mark.parametrize(
    ("definition", "left"),
    [
        ({"max-length": 2}, b"34"),
        ({"max-length-bytes": 2}, b"34"),
        ({"message-ttl": 100}, b"234"),
        ({"expires": 300}, b"234"),
        ({"dead-letter-exchange": "amq.fanout"}, b"234"),
        ({"delivery-limit": 1}, b"234"),
        ({"max-length": 1, "overflow": "reject-publish"}, {"classic": b"4", "quorum": b"234"}),
    ],
)
def test_a_policy_leaves_the_active_one_and_what_waits_keeps_its_time(
    definition: dict[str, Any], left: bytes | dict[str, bytes], kind: str, release: str
) -> None:
    scene = like(release)
    client = scene.client()
    declare(client, kind)
    client.send("basic.qos", prefetch_count=1)
    for tag in ("active", "next"):
        consume(client, tag)
    for body in (b"1", b"2", b"3", b"4"):
        client.publish("", "q", body)
    client.received()
    scene.broker.set_policy("p", "^q$", definition)
    scene.advance(1)
    found = client.send("basic.cancel", consumer_tag="active")
    # The next one begins at once, where the other one still has a message.
    assert tags([got for got in found if got.name == "basic.deliver"]) == ["next"]
    taken = bodies(found)
    while taken and (more := bodies(client.send("basic.ack", delivery_tag=1 + len(taken)))):
        taken += more
    assert b"".join(taken) == (left if isinstance(left, bytes) else left[kind])
    scene.broker.remove_policy("p")
    scene.advance(1)
    assert tags(client.publish("", "q", b"5")) == ["next"]
