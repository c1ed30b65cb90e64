"""What `why` says of AMQP clients that get nothing: each rule, with pika, unmodified."""

from collections.abc import Callable, Iterator
from typing import Any

import pika
import pytest
from pika.adapters.blocking_connection import BlockingChannel

from clients.conftest import wait_for
from mockforge_tui import MockForge

pytestmark = pytest.mark.client


class House:
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
def house() -> Iterator[House]:
    with MockForge(kafka=False, mqtt=False, amqp_as_version="4.3") as servers:
        found = House(servers)
        yield found
        found.connection.close()


def test_unroutable_names_the_nearest_binding(house: House) -> None:
    house.channel.exchange_declare("shop", "topic", durable=True)
    house.declare("orders")
    house.channel.queue_bind("orders", "shop", "order.new")
    house.publish("order.newer", exchange="shop")
    assert house.causes("shop") == ["unroutable"]
    assert house.causes("orders") == ["routing-key"]
    assert "order.new" in house.run("why shop").text


def test_nobody_consumes(house: House) -> None:
    house.declare("alone")
    house.publish("alone", 3)
    assert house.causes("alone") == ["no-consumer"]


def test_prefetch_is_used_up(house: House) -> None:
    house.declare("busy")
    house.channel.basic_qos(prefetch_count=1)
    house.consume("busy")
    house.publish("busy", 2)
    assert house.causes("busy") == ["prefetch"]
    house.channel.basic_qos(prefetch_count=0)


def test_expired_and_dropped(house: House) -> None:
    house.declare("short", "classic", x_message_ttl=60_000, x_max_length=2)
    house.publish("short", 5)
    house.run("clock advance 2m")
    wait_for(lambda: "expired" in house.causes("short"))
    assert house.causes("short")[:2] == ["expired", "dropped"]


def test_dead_lettered_to_nowhere(house: House) -> None:
    house.declare("parcels", x_dead_letter_exchange="shop", x_dead_letter_routing_key="parcel")
    house.publish("parcels")
    method, _, _ = house.channel.basic_get("parcels")
    house.channel.basic_reject(method.delivery_tag, requeue=False)
    wait_for(lambda: "dead-letter-nowhere" in house.causes("parcels"))


def test_nack_loop_with_requeue(house: House) -> None:
    house.declare("loop", "classic")
    seen: list[int] = []

    def reject(channel: Any, method: Any, *_: object) -> None:
        seen.append(method.delivery_tag)
        if len(seen) <= 30:
            channel.basic_reject(method.delivery_tag, requeue=True)

    house.consume("loop", reject)
    house.publish("loop")
    wait_for(lambda: house.connection.process_data_events(0.01) or len(seen) > 30)
    assert "requeue-loop" in house.causes("loop")


def test_late_consumer_was_cancelled(house: House) -> None:
    house.declare("slow", x_consumer_timeout=10_000)
    house.consume("slow")
    house.publish("slow")
    house.run("clock advance 20s")
    wait_for(lambda: house.causes("slow")[:1] == ["timed-out"])


def test_another_is_the_single_active_one(house: House) -> None:
    house.declare("one", x_single_active_consumer=True)
    house.consume("one")
    other = pika.BlockingConnection(pika.URLParameters(house.servers.amqp.url))
    other.channel().basic_consume("one", lambda *_: None)
    house.publish("one")
    number = max(each["id"] for each in house.run("conns").data)
    assert house.causes(f"c{number}") == ["single-active"]
    other.close()


def test_a_queue_of_other_arguments_names_who_made_it(house: House) -> None:
    def named(name: str) -> pika.BlockingConnection:
        parameters = pika.URLParameters(house.servers.amqp.url)
        parameters.client_properties = {"connection_name": name}
        return pika.BlockingConnection(parameters)

    maker, other = named("billing"), named("cart")
    maker.channel().queue_declare("invoices", durable=True, arguments={"x-max-length": 5})
    with pytest.raises(pika.exceptions.ChannelClosedByBroker) as raised:
        other.channel().queue_declare("invoices", durable=True)
    assert raised.value.reply_text.endswith(
        "received none but current is the value '5' of type 'signedint'"
    )
    said = [each["text"] for each in house.run("why cart").data["findings"]]
    assert any("(billing declared it with durable, x-max-length=5)" in text for text in said), said
    assert house.run("queue show invoices").data["declared_by"] == "billing"
    for connection in maker, other:
        connection.close()
