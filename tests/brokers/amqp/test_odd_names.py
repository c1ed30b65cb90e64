"""Names may be any bytes: those that are no UTF-8 are told apart, buried and traced as others."""

import pytest
from mockforge_brokers.amqp.records import Field

from .client import Client, Scene, bodies, names
from .test_governed import drain

ODD = b"\xffq".decode("utf-8", "surrogateescape")
ODDER = b"\xfeq".decode("utf-8", "surrogateescape")


def named(field: Field) -> str:
    return bytes(field.value).decode("utf-8", "surrogateescape")


def dying(client: Client, name: str, to: str, **arguments: object) -> None:
    """A queue whose messages are over at once, and go to another by the default exchange."""
    more = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": Field("S", to)}
    given = {"x-message-ttl": 0, **more, **arguments}
    assert names(client.send("queue.declare", queue=name, arguments=given)) == ["queue.declare-ok"]


def test_dead_letter_says_where_it_died(client: Client) -> None:
    client.send("queue.declare", queue="end")
    dying(client, ODD, "end")
    client.publish("", ODD, b"x")
    (got,) = drain(client, "end")
    (death,) = got.properties["headers"]["x-death"].value
    assert named(death.value["queue"]) == ODD
    assert [named(key) for key in death.value["routing-keys"].value] == [ODD]


def test_circle_of_two_queues_is_cut(client: Client) -> None:
    client.send("queue.declare", queue=ODDER, durable=True)
    client.send("queue.delete", queue=ODDER)
    dying(client, ODD, ODDER)
    dying(client, ODDER, ODD)
    client.publish("", ODD, b"x")
    assert drain(client, ODD) == drain(client, ODDER) == []


def test_rejection_by_the_same_queue_is_counted(client: Client) -> None:
    given = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": Field("S", b"\xffq")}
    client.send("queue.declare", queue=ODD, arguments=given)
    client.publish("", ODD, b"x")
    for tag in (1, 2):
        client.send("basic.get", queue=ODD)
        client.send("basic.reject", delivery_tag=tag)
    (got,) = drain(client, ODD)
    (death,) = got.properties["headers"]["x-death"].value
    assert death.value["count"].value == 2


def test_dead_letter_exchange_and_alternate_one_are_found(client: Client) -> None:
    client.send("exchange.declare", exchange=ODD, exchange_type="topic")
    client.send("queue.declare", queue="end")
    client.send("queue.bind", queue="end", exchange=ODD, routing_key="#")
    given = {
        "x-message-ttl": 0,
        "x-dead-letter-exchange": Field("S", b"\xffq"),
        "x-dead-letter-routing-key": Field("S", b"\xfe.k"),
    }
    client.send("queue.declare", queue="q", arguments=given)
    client.publish("", "q", b"dead")
    alternate = {"alternate-exchange": Field("S", b"\xffq")}
    client.send("exchange.declare", exchange="e", exchange_type="fanout", arguments=alternate)
    client.publish("e", "", b"else")
    assert [got.body for got in drain(client, "end")] == [b"dead", b"else"]


@pytest.mark.parametrize("header", ["CC", "BCC"])
def test_copies_reach_the_queue(client: Client, header: str) -> None:
    client.send("queue.declare", queue=ODD)
    copies = Field("A", (Field("S", b"\xffq"),))
    client.publish("", "nobody", b"x", headers={header: copies})
    assert [got.body for got in drain(client, ODD)] == [b"x"]


def test_traced_message_arrives(scene: Scene, client: Client) -> None:
    client.send("queue.declare", queue=ODD)
    client.send("queue.declare", queue="trace")
    client.send("queue.bind", queue="trace", exchange="amq.rabbitmq.trace", routing_key="#")
    scene.broker.trace(True)
    client.publish("", ODD, b"x", correlation_id=ODDER)
    assert [got.body for got in drain(client, ODD)] == [b"x"]
    scene.broker.trace(False)
    assert [got["routing_key"] for got in drain(client, "trace")] == ["publish.", f"deliver.{ODD}"]


def test_traced_names_are_cut_to_what_a_routing_key_can_be(scene: Scene, client: Client) -> None:
    long = "q" * 255
    client.send("queue.declare", queue=long)
    client.send("queue.declare", queue="trace")
    client.send("queue.bind", queue="trace", exchange="amq.rabbitmq.trace", routing_key="deliver.#")
    scene.broker.trace(True)
    client.publish("", long, b"x")
    drain(client, long)
    scene.broker.trace(False)
    (traced,) = drain(client, "trace")
    assert traced["routing_key"] == f"deliver.{long}"[:255]


def test_reply_to_an_asker_is_traced_as_long_as_all_is(scene: Scene, client: Client) -> None:
    client.send("queue.declare", queue="trace")
    client.send("queue.bind", queue="trace", exchange="amq.rabbitmq.trace", routing_key="deliver.#")
    scene.broker.trace(True)
    client.send("queue.declare", queue="rpc")
    client.send("basic.consume", queue="amq.rabbitmq.reply-to", no_ack=True)
    scene.broker.trace(False)
    (reply,) = scene.broker.vhost().replies
    assert bodies(client.publish("", reply, b"answer")) == [b"answer"]
    assert drain(client, "trace") == []
