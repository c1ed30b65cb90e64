"""What Kafka keeps on disk, as rows: a batch each, and what there is beside the batches.

The batches are Kafka's own bytes at their base offsets. Producers and transactions of a partition
are read from them again (`state/logs/replay.py`), as Kafka does it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Final

from msgspec import Struct, msgpack

from ..storage.facts import Kept, LogRows
from ..storage.store import Store
from .records import split_batches
from .state.groups.kept import KeptGroup, kept_on_disk
from .state.groups.stored_offsets import StoredOffsets, read_rows
from .state.keeper import Keeper
from .state.kept import FORMAT, KeptCluster
from .state.logs.log import PartitionLog
from .state.logs.replay import LogBounds, replay
from .state.logs.stored_log import StoredLog
from .state.logs.topic import KeptTopic
from .state.quotas import Entity
from .state.transactions.transaction import KeptTransaction

if TYPE_CHECKING:
    from .state.cluster import Cluster

_CLUSTER: Final = "kafka.cluster"
_TOPIC: Final = "kafka.topic"
_LOG: Final = "kafka.log"
_GROUP: Final = "kafka.group"
_TRANSACTION: Final = "kafka.transaction"
_encode = msgpack.encode


class TopicRow(Struct):
    """`logs` are the numbers of its partitions' logs."""

    name: str
    topic_id: bytes
    config: dict[str, str]
    logs: list[int]


class ClusterRow(Struct):
    cluster_id: str
    next_producer_id: int
    features: dict[str, int]
    features_epoch: int
    broker_config: dict[str, dict[str, str]] = {}
    group_configs: dict[str, dict[str, str]] = {}
    quotas: list[tuple[Entity, dict[str, float]]] = []
    placed: dict[str, list[list[int]]] = {}
    client_metrics: dict[str, dict[str, str]] = {}
    leaders: dict[str, list[int]] = {}
    coordinators: dict[str, int] = {}
    homes: list[int] = []


class StoringKeeper(Keeper):
    """Names to the store what changed, and finds it when the store asks how it is now."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.cluster: Cluster

    def make_log(self, topic: str, partition: int) -> PartitionLog:
        return StoredLog(topic, partition, self._store, self._bounds_changed)

    def log_gone(self, log: PartitionLog) -> None:
        self._store.drop(log.number)
        self._bounds_changed(log)

    def _bounds_changed(self, log: PartitionLog) -> None:
        value = partial(self._bounds, log.topic, log.partition, log.number)
        self._store.changed(_LOG, b"%d" % log.number, value)

    def cluster_changed(self) -> None:
        self._store.changed(_CLUSTER, b"", self._cluster)

    def topic_changed(self, name: str) -> None:
        self._changed(_TOPIC, name, self._topic)

    def group_changed(self, group_id: str) -> None:
        self._changed(_GROUP, group_id, self._group)

    def make_offsets_log(self, group_id: str) -> StoredOffsets:
        return StoredOffsets(self._store, partial(self.group_changed, group_id))

    def transaction_changed(self, transactional_id: str) -> None:
        self._changed(_TRANSACTION, transactional_id, self._transaction)

    def _changed(self, kind: str, name: str, value: Callable[[str], bytes | None]) -> None:
        self._store.changed(kind, name.encode(), partial(value, name))

    # How it is now.

    def _cluster(self) -> bytes:
        kept = self.cluster.dump_cluster()
        return _encode(
            ClusterRow(
                kept.cluster_id,
                kept.next_producer_id,
                kept.features,
                kept.features_epoch,
                kept.broker_config,
                kept.group_configs,
                kept.quotas,
                kept.placed,
                kept.client_metrics,
                kept.leaders,
                kept.coordinators,
                kept.homes,
            )
        )

    def _topic(self, name: str) -> bytes | None:
        topic = self.cluster.topics.get(name)
        if topic is None:
            return None
        numbers = [log.number for log in topic.logs]
        return _encode(TopicRow(name, topic.topic_id, dict(topic.config.own), numbers))

    def _bounds(self, topic: str, partition: int, number: int) -> bytes | None:
        log = self.cluster.log_of(topic, partition)
        if log is None or log.number != number:
            return None
        return _encode(
            LogBounds(log.log_start_offset, log.high_watermark, log.leader_epoch, log.compacted_to)
        )

    def _group(self, group_id: str) -> bytes | None:
        group = self.cluster.groups.by_id.get(group_id)
        # Without offsets there is nothing of it that a client would miss.
        return _encode(kept_on_disk(group)) if group and group.offsets else None

    def _transaction(self, transactional_id: str) -> bytes | None:
        one = self.cluster.transactions.by_id.get(transactional_id)
        return None if one is None else _encode(one.dump())

    # At the start.

    @staticmethod
    def logs_in(kept: Kept) -> Iterator[LogRows]:
        """Of each partition its records, by the offsets that its batches have; and of groups."""
        for value in kept.of_kind(_TOPIC).values():
            row = msgpack.decode(value, type=TopicRow)
            for partition, number in enumerate(row.logs):
                found = kept.of_kind(_LOG).get(b"%d" % number)
                bounds = LogBounds() if found is None else msgpack.decode(found, type=LogBounds)
                what = f"topic {row.name} partition {partition}"
                rows = [
                    (base, base + 1 + split_batches(batch)[0][0].last_offset_delta)
                    for base, batch in kept.logs.get(number, ())
                ]
                yield LogRows(number, what, "records", bounds.log_start_offset, rows)
        for group_id, value in kept.of_kind(_GROUP).items():
            offsets = msgpack.decode(value, type=KeptGroup).log
            # Their rows are partitions: which of them there were nobody knows.
            for number in (*offsets.logs.values(), offsets.held) if offsets is not None else ():
                yield LogRows(number, f"group {group_id.decode()}", "offsets", 0, ())

    def forget_deleted(self, kept: Kept, found: KeptCluster) -> None:
        """Bounds of logs that no topic has any more, where a kill came amid a deletion.

        A new log may get the number of one of which no row is left.
        """
        numbers = {b"%d" % log.number for topic in found.topics for log in topic.logs}
        for number in kept.of_kind(_LOG).keys() - numbers:
            self._store.changed(_LOG, number, _nothing)

    def read(self, kept: Kept) -> KeptCluster | None:
        """What `Cluster.restore` takes; None in a new folder."""
        found = kept.of_kind(_CLUSTER).get(b"")
        if found is None:
            if not kept.of_kind(_TOPIC):
                return None
            # A folder that lost a part of it goes on as another cluster.
            found = self._cluster()
        row = msgpack.decode(found, type=ClusterRow)
        return KeptCluster(
            FORMAT,
            row.cluster_id,
            row.next_producer_id,
            [_topic(kept, each) for each in kept.of_kind(_TOPIC).values()],
            [_group(kept, each) for each in kept.of_kind(_GROUP).values()],
            [
                msgpack.decode(each, type=KeptTransaction)
                for each in kept.of_kind(_TRANSACTION).values()
            ],
            row.features,
            row.features_epoch,
            row.broker_config,
            row.group_configs,
            row.quotas,
            row.placed,
            row.client_metrics,
            row.leaders,
            row.coordinators,
            row.homes,
        )


def _nothing() -> None:
    """What is kept of what is gone."""


def _group(kept: Kept, value: bytes) -> KeptGroup:
    found = msgpack.decode(value, type=KeptGroup)
    if found.log is not None:
        found.offsets, found.pending = read_rows(found.log, kept.log)
    return found


def _topic(kept: Kept, value: bytes) -> KeptTopic:
    row = msgpack.decode(value, type=TopicRow)
    logs = []
    for number in row.logs:
        found = kept.of_kind(_LOG).get(b"%d" % number)
        bounds = LogBounds() if found is None else msgpack.decode(found, type=LogBounds)
        logs.append(replay(number, [batch for _, batch in kept.log(number)], bounds))
    return KeptTopic(row.name, row.topic_id, row.config, logs)
