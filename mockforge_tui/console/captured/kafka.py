"""What Kafka clients did, as statements of a test with confluent-kafka.

A statement for each record that a client got, and, once the broker answered that it did them, for
records that it produced, commits, ends of transactions, and topics made or deleted. How a group
shared its partitions out is not played again: each client reads what it got from where it got it.
"""

from collections.abc import Hashable, Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple

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

_Part = tuple[str, int | None]
"""A topic, or a partition of one: what an answer says apart from others."""
_ALL: Final[_Part] = ("", None)
"""What the answer says of a request as a whole."""
_Place = tuple[int, Hashable]
"""A request: its connection and correlation."""
_Record = tuple[_Part, bytes | None, bytes | None]
"""With its key and value."""
_ASKED: Final = ("CreateTopics", "DeleteTopics", "OffsetCommit", "EndTxn")


class _Batch(NamedTuple):
    """What one request produced to one partition, until it is known what became of it."""

    client: str
    statements: list[str]
    records: list[_Record]


class Captured:
    """The statements of each row."""

    head = HEAD

    def __init__(self) -> None:
        self._known: set[str] = set()
        self._read: dict[tuple[str, str, int], int] = {}
        """The offset of what a client got last, by topic and partition."""
        self._asked: dict[_Place, Row] = {}
        """What clients asked for that is not answered yet."""
        self._produced: dict[_Place, dict[_Part, _Batch]] = {}
        """The same of Produce."""
        self._where: dict[_Record, _Place] = {}
        """The request that produced a record, while it is not answered."""

    def lines(self, row: Row) -> Iterator[str]:
        name = (row.client or f"c{row.connection}") if row.connection else _NOBODY
        yield from self._said(self._done(row, name))

    def rest(self) -> Iterator[str]:
        """Of what was produced and whose answer is not among the rows."""
        left, self._produced = self._produced, {}
        for batches in left.values():
            yield from self._said(_statements(batches.values()))

    def _said(self, done: Iterable[tuple[str, str]]) -> Iterator[str]:
        """Of clients and what each did, the lines."""
        for name, statement in done:
            if name not in self._known:
                self._known.add(name)
                yield f"clients[{name!r}] = Client(bootstrap, {name!r})"
            yield statement if statement.startswith("#") else f"clients[{name!r}].{statement}"

    def _done(self, row: Row, name: str) -> Iterator[tuple[str, str]]:
        place = row.connection, row.correlation
        if row.kind == "message":
            if row.error:
                return
            if row.connection and row.direction != IN:
                yield from self._received(row, name)
            elif row.connection and row.correlation is not None:
                self._produce(row, name, place)
            else:
                yield name, f"produces({', '.join(_arguments(row))})"
        elif row.direction == IN:
            if row.operation in _ASKED:
                self._asked[place] = row
        elif row.operation == "Produce":
            refused = set(_refused(row.detail))
            for part, batch in self._produced.pop(place, {}).items():
                self._forget(batch)
                mark = f"# Refused ({row.error}): " if part in refused else ""
                yield from _statements([batch], mark)
        elif row.operation in _ASKED and place in self._asked:
            yield from ((name, each) for each in _answered(self._asked.pop(place), row))

    def _produce(self, row: Row, name: str, place: _Place) -> None:
        part = row.destination, row.detail["partition"]
        batches = self._produced.setdefault(place, {})
        batch = batches.setdefault(part, _Batch(name, [], []))
        record = part, row.key, row.payload
        batch.statements.append(f"produces({', '.join(_arguments(row))})")
        batch.records.append(record)
        self._where.setdefault(record, place)

    def _forget(self, batch: _Batch) -> None:
        for record in batch.records:
            self._where.pop(record, None)

    def _received(self, row: Row, name: str) -> Iterator[tuple[str, str]]:
        """What came again, since the client asked again from there, is in the test once."""
        partition, offset = row.detail["partition"], row.detail["offset"]
        part = row.destination, partition
        # A consumer may have a record before its producer has the answer.
        place = self._where.get((part, row.key, row.payload))
        batch = None if place is None else self._produced.get(place, {}).pop(part, None)
        if batch is not None:
            self._forget(batch)
            yield from _statements([batch])
        read = name, row.destination, partition
        if offset > self._read.get(read, -1):
            self._read[read] = offset
            statement = f"receives({row.destination!r}, {partition}, {row.key!r}, {row.payload!r})"
            yield name, statement


def _statements(batches: Iterable[_Batch], mark: str = "") -> Iterator[tuple[str, str]]:
    for batch in batches:
        for statement in batch.statements:
            yield batch.client, mark + statement


def _answered(asked: Row, answer: Row) -> Iterator[str]:
    """What the broker did of that; comments tell of what it refused."""
    refused = set(_refused(answer.detail))
    for part, statement in _parts(asked.operation, asked.detail):
        yield f"# Refused ({answer.error}): {statement}" if part in refused else statement
    if asked.operation == "OffsetCommit":
        offsets = list(_offsets(asked.detail))
        taken = [each for each in offsets if each[:2] not in refused]
        left = [each for each in offsets if each[:2] in refused]
        for mark, some in (("", taken), (f"# Refused ({answer.error}): ", left)):
            if some:
                yield f"{mark}commits({', '.join(map(repr, (asked.detail['group'], *some)))})"


def _parts(operation: str, detail: Mapping[str, Any]) -> Iterator[tuple[_Part, str]]:
    """What each part of an answer is about."""
    match operation:
        case "CreateTopics" if not detail.get("validate_only"):
            for each in detail.get("topics") or ():
                yield (each["name"], None), f"creates({', '.join(_created(each))})"
        case "DeleteTopics":
            for topic in _deleted(detail):
                yield (topic, None), f"deletes({topic!r})"
        case "EndTxn":
            transaction = detail["transactional_id"]
            done = f"ends({transaction!r}, committed={bool(detail.get('committed'))})"
            yield _ALL, done


def _refused(detail: Mapping[str, Any]) -> Iterator[_Part]:
    if detail.get("error_code"):
        yield _ALL
    for topic in (*(detail.get("topics") or ()), *(detail.get("responses") or ())):
        if topic.get("error_code"):
            yield _name(topic), None
        for each in topic.get("partitions") or ():
            if each.get("error_code"):
                yield _name(topic), each["partition_index"]
        for each in topic.get("partition_responses") or ():
            if each.get("error_code"):
                yield _name(topic), each["index"]


def _arguments(row: Row) -> Iterator[str]:
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
        if name := _name(each):
            yield name


def _offsets(detail: Mapping[str, Any]) -> Iterator[tuple[str, int, int]]:
    for topic in detail.get("topics") or ():
        for each in topic.get("partitions") or ():
            yield _name(topic), each["partition_index"], each["committed_offset"]


def _name(topic: Mapping[str, Any]) -> str:
    return topic.get("name") or topic.get("topic") or ""
