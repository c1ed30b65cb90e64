"""Real clients whose frames wait: somebody at the screen decides over them, key by key."""

import asyncio
from collections.abc import Callable
from typing import Any, ClassVar

import paho.mqtt.client as paho
import pika
import pytest
from app.tui.stage import LARGE, Stage
from confluent_kafka import Consumer, Producer
from paho.mqtt.enums import CallbackAPIVersion
from pika.exceptions import NackError

from mockforge_tui.config import Config
from mockforge_tui.runtime import Runtime
from mockforge_tui.tui.app import ConsoleApp

from .conftest import wait_for

pytestmark = pytest.mark.client


class Kafka:
    """A producer, of which `publish` tells what it heard, and a consumer."""

    lines: ClassVar = ("topic add t -p 1", "hold op:Produce topic:t --dir in")
    refusal: ClassVar = ("INVALID_RECORD", "INVALID_RECORD")
    """What is entered, and what the client makes of it."""

    def __init__(self, port: int) -> None:
        address = {"bootstrap.servers": f"127.0.0.1:{port}"}
        self.producer = Producer({**address, "linger.ms": 0})
        self.consumer = Consumer({**address, "group.id": "g", "auto.offset.reset": "earliest"})
        self.consumer.subscribe(["t"])

    def publish(self, payload: bytes) -> str:
        heard: list[str] = []

        def delivered(error: Any, _: object) -> None:
            heard.append(error.name() if error else "")

        self.producer.produce("t", payload, on_delivery=delivered)
        self.producer.flush(50)
        return heard[0]

    def take(self) -> list[bytes]:
        return [wait_for(lambda: self.consumer.poll(0.2), what="a record").value() or b""]

    def close(self) -> None:
        self.consumer.close()


class Mqtt:
    lines: ClassVar = ("hold op:PUBLISH topic:t --dir in",)
    refusal: ClassVar = ("QUOTA_EXCEEDED", "Quota exceeded")

    def __init__(self, port: int) -> None:
        self.got: list[bytes] = []
        self.heard: list[str] = []
        subscribed: list[int] = []
        self.client = paho.Client(CallbackAPIVersion.VERSION2, client_id="c", protocol=paho.MQTTv5)
        self.client.on_message = lambda *args: self.got.append(args[2].payload)
        self.client.on_publish = lambda *args: self.heard.append(str(args[3]))
        self.client.on_subscribe = lambda *args: subscribed.append(args[2])
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()
        self.client.subscribe("t", 1)
        wait_for(lambda: subscribed)

    def publish(self, payload: bytes) -> str:
        self.heard.clear()
        self.client.publish("t", payload, 1)
        wait_for(lambda: self.heard, what="PUBACK")
        return self.heard[0].removeprefix("Success")

    def take(self) -> list[bytes]:
        wait_for(lambda: self.got, what="a message")
        return self.got

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


class Amqp:
    lines: ClassVar = ("queue add t", "hold op:basic.publish rkey:t")
    refusal: ClassVar = ("NACK", "nacked")

    def __init__(self, port: int) -> None:
        self.connection = pika.BlockingConnection(pika.ConnectionParameters("127.0.0.1", port))
        self.channel = self.connection.channel()
        self.channel.confirm_delivery()

    def publish(self, payload: bytes) -> str:
        try:
            self.channel.basic_publish("", "t", payload)
        except NackError:
            return "nacked"
        return ""

    def take(self) -> list[bytes]:
        found = [self.channel.basic_get("t", auto_ack=True)[2] for _ in range(2)]
        return [body for body in found if body is not None]

    def close(self) -> None:
        self.connection.close()


async def on_a_screen(act: Callable[[Stage], Any]) -> None:
    runtime = Runtime(Config(kafka_port=0, mqtt_port=0, amqp_port=0))
    try:
        await runtime.start()
        app = ConsoleApp(runtime)
        async with app.run_test(size=LARGE):
            await act(Stage(runtime, app))
    finally:
        await runtime.stop()


@pytest.mark.parametrize("kind", [Kafka, Mqtt, Amqp])
def test_a_publisher_meets_what_is_entered_at_the_lines_that_e_and_x_begin(
    kind: type[Kafka | Mqtt | Amqp],
) -> None:
    async def act(stage: Stage) -> None:
        holds, prompt = stage.runtime.holds, stage.screen.prompt

        async def heard(payload: bytes, key: str, begun: str, typed: str) -> str:
            """What became of a publish: its frame is held, and decided by a key and a line."""
            publishing = asyncio.create_task(asyncio.to_thread(client.publish, payload))
            await stage.until(lambda: holds.held, "it is held")
            await stage.tick()
            stage.screen.go_to(5)
            await stage.keys("g", key)
            line = begun.format(next(iter(holds.held)))
            await stage.until(lambda: prompt.input.value == line, f"{line!r} is begun")
            prompt.input.insert_text_at_cursor(typed)
            await stage.keys("enter")
            await stage.until(lambda: not holds.held, typed)
            return await publishing

        for line in kind.lines:
            stage.app.session.run(line)
        port = stage.runtime.listeners.ports[kind.__name__.lower()]
        client = await asyncio.to_thread(kind, port)
        try:
            assert await heard(b"one", "e", "edit h{} one", "-changed --release") == ""
            code, told = kind.refusal
            assert await heard(b"two", "x", "refuse h{} ", code) == told
            assert await asyncio.to_thread(client.take) == [b"one-changed"]
        finally:
            await asyncio.to_thread(client.close)

    asyncio.run(on_a_screen(act))
