"""The Kafka broker: its connections, its cluster, and what people may ask of it."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from msgspec import convert, to_builtins

from ..contract import Peer
from ..environment import Environment
from ..errors import InvalidInput, PlainRefusals, ProtocolError
from ..events import BrokerRestarted, MessageSeen
from ..listener import Listener
from ..restarting import ended
from ..snapshots import ConnectionView, DestinationView, GroupView, Metric
from ..storage.store import Kept, Store, still
from .apis.caller import Counters
from .codes import AlterConfigOp
from .connection import KafkaConnection
from .embedded import EmbeddedProtocol
from .inside import Inside
from .metrics import families
from .misbehaviour import REFUSALS
from .node_verbs import NodeVerbs
from .options import KafkaOptions
from .otlp import MetricValue, metric_values
from .records import Record, build_batch, is_control, read_records
from .snapshots import ProducerView, RecordView, TelemetryView, TransactionView
from .state.cluster import Cluster, KeptCluster
from .state.groups.consumer.group import ConsumerGroup
from .state.groups.coordinator import Committer
from .state.groups.offsets import CommittedOffset
from .state.keeper import FORGETFUL
from .state.logs.partitioner import partition_for
from .state.logs.topic import Topic
from .state.quotas import Entity, Used
from .views import (
    connection_view,
    group_view,
    producer_views,
    telemetry_view,
    topic_view,
    transaction_view,
)

if TYPE_CHECKING:
    from .keeping import StoringKeeper

PROMPT = "prompt"


def _keeper(store: Store | None) -> StoringKeeper | None:
    if store is None:
        return None
    from .keeping import StoringKeeper

    return StoringKeeper(store)


class KafkaBroker:
    """`contract.Broker` for Kafka, and the verbs that prompt, fixtures and HTTP have for it.

    Each verb calls the same entrance of the state as the wire's handlers do, and raises
    InvalidInput with the state's own words for what cannot be.
    """

    protocol = "kafka"
    refusals = REFUSALS
    address_name = "bootstrap"

    def __init__(self, environment: Environment, options: KafkaOptions | None = None) -> None:
        self.environment = environment
        self.options = options or KafkaOptions()
        self._keeper = _keeper(environment.store)
        self.cluster = Cluster(
            environment, self.options, self._keeper or FORGETFUL, EmbeddedProtocol()
        )
        if self._keeper is not None:
            self._keeper.cluster = self.cluster
        self.counters = Counters()
        self._connections: dict[int, KafkaConnection] = {}
        environment.usage.gauge("kafka_request", self._largest_incomplete)
        environment.access.on_change(self._renew_guards)
        self.cluster.quotas.on_change(self._renew_quotas)
        self._inside = Inside(environment, self.cluster.name_of)
        self._next_partition: dict[str, int] = {}
        self.nodes = NodeVerbs(
            self.cluster, lambda: list(self._connections.values()), environment.random
        )

    # contract.Broker

    def connect(self, peer: Peer) -> KafkaConnection:
        connection = KafkaConnection(
            self.cluster, self.environment, self.counters, peer, self._forget
        )
        self._connections[peer.id] = connection
        if self.cluster.quotas.active:
            wait = self.cluster.quotas.connected(connection.caller.client_host.lstrip("/"))
            if wait > 0:
                connection.refuse_after(wait)
        return connection

    def _largest_incomplete(self) -> int:
        return max((each.incomplete for each in self._connections.values()), default=0)

    def _renew_guards(self) -> None:
        for connection in self._connections.values():
            if connection.caller.login.admitted:
                connection.caller.renew_guard()

    def _renew_quotas(self) -> None:
        for connection in self._connections.values():
            # The short path asks for no quota.
            connection.caller.produce_path = None
        if self._keeper is not None:
            self._keeper.cluster_changed()

    def _forget(self, connection: KafkaConnection) -> None:
        self._connections.pop(connection.peer.id, None)
        self.cluster.telemetry.disconnected(connection.peer.id)

    def disconnect(self, connection: int, reason: str, *, reset: bool = False) -> bool:
        found = self._connections.get(connection)
        if found is None:
            return False
        found.end(reason, reset=reset)
        return True

    def address(self, listener: Listener) -> str:
        return listener.reachable

    def connections(self) -> list[ConnectionView]:
        return [connection_view(one) for one in self._connections.values()]

    def connection(self, number: int) -> ConnectionView | None:
        found = self._connections.get(number)
        return connection_view(found) if found is not None else None

    def destinations(self) -> list[DestinationView]:
        owners = self.cluster.transactions.by_producer()
        return [topic_view(topic, owners) for topic in self.cluster.topics.values()]

    def groups(self) -> list[GroupView]:
        return [group_view(self.cluster, group) for group in self.cluster.groups.by_id.values()]

    def metrics(self) -> list[Metric]:
        return families(self.cluster, self.counters)

    def watch(
        self, callback: Callable[[MessageSeen], object], destination: str | None = None
    ) -> Callable[[], None]:
        return self.cluster.watch(callback, destination)

    def reset(self) -> None:
        for connection in tuple(self._connections.values()):
            connection.end("the broker was reset")
        self.cluster.clear()
        self.counters.clear()
        self._next_partition.clear()

    # A restart.

    def dump(self) -> dict[str, object]:
        values: dict[str, object] = to_builtins(self.cluster.dump(), builtin_types=(bytes,))
        return values

    def restore(self, values: Mapping[str, Any]) -> None:
        self.cluster.restore(convert(values, KeptCluster, builtin_types=(bytes,)))

    def take_up(self, kept: Kept) -> None:
        if self._keeper is None:
            return
        found = self._keeper.read(kept)
        if found is None:
            self._keeper.cluster_changed()
            return
        with still(self.environment.store):
            self.cluster.restore(found)

    def restart(self, *, hard: bool = False) -> BrokerRestarted:
        connections = tuple(self._connections.values())
        values = ended(connections, self.dump, hard=hard, store=self.environment.store)
        with still(self.environment.store):
            self.cluster.stop()
            self._next_partition.clear()
            self.restore(values)
        topics, groups = self.cluster.topics.values(), self.cluster.groups.by_id
        records = sum(topic.records for topic in topics)
        event = BrokerRestarted(
            "kafka",
            len(connections),
            f"{len(topics)} topics with {records:,} records, what {len(groups)} groups committed",
        )
        self.environment.spine.emit(event)
        return event

    # Records.

    def publish(
        self,
        topic: str,
        value: bytes | None,
        *,
        key: bytes | None = None,
        headers: Sequence[tuple[str, bytes | None]] = (),
        partition: int | None = None,
        timestamp: float | None = None,
        source: str = PROMPT,
    ) -> tuple[int, int]:
        """Append one record; returns its partition and offset.

        Without a partition a key decides as Java's clients do it, and records without a key go
        round. `timestamp` is in seconds since 1970; an unknown topic is created if the options
        allow it. Raises InvalidInput.
        """
        with PlainRefusals():
            found = self._topic_for_publish(topic, source)
            if partition is None:
                partition = self._choose_partition(found, key)
            log = found.log(partition)
            wall = self.environment.clock.wall() if timestamp is None else timestamp
            record = Record(0, int(wall * 1000), key, value, tuple(headers))
            try:
                batch = build_batch([record])
            except (UnicodeEncodeError, struct.error) as error:
                raise InvalidInput(
                    f"kafka:{topic}: a header or the timestamp has no legal value: {error}"
                ) from None
            appended = self.cluster.append(log, batch, client=f"∗{source}")
        offset = appended.base_offset
        if self.environment.journal is not None:
            for placed in log.batches(offset, offset):
                self._inside.produced(source, topic, partition, placed)
        return partition, offset

    def read(self, topic: str, partition: int, offset: int, limit: int) -> list[RecordView]:
        """At most `limit` records from `offset` on (below the log's start: from its start)."""
        with PlainRefusals():
            log = self.cluster.topic(topic).log(partition)
            offset = max(offset, log.log_start_offset)
            found: list[RecordView] = []
            for batch in log.batches(offset, min(log.high_watermark, offset + limit) - 1):
                if is_control(batch):
                    continue
                for record in read_records(batch):
                    if record.offset >= offset and len(found) < limit:
                        found.append(
                            RecordView(
                                partition,
                                record.offset,
                                record.timestamp / 1000,
                                record.key,
                                record.value,
                                record.headers,
                            )
                        )
            return found

    def offsets(self, topic: str) -> list[tuple[int, int]]:
        """(log_start_offset, high_watermark) of each partition."""
        with PlainRefusals():
            logs = self.cluster.topic(topic).logs
        return [(log.log_start_offset, log.high_watermark) for log in logs]

    def offsets_at(self, topic: str, time: float) -> list[int]:
        """Of each partition the first offset with this time (seconds since 1970) or later; its
        high watermark where there is none."""
        with PlainRefusals():
            logs = self.cluster.topic(topic).logs
            found = [(log, log.offset_at(int(time * 1000)).offset) for log in logs]
        return [log.high_watermark if offset < 0 else offset for log, offset in found]

    # Topics.

    def has_topic(self, name: str) -> bool:
        return name in self.cluster.topics

    def create_topic(
        self,
        name: str,
        partitions: int | None = None,
        config: Mapping[str, str] | None = None,
        *,
        source: str = PROMPT,
    ) -> int:
        """Returns the number of partitions."""
        with PlainRefusals():
            topic = self.cluster.create_topic(name, partitions, configs=config, source=source)
        return len(topic.logs)

    def delete_topic(self, name: str, *, source: str = PROMPT) -> None:
        with PlainRefusals():
            self.cluster.delete_topic(name, source=source)

    def grow_topic(self, name: str, partitions: int, *, source: str = PROMPT) -> None:
        with PlainRefusals():
            self.cluster.grow_topic(name, partitions, source=source)

    def purge_topic(self, name: str, *, source: str = PROMPT) -> int:
        """Delete all records, keep the topic; returns how many there were."""
        with PlainRefusals():
            logs = self.cluster.topic(name).logs
        reason = f"purged by {source}"
        return sum(
            self.cluster.delete_records(log, log.high_watermark, reason=reason) for log in logs
        )

    def compact_topic(self, name: str) -> int:
        """Leave of each key the newest record, now; returns how many left."""
        with PlainRefusals():
            return self.cluster.compact_topic(name)

    def configure_topic(
        self, name: str, key: str, value: str | None, *, source: str = PROMPT
    ) -> None:
        """Set one value; None puts it back to its default."""
        operation = AlterConfigOp.DELETE if value is None else AlterConfigOp.SET
        with PlainRefusals():
            self.cluster.configure_topic(name, [(key, operation, value)], source=source)

    # Groups.

    def reset_offsets(
        self,
        group: str,
        topic: str,
        offsets: Mapping[int, int],
        *,
        source: str = PROMPT,
        dry_run: bool = False,
    ) -> None:
        """Move what a group without members committed: partition to offset.

        A `dry_run` raises InvalidInput where it could not be, and moves nothing.
        """
        with PlainRefusals():
            for partition, offset in offsets.items():
                self.cluster.topic(topic).log(partition)
                if offset < 0:
                    raise InvalidInput(f"an offset is 0 or more, not {offset}")
            self.cluster.groups.reset_offsets(
                group, topic, dict(offsets), source=source, dry_run=dry_run
            )

    def commit(self, group: str, offsets: Mapping[tuple[str, int], int]) -> None:
        """Commit offsets by topic and partition, as a consumer outside the group's members does."""
        committed = {at: CommittedOffset(offset) for at, offset in offsets.items()}
        with PlainRefusals():
            for refused in self.cluster.groups.commit(group, Committer(), committed).values():
                raise refused

    def kick_member(self, group: str, member: str, *, source: str = PROMPT) -> None:
        """Put a member out of its group: told by its member id, instance id or client id."""
        with PlainRefusals():
            self.cluster.groups.present(group).kick(member, f"was kicked by {source}")

    def rebalance(self, group: str, *, source: str = PROMPT) -> None:
        """Make the members of a group join again."""
        with PlainRefusals():
            found = self.cluster.groups.present(group)
            if not len(found.members):
                raise InvalidInput(f"group {group} has no members to rebalance")
            found.rebalance(f"asked for by {source}")

    # Quotas.

    def alter_quota(
        self, entity: Sequence[tuple[str, str | None]], changes: Mapping[str, float | None]
    ) -> None:
        """Hold users, clients or addresses to something; None takes a value back."""
        with PlainRefusals():
            self.cluster.quotas.alter(entity, list(changes.items()))

    def quotas(self) -> list[tuple[Entity, dict[str, float]]]:
        return self.cluster.quotas.dump()

    def quota_use(self) -> list[Used]:
        """What is measured because of a quota."""
        return self.cluster.quotas.used()

    def assign_partitions(
        self,
        group: str,
        member: str,
        partitions: Mapping[str, Iterable[int]],
        *,
        source: str = PROMPT,
    ) -> None:
        """Choose what a member of a group of the consumer protocol is to read, by topic."""
        with PlainRefusals():
            found = self._consumer_group(group)
            keys = {
                (self.cluster.topic(topic).topic_id, self.cluster.topic(topic).log(one).partition)
                for topic, numbers in partitions.items()
                for one in numbers
            }
            found.assign(member, frozenset(keys), f"assigned by {source}")

    def assign_by_assignor(self, group: str, *, source: str = PROMPT) -> None:
        """Let the group's assignor choose again."""
        with PlainRefusals():
            self._consumer_group(group).assign_by_assignor(f"left to its assignor by {source}")

    def _consumer_group(self, group: str) -> ConsumerGroup:
        found = self.cluster.groups.present(group)
        if isinstance(found, ConsumerGroup):
            return found
        raise InvalidInput(
            f"group {group} is a classic one, whose leader assigns;"
            " a group of group.protocol=consumer is assigned here"
        )

    # Transactions.

    def transactions(self) -> list[TransactionView]:
        """What the coordinator knows of each transactional id, the open ones first."""
        wall = self.environment.clock.wall()
        known = self.cluster.transactions.by_id.values()
        return [
            transaction_view(one, wall) for one in sorted(known, key=lambda one: not one.is_open)
        ]

    def abort_transaction(self, transactional_id: str, *, source: str = PROMPT) -> None:
        """End an open transaction; its producer is fenced."""
        with PlainRefusals():
            self.cluster.transactions.abort(transactional_id, source=source)

    def begin_hanging(self, topic: str, partition: int, value: bytes = b"hanging") -> int:
        """Begin a transaction that no coordinator knows and nobody will end; its producer id."""
        with PlainRefusals():
            log = self.cluster.topic(topic).log(partition)
            number = self.cluster.next_producer_id()
            record = Record(0, int(self.environment.clock.wall() * 1000), None, value)
            batch = build_batch(
                [record], producer_id=number, producer_epoch=0, base_sequence=0, transactional=True
            )
            self.cluster.append(log, batch, begin=lambda log, header: None)
        return number

    def abort_hanging(self, topic: str, partition: int) -> int:
        """End what is open in a partition and known to no coordinator; returns how many."""
        with PlainRefusals():
            log = self.cluster.topic(topic).log(partition)
            return self.cluster.abort_hanging(log)

    def producers(self, topic: str) -> list[tuple[int, ProducerView]]:
        """(partition, producer) of all that produce into a topic by a producer id."""
        with PlainRefusals():
            logs = self.cluster.topic(topic).logs
        owners = self.cluster.transactions.by_producer()
        return [(log.partition, one) for log in logs for one in producer_views(log, owners)]

    # Clients' own metrics.

    def telemetry(self) -> list[TelemetryView]:
        """Each client that was asked for its metrics, the one that was here last at the end."""
        now = self.environment.clock.now()
        return [telemetry_view(one, now) for one in self.cluster.telemetry.clients.values()]

    def telemetry_values(self, instance_id: str) -> list[MetricValue]:
        """What this client instance pushed last."""
        with PlainRefusals():
            data = self.cluster.telemetry.newest(instance_id)
        try:
            return metric_values(data)
        except ProtocolError as error:
            raise InvalidInput(f"client {instance_id} pushed {error}") from None

    def subscriptions(self) -> dict[str, dict[str, str]]:
        """What is asked of clients: keys with their values, by name."""
        return {
            name: dict(values)
            for name, values in self.cluster.configuring.client_metrics.own.items()
        }

    def subscribe(
        self, name: str, values: Mapping[str, str | None], *, source: str = PROMPT
    ) -> None:
        """Ask clients for their metrics; without values nobody is asked by this name any more."""
        with PlainRefusals():
            self.cluster.configuring.subscription(name, values, source=source)

    def _topic_for_publish(self, name: str, source: str) -> Topic:
        if name in self.cluster.topics or not self.options.auto_create_topics:
            return self.cluster.topic(name)
        return self.cluster.create_topic(name, source=source)

    def _choose_partition(self, topic: Topic, key: bytes | None) -> int:
        count = len(topic.logs)
        if key is not None:
            return partition_for(key, count)
        chosen = self._next_partition.get(topic.name, 0) % count
        self._next_partition[topic.name] = chosen + 1
        return chosen
