"""Kinds of trouble of the guide's table for Kafka: what a client sees, and how it recovers."""

from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from mockforge_tui import MockForge

from .conftest import SAME_BROKERS, hits, wait_for

pytestmark = pytest.mark.client

_numbers = count(1)


@pytest.fixture(scope="module")
def running() -> Iterator[MockForge]:
    with MockForge(kafka_nodes=2) as running:
        yield running


@pytest.fixture
def mockforge(running: MockForge) -> Iterator[MockForge]:
    yield running
    running.run("panic")


@pytest.fixture
def topic(mockforge: MockForge) -> str:
    name = f"orders-{next(_numbers)}"
    mockforge.run(f"topic add {name} -p 1")
    return name


def stored(mockforge: MockForge, topic: str) -> list[bytes | None]:
    read = mockforge.runtime.brokers.kafka.read
    return [record.value for record in mockforge.call(read, topic, 0, 0, 100)]


QUICK = {
    "client.id": "dev-7",
    "retry.backoff.ms": 10,
    "reconnect.backoff.ms": 10,
    "reconnect.backoff.max.ms": 50,
    "topic.metadata.refresh.fast.interval.ms": 20,
}


def send(mockforge: MockForge, topic: str, value: bytes, **settings: Any) -> None:
    errors: list[Any] = []
    producer = Producer(
        {**QUICK, **SAME_BROKERS, "bootstrap.servers": mockforge.kafka.bootstrap, **settings}
    )
    producer.produce(topic, value, on_delivery=lambda error, _: errors.append(error))
    assert producer.flush(40) == 0
    assert errors == [None]


class Reader:
    """A member of a group that notes what it reads and how often it was given partitions."""

    def __init__(self, mockforge: MockForge, topic: str) -> None:
        self.got: list[bytes] = []
        self.assigned = 0
        self.topic = topic
        self.consumer = Consumer(
            {
                **QUICK,
                "bootstrap.servers": mockforge.kafka.bootstrap,
                "group.id": topic,
                "auto.offset.reset": "earliest",
                "enable.auto.commit": False,
                "fetch.wait.max.ms": 50,
                "heartbeat.interval.ms": 100,
            }
        )
        self.consumer.subscribe([topic], on_assign=self._count)

    def _count(self, *_: object) -> None:
        self.assigned += 1

    def poll(self) -> None:
        message = self.consumer.poll(0.05)
        if message is not None and message.error() is None:
            self.got.append(message.value())


@pytest.mark.parametrize(("idempotent", "kept"), [(True, [b"a"]), (False, [b"a", b"a"])])
def test_a_record_is_stored_and_the_connection_ends_before_the_answer(
    mockforge, topic, idempotent, kept
):
    mockforge.run("fault add disconnect op:Produce --after --once")
    send(mockforge, topic, b"a", **{"enable.idempotence": idempotent})
    assert hits(mockforge) == 1
    assert stored(mockforge, topic) == kept


def test_connections_are_accepted_late(mockforge, topic):
    mockforge.run("fault add delay op:open proto:kafka 1h")
    producer = Producer({"bootstrap.servers": mockforge.kafka.bootstrap})
    producer.produce(topic, b"a")
    wait_for(lambda: hits(mockforge))
    assert stored(mockforge, topic) == []
    mockforge.run("fault clear")
    assert producer.flush(20) == 0
    assert stored(mockforge, topic) == [b"a"]


@pytest.mark.parametrize(
    "line",
    [
        "refuse op:OffsetCommit group:{topic} COORDINATOR_LOAD_IN_PROGRESS --once",
        "refuse op:OffsetCommit group:{topic} NOT_COORDINATOR --once",
    ],
)
def test_a_commit_that_is_refused_for_a_group_is_made_again(mockforge, topic, line):
    send(mockforge, topic, b"a")
    mockforge.run(f"fault add {line.format(topic=topic)}")
    reader = Reader(mockforge, topic)
    wait_for(lambda: reader.poll() or reader.got == [b"a"])
    reader.consumer.commit(asynchronous=False)
    assert hits(mockforge) == 1
    [place] = reader.consumer.committed([TopicPartition(topic, 0)], 20)
    assert place.offset == 1
    reader.consumer.close()


def test_a_group_that_is_made_to_rebalance_reads_on(mockforge, topic):
    send(mockforge, topic, b"a")
    reader = Reader(mockforge, topic)
    wait_for(lambda: reader.poll() or reader.got == [b"a"])
    reader.consumer.commit(asynchronous=False)
    mockforge.run(f"group rebalance {topic}")
    wait_for(lambda: reader.poll() or reader.assigned == 2)
    send(mockforge, topic, b"b")
    wait_for(lambda: reader.poll() or len(reader.got) > 1)
    assert reader.got == [b"a", b"b"]
    reader.consumer.close()


def test_leader_coordinator_and_controller_move_and_clients_follow(mockforge, topic):
    send(mockforge, topic, b"a")
    reader = Reader(mockforge, topic)
    wait_for(lambda: reader.poll() or reader.got == [b"a"])
    for number in (1, 2, 1):
        for line in (
            f"leader move {topic}:0 1",
            f"coordinator move {topic} 1",
            "controller move 1",
        ):
            mockforge.run(f"{line[:-1]}{number}")
        value = b"moved to %d" % number
        send(mockforge, topic, value)
        wait_for(lambda value=value: reader.poll() or reader.got[-1] == value)
        reader.consumer.commit(asynchronous=False)
        admin = AdminClient({"bootstrap.servers": mockforge.kafka.bootstrap})
        other = NewTopic(f"{topic}-{len(reader.got)}", 1)
        admin.create_topics([other])[other.topic].result(20)
    assert reader.got == [b"a", b"moved to 1", b"moved to 2", b"moved to 1"]
    reader.consumer.close()


def test_a_broker_whose_clock_is_ahead_stores_later_times_and_loses_nothing(mockforge):
    topic = f"orders-{next(_numbers)}"
    mockforge.run(f"topic add {topic} -p 1 --config message.timestamp.type=LogAppendTime")
    send(mockforge, topic, b"a")
    reader = Reader(mockforge, topic)
    wait_for(lambda: reader.poll() or reader.got)
    mockforge.run("clock advance 1h")
    send(mockforge, topic, b"b")
    # Its session may have expired by the broker's clock; it joins again where it was.
    wait_for(lambda: reader.poll() or b"b" in reader.got)
    read = mockforge.runtime.brokers.kafka.read
    first, second = (each.time for each in mockforge.call(read, topic, 0, 0, 10))
    assert second - first > 3_500
    reader.consumer.close()
