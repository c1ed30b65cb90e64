"""Faults and holds that go by what a message says or by the connection it came by, and `block`."""

import json
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import paho.mqtt.client as paho
import pytest
from confluent_kafka import Consumer, Producer
from paho.mqtt.client import MQTTProtocolVersion
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from mockforge_tui import MockForge

from .conftest import hits, wait_for

pytestmark = pytest.mark.client


@pytest.fixture
def mockforge(running: MockForge) -> Iterator[MockForge]:
    yield running
    running.run("fault clear")
    running.run("hold off")


@pytest.fixture
def connect(mockforge: MockForge) -> Iterator[Callable[..., paho.Client]]:
    """Connect a client of MQTT 5 by its name; one that collects subscribes to `t`."""
    clients: list[paho.Client] = []

    def connected(name: str, got: list[bytes] | None = None) -> paho.Client:
        place = urlsplit(mockforge.mqtt.url)
        subscribed: list[Any] = []
        client = paho.Client(
            CallbackAPIVersion.VERSION2, client_id=name, protocol=MQTTProtocolVersion.MQTTv5
        )
        client.on_subscribe = lambda *args: subscribed.append(args)
        client.connect(place.hostname, place.port)
        client.loop_start()
        clients.append(client)
        wait_for(client.is_connected)
        if got is not None:
            client.on_message = lambda *args: got.append(args[2].payload)
            client.subscribe("t", 1)
            wait_for(lambda: subscribed)
        return client

    yield connected
    for client in clients:
        client.disconnect()
        client.loop_stop()


def publish(client: paho.Client, number: int, **header: str) -> None:
    properties = Properties(PacketTypes.PUBLISH)
    properties.UserProperty = list(header.items())
    client.publish("t", json.dumps({"order": {"id": number}}), 1, properties=properties)


@pytest.mark.parametrize(
    ("match", "lost"),
    [("json.order.id:2", 2), ("json.order.id>2", 3), ("header.kind:poison", 1)],
)
def test_only_the_message_is_lost_whose_contents_match(mockforge, connect, match, lost):
    got: list[bytes] = []
    connect("reader", got)
    writer = connect("writer")
    mockforge.run(f"fault add drop client:reader {match}")
    publish(writer, 1, kind="poison")
    publish(writer, 2, kind="good")
    publish(writer, 3)
    publish(writer, 0, kind="last")
    wait_for(lambda: json.dumps({"order": {"id": 0}}).encode() in got)
    seen = {json.loads(each)["order"]["id"] for each in got}
    assert seen == {0, 1, 2, 3} - {lost}
    assert hits(mockforge) == 1


def test_a_message_is_held_by_a_field_of_its_payload(mockforge, connect):
    got: list[bytes] = []
    connect("reader", got)
    writer = connect("writer")
    mockforge.run("hold client:reader json.order.id:2")
    for number in (2, 3):
        publish(writer, number)
    wait_for(lambda: mockforge.run("held").records)
    # What is behind it on the same connection waits with it: a client never sees them turned round.
    mockforge.run("hold off")
    wait_for(lambda: len(got) == 2)
    assert [json.loads(each)["order"]["id"] for each in got] == [2, 3]


def test_a_fault_is_about_one_connection_and_not_about_the_next_of_the_same_client(
    mockforge, connect
):
    first = connect("twice")
    number = next(
        each["id"] for each in mockforge.run("conn ls").records if each["client"] == "twice"
    )
    mockforge.run(f"fault add drop op:PUBACK conn:{number}")
    lost = first.publish("t", b"x", 1)
    wait_for(lambda: hits(mockforge) == 1)
    assert not lost.is_published()
    # Clean start takes the session over: the message is not sent again.
    second = connect("twice")
    second.publish("t", b"y", 1).wait_for_publish(20)
    assert hits(mockforge) == 1


def test_an_mqtt_client_whose_bytes_are_not_read_goes_on_when_they_are(mockforge, connect):
    got: list[bytes] = []
    connect("reader", got)
    writer = connect("writer")
    mockforge.run("fault add block client:writer op:PUBLISH 1h --once")
    sent = [writer.publish("t", b"%d" % number, 1) for number in range(50)]
    wait_for(lambda: hits(mockforge) == 1)
    mockforge.run("pub mqtt:t meanwhile")
    wait_for(lambda: b"meanwhile" in got)
    assert not sent[-1].is_published()
    mockforge.run("fault clear")
    sent[-1].wait_for_publish(20)
    wait_for(lambda: len(got) == 51)
    assert [each for each in got if each != b"meanwhile"] == [b"%d" % each for each in range(50)]


def test_a_kafka_producer_whose_bytes_are_not_read_goes_on_when_they_are(mockforge):
    place = mockforge.kafka.bootstrap
    errors: list[Any] = []
    producer = Producer(
        {"bootstrap.servers": place, "client.id": "writer", "enable.idempotence": True}
    )
    producer.produce("blocked", b"first")
    producer.flush(20)
    mockforge.run("fault add block client:writer op:Produce 1h --once")
    for number in range(50):
        producer.produce(
            "blocked", b"%d" % number, on_delivery=lambda error, _: errors.append(error)
        )
    wait_for(lambda: producer.poll(0) >= 0 and hits(mockforge) == 1)
    assert len(producer) > 0
    mockforge.run("fault clear")
    assert producer.flush(30) == 0
    assert errors == [None] * 50
    consumer = Consumer(
        {"bootstrap.servers": place, "group.id": "all", "auto.offset.reset": "earliest"}
    )
    consumer.subscribe(["blocked"])
    values: list[bytes] = []

    def read() -> bool:
        message = consumer.poll(0.1)
        if message is not None and message.error() is None:
            values.append(message.value())
        return len(values) == 51

    wait_for(read)
    consumer.close()
    assert sorted(values) == sorted([b"first", *(b"%d" % number for number in range(50))])


def test_an_mqtt_publisher_is_cut_off_after_its_message_was_taken(mockforge, connect):
    got: list[bytes] = []
    connect("reader", got)
    writer = connect("writer")
    ended: list[Any] = []
    writer.on_disconnect = lambda *args: ended.append(args)
    writer.reconnect_delay_set(1, 1)
    mockforge.run("fault add disconnect client:writer op:PUBLISH --after --once")
    sent = writer.publish("t", b"taken", 1)
    wait_for(lambda: ended)
    wait_for(lambda: b"taken" in got)
    # It comes back by itself, has no PUBACK, and sends again: QoS 1 is at least once.
    sent.wait_for_publish(20)
    wait_for(lambda: got == [b"taken", b"taken"])
