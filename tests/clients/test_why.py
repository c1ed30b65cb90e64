"""What `why` says of real clients that get nothing."""

from collections.abc import Iterator

import pika
import pytest
from app.console.live import Live, live
from confluent_kafka import Consumer
from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion

from clients.conftest import wait_for

pytestmark = pytest.mark.client


@pytest.fixture
def instance() -> Iterator[Live]:
    with live() as running:
        yield running


def causes(instance: Live, about: str) -> list[str]:
    answer = instance.run(f"why {about}")
    return [each["cause"] for each in answer["data"]["findings"]] if answer["ok"] else []


def test_a_librdkafka_consumer_that_began_at_the_end(instance: Live) -> None:
    instance.run("topic add orders -p 1")
    instance.run("pub kafka:orders x -n 7")
    consumer = Consumer(
        {
            "bootstrap.servers": instance.facts["kafka"]["bootstrap"],
            "client.id": "order-svc",
            "group.id": "billing",
            "auto.offset.reset": "latest",
        }
    )
    consumer.subscribe(["orders"])

    def found() -> bool:
        consumer.poll(0.1)
        return causes(instance, "order-svc") == ["latest"]

    wait_for(found, what="why order-svc says latest")
    consumer.close()


def test_a_librdkafka_consumer_of_a_topic_in_another_case(instance: Live) -> None:
    instance.run("pub kafka:orders x -n 7")
    consumer = Consumer(
        {
            "bootstrap.servers": instance.facts["kafka"]["bootstrap"],
            "client.id": "order-svc",
            "group.id": "billing",
        }
    )
    consumer.subscribe(["Orders"])

    def found() -> bool:
        consumer.poll(0.1)
        return "topic-name" in causes(instance, "order-svc")

    wait_for(found, what="why order-svc names orders")
    consumer.close()


def test_a_paho_client_whose_filter_lacks_a_wildcard(instance: Live) -> None:
    host, _, port = instance.facts["mqtt"]["url"].removeprefix("mqtt://").rpartition(":")
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id="hmi")
    client.on_connect = lambda *_: client.subscribe("sensors")
    client.connect(host, int(port))
    client.loop_start()
    instance.run("pub mqtt:sensors/room1/temp 21")
    wait_for(lambda: causes(instance, "hmi") == ["filter"], what="why hmi names the filter")
    client.disconnect()
    client.loop_stop()


def test_a_pika_consumer_with_all_of_its_prefetch_unacknowledged(instance: Live) -> None:
    connection = pika.BlockingConnection(pika.URLParameters(instance.facts["amqp"]["url"]))
    channel = connection.channel()
    channel.queue_declare("q.mail")
    channel.basic_qos(prefetch_count=1)
    channel.basic_consume("q.mail", lambda *_: None)
    instance.run("pub queue:q.mail x -n 3")
    assert causes(instance, "q.mail") == ["prefetch"]
    number = instance.run("conns")["data"][0]["id"]
    assert causes(instance, f"c{number}") == ["prefetch"]
    connection.close()
