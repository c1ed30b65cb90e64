"""What tx.commit does with messages whose way changed since, asked of RabbitMQ 3.10.8."""

import pytest

from .client import Client, names
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
