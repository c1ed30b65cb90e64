"""aiomqtt, on asyncio: its users write the loop that connects again."""

import asyncio
import importlib.metadata
import os
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import aiomqtt
from aiomqtt import Client, MqttError, ProtocolVersion, Will
from checks import CA, RUN, SECONDS, equal, happen_async, run

PLACE = urlsplit(os.environ["MQTT_URL"])


def client(name: str, **more: Any) -> Client:
    assert PLACE.hostname
    more.setdefault("port", PLACE.port)
    return Client(PLACE.hostname, identifier=f"{RUN}-{name}", **more)


async def first(got: Client) -> Any:
    return await asyncio.wait_for(anext(aiter(got.messages)), SECONDS)


async def qos() -> None:
    for version in (ProtocolVersion.V311, ProtocolVersion.V5):
        async with client("qos", protocol=version) as device:
            await device.subscribe(f"{RUN}/{version}/+", qos=2)
            for level in (0, 1, 2):
                await device.publish(f"{RUN}/{version}/{level}", str(level), qos=level)
            got = [await first(device) for _ in range(3)]
            equal(sorted((m.payload, m.qos) for m in got), [(b"0", 0), (b"1", 1), (b"2", 2)])


async def retained() -> None:
    async with client("retained") as device:
        await device.publish(f"{RUN}/kept", "on", qos=1, retain=True)
        await device.subscribe(f"{RUN}/kept")
        message = await first(device)
        equal((message.payload, message.retain), (b"on", True))


async def will() -> None:
    async with client("watcher") as watcher:
        await watcher.subscribe(f"{RUN}/will", qos=1)
        async with broken("doomed", will=Will(f"{RUN}/will", "gone", 1)) as doomed:
            doomed._client.socket().close()
        equal((await first(watcher)).payload, b"gone")


@asynccontextmanager
async def broken(name: str, **more: Any) -> AsyncIterator[Client]:
    try:
        async with client(name, **more) as device:
            yield device
    except (MqttError, ValueError, OSError):
        pass


async def session() -> None:
    more: dict[str, Any] = {"protocol": ProtocolVersion.V311, "clean_session": False}
    async with client("sleeper", **more) as device:
        await device.subscribe(f"{RUN}/away", qos=1)
    async with client("other") as other:
        await other.publish(f"{RUN}/away", "while away", qos=1)
    async with client("sleeper", **more) as device:
        equal((await first(device)).payload, b"while away")


async def survive(what: str) -> None:
    topic, got = f"{RUN}/{what}", asyncio.Queue()

    async def listen() -> None:
        while True:
            try:
                async with client(
                    f"{what}-listener", protocol=ProtocolVersion.V311, clean_session=False
                ) as device:
                    await device.subscribe(topic, qos=1)
                    got.put_nowait("subscribed")
                    async for message in device.messages:
                        got.put_nowait(message.payload)
            except MqttError:
                await asyncio.sleep(0.05)

    listener = asyncio.create_task(listen())
    equal(await asyncio.wait_for(got.get(), SECONDS), "subscribed")
    await happen_async(what)
    equal(await asyncio.wait_for(got.get(), SECONDS), "subscribed")
    async with client(f"{what}-publisher") as publisher:
        await publisher.publish(topic, "after", qos=1)
    equal(await asyncio.wait_for(got.get(), SECONDS), b"after")
    listener.cancel()


async def killed() -> None:
    await survive("kill")


async def restarted() -> None:
    await survive("restart")


def over_tls(url: str, password: str) -> dict[str, Any]:
    context = ssl.create_default_context(cafile=CA)
    port = urlsplit(url).port
    return {"port": port, "tls_context": context, "username": "alice", "password": password}


async def secured() -> None:
    url = os.environ["MQTT_TLS_URL"]
    async with client("secured", **over_tls(url, "secret")) as device:
        await device.subscribe(f"{RUN}/secured", qos=1)
        await device.publish(f"{RUN}/secured", "here", qos=1)
        equal((await first(device)).payload, b"here")
    try:
        async with client("wrong", **over_tls(url, "wrong")):
            raise AssertionError("a wrong password was taken")
    except aiomqtt.MqttError:
        pass


async def web_socket() -> None:
    url = os.environ["MQTT_WSS_URL"]
    more = {"transport": "websockets", "websocket_path": urlsplit(url).path}
    async with client("wss", **over_tls(url, "secret"), **more) as device:
        await device.subscribe(f"{RUN}/wss", qos=1)
        await device.publish(f"{RUN}/wss", "here", qos=1)
        equal((await first(device)).payload, b"here")


run(
    "aiomqtt",
    importlib.metadata.version("aiomqtt"),
    {
        "QoS": qos,
        "retained": retained,
        "will": will,
        "session": session,
        "kill": killed,
        "restart": restarted,
        "TLS": secured,
        "WebSocket": web_socket,
    },
)
