"""aiokafka against our broker."""

import asyncio

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from .conftest import Servers

pytestmark = pytest.mark.client


@pytest.fixture
def bootstrap(servers: Servers) -> str:
    return f"127.0.0.1:{servers.ports['kafka']}"


@pytest.mark.parametrize("idempotent", [False, True], ids=["plain", "idempotent"])
def test_records_go_out_and_come_back(bootstrap, idempotent):
    topic = f"aiokafka.{idempotent}"

    async def run():
        producer = AIOKafkaProducer(bootstrap_servers=bootstrap, enable_idempotence=idempotent)
        await producer.start()
        sent = [
            await producer.send(topic, key=b"k%d" % n, value=b"v%d" % n, headers=[("h", b"1")])
            for n in range(100)
        ]
        places = {(place.partition, place.offset) for place in await asyncio.gather(*sent)}
        await producer.stop()
        consumer = AIOKafkaConsumer(
            topic,
            bootstrap_servers=bootstrap,
            group_id=f"readers.of.{topic}",
            auto_offset_reset="earliest",
        )
        await consumer.start()
        got = {}
        while len(got) < 100:
            record = await asyncio.wait_for(consumer.getone(), 30)
            got[record.key] = record.value
        await consumer.stop()
        return places, got

    places, got = asyncio.run(run())
    assert len(places) == 100
    assert got == {b"k%d" % n: b"v%d" % n for n in range(100)}


def test_two_members_share_and_the_last_one_takes_all(servers, bootstrap):
    topic = "aiokafka.shared"
    servers.call(servers.brokers["kafka"].create_topic, topic, 4)

    async def until(fact):
        async with asyncio.timeout(50):
            while not fact():
                await asyncio.sleep(0.01)

    async def run():
        def member():
            return AIOKafkaConsumer(
                topic,
                bootstrap_servers=bootstrap,
                group_id="aiokafka.shared",
                heartbeat_interval_ms=100,
            )

        first, second = member(), member()
        await first.start()
        await until(lambda: len(first.assignment()) == 4)
        await second.start()
        await until(lambda: len(first.assignment()) == len(second.assignment()) == 2)
        await first.stop()
        await until(lambda: len(second.assignment()) == 4)
        await second.stop()

    asyncio.run(run())
