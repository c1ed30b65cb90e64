"""Transactions by real clients: librdkafka and aiokafka."""

import asyncio

import pytest
from confluent_kafka import (
    Consumer,
    ConsumerGroupTopicPartitions,
    IsolationLevel,
    KafkaException,
    Producer,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient, OffsetSpec

from .conftest import Servers, wait_for

pytestmark = pytest.mark.client


@pytest.fixture
def bootstrap(servers: Servers) -> str:
    return f"127.0.0.1:{servers.ports['kafka']}"


def producing(bootstrap, name, **more):
    producer = Producer({"bootstrap.servers": bootstrap, "transactional.id": name, **more})
    producer.init_transactions(20)
    return producer


def written(producer, topic, *values):
    for value in values:
        producer.produce(topic, value, partition=0)
    producer.flush(20)


def reader(bootstrap, topic, isolation):
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": f"{topic}.{isolation}",
            "auto.offset.reset": "earliest",
            "isolation.level": isolation,
            "enable.partition.eof": True,
        }
    )
    consumer.assign([TopicPartition(topic, 0, 0)])
    return consumer


def read(bootstrap, topic, isolation="read_committed"):
    """What such a consumer finds up to its end."""
    consumer = reader(bootstrap, topic, isolation)
    found = []
    try:
        while True:
            message = consumer.poll(20)
            assert message is not None, found
            if message.error():
                return found
            found.append(message.value())
    finally:
        consumer.close()


def test_a_read_committed_consumer_sees_what_was_committed(bootstrap):
    topic = "txn.seen"
    producer = producing(bootstrap, "seen")
    for number in range(3):
        producer.begin_transaction()
        written(producer, topic, b"a%d" % number, b"b%d" % number)
        if number == 1:
            producer.abort_transaction(20)
        else:
            producer.commit_transaction(20)
    assert read(bootstrap, topic) == [b"a0", b"b0", b"a2", b"b2"]
    uncommitted = read(bootstrap, topic, "read_uncommitted")
    assert uncommitted == [b"a0", b"b0", b"a1", b"b1", b"a2", b"b2"]


def test_an_open_transaction_holds_back_what_is_behind_it(bootstrap):
    topic = "txn.open"
    producer = producing(bootstrap, "open")
    producer.begin_transaction()
    written(producer, topic, b"open")
    plain = Producer({"bootstrap.servers": bootstrap})
    written(plain, topic, b"plain")
    assert read(bootstrap, topic) == []
    admin = AdminClient({"bootstrap.servers": bootstrap})
    place = TopicPartition(topic, 0)

    def end(isolation):
        asked = admin.list_offsets({place: OffsetSpec.latest()}, isolation_level=isolation)
        return asked[place].result(20).offset

    assert end(IsolationLevel.READ_COMMITTED) == 0
    assert end(IsolationLevel.READ_UNCOMMITTED) == 2
    producer.commit_transaction(20)
    assert read(bootstrap, topic) == [b"open", b"plain"]


def test_a_second_producer_of_the_same_id_fences_the_first(bootstrap):
    topic = "txn.fenced"
    first = producing(bootstrap, "fenced")
    first.begin_transaction()
    written(first, topic, b"first")
    second = producing(bootstrap, "fenced")
    with pytest.raises(KafkaException) as caught:
        first.commit_transaction(20)
    assert caught.value.args[0].fatal()
    second.begin_transaction()
    written(second, topic, b"second")
    second.commit_transaction(20)
    assert read(bootstrap, topic) == [b"second"]


def test_consume_transform_produce_commits_offsets_with_the_records(bootstrap):
    source, target, group = "txn.source", "txn.target", "txn.group"
    written(Producer({"bootstrap.servers": bootstrap}), source, b"1", b"2", b"3")
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": group,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            "isolation.level": "read_committed",
        }
    )
    consumer.subscribe([source])
    producer = producing(bootstrap, "ctp")
    admin = AdminClient({"bootstrap.servers": bootstrap})

    def committed():
        asked = admin.list_consumer_group_offsets(
            [ConsumerGroupTopicPartitions(group, [TopicPartition(source, 0)])]
        )
        return asked[group].result(20).topic_partitions[0].offset

    for number, commits in enumerate((False, True)):
        if number:
            consumer.seek(TopicPartition(source, 0, 0))
        messages = consumer.consume(3, 20)
        assert [message.value() for message in messages] == [b"1", b"2", b"3"]
        producer.begin_transaction()
        written(producer, target, *[message.value() * 2 for message in messages])
        position = consumer.position([TopicPartition(source, 0)])
        producer.send_offsets_to_transaction(position, consumer.consumer_group_metadata(), 20)
        if commits:
            producer.commit_transaction(20)
            assert committed() == 3
        else:
            producer.abort_transaction(20)
            assert committed() < 0
    consumer.close()
    assert read(bootstrap, target) == [b"11", b"22", b"33"]


def test_a_transaction_that_times_out_is_aborted(servers, bootstrap):
    topic = "txn.late"
    producer = producing(bootstrap, "late", **{"transaction.timeout.ms": 1000})
    producer.begin_transaction()
    written(producer, topic, b"late")
    known = servers.brokers["kafka"].cluster.transactions.by_id
    wait_for(lambda: not known["late"].is_open, what="the timeout")
    with pytest.raises(KafkaException):
        producer.commit_transaction(20)
    assert read(bootstrap, topic) == []


def test_aiokafka_commits_aborts_and_reads_committed(bootstrap):
    aiokafka = pytest.importorskip("aiokafka")
    topic = "txn.aio"

    async def run():
        producer = aiokafka.AIOKafkaProducer(
            bootstrap_servers=bootstrap, transactional_id="aio", request_timeout_ms=20_000
        )
        await producer.start()
        try:
            async with producer.transaction():
                await producer.send_and_wait(topic, b"kept", partition=0)
                place = aiokafka.TopicPartition(topic, 0)
                await producer.send_offsets_to_transaction({place: 1}, "txn.aio.group")
            with pytest.raises(ValueError, match="no"):
                async with producer.transaction():
                    await producer.send_and_wait(topic, b"dropped", partition=0)
                    raise ValueError("no")
        finally:
            await producer.stop()
        consumer = aiokafka.AIOKafkaConsumer(
            bootstrap_servers=bootstrap,
            group_id="txn.aio.group",
            isolation_level="read_committed",
            auto_offset_reset="earliest",
        )
        await consumer.start()
        try:
            committed = await consumer.committed(place)
        finally:
            await consumer.stop()
        return committed

    assert asyncio.run(run()) == 1
    assert read(bootstrap, topic) == [b"kept"]
