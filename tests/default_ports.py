"""One instance on the default ports, used by every client: `python tests/default_ports.py`.

Apart from the tests, which take free ports, since the machine may use these for something else.
"""

import asyncio
import json
import os
import shutil
import signal
import ssl
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aio_pika
import aiokafka
import aiomqtt
import kafka
import pika
from confluent_kafka import Consumer, Producer
from paho.mqtt.client import Client, MQTTv5, MQTTv311
from paho.mqtt.enums import CallbackAPIVersion

KAFKA = "localhost:9092"
AMQP = "amqp://guest:guest@localhost:5672/%2F"


def until(fact: Callable[[], object], what: str, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not fact():
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {what}"
        time.sleep(0.01)


class Member:
    """One consumer of a group, polled by a thread of its own."""

    def __init__(self, topic: str, seen: list[bytes]) -> None:
        self.assigned = 0
        self._seen = seen
        self._stop = threading.Event()
        self._consumer = Consumer(
            {"bootstrap.servers": KAFKA, "group.id": "trio", "auto.offset.reset": "earliest"}
        )
        self._consumer.subscribe([topic], on_assign=self._assign, on_revoke=self._assign)
        self._thread = threading.Thread(target=self._poll)
        self._thread.start()

    def _assign(self, consumer: Consumer, partitions: list[Any]) -> None:
        self.assigned = len(partitions)

    def _poll(self) -> None:
        while not self._stop.is_set():
            message = self._consumer.poll(0.1)
            if message is not None and message.error() is None:
                self._seen.append(message.value())
        self._consumer.close()

    def leave(self) -> None:
        self._stop.set()
        self._thread.join()


def confluent() -> None:
    producer = Producer({"bootstrap.servers": KAFKA})
    for number in range(30):
        producer.produce("ports.confluent", key=str(number), value=str(number))
    assert producer.flush(20) == 0
    seen: list[bytes] = []
    members = [Member("ports.confluent", seen) for _ in range(3)]
    until(lambda: [member.assigned for member in members] == [1, 1, 1], "one partition each")
    until(lambda: len(seen) == 30, "all records")
    members.pop().leave()
    until(lambda: sorted(member.assigned for member in members) == [1, 2], "a rebalance")
    for member in members:
        member.leave()


def kafka_python() -> None:
    producer = kafka.KafkaProducer(bootstrap_servers=KAFKA)
    producer.send("ports.python", b"here").get(30)
    producer.close()
    consumer = kafka.KafkaConsumer(
        "ports.python",
        bootstrap_servers=KAFKA,
        group_id="python",
        auto_offset_reset="earliest",
        consumer_timeout_ms=20_000,
    )
    assert next(consumer).value == b"here"
    consumer.close()


async def aio_kafka() -> None:
    async with aiokafka.AIOKafkaProducer(bootstrap_servers=KAFKA) as producer:
        await producer.send_and_wait("ports.aio", b"here")
    consumer = aiokafka.AIOKafkaConsumer(
        "ports.aio", bootstrap_servers=KAFKA, group_id="aio", auto_offset_reset="earliest"
    )
    async with consumer:
        assert (await consumer.getone()).value == b"here"


def paho() -> None:
    for version in (MQTTv311, MQTTv5):
        got: list[tuple[bytes, int]] = []
        client = Client(CallbackAPIVersion.VERSION2, protocol=version)
        client.on_message = lambda client, data, message, got=got: got.append(
            (message.payload, message.qos)
        )
        client.connect("localhost", 1883)
        client.loop_start()
        granted = threading.Event()
        client.on_subscribe = lambda *arguments, granted=granted: granted.set()
        client.subscribe("default/+", qos=2)
        assert granted.wait(30)
        for qos in (0, 1, 2):
            client.publish("default/ports", b"here", qos=qos).wait_for_publish(30)
        until(lambda got=got: len(got) == 3, "all three messages")
        assert sorted(got) == [(b"here", 0), (b"here", 1), (b"here", 2)]
        client.disconnect()
        client.loop_stop()


async def aio_mqtt() -> None:
    async with aiomqtt.Client("localhost") as client:
        await client.subscribe("aio/#")
        await client.publish("aio/ports", "here", qos=1)
        message = await anext(aiter(client.messages))
        assert message.payload == b"here"


def rabbit() -> None:
    with pika.BlockingConnection(pika.URLParameters(AMQP)) as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        channel.exchange_declare("ports", "topic")
        queue = channel.queue_declare("").method.queue
        channel.queue_bind(queue, "ports", "order.*")
        channel.basic_publish("ports", "order.paid", b"here", mandatory=True)
        method, _, body = next(channel.consume(queue, inactivity_timeout=30))
        assert (method.routing_key, body) == ("order.paid", b"here")
        channel.basic_ack(method.delivery_tag)


async def aio_rabbit() -> None:
    async with await aio_pika.connect(AMQP) as connection:
        channel = await connection.channel()
        queue = await channel.declare_queue(exclusive=True)
        message = aio_pika.Message(b"here")
        await channel.default_exchange.publish(message, routing_key=queue.name)
        got = await queue.get(timeout=30)
        assert got.body == b"here"
        await got.ack()


def node(facts: dict[str, Any]) -> None:
    if shutil.which("node") is None:
        print("skipped: clients in Node (no node)")
        return
    addresses = {
        "KAFKA_BOOTSTRAP_SERVERS": facts["kafka"]["bootstrap"],
        "MQTT_URL": facts["mqtt"]["url"],
        "AMQP_URL": facts["amqp"]["url"],
    }
    script = Path(__file__).parent / "clients" / "node" / "run"
    subprocess.run(["bash", str(script)], env={**os.environ, **addresses}, check=True)


def metrics() -> None:
    url = "http://127.0.0.1:9080/__mockforge/metrics"
    with urllib.request.urlopen(url, timeout=30) as response:
        text = response.read().decode()
    for line in (
        'kafka_messages_produced_total{topic="ports.confluent"} 30.0',
        'kafka_messages_consumed_total{topic="ports.confluent"} 30.0',
        'mqtt_messages_published_total{topic="default/ports"} 6.0',
        'amqp_messages_published_total{exchange="ports"} 1.0',
    ):
        assert line in text, f"{line} is not in\n{text}"


def web_socket() -> None:
    mqtt_message("websockets", 8083, None)


def secured(facts: dict[str, Any]) -> None:
    """TLS on the default ports, for clients that trust the throw-away CA."""
    ca = facts["tls"]["ca"]
    assert facts["kafka"]["tls"] == "127.0.0.1:9093"
    settings = {
        "bootstrap.servers": "localhost:9093",
        "security.protocol": "SSL",
        "ssl.ca.location": ca,
    }
    producer = Producer(settings)
    producer.produce("ports.tls", "here")
    assert producer.flush(20) == 0
    mqtt_message("tcp", 8883, ca)
    mqtt_message("websockets", 8084, ca)
    parameters = pika.URLParameters("amqps://guest:guest@localhost:5671/%2F")
    context = ssl.create_default_context(cafile=ca)
    parameters.ssl_options = pika.SSLOptions(context, "localhost")
    with pika.BlockingConnection(parameters) as connection:
        assert connection.channel().queue_declare("ports.tls").method.queue == "ports.tls"
    print("over TLS: ok", flush=True)


def mqtt_message(transport: Any, port: int, ca: str | None) -> None:
    got: list[bytes] = []
    client = Client(CallbackAPIVersion.VERSION2, transport=transport)
    if ca is not None:
        client.tls_set(ca)
    client.on_message = lambda client, data, message: got.append(message.payload)
    granted = threading.Event()
    client.on_subscribe = lambda *arguments: granted.set()
    client.connect("localhost", port)
    client.loop_start()
    client.subscribe("other/ports", qos=1)
    assert granted.wait(30)
    client.publish("other/ports", b"here", qos=1)
    until(lambda: got == [b"here"], f"a message by port {port}")
    client.disconnect()
    client.loop_stop()


def check(facts: dict[str, Any]) -> None:
    assert facts["kafka"]["bootstrap"] == "127.0.0.1:9092"
    clients = (confluent, kafka_python, aio_kafka, paho, web_socket, aio_mqtt, rabbit, aio_rabbit)
    for client in clients:
        outcome = client()
        if outcome is not None:
            asyncio.run(asyncio.wait_for(outcome, 40))
        print(f"{client.__name__}: ok", flush=True)
    metrics()
    node(facts)


def serve(check: Callable[[dict[str, Any]], object], *arguments: str) -> bool:
    """Check one instance; False where a port of it is taken."""
    command = [sys.executable, "-m", "mockforge_tui", "--headless", *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line and process.wait() == 4:
        print("skipped: another program holds a default port of this machine")
        return False
    try:
        facts = json.loads(line)
        check(facts)
        print(f"every client works on the default ports; ready after {facts['startup_ms']} ms")
    finally:
        process.send_signal(signal.SIGTERM)
        status = process.wait(30)
    assert status == 0, f"ended with {status}"
    return True


def main() -> int:
    if serve(check):
        serve(secured, "--tls", "auto", "--no-admin")
    return 0


if __name__ == "__main__":
    sys.exit(main())
