"""aio-pika with its robust connections, which connect and declare again by themselves."""

import asyncio
import importlib.metadata
import os
import ssl
from typing import Any

import aio_pika
from aio_pika import DeliveryMode, ExchangeType, Message
from aio_pika.exceptions import AMQPError, DeliveryError
from aio_pika.patterns import RPC
from checks import CA, RUN, SECONDS, equal, happen_async, run

URL = os.environ["AMQP_URL"]


async def publish() -> None:
    async with await aio_pika.connect(URL) as connection:
        channel = await connection.channel(on_return_raises=True)
        await channel.set_qos(prefetch_count=5)
        exchange = await channel.declare_exchange(f"{RUN}-events", ExchangeType.TOPIC)
        queue = await channel.declare_queue(f"{RUN}-invoices", durable=True)
        await queue.bind(exchange, "order.*")
        for number in range(20):
            await exchange.publish(Message(str(number).encode(), headers={"n": number}), "order.x")
        try:
            await exchange.publish(Message(b"lost"), "nobody")
        except DeliveryError:
            pass
        else:
            raise AssertionError("it was not returned")
        got, again = [], 0
        async with queue.iterator(timeout=SECONDS) as messages:
            async for message in messages:
                again += message.redelivered or 0
                if message.body == b"3" and not message.redelivered:
                    await message.nack()
                    continue
                got.append(message.headers["n"])
                await message.ack()
                if len(got) == 20:
                    break
        equal((sorted(got), again), (list(range(20)), 1))


async def dead_letters() -> None:
    async with await aio_pika.connect(URL) as connection:
        channel = await connection.channel()
        dead = await channel.declare_queue(f"{RUN}-dead")
        arguments: dict[str, Any] = {
            "x-dead-letter-exchange": "",
            "x-dead-letter-routing-key": dead.name,
            "x-message-ttl": 50,
        }
        await channel.declare_queue(f"{RUN}-short", arguments=arguments)
        await channel.default_exchange.publish(Message(b"expired"), f"{RUN}-short")
        async with dead.iterator(no_ack=True, timeout=SECONDS) as messages:
            message = await anext(messages)
        equal(message.headers["x-death"][0]["reason"], "expired")  # type: ignore[index,call-overload]


async def limits() -> None:
    async with await aio_pika.connect(URL) as connection:
        channel = await connection.channel()
        two = await channel.declare_queue(f"{RUN}-two", arguments={"x-max-length": 2})
        for number in range(4):
            await channel.default_exchange.publish(Message(str(number).encode()), two.name)
        kept = [(await two.get(no_ack=True, timeout=SECONDS)).body for _ in range(2)]
        equal(kept, [b"2", b"3"])
        ranked = await channel.declare_queue(f"{RUN}-ranked", arguments={"x-max-priority": 5})
        for priority in (1, 5, 3):
            message = Message(str(priority).encode(), priority=priority)
            await channel.default_exchange.publish(message, ranked.name)
        order = [(await ranked.get(no_ack=True, timeout=SECONDS)).body for _ in range(3)]
        equal(order, [b"5", b"3", b"1"])


async def rpc() -> None:
    async with await aio_pika.connect(URL) as connection:
        channel = await connection.channel()
        calls = await RPC.create(channel)

        async def multiply(*, x: int, y: int) -> int:
            return x * y

        await calls.register(f"{RUN}-multiply", multiply, auto_delete=True)
        found = await asyncio.wait_for(
            calls.call(f"{RUN}-multiply", kwargs={"x": 6, "y": 7}), SECONDS
        )
        equal(found, 42)


async def transactions() -> None:
    async with await aio_pika.connect(URL) as connection:
        channel = await connection.channel(publisher_confirms=False)
        queue = await channel.declare_queue(f"{RUN}-tx")
        async with channel.transaction():
            await channel.default_exchange.publish(Message(b"yes"), queue.name)
        equal((await queue.get(no_ack=True, timeout=SECONDS)).body, b"yes")


async def survive(what: str) -> None:
    """The consumer goes on by itself, and durable messages that nobody acknowledged come again."""
    connection = await aio_pika.connect_robust(URL, reconnect_interval=0.1)
    async with connection:
        channel = await connection.channel()
        await channel.set_qos(prefetch_count=1)
        queue = await channel.declare_queue(f"{RUN}-{what}", durable=True)
        got: asyncio.Queue[Any] = asyncio.Queue()
        await queue.consume(got.put)
        for body in (b"0", b"1"):
            message = Message(body, delivery_mode=DeliveryMode.PERSISTENT)
            await channel.default_exchange.publish(message, queue.name)
        equal((await asyncio.wait_for(got.get(), SECONDS)).body, b"0")
        await happen_async(what)
        again = await asyncio.wait_for(got.get(), SECONDS)
        equal((again.body, again.redelivered), (b"0", True))
        await again.ack()
        last = await asyncio.wait_for(got.get(), SECONDS)
        equal(last.body, b"1")
        await last.ack()


async def killed() -> None:
    await survive("kill")


async def restarted() -> None:
    await survive("restart")


async def secured() -> None:
    url = os.environ["AMQP_TLS_URL"]
    context = ssl.create_default_context(cafile=CA)
    async with await aio_pika.connect(url, ssl_context=context) as connection:
        channel = await connection.channel()
        queue = await channel.declare_queue(f"{RUN}-tls")
        await channel.default_exchange.publish(Message(b"here"), queue.name)
        equal((await queue.get(no_ack=True, timeout=SECONDS)).body, b"here")
    try:
        await aio_pika.connect(url.replace(":secret@", ":wrong@"), ssl_context=context)
    except (AMQPError, ConnectionError):
        return
    raise AssertionError("a wrong password was taken")


run(
    "aio-pika",
    importlib.metadata.version("aio-pika"),
    {
        "publish": publish,
        "dead letters": dead_letters,
        "limits": limits,
        "RPC": rpc,
        "transactions": transactions,
        "kill": killed,
        "restart": restarted,
        "TLS": secured,
    },
)
