"""What Kafka clients did, as statements of a test with confluent-kafka.

A statement for each record that a client produced or got, for each commit, and for topics that one
made or deleted. How a group shared its partitions out is not played again: each client reads what
it got from the partition where it got it.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from mockforge_brokers.journal import IN, Row

HEAD: Final = '''"""A captured sequence, played again. Needs mockforge-tui and confluent-kafka."""

import time

from confluent_kafka import OFFSET_BEGINNING, Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewPartitions, NewTopic

WITHIN = 10.0
"""Seconds in which an answer or a record is to come."""


class Client:
    """One of the clients; each call waits for what answers it."""

    def __init__(self, bootstrap, name):
        self.settings = {"bootstrap.servers": bootstrap, "client.id": name}
        self.admin = AdminClient(self.settings)
        self.producers, self.consumers, self.open = {}, {}, set()

    def creates(self, topic, partitions, **config):
        made = NewTopic(topic, partitions, config=config)
        self.admin.create_topics([made])[topic].result(WITHIN)

    def deletes(self, topic):
        self.admin.delete_topics([topic])[topic].result(WITHIN)

    def produces(self, topic, partition, key, value, headers=(), transaction=None):
        self._has(topic, partition)
        failed, producer = [], self._producer(transaction)
        producer.produce(
            topic, value, key, partition, headers=list(headers),
            on_delivery=lambda error, record: failed.append(error) if error else None,
        )
        left = producer.flush(WITHIN)
        assert not left and not failed, f"{value!r} was not taken by {topic}: {failed}"

    def ends(self, transaction, committed):
        """The transaction that began with its first record."""
        producer = self._producer(transaction)
        (producer.commit_transaction if committed else producer.abort_transaction)(WITHIN)
        self.open.discard(transaction)

    def receives(self, topic, partition, key, value):
        """It comes, after what came to this client from there before."""
        self._has(topic, partition)
        consumer, passed = self._consumer(topic, partition), []
        until = time.monotonic() + WITHIN
        while time.monotonic() < until:
            record = consumer.poll(0.1)
            if record is None or record.error():
                continue
            if (record.key(), record.value()) == (key, value):
                return
            passed.append((record.key(), record.value()))
        raise AssertionError(f"{value!r} did not come from {topic}, but {passed!r}")

    def commits(self, group, *offsets):
        """Each a topic, a partition and an offset."""
        consumer = Consumer({**self.settings, "group.id": group})
        consumer.commit(offsets=[TopicPartition(*each) for each in offsets], asynchronous=False)
        consumer.close()

    def closes(self):
        for consumer in self.consumers.values():
            consumer.close()

    def _producer(self, transaction):
        if transaction not in self.producers:
            more = {"transactional.id": transaction} if transaction else {}
            self.producers[transaction] = Producer({**self.settings, **more})
            if transaction:
                self.producers[transaction].init_transactions(WITHIN)
        if transaction and transaction not in self.open:
            self.open.add(transaction)
            self.producers[transaction].begin_transaction()
        return self.producers[transaction]

    def _consumer(self, topic, partition):
        if (topic, partition) not in self.consumers:
            more = {"group.id": "captured", "enable.auto.commit": False}
            consumer = self.consumers[topic, partition] = Consumer({**self.settings, **more})
            consumer.assign([TopicPartition(topic, partition, OFFSET_BEGINNING)])
        return self.consumers[topic, partition]

    def _has(self, topic, partition):
        """Topics that nobody made here have as many partitions as are spoken of."""
        there = self.admin.list_topics(timeout=WITHIN).topics.get(topic)
        if there is None:
            self.creates(topic, partition + 1)
        elif len(there.partitions) <= partition:
            more = NewPartitions(topic, partition + 1)
            self.admin.create_partitions([more])[topic].result(WITHIN)


class Clients(dict):
    """By name; all are gone at the end."""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for client in self.values():
            client.closes()


def test_captured(mockforge):
    bootstrap, clients = mockforge.kafka.bootstrap, Clients()
    with clients:
'''

_NOBODY: Final = "publisher"
"""Who produces what no client did: the prompt, a fixture, or a record that is only stored."""


class Captured:
    """The statements of each row."""

    head = HEAD

    def __init__(self) -> None:
        self._known: set[str] = set()
        self._read: dict[tuple[str, str, int], int] = {}
        """The offset of what a client got last, by topic and partition."""

    def lines(self, row: Row) -> Iterator[str]:
        name = (row.client or f"c{row.connection}") if row.connection else _NOBODY
        for done in self._done(row, name):
            if name not in self._known:
                self._known.add(name)
                yield f"clients[{name!r}] = Client(bootstrap, {name!r})"
            yield f"clients[{name!r}].{done}"

    def _done(self, row: Row, name: str) -> Iterator[str]:
        detail = row.detail
        if row.kind == "message":
            if row.error:
                return
            if row.connection and row.direction != IN:
                yield from self._received(row, name)
            else:
                yield f"produces({', '.join(_produced(row))})"
        elif row.direction == IN:
            yield from self._asked(row.operation, detail)

    def _asked(self, operation: str, detail: Mapping[str, Any]) -> Iterator[str]:
        match operation:
            case "CreateTopics" if not detail.get("validate_only"):
                for each in detail.get("topics") or ():
                    yield f"creates({', '.join(_created(each))})"
            case "DeleteTopics":
                for topic in _deleted(detail):
                    yield f"deletes({topic!r})"
            case "OffsetCommit":
                offsets = list(_offsets(detail))
                if offsets:
                    yield f"commits({', '.join(map(repr, (detail['group'], *offsets)))})"
            case "EndTxn":
                transaction = detail["transactional_id"]
                yield f"ends({transaction!r}, committed={bool(detail.get('committed'))})"

    def _received(self, row: Row, name: str) -> Iterator[str]:
        """What came again, since the client asked again from there, is in the test once."""
        partition, offset = row.detail["partition"], row.detail["offset"]
        place = name, row.destination, partition
        if offset > self._read.get(place, -1):
            self._read[place] = offset
            yield f"receives({row.destination!r}, {partition}, {row.key!r}, {row.payload!r})"


def _produced(row: Row) -> Iterator[str]:
    yield repr(row.destination)
    yield str(row.detail.get("partition", 0))
    yield repr(row.key)
    yield repr(row.payload)
    if row.headers:
        yield f"headers={list(row.headers)!r}"
    transaction = row.detail.get("transactional_id")
    if transaction:
        yield f"transaction={transaction!r}"


def _created(topic: Mapping[str, Any]) -> Iterator[str]:
    yield repr(topic["name"])
    # By hand: partitions are counted by where their replicas are to be.
    count = topic.get("num_partitions", -1)
    yield str(count if count > 0 else len(topic.get("assignments") or ()) or 1)
    config = {each["name"]: each["value"] for each in topic.get("configs") or ()}
    if config:
        yield f"**{config!r}"


def _deleted(detail: Mapping[str, Any]) -> Iterator[str]:
    yield from detail.get("topic_names") or ()
    for each in detail.get("topics") or ():
        if name := each.get("name") or each.get("topic"):
            yield name


def _offsets(detail: Mapping[str, Any]) -> Iterator[tuple[str, int, int]]:
    for topic in detail.get("topics") or ():
        name = topic.get("name") or topic.get("topic") or ""
        for each in topic.get("partitions") or ():
            yield name, each["partition_index"], each["committed_offset"]
