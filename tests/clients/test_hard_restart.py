"""`broker restart --hard` in the middle of a publish, seen by those who publish.

What waited to be taken in is gone; what was taken in is there though its confirm never went out.
"""

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

from .conftest import SAME_BROKERS, wait_for

pytestmark = pytest.mark.client


@pytest.fixture(scope="module")
def mockforge() -> Iterator[MockForge]:
    with MockForge() as running:
        yield running


def kill_while_held(mockforge: MockForge, broker: str) -> None:
    wait_for(lambda: mockforge.run("held").records, what="it is held")
    mockforge.run(f"broker restart {broker} --hard -y")
    assert not mockforge.run("held").records


@pytest.mark.parametrize(("direction", "stored"), [("in", 1), ("out", 2)])
def test_a_kafka_producer_sends_again_what_was_not_confirmed(
    mockforge: MockForge, direction: str, stored: int
) -> None:
    topic = f"orders-{direction}"
    mockforge.run(f"topic add {topic} -p 1")
    mockforge.run(f"hold op:Produce topic:{topic} --dir {direction} --max 1")
    errors: list[Any] = []
    producer = Producer({"bootstrap.servers": mockforge.kafka.bootstrap, **SAME_BROKERS})
    producer.produce(topic, b"a", on_delivery=lambda error, _: errors.append(error))
    producer.poll(0)
    kill_while_held(mockforge, "kafka")
    broker = mockforge.runtime.brokers["kafka"]
    # Without idempotence: each time that it is taken in counts.
    assert producer.flush(20) == 0
    assert errors == [None]
    (log,) = broker.cluster.topics[topic].logs
    assert log.records == stored


@pytest.mark.parametrize(
    ("frame", "came"), [("PUBLISH --dir in", [b"a"]), ("PUBACK --dir out", [b"a", b"a"])]
)
def test_an_mqtt_publisher_sends_again_what_was_not_confirmed(
    mockforge: MockForge, frame: str, came: list[bytes]
) -> None:
    name = f"dev-{len(came)}"
    place = urlsplit(mockforge.mqtt.url)
    got: list[bytes] = []
    connected: list[bool] = []
    subscribed: list[int] = []

    def client(client_id: str) -> paho.Client:
        made = paho.Client(CallbackAPIVersion.VERSION2, client_id=client_id, clean_session=False)
        made.reconnect_delay_set(1, 1)
        made.on_message = lambda *args: got.append(args[2].payload)
        made.on_subscribe = lambda *args: subscribed.append(args[2])
        made.connect(place.hostname, place.port)
        made.loop_start()
        return made

    def ended(each: paho.Client) -> None:
        each.disconnect()
        each.loop_stop()

    # Its session gathers what comes meanwhile.
    reader = client(f"reader-{name}")
    reader.subscribe(name, 1)
    wait_for(lambda: subscribed)
    ended(reader)
    writer = client(name)
    writer.on_connect = lambda *args: connected.append(args[2].session_present)
    mockforge.run(f"hold op:{frame} --max 1")
    sent = writer.publish(name, b"a", 1)
    kill_while_held(mockforge, "mqtt")
    wait_for(lambda: True in connected, what="it is back in its session")
    sent.wait_for_publish(20)
    writer.publish(name, b"end", 1).wait_for_publish(20)
    ended(writer)
    reader = client(f"reader-{name}")
    wait_for(lambda: b"end" in got)
    ended(reader)
    assert got == [*came, b"end"]


@pytest.mark.parametrize(
    ("frame", "kept"), [("basic.publish --dir in", 0), ("basic.ack --dir out", 1)]
)
def test_an_amqp_publisher_hears_nothing_of_what_was_not_confirmed(
    mockforge: MockForge, frame: str, kept: int
) -> None:
    queue = f"q-{kept}"
    lasting = pika.BasicProperties(delivery_mode=2)

    def publish() -> None:
        connection = pika.BlockingConnection(pika.URLParameters(mockforge.amqp.url))
        channel = connection.channel()
        channel.queue_declare(queue, durable=True)
        channel.confirm_delivery()
        channel.basic_publish("", queue, b"a", lasting)
        connection.close()

    def waiting() -> int:
        with pika.BlockingConnection(pika.URLParameters(mockforge.amqp.url)) as connection:
            declared = connection.channel().queue_declare(queue, passive=True)
            return int(declared.method.message_count)

    mockforge.run(f"hold op:{frame} --max 1")
    with ThreadPoolExecutor(1) as pool:
        published = pool.submit(publish)
        kill_while_held(mockforge, "amqp")
        with pytest.raises(AMQPConnectionError):
            published.result(20)
    assert waiting() == kept
    publish()
    assert waiting() == kept + 1
