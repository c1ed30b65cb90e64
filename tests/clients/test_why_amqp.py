"""What `why` says of AMQP clients that get nothing: each rule, with pika, unmodified."""

from collections.abc import Callable, Iterator
from typing import Any

import pika
import pytest
from pika.adapters.blocking_connection import BlockingChannel

from clients.conftest import wait_for
from mockforge_tui import MockForge

pytestmark = pytest.mark.client


class Scene:
    """A RabbitMQ 4.3, one client, and what `why` says."""

    def __init__(self, servers: MockForge) -> None:
        self.servers = servers
        self.connection = pika.BlockingConnection(pika.URLParameters(servers.amqp.url))
        self.channel: BlockingChannel = self.connection.channel()

    def run(self, line: str) -> Any:
        return self.servers.run(line)

    def declare(self, queue: str, kind: str = "quorum", **arguments: Any) -> None:
        given = {name.replace("_", "-"): value for name, value in arguments.items()}
        self.channel.queue_declare(queue, durable=True, arguments={"x-queue-type": kind, **given})

    def publish(self, routing_key: str, count: int = 1, exchange: str = "") -> None:
        for _ in range(count):
            self.channel.basic_publish(exchange, routing_key, b"x")
        self.settle()

    def consume(self, queue: str, take: Callable[..., None] = lambda *_: None, **given: Any) -> str:
        return str(self.channel.basic_consume(queue, take, arguments=given))

    def settle(self) -> None:
        """The broker has seen all that was sent."""
        self.channel.queue_declare("", exclusive=True, auto_delete=True)

    def causes(self, about: str) -> list[str]:
        return [each["cause"] for each in self.run(f"why {about}").data["findings"]]


@pytest.fixture(scope="module")
def scene() -> Iterator[Scene]:
    with MockForge(kafka=False, mqtt=False, amqp_as_version="4.3") as servers:
        found = Scene(servers)
        yield found
        found.connection.close()


def test_unroutable_names_the_nearest_binding(scene: Scene) -> None:
    scene.channel.exchange_declare("shop", "topic", durable=True)
    scene.declare("orders")
    scene.channel.queue_bind("orders", "shop", "order.new")
    scene.publish("order.newer", exchange="shop")
    assert scene.causes("shop") == ["unroutable"]
    assert scene.causes("orders") == ["routing-key"]
    assert "order.new" in scene.run("why shop").text


def test_nobody_consumes(scene: Scene) -> None:
    scene.declare("alone")
    scene.publish("alone", 3)
    assert scene.causes("alone") == ["no-consumer"]


def test_prefetch_is_used_up(scene: Scene) -> None:
    scene.declare("busy")
    scene.channel.basic_qos(prefetch_count=1)
    scene.consume("busy")
    scene.publish("busy", 2)
    assert scene.causes("busy") == ["prefetch"]
    scene.channel.basic_qos(prefetch_count=0)


def test_expired_and_dropped(scene: Scene) -> None:
    scene.declare("short", "classic", x_message_ttl=60_000, x_max_length=2)
    scene.publish("short", 5)
    scene.run("clock advance 2m")
    wait_for(lambda: "expired" in scene.causes("short"))
    assert scene.causes("short")[:2] == ["expired", "dropped"]


def test_dead_lettered_to_nowhere(scene: Scene) -> None:
    scene.declare("parcels", x_dead_letter_exchange="shop", x_dead_letter_routing_key="parcel")
    scene.publish("parcels")
    method, _, _ = scene.channel.basic_get("parcels")
    scene.channel.basic_reject(method.delivery_tag, requeue=False)
    wait_for(lambda: "dead-letter-nowhere" in scene.causes("parcels"))


def test_nack_loop_with_requeue(scene: Scene) -> None:
    scene.declare("loop", "classic")
    seen: list[int] = []

    def reject(channel: Any, method: Any, *_: object) -> None:
        seen.append(method.delivery_tag)
        if len(seen) <= 30:
            channel.basic_reject(method.delivery_tag, requeue=True)

    scene.consume("loop", reject)
    scene.publish("loop")
    wait_for(lambda: scene.connection.process_data_events(0.01) or len(seen) > 30)
    assert "requeue-loop" in scene.causes("loop")


def test_late_consumer_was_cancelled(scene: Scene) -> None:
    scene.declare("slow", x_consumer_timeout=10_000)
    scene.consume("slow")
    scene.publish("slow")
    scene.run("clock advance 20s")
    wait_for(lambda: scene.causes("slow")[:1] == ["timed-out"])


def test_another_is_the_single_active_one(scene: Scene) -> None:
    scene.declare("one", x_single_active_consumer=True)
    scene.consume("one")
    other = pika.BlockingConnection(pika.URLParameters(scene.servers.amqp.url))
    other.channel().basic_consume("one", lambda *_: None)
    scene.publish("one")
    number = max(each["id"] for each in scene.run("conns").data)
    assert scene.causes(f"c{number}") == ["single-active"]
    other.close()


def test_a_queue_of_other_arguments_names_who_made_it(scene: Scene) -> None:
    def named(name: str) -> pika.BlockingConnection:
        parameters = pika.URLParameters(scene.servers.amqp.url)
        parameters.client_properties = {"connection_name": name}
        return pika.BlockingConnection(parameters)

    maker, other = named("billing"), named("cart")
    maker.channel().queue_declare("invoices", durable=True, arguments={"x-max-length": 5})
    with pytest.raises(pika.exceptions.ChannelClosedByBroker) as raised:
        other.channel().queue_declare("invoices", durable=True)
    assert raised.value.reply_text.endswith(
        "received none but current is the value '5' of type 'signedint'"
    )
    said = [each["text"] for each in scene.run("why cart").data["findings"]]
    # The type is the virtual host's, which RabbitMQ 4.3 puts among the queue's arguments.
    declared = "(billing declared it with durable, x-max-length=5, x-queue-type=classic)"
    assert any(declared in text for text in said), said
    assert scene.run("queue show invoices").data["declared_by"] == "billing"
    for connection in maker, other:
        connection.close()
