"""gmqtt, on asyncio, MQTT 5.0 first: it connects again by itself."""

import asyncio
import importlib.metadata
import os
import ssl
from typing import Any
from urllib.parse import urlsplit

from checks import CA, RUN, equal, happen_async, run, until_async
from gmqtt import Client, Message
from gmqtt.mqtt.constants import MQTTv50, MQTTv311


class Device:
    def __init__(self, name: str, **more: Any) -> None:
        self.got: list[tuple[bytes, int, dict[str, Any]]] = []
        self.granted = 0
        self.client = Client(f"{RUN}-{name}", **more)
        self.client.set_config({"reconnect_retries": -1, "reconnect_delay": 0.1})
        self.client.on_message = self._message
        self.client.on_subscribe = self._subscribed

    def _message(self, client: Any, topic: str, payload: bytes, qos: int, properties: Any) -> int:
        self.got.append((payload, qos, properties))
        return 0

    def _subscribed(self, *arguments: Any) -> None:
        self.granted += 1

    async def start(self, url: str = os.environ["MQTT_URL"], version: int = MQTTv50) -> "Device":
        place = urlsplit(url)
        secure = ssl.create_default_context(cafile=CA) if place.scheme == "mqtts" else False
        await self.client.connect(place.hostname, place.port, ssl=secure, version=version)
        return self

    async def subscribe(self, topic: str, qos: int = 2) -> None:
        before = self.granted
        self.client.subscribe(topic, qos=qos)
        await until_async(lambda: self.granted > before, "the SUBACK")

    async def payloads(self, count: int) -> list[bytes]:
        await until_async(lambda: len(self.got) >= count, f"{count} messages")
        return [payload for payload, _, _ in self.got]


async def qos() -> None:
    for version in (MQTTv50, MQTTv311):
        device = await Device("qos").start(version=version)
        await device.subscribe(f"{RUN}/{version}/+")
        for level in (0, 1, 2):
            device.client.publish(f"{RUN}/{version}/{level}", str(level), qos=level)
        await device.payloads(3)
        equal(sorted((m[0], m[1]) for m in device.got), [(b"0", 0), (b"1", 1), (b"2", 2)])
        await device.client.disconnect()


async def retained() -> None:
    device = await Device("retained").start()
    device.client.publish(f"{RUN}/kept", "on", qos=1, retain=True)
    await device.subscribe(f"{RUN}/kept")
    equal((await device.payloads(1))[0], b"on")
    await device.client.disconnect()


async def will() -> None:
    watcher = await Device("watcher").start()
    await watcher.subscribe(f"{RUN}/will")
    doomed = Device("doomed", will_message=Message(f"{RUN}/will", "gone", qos=1))
    doomed.client.set_config({"reconnect_retries": 0})
    await doomed.start()
    doomed.client._connection._transport.abort()
    equal(await watcher.payloads(1), [b"gone"])
    await watcher.client.disconnect()


async def session() -> None:
    more: dict[str, Any] = {"session_expiry_interval": 300, "clean_session": False}
    first = await Device("sleeper", **more).start()
    await first.subscribe(f"{RUN}/away", 1)
    await first.client.disconnect(session_expiry_interval=300)
    other = await Device("other").start()
    other.client.publish(f"{RUN}/away", "while away", qos=1)
    again = await Device("sleeper", **more).start()
    equal(await again.payloads(1), [b"while away"])
    await again.client.disconnect()
    await other.client.disconnect()


async def properties() -> None:
    device = await Device("properties").start()
    await device.subscribe(f"{RUN}/properties", 1)
    device.client.publish(
        f"{RUN}/properties", "here", qos=1, response_topic="answers", user_property=("a", "1")
    )
    await device.payloads(1)
    found = device.got[0][2]
    equal(found["response_topic"], ["answers"])
    equal(found["user_property"], [("a", "1")])
    await device.client.disconnect()


async def survive(what: str) -> None:
    topic = f"{RUN}/{what}"
    more: dict[str, Any] = {"session_expiry_interval": 300, "clean_session": False}
    device = await Device(what, **more).start()
    await device.subscribe(topic, 1)
    await happen_async(what)
    await asyncio.sleep(0.05)
    await until_async(lambda: device.client.is_connected, "its connecting again")
    other = await Device(f"{what}-other").start()
    other.client.publish(topic, "after", qos=1)
    equal(await device.payloads(1), [b"after"])
    await other.client.disconnect()
    await device.client.disconnect()


async def killed() -> None:
    await survive("kill")


async def restarted() -> None:
    await survive("restart")


async def secured() -> None:
    url = os.environ["MQTT_TLS_URL"]
    device = Device("secured")
    device.client.set_auth_credentials("alice", "secret")
    await device.start(url)
    await device.subscribe(f"{RUN}/secured", 1)
    device.client.publish(f"{RUN}/secured", "here", qos=1)
    equal(await device.payloads(1), [b"here"])
    await device.client.disconnect()
    wrong = Device("wrong")
    wrong.client.set_config({"reconnect_retries": 0})
    wrong.client.set_auth_credentials("alice", "wrong")
    try:
        await asyncio.wait_for(wrong.start(url), 5)
    except Exception:
        return
    equal(wrong.client.is_connected, False, "connected with a wrong password")


run(
    "gmqtt",
    importlib.metadata.version("gmqtt"),
    {
        "QoS": qos,
        "retained": retained,
        "will": will,
        "session": session,
        "properties": properties,
        "kill": killed,
        "restart": restarted,
        "TLS": secured,
    },
)
