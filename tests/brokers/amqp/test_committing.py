"""What tx.commit does with messages whose way changed since, asked of RabbitMQ 3.10.8."""

import pytest
from mockforge_brokers.amqp.state.memory import COST
from mockforge_brokers.limits import Limits

from .client import Client, Scene, names
from .test_governed import drain


@pytest.fixture
def bound(client: Client) -> Client:
    """An exchange that leads to t1, and a transaction."""
    client.send("exchange.declare", exchange="x", exchange_type="fanout")
    client.send("queue.declare", queue="t1")
    client.send("queue.bind", queue="t1", exchange="x")
    client.send("tx.select")
    return client


def test_message_goes_where_bindings_led_when_it_was_published(bound: Client) -> None:
    bound.publish("x", "k", b"1", mandatory=True)
    bound.publish("x", "k", b"2", headers={"CC": ["c"]}, expiration="60000")
    bound.send("exchange.delete", exchange="x")
    assert names(bound.send("tx.commit")) == ["tx.commit-ok"]
    assert [(got["exchange"], got.body) for got in drain(bound, "t1")] == [("x", b"1"), ("x", b"2")]


@pytest.mark.parametrize("exchange", ["x", ""])
def test_message_whose_queue_is_gone_comes_back(bound: Client, exchange: str) -> None:
    bound.publish(exchange, "t1", b"1", mandatory=True)
    bound.send("queue.delete", queue="t1")
    assert names(bound.send("tx.commit")) == ["basic.return", "tx.commit-ok"]


@pytest.mark.parametrize("exchange", ["x", ""])
def test_queue_that_was_declared_anew_gets_it(bound: Client, exchange: str) -> None:
    bound.publish(exchange, "t1", b"1", mandatory=True)
    bound.send("queue.delete", queue="t1")
    bound.send("queue.declare", queue="t1")
    assert names(bound.send("tx.commit")) == ["tx.commit-ok"]
    assert [got.body for got in drain(bound, "t1")] == [b"1"]


def test_queue_of_the_default_exchange_may_come_later(client: Client) -> None:
    client.send("tx.select")
    client.publish("", "late", b"1", mandatory=True)
    client.send("queue.declare", queue="late")
    assert names(client.send("tx.commit")) == ["tx.commit-ok"]
    assert [got.body for got in drain(client, "late")] == [b"1"]


def test_published_messages_come_before_dead_letters(client: Client) -> None:
    dead = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "end"}
    client.send("queue.declare", queue="q", arguments=dead)
    client.send("queue.declare", queue="end")
    client.publish("", "q", b"dead")
    client.send("basic.get", queue="q")
    client.send("tx.select")
    client.send("basic.nack", delivery_tag=1)
    client.publish("", "end", b"new")
    client.send("tx.commit")
    assert [got.body for got in drain(client, "end")] == [b"new", b"dead"]


@pytest.mark.parametrize("end", ["tx.commit", "tx.rollback", "channel.close", "vanish"])
def test_what_is_not_committed_takes_memory_until_its_end(scene: Scene, end: str) -> None:
    client = scene.client()
    client.send("tx.select")
    for _ in range(3):
        client.publish("", "nowhere", b"12345")
    assert scene.broker.memory.used == 3 * (5 + COST)
    if end == "vanish":
        client.fake.vanish()
    elif end == "channel.close":
        client.send(end, reply_code=200, reply_text="", class_id=0, method_id=0)
    else:
        client.send(end)
    assert scene.broker.memory.used == 0


def test_a_transaction_for_which_there_will_never_be_room_is_refused() -> None:
    scene = Scene(limits=Limits(amqp_memory=10 * COST))
    client = scene.client()
    client.send("tx.select")
    for _ in range(5):
        assert not client.publish("", "q", b"")
    (close,) = client.publish("", "q", b"")
    assert close["reply_text"] == (
        f"PRECONDITION_FAILED - the publishes of all open transactions take {6 * COST} bytes, more "
        f"than half of amqp_memory ({10 * COST}): commit more often, or raise the limit"
    )
    assert scene.broker.memory.used == 0


def test_open_transactions_never_take_all_of_the_memory_together() -> None:
    scene = Scene(limits=Limits(amqp_memory=10 * COST))
    one, other = scene.client(), scene.client()
    for client in (one, other):
        client.send("tx.select")
    for _ in range(4):
        assert not one.publish("", "q", b"")
    assert not other.publish("", "q", b"")
    assert names(other.publish("", "q", b"")) == ["channel.close"]
    assert names(one.send("tx.commit")) == ["tx.commit-ok"]
    one.publish("", "q", b"")
    assert scene.broker.memory.uncommitted == COST
