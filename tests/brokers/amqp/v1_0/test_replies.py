"""Direct reply-to by AMQP 1.0, as RabbitMQ 4.2 has it (rabbit_volatile_queue)."""

from typing import Any

import pytest
from mockforge_brokers.access import rule_of
from mockforge_brokers.amqp.v1_0.wire import message
from mockforge_brokers.amqp.v1_0.wire.values import Symbol

from ..client import Scene
from .client import Client, bodies, names

VOLATILE: dict[str, Any] = {
    "address": None,
    "dynamic": True,
    "expiry_policy": Symbol("link-detach"),
    "capabilities": ("rabbitmq:volatile-queue",),
}


def requester(scene: Scene, credit: int = 10) -> tuple[Client, str]:
    """A client that waits for replies, and the address that they go to."""
    client = Client(scene).connect()
    came = client.receiver("", source=VOLATILE, snd_settle_mode=1, credit=credit)
    assert names(came) == ["attach"]
    source = came[0]["source"]
    assert source.get("capabilities") == ("rabbitmq:volatile-queue",)
    assert (source.get("dynamic"), source.get("timeout")) == (True, 0)
    address = source.get("address")
    assert address.startswith("/queues/amq.rabbitmq.reply-to.")
    return client, address


def reply(client: Client, address: str, body: bytes, handle: int = 0) -> list[str]:
    """Publish to the address of a message; returns what became of it."""
    properties = {"to": address, "correlation_id": "c"}
    payload = message.bare_message(properties, {}, message.data_section(body))
    return [
        got.state
        for got in client.transfer(handle=handle, payload=payload)
        if "state" in got.fields
    ]


@pytest.mark.parametrize("anonymous", [True, False])
def test_a_reply_comes_settled_to_who_asked(scene: Scene, anonymous: bool) -> None:
    asking, address = requester(scene)
    server = Client(scene).connect()
    server.sender(None if anonymous else address)
    assert reply(server, address, b"1") == ["accepted"]
    (came,) = asking.received()
    assert (bodies([came]), came["settled"]) == ([b"1"], True)
    assert came.sections is not None
    assert came.sections.properties["correlation_id"] == "c"
    assert not scene.broker.vhost().queues
    assert scene.broker.memory.used == 0


def test_clients_of_both_versions_reply_to_each_other(scene: Scene) -> None:
    asking, address = requester(scene)
    old = scene.client()
    old.publish("", address.removeprefix("/queues/"), b"by 0-9-1")
    assert bodies(asking.received()) == [b"by 0-9-1"]
    old.send("queue.declare", queue="work")
    old.send("basic.consume", queue="amq.rabbitmq.reply-to", no_ack=True)
    old.publish("", "work", b"ask", reply_to="amq.rabbitmq.reply-to")
    asking.sender(None)
    (_, asked) = asking.receiver("/queues/work", handle=5, credit=1)
    assert asked.sections is not None
    assert reply(asking, asked.sections.properties["reply_to"], b"by 1.0") == ["accepted"]
    (got,) = old.received()
    assert got.body == b"by 1.0"


def test_without_credit_a_reply_is_dropped(scene: Scene) -> None:
    asking, address = requester(scene, credit=0)
    server = Client(scene).connect()
    server.sender(None)
    assert reply(server, address, b"early") == ["accepted"]
    assert asking.grant(credit=1) == []
    for body in (b"1", b"2"):
        reply(server, address, body)
    assert bodies(asking.received()) == [b"1"]
    assert asking.grant(credit=5, delivery_count=1) == []


@pytest.mark.parametrize("end", ["detach", "end", "vanish"])
def test_a_link_that_ends_takes_its_address_along(scene: Scene, end: str) -> None:
    asking, address = requester(scene)
    if end == "vanish":
        asking.fake.vanish()
    else:
        asking.send(end, **({"handle": 1, "closed": True} if end == "detach" else {}))
    server = Client(scene).connect()
    server.sender(None)
    assert reply(server, address, b"late") == ["released"]
    assert not scene.broker.vhost().replies


@pytest.mark.parametrize(
    ("change", "settled"),
    [
        ({}, 0),
        ({"durable": 1}, 1),
        ({"timeout": 5}, 1),
        ({"expiry_policy": Symbol("never")}, 1),
        ({"expiry_policy": None}, 1),
        ({"capabilities": ()}, 1),
    ],
)
def test_what_is_no_direct_reply_to_is_refused(
    scene: Scene, client: Client, change: dict[str, Any], settled: int
) -> None:
    came = client.receiver("", source=VOLATILE | change, snd_settle_mode=settled)
    assert names(came) == ["attach", "detach"]
    assert came[-1].error[0] == "amqp:not-implemented"
    assert not scene.broker.vhost().replies


def test_who_may_not_read_gets_no_address(scene: Scene) -> None:
    scene.environment.access.add_user("bob", "x", ("amqp",))
    scene.environment.access.add_rule(rule_of("allow bob configure,write amqp:*"))
    client = Client(scene).connect(user="bob", password="x")
    came = client.receiver("", source=VOLATILE, snd_settle_mode=1)
    assert came[-1].error[0] == "amqp:unauthorized-access"
    assert not scene.broker.vhost().replies
