"""aiomqtt: an asyncio client, unmodified."""

import asyncio

import aiomqtt
import pytest

from clients.conftest import Servers

pytestmark = pytest.mark.client


def test_publish_and_iterate_messages(servers: Servers) -> None:
    async def talk() -> list[bytes]:
        port = servers.ports["mqtt"]
        async with (
            aiomqtt.Client("127.0.0.1", port) as subscriber,
            aiomqtt.Client("127.0.0.1", port) as publisher,
        ):
            await subscriber.subscribe("aio/#", qos=1)
            for number in range(5):
                await publisher.publish("aio/t", b"%d" % number, qos=number % 3)
            got: list[bytes] = []
            async for message in subscriber.messages:
                got.append(bytes(message.payload))
                if len(got) == 5:
                    return got
        raise AssertionError("the messages ended early")

    assert asyncio.run(asyncio.wait_for(talk(), 20)) == [b"0", b"1", b"2", b"3", b"4"]
