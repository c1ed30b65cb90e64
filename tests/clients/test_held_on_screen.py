"""A real client whose frames wait: somebody at the screen decides over them, key by key."""

import asyncio
from collections.abc import Callable
from typing import Any

import paho.mqtt.client as paho
import pytest
from app.tui.stage import LARGE, Stage
from paho.mqtt.enums import CallbackAPIVersion

from mockforge_tui.config import Config
from mockforge_tui.runtime import Runtime
from mockforge_tui.tui.app import ConsoleApp

pytestmark = pytest.mark.client


async def on_a_screen(act: Callable[[Stage], Any]) -> None:
    runtime = Runtime(Config(kafka_port=0, mqtt_port=0, amqp_port=0))
    try:
        await runtime.start()
        app = ConsoleApp(runtime)
        async with app.run_test(size=LARGE) as pilot:
            await act(Stage(runtime, app, pilot))
    finally:
        await runtime.stop()


def test_a_publisher_meets_what_is_entered_at_the_lines_that_e_and_x_begin() -> None:
    got: list[bytes] = []
    reasons: list[int] = []
    subscribed: list[int] = []
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id="c", protocol=paho.MQTTv5)
    client.on_message = lambda *args: got.append(args[2].payload)
    client.on_publish = lambda *args: reasons.append(args[3].value)
    client.on_subscribe = lambda *args: subscribed.append(args[2])

    async def act(stage: Stage) -> None:
        holds, prompt = stage.runtime.holds, stage.screen.prompt

        async def held(payload: bytes) -> int:
            client.publish("t", payload, 1)
            await stage.until(lambda: holds.held, "it is held")
            await stage.tick()
            stage.screen.go_to(5)
            await stage.keys("g")
            return next(iter(holds.held))

        async def entered(begun: str, typed: str) -> None:
            await stage.until(lambda: prompt.input.value == begun, f"{begun!r} is begun")
            prompt.input.insert_text_at_cursor(typed)
            await stage.keys("enter")
            await stage.until(lambda: not holds.held, typed)

        port = stage.runtime.listeners.ports["mqtt"]
        await asyncio.to_thread(client.connect, "127.0.0.1", port)
        client.loop_start()
        client.subscribe("t", 1)
        await stage.until(lambda: subscribed, "subscribed")
        stage.app.session.run("hold op:PUBLISH topic:t --dir in")

        number = await held(b"one")
        await stage.keys("e")
        await entered(f"edit h{number} one", "-changed --release")
        await stage.until(lambda: got and reasons, "it came")
        assert (got, reasons) == ([b"one-changed"], [0])

        number = await held(b"two")
        await stage.keys("x")
        await entered(f"refuse h{number} ", "QUOTA_EXCEEDED")
        await stage.until(lambda: reasons[1:], "the answer")
        assert (got, reasons) == ([b"one-changed"], [0, 0x97])
        client.disconnect()

    try:
        asyncio.run(on_a_screen(act))
    finally:
        client.loop_stop()
