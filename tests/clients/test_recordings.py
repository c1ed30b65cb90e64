"""What clients did is recorded by a started program, and comes to other clients when replayed."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
import pika
import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from .conftest import wait_for

pytestmark = pytest.mark.client

FIXTURES = """
mockforge: 1
amqp: {queues: [{name: mails}]}
"""
BODIES = [b'{"n": 1}', b"\xff\x00", "ü".encode(), b'{"n":2}']


@contextmanager
def program(*words: str) -> Iterator[dict[str, Any]]:
    """A started mockforge-tui; yields its ready line."""
    command = [sys.executable, "-m", "mockforge_tui", *words, "--random-ports"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            yield json.loads(process.stdout.readline())
        finally:
            process.send_signal(signal.SIGTERM)
            _, error = process.communicate(timeout=150)
        assert process.returncode == 0, error


def publish(facts: dict[str, Any]) -> None:
    """Messages by each protocol's own client."""
    admin = AdminClient({"bootstrap.servers": facts["kafka"]["bootstrap"]})
    admin.create_topics([NewTopic("orders", 5)])["orders"].result(30)
    producer = Producer({"bootstrap.servers": facts["kafka"]["bootstrap"]})
    for body in [*BODIES, None]:
        producer.produce("orders", body, key=b"k\xff", headers=[("h", b"\xff")], partition=4)
    assert producer.flush(30) == 0
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, "device", protocol=mqtt.MQTTv5)
    client.connect("127.0.0.1", port_of(facts["mqtt"]["url"]))
    client.loop_start()
    properties = Properties(PacketTypes.PUBLISH)
    properties.CorrelationData, properties.UserProperty = b"\xff", ("a", "b")
    for body in BODIES:
        sent = client.publish("s/a", body, qos=1, retain=True, properties=properties)
        sent.wait_for_publish(30)
    client.disconnect()
    client.loop_stop()
    with pika.BlockingConnection(pika.URLParameters(facts["amqp"]["url"])) as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        wanted = pika.BasicProperties(message_id="m", headers={"n": 1, "l": [1, "x"]})
        for body in BODIES:
            channel.basic_publish("", "mails", body, wanted)


def port_of(url: str) -> int:
    return int(url.rpartition(":")[2].partition("/")[0])


def test_what_clients_did_comes_again_byte_for_byte(tmp_path: Path) -> None:
    fixtures, file = tmp_path / "f.yaml", tmp_path / "all.mfrec"
    fixtures.write_text(FIXTURES)
    with program("record", str(file), str(fixtures)) as facts:
        publish(facts)
    with program("--headless", str(fixtures)) as facts:
        seen: list[mqtt.MQTTMessage] = []
        client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, "watcher", protocol=mqtt.MQTTv5)
        client.on_message = lambda *given: seen.append(given[2])
        subscribed: list[Any] = []
        client.on_subscribe = lambda *given: subscribed.append(given)
        client.connect("127.0.0.1", port_of(facts["mqtt"]["url"]))
        client.loop_start()
        client.subscribe("s/#", qos=1)
        wait_for(lambda: subscribed)
        command = [sys.executable, "-m", "mockforge_tui", "replay", str(file), "--speed", "max"]
        done = subprocess.run(
            [*command, "--attach", facts["admin"]["url"]],
            capture_output=True,
            text=True,
            timeout=150,
        )
        assert (done.returncode, done.stdout) == (0, "13 of 13 messages replayed\n"), done.stderr
        wait_for(lambda: len(seen) == len(BODIES))
        client.disconnect()
        client.loop_stop()
        assert [each.payload for each in seen] == BODIES
        assert all(each.properties.CorrelationData == b"\xff" for each in seen)
        assert seen[0].properties.UserProperty == [("a", "b")]
        assert [(each.value(), each.key(), each.headers()) for each in consumed(facts)] == [
            (body, b"k\xff", [("h", b"\xff")]) for body in [*BODIES, None]
        ]
        with pika.BlockingConnection(pika.URLParameters(facts["amqp"]["url"])) as connection:
            channel = connection.channel()
            got = [channel.basic_get("mails", auto_ack=True) for _ in BODIES]
        assert [each[2] for each in got] == BODIES
        assert got[0][1].headers == {"n": 1, "l": [1, "x"]}


def consumed(facts: dict[str, Any]) -> list[Any]:
    """All of `orders`, which is in its partition 4."""
    consumer = Consumer({"bootstrap.servers": facts["kafka"]["bootstrap"], "group.id": "g"})
    consumer.assign([TopicPartition("orders", 4, 0)])
    found: list[Any] = []
    wait_for(lambda: found.extend(consumer.consume(10, 0.1)) or len(found) > len(BODIES))
    consumer.close()
    return found
