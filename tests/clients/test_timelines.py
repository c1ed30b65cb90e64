"""`timeline` of messages that pika, paho and confluent-kafka send and take, unmodified."""

from collections.abc import Callable

import paho.mqtt.client as paho
import pika
import pytest
from confluent_kafka import Consumer, Producer

from clients.conftest import wait_for
from mockforge_tui import MockForge

pytestmark = pytest.mark.client


def _steps(running: MockForge, which: str) -> list[tuple[str, str]]:
    return [(each["step"], each["place"]) for each in running.run(f"timeline {which}").records]


def _seen(running: MockForge, which: str, last: str) -> Callable[[], bool]:
    """Whether it came as far as this step: the journal has what is written, not what was read."""
    return lambda: any(step == last for step, _ in _steps(running, which))


def test_a_message_of_pika_from_confirm_to_dead_letter(running: MockForge) -> None:
    connection = pika.BlockingConnection(pika.URLParameters(running.amqp.url))
    channel = connection.channel()
    channel.confirm_delivery()
    channel.queue_declare("t.dead", exclusive=True)
    arguments = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "t.dead"}
    channel.queue_declare("t.work", exclusive=True, arguments=arguments)
    channel.basic_publish("", "t.work", b"one", pika.BasicProperties(delivery_mode=2))
    for requeue in (True, False):
        method, _, _ = channel.basic_get("t.work")
        channel.basic_nack(method.delivery_tag, requeue=requeue)
    method, _, _ = channel.basic_get("t.dead")
    channel.basic_ack(method.delivery_tag)
    channel.queue_declare("t.dead", passive=True)
    assert _steps(running, "queue:t.work") == [
        ("published", "(default)/t.work"),
        ("confirmed", ""),
        ("delivered", "t.work"),
        ("requeued", "t.work"),
        ("delivered", "t.work"),
        ("rejected", "t.work"),
        ("delivered", "t.dead"),
        ("acked", "t.dead"),
    ]
    connection.close()


def test_a_message_of_paho_with_both_acknowledgements(running: MockForge) -> None:
    got: list[bytes] = []
    subscribed: list[object] = []
    url = running.mqtt.url.removeprefix("mqtt://")
    host, port = url.rstrip("/").rsplit(":", 1)
    room = paho.Client(paho.CallbackAPIVersion.VERSION2, "room")
    room.on_message = lambda *given: got.append(given[2].payload)
    room.on_subscribe = lambda *given: subscribed.append(given)
    sender = paho.Client(paho.CallbackAPIVersion.VERSION2, "sender")
    for client in (room, sender):
        client.connect(host, int(port))
        client.loop_start()
    room.subscribe("t/+", 1)
    wait_for(lambda: subscribed)
    sender.publish("t/a", b"on", qos=2).wait_for_publish(30)
    wait_for(lambda: got and _seen(running, "mqtt:t/a", "PUBACK")())
    steps = running.run("timeline mqtt:t/a").records
    assert [each["step"] for each in steps if each["who"] == "sender"] == [
        "published",
        "PUBREC",
        "PUBREL",
        "PUBCOMP",
    ]
    assert [each["step"] for each in steps if each["who"] == "room"] == ["delivered", "PUBACK"]
    for client in (room, sender):
        client.disconnect()
        client.loop_stop()


def test_a_record_of_confluent_up_to_its_commit(running: MockForge) -> None:
    running.run("topic add t-orders -p 1")
    producer = Producer({"bootstrap.servers": running.kafka.bootstrap, "client.id": "till"})
    producer.produce("t-orders", b"one")
    producer.flush(30)
    group = {"group.id": "t-billing", "auto.offset.reset": "earliest", "client.id": "billing"}
    consumer = Consumer({"bootstrap.servers": running.kafka.bootstrap, **group})
    consumer.subscribe(["t-orders"])
    message = wait_for(lambda: consumer.poll(0.1))
    consumer.commit(message, asynchronous=False)
    steps = running.run("timeline kafka:t-orders@0").records
    assert [(each["step"], each["who"], each["place"]) for each in steps] == [
        ("produced", "till", "t-orders p0"),
        ("appended", "till", "t-orders p0@0"),
        ("fetched", "billing", "t-orders p0@0"),
        ("committed", "t-billing", "t-orders p0@1"),
    ]
    consumer.close()
