"""aiokafka, on asyncio."""

import os
import ssl
from collections.abc import Sequence
from typing import Any

import aiokafka
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError
from checks import CA, RUN, equal, happen_async, run, until_async

PLAIN: dict[str, Any] = {"bootstrap_servers": os.environ["KAFKA_BOOTSTRAP_SERVERS"]}
QUICK: dict[str, Any] = {"retry_backoff_ms": 50}


async def consumer(topic: str, group: str | None, **more: Any) -> AIOKafkaConsumer:
    name = group and f"{RUN}-{group}"
    made = AIOKafkaConsumer(group_id=name, auto_offset_reset="earliest", **PLAIN, **QUICK, **more)
    await made.start()
    if group:
        made.subscribe([topic])
    else:
        made.assign([TopicPartition(topic, part) for part in range(3)])
    return made


async def read(reader: AIOKafkaConsumer, count: int, before: Sequence[bytes] = ()) -> list[bytes]:
    """So many different values: a member that had to join again may get some of them twice."""
    found: dict[bytes, None] = {}
    while len(found) < count:
        for records in (await reader.getmany(timeout_ms=1000)).values():
            found.update((r.value, None) for r in records if r.value not in before)
    return list(found)


async def send(topic: str, values: list[str], **more: Any) -> None:
    async with AIOKafkaProducer(**PLAIN, **more) as producer:
        for value in values:
            await producer.send_and_wait(topic, value.encode(), key=value.encode())


async def produce() -> None:
    for codec in (None, "gzip", "snappy", "lz4", "zstd"):
        topic = f"{RUN}-{codec}"
        await send(
            topic,
            [f"{number}" * 500 for number in range(20)],
            compression_type=codec,
            enable_idempotence=True,
        )
        reader = await consumer(topic, None)
        equal(len(await read(reader, 20)), 20)
        await reader.stop()


async def share() -> None:
    topic = f"{RUN}-group"
    await with_topic(topic, 4)
    members = [await consumer(topic, "group") for _ in range(2)]
    await until_async(
        lambda: [len(member.assignment()) for member in members] == [2, 2], "two each"
    )
    await members.pop().stop()
    await until_async(lambda: len(members[0].assignment()) == 4, "all for who is left")
    await send(topic, [str(number) for number in range(20)])
    equal(len(await read(members[0], 20)), 20)
    await members[0].commit()
    await members[0].stop()
    await send(topic, ["last"])
    again = await consumer(topic, "group")
    equal(await read(again, 1), [b"last"])
    await again.stop()


async def with_topic(topic: str, partitions: int) -> None:
    client = AIOKafkaAdminClient(**PLAIN)
    await client.start()
    await client.create_topics([NewTopic(topic, partitions, 1)])
    await client.close()


async def transactions() -> None:
    topic = f"{RUN}-tx"
    async with AIOKafkaProducer(transactional_id=f"{RUN}-tx", **PLAIN) as producer:
        for number in range(4):
            await producer.begin_transaction()
            await producer.send_and_wait(topic, str(number).encode())
            if number % 2:
                await producer.abort_transaction()
            else:
                await producer.commit_transaction()
    reader = await consumer(topic, None, isolation_level="read_committed")
    equal(sorted(await read(reader, 2)), [b"0", b"2"])
    await reader.stop()


async def admin() -> None:
    topic = f"{RUN}-admin"
    await with_topic(topic, 2)
    client = AIOKafkaAdminClient(**PLAIN)
    await client.start()
    (found,) = await client.describe_topics([topic])
    equal(len(found["partitions"]), 2)
    await client.list_consumer_groups()
    await client.delete_topics([topic])
    await client.close()


async def survive(what: str) -> None:
    topic = f"{RUN}-{what}"
    await send(topic, ["0"])
    reader = await consumer(topic, what)
    async with AIOKafkaProducer(enable_idempotence=True, **PLAIN, **QUICK) as producer:
        await read(reader, 1)
        await happen_async(what)
        for number in range(1, 30):
            await producer.send_and_wait(topic, str(number).encode())
    after = set(await read(reader, 29, [b"0"]))
    equal({str(number).encode() for number in range(1, 30)} - after, set())
    await reader.stop()


async def killed() -> None:
    await survive("kill")


async def restarted() -> None:
    await survive("restart")


async def secured() -> None:
    settings: dict[str, Any] = {
        "bootstrap_servers": os.environ["KAFKA_TLS_BOOTSTRAP_SERVERS"],
        "security_protocol": "SASL_SSL",
        "ssl_context": ssl.create_default_context(cafile=CA),
        "sasl_plain_username": "alice",
        "sasl_plain_password": "secret",
    }
    for mechanism in ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"):
        async with AIOKafkaProducer(**settings, sasl_mechanism=mechanism) as producer:
            await producer.send_and_wait(f"{RUN}-secured", b"here")
    settings |= {"sasl_plain_password": "wrong", "sasl_mechanism": "SCRAM-SHA-256"}
    wrong = AIOKafkaProducer(**settings)
    try:
        await wrong.start()
    except KafkaError:
        await wrong.stop()
    else:
        raise AssertionError("a wrong password was taken")


run(
    "aiokafka",
    aiokafka.__version__,
    {
        "produce": produce,
        "group": share,
        "transactions": transactions,
        "admin": admin,
        "kill": killed,
        "restart": restarted,
        "TLS": secured,
    },
)
