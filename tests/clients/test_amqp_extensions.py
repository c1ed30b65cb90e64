"""RabbitMQ's extensions through pika, unmodified: policies, quorum queues, streams, exchanges."""

from collections.abc import Iterator
from typing import Any

import pika
import pytest
from pika.adapters.blocking_connection import BlockingChannel
from pika.exceptions import ChannelClosedByBroker, ConnectionClosedByBroker

from clients.conftest import Servers, wait_for
from mockforge_tui import MockForge

pytestmark = pytest.mark.client

Got = tuple[bytes, dict[str, Any]]


@pytest.fixture
def connection(servers: Servers) -> Iterator[pika.BlockingConnection]:
    parameters = pika.ConnectionParameters("127.0.0.1", servers.ports["amqp"])
    connection = pika.BlockingConnection(parameters)
    yield connection
    if connection.is_open:
        connection.close()


@pytest.fixture
def channel(connection: pika.BlockingConnection) -> BlockingChannel:
    return connection.channel()


def declare(channel: BlockingChannel, name: str, kind: str, **arguments: Any) -> str:
    channel.queue_delete(name)
    given = {key.replace("_", "-"): value for key, value in arguments.items()}
    channel.queue_declare(name, durable=True, arguments={"x-queue-type": kind, **given})
    return name


def count(channel: BlockingChannel, queue: str) -> int:
    return int(channel.queue_declare(queue, passive=True).method.message_count)


def read(
    channel: BlockingChannel, queue: str, number: int, arguments: dict[str, Any] | None = None
) -> list[Got]:
    """The next messages of a consumer, each acknowledged."""
    found: list[Got] = []

    def take(_: object, method: Any, properties: Any, body: bytes) -> None:
        found.append((body, properties.headers or {}))
        channel.basic_ack(method.delivery_tag)

    channel.basic_qos(prefetch_count=10)
    tag = channel.basic_consume(queue, take, arguments=arguments)
    wait_for(lambda: channel.connection.process_data_events(0.05) or len(found) >= number)
    channel.basic_cancel(tag)
    return found


def test_quorum_queue_counts_deliveries_and_sends_on_what_came_too_often(
    channel: BlockingChannel,
) -> None:
    dead = channel.queue_declare("", exclusive=True).method.queue
    queue = declare(
        channel,
        "ext.quorum",
        "quorum",
        x_delivery_limit=2,
        x_dead_letter_exchange="",
        x_dead_letter_routing_key=dead,
    )
    channel.basic_publish("", queue, b"poison")
    counts = []
    for _ in range(3):
        method, properties, _ = channel.basic_get(queue)
        counts.append(properties.headers["x-delivery-count"])
        channel.basic_nack(method.delivery_tag, requeue=True)
    assert counts == [0, 1, 2]
    _, properties, body = channel.basic_get(dead, auto_ack=True)
    assert (body, properties.headers["x-death"][0]["reason"]) == (b"poison", "delivery_limit")
    channel.queue_delete(queue)


def test_quorum_queue_refuses_a_common_prefetch(channel: BlockingChannel) -> None:
    queue = declare(channel, "ext.qos", "quorum")
    channel.basic_qos(prefetch_count=5, global_qos=True)
    with pytest.raises(ConnectionClosedByBroker, match="does not support global qos"):
        channel.basic_consume(queue, lambda *_: None)


def test_stream_is_read_twice_and_from_the_middle(channel: BlockingChannel) -> None:
    queue = declare(channel, "ext.stream", "stream")
    for number in range(6):
        channel.basic_publish("", queue, b"%d" % number)
    for _ in range(2):
        found = read(channel, queue, 6, {"x-stream-offset": "first"})
        assert [body for body, _ in found] == [b"%d" % number for number in range(6)]
    found = read(channel, queue, 2, {"x-stream-offset": 4})
    assert [headers["x-stream-offset"] for _, headers in found] == [4, 5]
    channel.queue_delete(queue)


def test_stream_wants_a_prefetch(channel: BlockingChannel) -> None:
    queue = declare(channel, "ext.stream2", "stream")
    with pytest.raises(ChannelClosedByBroker, match="prefetch count is not set"):
        channel.basic_consume(queue, lambda *_: None)


def test_delayed_message_comes_later(servers: Servers, channel: BlockingChannel) -> None:
    arguments = {"x-delayed-type": "direct"}
    channel.exchange_declare("ext.later", "x-delayed-message", arguments=arguments)
    queue = channel.queue_declare("", exclusive=True).method.queue
    channel.queue_bind(queue, "ext.later", "k")
    delayed = pika.BasicProperties(headers={"x-delay": 60_000})
    channel.basic_publish("ext.later", "k", b"later", delayed)
    channel.basic_publish("ext.later", "k", b"now")
    assert [body for body, _ in read(channel, queue, 1)] == [b"now"]
    assert count(channel, queue) == 0
    servers.run("clock advance 60s")
    [(body, headers)] = read(channel, queue, 1)
    assert (body, headers["x-delay"]) == (b"later", -60_000)
    channel.exchange_delete("ext.later")


def test_new_binding_gets_recent_history(channel: BlockingChannel) -> None:
    channel.exchange_declare("ext.last", "x-recent-history")
    for number in range(3):
        channel.basic_publish("ext.last", "", b"%d" % number)
    queue = channel.queue_declare("", exclusive=True).method.queue
    channel.queue_bind(queue, "ext.last", "")
    assert count(channel, queue) == 3
    channel.exchange_delete("ext.last")


def test_consistent_hash_keeps_a_key_together(channel: BlockingChannel) -> None:
    channel.exchange_declare("ext.hash", "x-consistent-hash")
    queues = [channel.queue_declare("", exclusive=True).method.queue for _ in range(3)]
    for queue in queues:
        channel.queue_bind(queue, "ext.hash", "1")
    for _ in range(10):
        channel.basic_publish("ext.hash", "one key", b"")
    assert sorted(count(channel, queue) for queue in queues) == [0, 0, 10]
    channel.exchange_delete("ext.hash")


def test_policy_shortens_a_queue_that_is_there(servers: Servers, channel: BlockingChannel) -> None:
    channel.queue_declare("ext.short", exclusive=True)
    for number in range(5):
        channel.basic_publish("", "ext.short", b"%d" % number)
    servers.run("policy set ext ^ext.short$ max-length=2 --apply-to queues")
    assert count(channel, "ext.short") == 2
    servers.run("policy rm ext")


def test_alarm_is_heard_as_blocked_and_unblocked(
    servers: Servers, connection: pika.BlockingConnection, channel: BlockingChannel
) -> None:
    heard: list[str] = []
    connection.add_on_connection_blocked_callback(
        lambda _, frame: heard.append(frame.method.reason)
    )
    connection.add_on_connection_unblocked_callback(lambda *_: heard.append("unblocked"))
    servers.run("alarm set")
    channel.basic_publish("amq.fanout", "", b"x")
    wait_for(lambda: connection.process_data_events(0.05) or heard == ["low on memory"])
    servers.run("alarm clear")
    wait_for(lambda: connection.process_data_events(0.05) or heard[1:] == ["unblocked"])


# Releases of RabbitMQ.


def test_client_is_ready_for_the_next_rabbitmq_or_hears_what_it_has_to_change() -> None:
    with MockForge(kafka=False, mqtt=False, amqp_as_version="3.13") as today:
        connection = pika.BlockingConnection(pika.URLParameters(today.amqp.url))
        connection.channel().queue_declare("jobs")
        connection.close()
        (found,) = today.run("lint ls").data
        assert (found["protocol"], found["statement"], found["severity"]) == (
            "amqp",
            "transient-queue",
            "warning",
        )
    with MockForge(kafka=False, mqtt=False, amqp_as_version="4.3") as tomorrow:
        connection = pika.BlockingConnection(pika.URLParameters(tomorrow.amqp.url))
        with pytest.raises(ConnectionClosedByBroker, match="`transient_nonexcl_queues` is deprec"):
            connection.channel().queue_declare("jobs")
        assert [each["severity"] for each in tomorrow.run("lint ls").data] == ["error"]


def test_client_hears_what_is_risky_in_what_it_does() -> None:
    with MockForge(kafka=False, mqtt=False) as servers:
        settings = pika.URLParameters(f"{servers.amqp.url}?heartbeat=0")
        connection = pika.BlockingConnection(settings)
        channel = connection.channel()
        channel.queue_declare("jobs", durable=True)
        channel.basic_consume("jobs", lambda *_: None)
        channel.confirm_delivery()
        channel.basic_publish("amq.topic", "nobody", b"x")
        with pytest.raises(ChannelClosedByBroker):
            channel.basic_ack(9)
            channel.queue_declare("jobs", durable=True)
        found = {each["statement"]: each["severity"] for each in servers.run("lint ls").data}
        connection.close()
    assert found == {
        "ack-of-nothing": "error",
        "no-heartbeat": "warning",
        "no-prefetch": "warning",
        "confirm-without-mandatory": "warning",
    }


# What happens in the broker, as messages.


def test_client_hears_of_others_through_the_event_exchange(channel: BlockingChannel) -> None:
    queue = channel.queue_declare("", exclusive=True).method.queue
    channel.queue_bind(queue, "amq.rabbitmq.event", "connection.*")
    found: dict[str, dict[str, Any]] = {}

    def take(_: object, method: Any, properties: Any, body: bytes) -> None:
        if properties.headers.get("user_provided_name") == "passer-by":
            found[method.routing_key] = properties.headers

    channel.basic_consume(queue, take, auto_ack=True)
    port = channel.connection._impl.params.port
    name = {"connection_name": "passer-by"}
    parameters = pika.ConnectionParameters("127.0.0.1", port, client_properties=name)
    pika.BlockingConnection(parameters).close()
    wait_for(lambda: channel.connection.process_data_events(0.05) or len(found) == 2)
    assert list(found) == ["connection.created", "connection.closed"]
    assert found["connection.closed"]["name"] == found["connection.created"]["name"]


def test_pika_hears_that_a_late_consumer_of_4_3_was_cancelled_and_its_channel_lives_on() -> None:
    with MockForge(kafka=False, mqtt=False, amqp_as_version="4.3") as servers:
        address = pika.URLParameters(servers.amqp.url)
        connection = pika.BlockingConnection(address)
        channel = connection.channel()
        queue = declare(channel, "late", "quorum")
        came: list[tuple[int, bool]] = []
        cancelled: list[str] = []

        def take(_: object, method: Any, properties: Any, body: bytes) -> None:
            came.append((method.delivery_tag, method.redelivered))

        channel.add_on_cancel_callback(lambda frame: cancelled.append(frame.method.consumer_tag))
        late = channel.basic_consume(queue, take, arguments={"x-consumer-timeout": 60_000})
        channel.basic_publish("", queue, b"work")
        wait_for(lambda: connection.process_data_events(0.05) or came)
        servers.run("clock advance 2m")
        wait_for(lambda: connection.process_data_events(0.05) or cancelled)
        assert cancelled == [late]
        channel.basic_consume(queue, take)
        wait_for(lambda: connection.process_data_events(0.05) or len(came) == 2)
        assert came == [(1, False), (2, True)]
        channel.basic_ack(2)
        assert count(channel, queue) == 0
        connection.close()
