"""Real clients find what a snapshot kept, and nothing of what came after it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import paho.mqtt.client as paho
import pika
import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from mockforge_tui.embedded import MockForge

from .conftest import wait_for

pytestmark = [pytest.mark.client]


def _ports(running: MockForge) -> dict[str, int]:
    return running.runtime.listeners.ports


def _produced(server: str, value: bytes) -> None:
    producer = Producer({"bootstrap.servers": server})
    producer.produce("orders", value, key=b"k")
    assert producer.flush(30) == 0


def _offset(server: str, *, commit: int | None = None) -> tuple[list[bytes], int]:
    """What a consumer of `billing` reads from the beginning, and the offset it had committed."""
    settings = {"bootstrap.servers": server, "group.id": "billing", "enable.partition.eof": True}
    consumer = Consumer(settings)
    try:
        [found] = consumer.committed([TopicPartition("orders", 0)], timeout=30)
        consumer.assign([TopicPartition("orders", 0, 0)])
        values = []
        while (message := consumer.poll(30)) is not None and message.error() is None:
            values.append(message.value())
        if commit is not None:
            consumer.commit(offsets=[TopicPartition("orders", 0, commit)], asynchronous=False)
        return values, found.offset
    finally:
        consumer.close()


def test_kafkas_records_and_committed_offsets(running: MockForge) -> None:
    server = f"127.0.0.1:{_ports(running)['kafka']}"
    running.run("topic add orders -p 1")
    _produced(server, b"seed")
    _offset(server, commit=1)
    running.snapshot("kafka")
    _produced(server, b"of a test")
    assert _offset(server, commit=2)[0] == [b"seed", b"of a test"]
    running.reset(to="kafka")
    assert _offset(server) == ([b"seed"], 1)


@contextmanager
def _mqtt(port: int, **more: Any) -> Iterator[tuple[paho.Client, list[tuple[str, bytes]]]]:
    client = paho.Client(paho.CallbackAPIVersion.VERSION2, "kept", clean_session=False)
    came: list[tuple[str, bytes]] = []
    client.on_message = lambda _, __, message: came.append((message.topic, message.payload))
    ready: list[object] = []
    client.on_connect = lambda _, __, flags, *___: ready.append(flags.session_present)
    client.connect("127.0.0.1", port)
    client.loop_start()
    wait_for(lambda: ready, what="CONNACK")
    try:
        yield client, came
    finally:
        client.disconnect()
        client.loop_stop()


def test_mqtts_sessions_with_what_waits_and_retained_messages(running: MockForge) -> None:
    port = _ports(running)["mqtt"]
    done: list[object] = []
    with _mqtt(port) as (client, _):
        client.on_subscribe = lambda *_: done.append(1)
        client.subscribe("room/#", 1)
        wait_for(lambda: done, what="SUBACK")
    running.mqtt.publish("room/1", b"waits", qos=1)
    running.mqtt.publish("kept", b"retained", retain=True)
    running.snapshot("mqtt")
    for _ in range(2):
        running.mqtt.publish("room/2", b"of a test", qos=1)
        with _mqtt(port) as (_, came):
            wait_for(lambda came=came: len(came) == 2, what="what waits, and what came since")
        running.run("retained rm kept")
        running.reset(to="mqtt")
        with _mqtt(port) as (client, came):
            client.subscribe("kept", 1)
            wait_for(lambda came=came: len(came) == 2, what="what waits and what is retained")
            assert sorted(came) == [("kept", b"retained"), ("room/1", b"waits")]
        running.reset(to="mqtt")


def test_amqps_durable_queues_with_persistent_messages(running: MockForge) -> None:
    port = _ports(running)["amqp"]
    lasting = pika.BasicProperties(delivery_mode=2)

    def said(*bodies: bytes) -> list[bytes | None]:
        """What is in the queue, and then what a test publishes."""
        with pika.BlockingConnection(pika.ConnectionParameters(port=port)) as connection:
            channel = connection.channel()
            channel.queue_declare("jobs", durable=True)
            channel.queue_bind("jobs", "amq.topic", "job.*")
            found = []
            while (got := channel.basic_get("jobs", auto_ack=True))[0] is not None:
                found.append(got[2])
            channel.confirm_delivery()
            for body in bodies:
                channel.basic_publish("amq.topic", "job.new", body, lasting)
            return found

    said(b"seed")
    running.amqp.publish(b"transient", queue="jobs", properties={"delivery_mode": 1})
    running.snapshot("amqp")
    for _ in range(2):
        said(b"of a test")
        running.reset(to="amqp")
        assert said(b"of a test") == [b"seed"]
        assert said() == [b"of a test"]
        running.reset(to="amqp")
