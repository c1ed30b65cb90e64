"""The firehose: messages of amq.rabbitmq.trace, as RabbitMQ 3.10.8 was seen to send them."""

import gc
from typing import Any
from weakref import ref

import pytest
from mockforge_brokers.amqp.connection.ends import connection_name
from mockforge_brokers.amqp.options import AmqpOptions
from mockforge_brokers.amqp.records import plain
from mockforge_brokers.events import ConnectionClosed

from .client import Client, Scene, bodies
from .test_governed import drain
from .v1_0.client import Client as LaterClient


@pytest.fixture
def traced(scene: Scene, client: Client) -> Client:
    client.send("queue.declare", queue="q")
    client.send("queue.bind", queue="q", exchange="amq.topic", routing_key="a.*")
    client.send("queue.declare", queue="trace")
    client.send("queue.bind", queue="trace", exchange="amq.rabbitmq.trace", routing_key="#")
    scene.broker.trace(True)
    return client


def traces(client: Client) -> list[tuple[str, dict[str, Any], bytes]]:
    return [
        (got["routing_key"], plain(got.properties["headers"]), got.body)
        for got in drain(client, "trace")
    ]


def test_publish_is_traced_with_what_it_was(traced: Client) -> None:
    traced.publish("amq.topic", "a.b", b"hello", content_type="text/plain", headers={"h": 1})
    traced.publish("amq.topic", "none", b"lost")
    (first, second) = traces(traced)
    key, headers, body = first
    assert (key, body) == ("publish.amq.topic", b"hello")
    assert headers["exchange_name"] == "amq.topic"
    assert headers["routing_keys"] == ["a.b"]
    assert headers["properties"] == {"content_type": "text/plain", "headers": {"h": 1}}
    assert (headers["vhost"], headers["routed_queues"]) == ("/", ["q"])
    assert headers["connection"] == connection_name(traced.peer)
    assert (headers["user"], headers["node"]) == ("guest", "rabbit@localhost")
    assert (second[1]["routed_queues"], second[2]) == ([], b"lost")


def test_delivery_and_get_are_traced(traced: Client) -> None:
    traced.publish("amq.topic", "a.b", b"1")
    traced.send("basic.get", queue="q", no_ack=True)
    traced.publish("amq.topic", "a.b", b"2")
    assert bodies(traced.send("basic.consume", queue="q")) == [b"2"]
    found = traces(traced)
    keys = [key for key, _, _ in found]
    assert keys == ["publish.amq.topic", "deliver.q", "publish.amq.topic", "deliver.q"]
    assert [headers.get("redelivered") for _, headers, _ in found] == [None, 0, None, 0]
    place = (connection_name(traced.peer), "guest", 1)
    for _, headers, _ in (found[1], found[3]):
        assert (headers["connection"], headers["user"], headers["channel"]) == place


def test_of_clients_with_one_name_none_is_taken_for_the_publisher(
    scene: Scene, traced: Client
) -> None:
    one, _ = scene.client(name="shop"), scene.client(name="shop")
    one.publish("amq.topic", "a.b", b"x")
    ((_, headers, _),) = traces(traced)
    assert headers["connection"] == "shop"


def test_what_no_client_published_has_its_source(scene: Scene, traced: Client) -> None:
    scene.broker.publish("amq.topic", "a.b", b"x")
    ((_, headers, _),) = traces(traced)
    assert headers["connection"] == "prompt"
    assert "user" not in headers


def test_consumer_that_was_there_is_traced_until_it_is_switched_off(
    scene: Scene, traced: Client
) -> None:
    scene.broker.trace(False)
    traced.send("basic.consume", queue="q", no_ack=True)
    scene.broker.trace(True)
    traced.publish("amq.topic", "a.b", b"1")
    scene.broker.trace(False)
    traced.publish("amq.topic", "a.b", b"2")
    assert [(key, body) for key, _, body in traces(traced)] == [
        ("publish.amq.topic", b"1"),
        ("deliver.q", b"1"),
    ]


def test_a_key_of_any_bytes_is_traced(traced: Client) -> None:
    traced.send("queue.bind", queue="q", exchange="amq.topic", routing_key="#")
    traced.publish("amq.topic", "\udcff", b"x")
    (trace,) = drain(traced, "trace")
    assert trace.properties["headers"]["routing_keys"].value[0].value == b"\xff"


def test_who_comes_while_it_is_traced_is_named_and_who_shares_a_name_is_not(
    scene: Scene, traced: Client
) -> None:
    first = scene.client(name="shop")
    first.publish("amq.topic", "a.b", b"1")
    second = scene.client(name="shop")
    second.publish("amq.topic", "a.b", b"2")
    second.fake.vanish()
    scene.environment.spine.emit(ConnectionClosed("amqp", second.peer.id, "shop", "gone"))
    first.publish("amq.topic", "a.b", b"3")
    found = [headers["connection"] for key, headers, _ in traces(traced) if key.startswith("pub")]
    assert found == [connection_name(first.peer), "shop", connection_name(first.peer)]


def test_nothing_holds_the_tracer_of_a_virtual_host_that_is_gone(scene: Scene) -> None:
    scene.broker.add_vhost("x")
    scene.broker.trace(True, vhost="x")
    tracer = ref(scene.broker.vhosts["x"].tracer)
    scene.broker.remove_vhost("x")
    gc.collect()
    assert tracer() is None


class _Looked(dict[int, Any]):
    """Channels that count how often somebody walks through them."""

    walks = 0

    def items(self) -> Any:
        self.walks += 1
        return super().items()


def test_a_consumers_channel_is_looked_for_once(scene: Scene, traced: Client) -> None:
    for number in range(2, 5):
        traced.send("channel.open", channel=number)
    (connection,) = scene.broker.management._connections.values()
    channels = connection.channels.open = _Looked(connection.channels.open)
    traced.send("basic.consume", channel=3, queue="q", no_ack=True)
    for _ in range(5):
        traced.publish("amq.topic", "a.b", b"x")
    found = [headers["channel"] for key, headers, _ in traces(traced) if key == "deliver.q"]
    assert (found, channels.walks) == ([3] * 5, 1)


def test_who_is_the_single_active_receiver_hears_so_while_it_is_traced() -> None:
    scene = Scene(AmqpOptions(as_version="4.3"))
    arguments = {"x-queue-type": "quorum", "x-single-active-consumer": True}
    scene.broker.declare_queue("q", durable=True, arguments=arguments)
    scene.broker.trace(True)
    first, second = (LaterClient(scene).connect() for _ in range(2))
    for client in (first, second):
        client.receiver("/queues/q")
    first.send("detach", handle=1, closed=True)
    assert [got["properties"] for got in second.received()] == [{"rabbitmq:active": True}]
