"""`broker stop` and `broker start`: connections are refused meanwhile, and clients come back."""

import socket
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import paho.mqtt.client as paho
import pika
import pytest
from confluent_kafka import Consumer, Producer
from mockforge_brokers.errors import InvalidInput
from mockforge_brokers.events import BrokerStarted
from paho.mqtt.enums import CallbackAPIVersion
from pika.exceptions import AMQPConnectionError, ConnectionClosedByBroker, StreamLostError

from mockforge_tui import MockForge
from tests import kills

from .conftest import wait_for

pytestmark = pytest.mark.client


@pytest.fixture
def mockforge() -> Iterator[MockForge]:
    with MockForge() as running:
        yield running


def place(mockforge: MockForge, protocol: str) -> tuple[str, int]:
    if protocol == "kafka":
        host, _, port = mockforge.kafka.bootstrap.rpartition(":")
        return host, int(port)
    found = urlsplit(getattr(mockforge, protocol).url)
    assert found.hostname
    assert found.port
    return found.hostname, found.port


@pytest.mark.parametrize("protocol", ["kafka", "mqtt", "amqp"])
def test_a_stopped_broker_refuses_connections_and_a_started_one_has_its_port(mockforge, protocol):
    where = place(mockforge, protocol)
    mockforge.run(f"broker stop {protocol} -y")
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(where)
    with pytest.raises(InvalidInput, match="is stopped: broker start"):
        mockforge.run(f"broker stop {protocol} -y")
    mockforge.run(f"broker start {protocol}")
    socket.create_connection(where).close()
    with pytest.raises(InvalidInput, match="runs already"):
        mockforge.run(f"broker start {protocol}")


def test_a_port_that_somebody_took_meanwhile_is_named(mockforge):
    where = place(mockforge, "mqtt")
    mockforge.run("broker stop mqtt -y")
    taken = socket.create_server(where)
    with taken, pytest.raises(InvalidInput, match="mqtt cannot listen again"):
        mockforge.run("broker start mqtt")
    mockforge.run("broker start mqtt")
    socket.create_connection(where).close()


def test_what_is_published_by_hand_meanwhile_is_refused(mockforge):
    mockforge.run("broker stop mqtt -y")
    with pytest.raises(InvalidInput, match="mqtt is stopped: broker start mqtt"):
        mockforge.run("pub mqtt:t x")


@pytest.mark.parametrize(
    "line", ["broker stop kafka --for 1m -y", "broker stop kafka --for 1m --hard -y"]
)
def test_a_kafka_client_waits_and_finds_its_records_and_offsets(mockforge, line):
    mockforge.run("topic add orders -p 1")
    settings = {
        "bootstrap.servers": mockforge.kafka.bootstrap,
        "reconnect.backoff.ms": 10,
        "reconnect.backoff.max.ms": 50,
        "enable.idempotence": True,
    }
    errors: list[Any] = []
    producer = Producer(settings)
    producer.produce("orders", b"a", on_delivery=lambda error, _: errors.append(error))
    assert producer.flush(20) == 0
    mockforge.run(line)
    producer.produce("orders", b"b", on_delivery=lambda error, _: errors.append(error))
    assert producer.flush(0.2) == 1
    mockforge.run("clock advance 1m")
    assert producer.flush(30) == 0
    assert errors == [None, None]
    consumer = Consumer(
        {
            "bootstrap.servers": mockforge.kafka.bootstrap,
            "group.id": "g",
            "auto.offset.reset": "earliest",
        }
    )
    consumer.subscribe(["orders"])
    got: list[Any] = []
    wait_for(lambda: got.extend(consumer.consume(1, 0.2)) or len(got) == 2)
    assert [each.value() for each in got] == [b"a", b"b"]
    consumer.close()


@pytest.mark.parametrize("protocol", kills.PROTOCOLS)
def test_what_was_confirmed_is_there_once_after_a_hard_stop_in_the_midst_of_it(protocol):
    """Takes as long as a program and its clients need to start; `tests.kills` does more of it."""
    assert kills.round_of(protocol, 500, 7, "hard").confirmed


@pytest.mark.parametrize("hard", ["", " --hard"])
def test_an_mqtt_session_goes_on_and_its_will_was_published(mockforge, hard):
    host, port = place(mockforge, "mqtt")
    got: list[bytes] = []
    connected: list[bool] = []
    subscribed: list[Any] = []
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id="c", clean_session=False)
    client.on_message = lambda *args: got.append(args[2].payload)
    client.on_connect = lambda *args: connected.append(args[3].value)
    client.on_subscribe = lambda *args: subscribed.append(args)
    client.reconnect_delay_set(1, 1)
    client.will_set("wills", b"gone", retain=True)
    client.connect(host, port)
    client.loop_start()
    client.subscribe("t", 1)
    wait_for(lambda: subscribed)
    started: list[Any] = []
    mockforge.call(mockforge.runtime.spine.watch, started.append, BrokerStarted)
    mockforge.run(f"broker stop mqtt{hard} -y")
    retained = mockforge.call(mockforge.runtime.brokers.mqtt.retained)
    assert [payload for _, payload, _ in retained] == [b"gone"]
    mockforge.run("broker start mqtt")
    assert started
    wait_for(lambda: len(connected) == 2)
    client.publish("t", b"after", 1)
    wait_for(lambda: got)
    assert got == [b"after"]
    client.disconnect()
    client.loop_stop()


@pytest.mark.parametrize(
    ("hard", "error"), [("", ConnectionClosedByBroker), (" --hard", StreamLostError)]
)
def test_an_amqp_client_finds_its_persistent_messages(mockforge, hard, error):
    connection = pika.BlockingConnection(pika.URLParameters(mockforge.amqp.url))
    channel = connection.channel()
    channel.queue_declare("kept", durable=True)
    channel.queue_declare("lost")
    channel.confirm_delivery()
    channel.basic_publish("", "kept", b"a", pika.BasicProperties(delivery_mode=2))
    channel.basic_publish("", "kept", b"b")
    mockforge.run(f"broker stop amqp{hard} -y")
    with pytest.raises(error):
        channel.queue_declare("kept", passive=True)
    with pytest.raises(AMQPConnectionError):
        pika.BlockingConnection(pika.URLParameters(mockforge.amqp.url))
    mockforge.run("broker start amqp")
    channel = pika.BlockingConnection(pika.URLParameters(mockforge.amqp.url)).channel()
    assert channel.basic_get("kept", auto_ack=True)[2] == b"a"
    assert channel.queue_declare("kept", passive=True).method.message_count == 0
    assert [each["name"] for each in mockforge.run("queue ls").records] == ["kept"]
    channel.connection.close()
