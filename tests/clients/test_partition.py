"""Clients on the far side of a partition: unseen while it lasts, and nothing is lost after it."""

from collections.abc import Iterator
from urllib.parse import urlsplit

import paho.mqtt.client as paho
import pika
import pytest
from confluent_kafka import Producer
from paho.mqtt.enums import CallbackAPIVersion

from mockforge_tui import MockForge

from .conftest import wait_for

pytestmark = pytest.mark.client


@pytest.fixture(scope="module")
def running() -> Iterator[MockForge]:
    with MockForge() as running:
        running.run("topic add orders -p 1")
        running.run("queue add q")
        yield running


@pytest.fixture
def mockforge(running: MockForge) -> Iterator[MockForge]:
    running.run("panic")
    yield running
    running.run("panic")


def paho_client(mockforge: MockForge, name: str, **options: int) -> paho.Client:
    place = urlsplit(mockforge.mqtt.url)
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id=name)
    client.will_set("gone", name.encode(), 1)
    client.reconnect_delay_set(1, 1)
    client.connect(place.hostname, place.port, **options)
    return client


class Seen(list[tuple[str, bytes]]):
    """What the MQTT client `a` gets of the others."""

    def __init__(self, mockforge: MockForge) -> None:
        super().__init__()
        subscribed: list[object] = []
        self.client = client = paho_client(mockforge, "a")
        client.on_message = lambda *args: self.append((args[2].topic, args[2].payload))
        client.on_subscribe = lambda *args: subscribed.append(args)
        client.loop_start()
        client.subscribe([("t", 1), ("gone", 1)])
        wait_for(lambda: subscribed)

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


def hits(mockforge: MockForge) -> int:
    [record] = mockforge.run("fault ls").records
    return record["hits"]


def test_an_mqtt_client_sees_nothing_of_the_other_side_until_the_network_is_mended(mockforge):
    seen = Seen(mockforge)
    other = paho_client(mockforge, "b")
    acknowledged: list[int] = []
    lost: list[object] = []
    other.on_publish = lambda *args: acknowledged.append(args[2])
    other.on_disconnect = lambda *args: lost.append(args[3])
    other.loop_start()
    wait_for(other.is_connected)
    mockforge.run("fault add partition client:b")
    for payload in (b"1", b"2"):
        other.publish("t", payload, 1)
    wait_for(lambda: hits(mockforge) >= 2)
    mockforge.run("pub mqtt:t near")
    wait_for(lambda: seen == [("t", b"near")])
    assert not acknowledged
    mockforge.run("fault clear")
    wait_for(lambda: len(acknowledged) == 2)
    wait_for(lambda: len(seen) == 3)
    assert seen == [("t", b"near"), ("t", b"1"), ("t", b"2")]
    assert not lost
    other.disconnect()
    other.loop_stop()
    seen.close()


def test_the_broker_gives_an_mqtt_client_up_that_is_cut_off_for_too_long(mockforge):
    seen = Seen(mockforge)
    other = paho_client(mockforge, "b", keepalive=30)
    connected: list[object] = []
    other.on_connect = lambda *args: connected.append(args)
    other.loop_start()
    wait_for(lambda: connected)
    mockforge.run("fault add partition client:b")
    other.publish("t", b"1", 1)
    wait_for(lambda: hits(mockforge))
    mockforge.run("clock advance 46s")
    wait_for(lambda: seen == [("gone", b"b")])
    assert other.is_connected()
    mockforge.run("fault clear")
    wait_for(lambda: len(connected) == 2)
    wait_for(lambda: len(seen) == 2)
    assert seen[1] == ("t", b"1")
    other.disconnect()
    other.loop_stop()
    seen.close()


def test_a_held_publish_moves_behind_the_next(mockforge):
    seen = Seen(mockforge)
    publisher = paho_client(mockforge, "b")
    acknowledged: list[int] = []
    publisher.on_publish = lambda *args: acknowledged.append(args[2])
    publisher.loop_start()
    wait_for(publisher.is_connected)
    mockforge.run("hold op:PUBLISH client:b --max 1")
    for payload in (b"1", b"2", b"3"):
        publisher.publish("t", payload, 1)
    wait_for(lambda: mockforge.run("held").records)
    mockforge.run("release @held --behind 1")
    wait_for(lambda: len(acknowledged) == 3)
    wait_for(lambda: len(seen) == 3)
    assert [payload for _, payload in seen] == [b"2", b"1", b"3"]
    publisher.disconnect()
    publisher.loop_stop()
    seen.close()


def test_an_amqp_publisher_is_confirmed_once_when_the_network_is_mended(mockforge):
    parameters = pika.URLParameters(mockforge.amqp.url)
    parameters.client_properties = {"connection_name": "b"}
    connection = pika.BlockingConnection(parameters)
    channel = connection.channel()
    mockforge.run("fault add partition client:b")
    for body in (b"1", b"2"):
        channel.basic_publish("", "q", body)
    wait_for(lambda: hits(mockforge) >= 2)
    read = mockforge.runtime.brokers.amqp.peek
    assert mockforge.call(read, "q", 10) == []
    mockforge.run("fault clear")
    assert channel.queue_declare("q", passive=True).method.message_count == 2
    assert [message.payload for message in mockforge.call(read, "q", 10)] == [b"1", b"2"]
    connection.close()


def test_a_kafka_producer_on_the_far_side_stores_each_record_once(mockforge):
    producer = Producer(
        {
            "bootstrap.servers": mockforge.kafka.bootstrap,
            "client.id": "b",
            "enable.idempotence": True,
        }
    )
    reports: list[object] = []
    produce = ("orders", b"0"), ("orders", b"1"), ("orders", b"2")
    producer.produce(*produce[0], on_delivery=lambda error, _: reports.append(error))
    assert producer.flush(20) == 0
    mockforge.run("fault add partition client:b")
    for each in produce[1:]:
        producer.produce(*each, on_delivery=lambda error, _: reports.append(error))
    wait_for(lambda: producer.poll(0.05) or hits(mockforge))
    read = mockforge.runtime.brokers.kafka.read
    assert len(mockforge.call(read, "orders", 0, 0, 100)) == 1
    mockforge.run("fault clear")
    assert producer.flush(20) == 0
    values = [record.value for record in mockforge.call(read, "orders", 0, 0, 100)]
    assert (values, reports) == ([b"0", b"1", b"2"], [None] * 3)
