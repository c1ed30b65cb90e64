"""`broker restart --hard` in the middle of a publish: what was not confirmed is gone."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

import paho.mqtt.client as paho
import pika
import pytest
from confluent_kafka import Producer
from paho.mqtt.enums import CallbackAPIVersion
from pika.exceptions import AMQPConnectionError

from mockforge_tui import MockForge

from .conftest import wait_for

pytestmark = pytest.mark.client


@pytest.fixture(scope="module")
def mockforge() -> Iterator[MockForge]:
    with MockForge() as running:
        yield running


def kill_while_held(mockforge: MockForge, broker: str) -> None:
    wait_for(lambda: mockforge.run("held").records, 20, "it is held")
    mockforge.run(f"broker restart {broker} --hard -y")
    assert not mockforge.run("held").records


def test_a_kafka_record_is_stored_once_by_the_producer_that_sends_it_again(mockforge) -> None:
    mockforge.run("topic add orders -p 1")
    mockforge.run("hold op:Produce topic:orders --dir in --max 1")
    errors: list[Any] = []
    producer = Producer({"bootstrap.servers": mockforge.kafka.bootstrap})
    producer.produce("orders", b"a", on_delivery=lambda error, _: errors.append(error))
    producer.poll(0)
    kill_while_held(mockforge, "kafka")
    broker = mockforge.runtime.brokers["kafka"]
    # A producer without idempotence would store it twice if the one that was held came through.
    assert producer.flush(20) == 0
    assert errors == [None]
    (log,) = broker.cluster.topics["orders"].logs
    assert log.records == 1


def test_an_mqtt_message_comes_once_from_the_publisher_that_sends_it_again(mockforge) -> None:
    place = urlsplit(mockforge.mqtt.url)
    got: list[bytes] = []
    connected: list[bool] = []
    subscribed: list[int] = []
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id="c", clean_session=False)
    client.on_connect = lambda *args: connected.append(args[2].session_present)
    client.on_message = lambda *args: got.append(args[2].payload)
    client.on_subscribe = lambda *args: subscribed.append(args[2])
    client.reconnect_delay_set(1, 1)
    client.connect(place.hostname, place.port)
    client.loop_start()
    client.subscribe("t", 1)
    wait_for(lambda: subscribed, 20)
    mockforge.run("hold op:PUBLISH topic:t --dir in --max 1")
    sent = client.publish("t", b"a", 1)
    kill_while_held(mockforge, "mqtt")
    wait_for(lambda: connected == [False, True], 20, "it is back in its session")
    sent.wait_for_publish(20)
    client.publish("t", b"end", 1)
    wait_for(lambda: b"end" in got, 20)
    assert got == [b"a", b"end"]
    client.disconnect()
    client.loop_stop()


def test_an_amqp_message_is_not_in_its_queue_and_its_publisher_is_not_confirmed(mockforge) -> None:
    lasting = pika.BasicProperties(delivery_mode=2)

    def publish() -> None:
        connection = pika.BlockingConnection(pika.URLParameters(mockforge.amqp.url))
        channel = connection.channel()
        channel.queue_declare("q", durable=True)
        channel.confirm_delivery()
        channel.basic_publish("", "q", b"a", lasting)
        connection.close()

    def waiting() -> int:
        with pika.BlockingConnection(pika.URLParameters(mockforge.amqp.url)) as connection:
            declared = connection.channel().queue_declare("q", passive=True)
            return int(declared.method.message_count)

    mockforge.run("hold op:basic.publish rkey:q --max 1")
    with ThreadPoolExecutor(1) as pool:
        published = pool.submit(publish)
        kill_while_held(mockforge, "amqp")
        with pytest.raises(AMQPConnectionError):
            published.result(20)
    assert waiting() == 0
    publish()
    assert waiting() == 1
