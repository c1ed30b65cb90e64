"""aio-pika, unmodified, on asyncio."""

import asyncio

import aio_pika
import pytest

from clients.conftest import Servers

pytestmark = pytest.mark.client


async def _conversation(port: int) -> list[bytes]:
    connection = await aio_pika.connect_robust(f"amqp://guest:guest@127.0.0.1:{port}/")
    async with connection:
        channel = await connection.channel(publisher_confirms=True)
        await channel.set_qos(prefetch_count=10)
        exchange = await channel.declare_exchange("events", "topic", auto_delete=True)
        headers = await channel.declare_exchange("by-headers", "headers", auto_delete=True)
        queue = await channel.declare_queue("events-of-a", auto_delete=True)
        await queue.bind(exchange, "a.#")
        await queue.bind(headers, "", arguments={"x-match": "any", "kind": "late"})
        for number in range(100):
            await exchange.publish(aio_pika.Message(str(number).encode()), f"a.{number}")
        await headers.publish(aio_pika.Message(b"late", headers={"kind": "late"}), "")
        found = []
        async with queue.iterator() as messages:
            async for message in messages:
                async with message.process():
                    found.append(message.body)
                if len(found) == 101:
                    break
        return found


def test_robust_connection_publishes_and_consumes_in_order(servers: Servers) -> None:
    found = asyncio.run(asyncio.wait_for(_conversation(servers.ports["amqp"]), 50))
    assert found == [*(str(number).encode() for number in range(100)), b"late"]


async def _work(port: int) -> tuple[int, int]:
    done = 0
    redelivered = 0
    connection = await aio_pika.connect(f"amqp://guest:guest@127.0.0.1:{port}/")
    async with connection:
        channel = await connection.channel()
        queue = await channel.declare_queue(exclusive=True)
        for _ in range(5):
            await channel.default_exchange.publish(aio_pika.Message(b"job"), queue.name)
        while done < 5:
            message = await queue.get(timeout=20)
            if message.redelivered:
                redelivered += 1
                done += 1
                await message.ack()
            else:
                await message.reject(requeue=True)
    return done, redelivered


def test_rejected_messages_are_redelivered(servers: Servers) -> None:
    assert asyncio.run(asyncio.wait_for(_work(servers.ports["amqp"]), 50)) == (5, 5)
