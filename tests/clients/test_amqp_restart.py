"""`broker restart amqp` among publishes of an unmodified client: what was confirmed is there."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aio_pika
import pytest
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage

from clients.conftest import Servers

pytestmark = pytest.mark.client

TOTAL = 10_000
RESTARTS = 20
AT_ONCE = 100
QUEUE = "restarted"


@asynccontextmanager
async def opened(servers: Servers) -> AsyncIterator[AbstractChannel]:
    url = f"amqp://guest:guest@127.0.0.1:{servers.ports['amqp']}/"
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel(publisher_confirms=True)
        await channel.declare_queue(QUEUE, durable=True)
        yield channel


async def publish(channel: AbstractChannel, number: int) -> int:
    body = aio_pika.Message(b"%d" % number, delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
    await channel.default_exchange.publish(body, QUEUE)
    return number


async def publish_all(servers: Servers) -> int:
    """Each until it is confirmed, a hundred in flight; returns how often it was restarted."""
    restart = servers.brokers["amqp"].restart
    left, restarts = deque(range(TOTAL)), 0
    while left:
        async with opened(servers) as channel:
            whole = True
            while left and whole:
                batch = [left.popleft() for _ in range(min(AT_ONCE, len(left)))]
                sent = asyncio.gather(
                    *(publish(channel, each) for each in batch), return_exceptions=True
                )
                if (TOTAL - len(left)) * RESTARTS // TOTAL > restarts:
                    restarts += 1
                    await asyncio.to_thread(servers.call, restart)
                confirmed = {each for each in await sent if isinstance(each, int)}
                left.extend(each for each in batch if each not in confirmed)
                whole = len(confirmed) == len(batch) and not channel.is_closed
    return restarts


async def take_all(servers: Servers) -> set[int]:
    seen, whole = set[int](), asyncio.Event()

    async def note(message: AbstractIncomingMessage) -> None:
        seen.add(int(message.body))
        if len(seen) == TOTAL:
            whole.set()

    async with opened(servers) as channel:
        queue = await channel.declare_queue(QUEUE, durable=True)
        await queue.consume(note, no_ack=True)
        async with asyncio.timeout(60):
            await whole.wait()
        await queue.delete(if_unused=False, if_empty=False)
    return seen


def test_20_restarts_among_10_000_confirmed_publishes_lose_none(servers: Servers) -> None:
    assert asyncio.run(publish_all(servers)) == RESTARTS
    assert asyncio.run(take_all(servers)) == set(range(TOTAL))
