"""Ends of connections that are seen late, by the clients of each protocol and by the broker."""

import socket
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import paho.mqtt.client as paho
import pika
import pytest
from confluent_kafka import Producer
from paho.mqtt.enums import CallbackAPIVersion
from pika.exceptions import AMQPError

from mockforge_tui import MockForge

from .conftest import hits, wait_for

pytestmark = pytest.mark.client

LINE = "fault add delay op:close client:b 1h"


@pytest.fixture
def mockforge(running: MockForge) -> Iterator[MockForge]:
    yield running
    running.run("fault clear")


def mqtt_client(mockforge: MockForge, name: str, got: list[bytes], **options: Any) -> paho.Client:
    place = urlsplit(mockforge.mqtt.url)
    subscribed: list[Any] = []
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id=name, **options)
    client.reconnect_delay_set(1, 1)
    client.will_set("wills", name.encode(), 1)
    client.on_message = lambda *args: got.append(args[2].payload)
    client.on_subscribe = lambda *args: subscribed.append(args)
    # Without a keep alive: time is moved on by an hour, in which nobody is silent for too long.
    client.connect(place.hostname, place.port, 0)
    client.loop_start()
    client.subscribe("t" if name == "b" else "wills", 1)
    wait_for(lambda: subscribed)
    return client


def there(mockforge: MockForge) -> bool:
    return any(each["client"] == "b" for each in mockforge.run("conn ls").records)


def test_an_mqtt_client_finds_out_late_that_it_was_closed_and_misses_nothing(mockforge):
    got: list[bytes] = []
    ended: list[Any] = []
    client = mqtt_client(mockforge, "b", got, clean_session=False)
    client.on_disconnect = lambda *args: ended.append(args)
    mockforge.run(LINE)
    mockforge.run("conn kill b -y")
    wait_for(lambda: hits(mockforge) == 1)
    assert not there(mockforge)
    mockforge.run("pub mqtt:t meanwhile -q 1")
    assert client.is_connected()
    assert not ended
    mockforge.run("fault clear")
    wait_for(lambda: ended)
    wait_for(lambda: got == [b"meanwhile"])
    client.disconnect()
    client.loop_stop()


def test_the_end_of_an_mqtt_client_and_its_will_come_late(mockforge):
    wills: list[bytes] = []
    watcher = mqtt_client(mockforge, "watcher", wills)
    client = mqtt_client(mockforge, "b", [])
    mockforge.run(f"{LINE} --dir in")
    client.loop_stop()
    client.socket().shutdown(socket.SHUT_WR)
    wait_for(lambda: hits(mockforge) == 1)
    assert there(mockforge)
    assert wills == []
    mockforge.run("clock advance 1h")
    wait_for(lambda: wills == [b"b"])
    assert not there(mockforge)
    wait_for(lambda: client.loop(0.1))
    watcher.disconnect()
    watcher.loop_stop()


def test_what_an_amqp_client_had_not_acknowledged_comes_again_when_its_end_is_seen(mockforge):
    mockforge.run("queue add q --durable")
    mockforge.run("pub queue:q a")

    def channel_of(name: str) -> Any:
        parameters = pika.URLParameters(mockforge.amqp.url)
        parameters.client_properties = {"connection_name": name}
        return pika.BlockingConnection(parameters).channel()

    channel = channel_of("b")
    assert channel.basic_get("q")[2] == b"a"
    mockforge.run(LINE)
    channel.connection._impl._transport._sock.shutdown(socket.SHUT_RDWR)
    wait_for(lambda: hits(mockforge) == 1)
    other = channel_of("c")
    assert other.basic_get("q")[2] is None
    mockforge.run("fault clear")
    again: list[Any] = []
    wait_for(lambda: again.append(other.basic_get("q", auto_ack=True)) or again[-1][2])
    assert (again[-1][0].redelivered, again[-1][2]) == (True, b"a")
    other.connection.close()
    with pytest.raises(AMQPError):
        channel.connection.process_data_events(1)


def test_a_kafka_producer_sends_again_when_it_sees_that_it_was_closed(mockforge):
    mockforge.run("topic add orders -p 1")
    errors: list[Any] = []
    producer = Producer(
        {
            "bootstrap.servers": mockforge.kafka.bootstrap,
            "client.id": "b",
            "enable.idempotence": True,
            "linger.ms": 0,
            "reconnect.backoff.ms": 10,
            "reconnect.backoff.max.ms": 50,
        }
    )

    def send(value: bytes) -> None:
        producer.produce("orders", value, on_delivery=lambda error, _: errors.append(error))

    send(b"a")
    assert producer.flush(20) == 0
    mockforge.run(LINE)
    mockforge.run("conn kill b -y")
    assert hits(mockforge) >= 1
    send(b"b")
    assert producer.flush(0.3) == 1
    mockforge.run("fault clear")
    assert producer.flush(30) == 0
    assert errors == [None, None]
    read = mockforge.runtime.brokers.kafka.read
    assert [one.value for one in mockforge.call(read, "orders", 0, 0, 10)] == [b"a", b"b"]
