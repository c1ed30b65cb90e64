"""Refusals, and held messages edited in flight, as real clients see them."""

from collections.abc import Iterator
from urllib.parse import urlsplit

import paho.mqtt.client as paho
import pika
import pytest
from confluent_kafka import Consumer, Producer
from paho.mqtt.enums import CallbackAPIVersion
from pika.exceptions import NackError

from mockforge_tui import MockForge

from .conftest import wait_for

pytestmark = pytest.mark.client


@pytest.fixture
def mockforge() -> Iterator[MockForge]:
    with MockForge() as running:
        yield running


def held(mockforge: MockForge) -> bool:
    return bool(mockforge.run("held").records)


def test_a_kafka_producer_sees_the_code_and_a_consumer_the_edited_record(mockforge):
    mockforge.run("topic add orders -p 1")
    mockforge.run("fault add refuse op:Produce topic:orders INVALID_REQUIRED_ACKS --times 1")
    errors = []
    producer = Producer({"bootstrap.servers": mockforge.kafka.bootstrap})
    producer.produce("orders", b"a", on_delivery=lambda error, _: errors.append(error))
    assert producer.flush(20) == 0
    assert errors[0].name() == "INVALID_REQUIRED_ACKS"
    mockforge.run("hold op:Produce topic:orders --max 1")
    producer.produce("orders", b"b", b"key", on_delivery=lambda error, _: errors.append(error))
    producer.poll(0)
    wait_for(lambda: held(mockforge), 20)
    mockforge.run("edit h1 changed -H by=hand --release")
    assert producer.flush(20) == 0
    assert errors[1] is None
    consumer = Consumer(
        {
            "bootstrap.servers": mockforge.kafka.bootstrap,
            "group.id": "g",
            "auto.offset.reset": "earliest",
        }
    )
    consumer.subscribe(["orders"])
    message = consumer.poll(30)
    assert (message.key(), message.value()) == (b"key", b"changed")
    assert message.headers() == [("by", b"hand")]
    consumer.close()


def test_an_mqtt_publisher_sees_the_reason_and_a_subscriber_the_edited_payload(mockforge):
    place = urlsplit(mockforge.mqtt.url)
    got, reasons, subscribed = [], [], []
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id="c", protocol=paho.MQTTv5)
    client.on_message = lambda *args: got.append(args[2].payload)
    client.on_publish = lambda *args: reasons.append(args[3].value)
    client.on_subscribe = lambda *args: subscribed.append(args)
    client.connect(place.hostname, place.port)
    client.loop_start()
    client.subscribe("t", 1)
    wait_for(lambda: subscribed, 20)
    mockforge.run("fault add refuse op:PUBLISH topic:t QUOTA_EXCEEDED --times 1")
    client.publish("t", b"a", 1)
    wait_for(lambda: reasons, 20)
    assert reasons == [0x97]
    mockforge.run("hold op:PUBLISH topic:t --dir in --max 1")
    client.publish("t", b"b", 1)
    wait_for(lambda: held(mockforge), 20)
    mockforge.run("edit h1 changed --release")
    wait_for(lambda: got, 20)
    assert got == [b"changed"]
    client.disconnect()
    client.loop_stop()


def test_an_amqp_publisher_sees_the_nack_and_a_consumer_the_edited_message(mockforge):
    connection = pika.BlockingConnection(pika.URLParameters(mockforge.amqp.url))
    channel = connection.channel()
    channel.queue_declare("q")
    channel.confirm_delivery()
    mockforge.run("fault add refuse op:basic.publish rkey:q NACK --times 1")
    with pytest.raises(NackError):
        channel.basic_publish("", "q", b"a")
    mockforge.run("hold op:basic.deliver --max 1")
    channel.basic_publish("", "q", b"b")
    got = []
    channel.basic_consume("q", lambda *args: got.append(args[3]), auto_ack=True)
    wait_for(lambda: connection.process_data_events(0) or held(mockforge), 20)
    mockforge.run("edit h1 changed --prop content-type=text/plain --release")
    wait_for(lambda: connection.process_data_events(0.1) or got, 20)
    assert got == [b"changed"]
    connection.close()


def test_a_fixture_file_refuses_until_it_is_switched_off_by_name(tmp_path):
    file = tmp_path / "storm.yaml"
    file.write_text(
        "mockforge: 1\n"
        "faults: [{id: storm, where: {amqp: {method: basic.publish}}, do: {refuse: NACK}}]\n"
    )
    with MockForge(str(file)) as mockforge:
        connection = pika.BlockingConnection(pika.URLParameters(mockforge.amqp.url))
        channel = connection.channel()
        channel.queue_declare("q")
        channel.confirm_delivery()
        with pytest.raises(NackError):
            channel.basic_publish("", "q", b"a")
        mockforge.run("fault off storm")
        channel.basic_publish("", "q", b"b")
        connection.close()
