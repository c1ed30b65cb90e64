"""The Kafka broker: its connections, its cluster, and what people may ask of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from msgspec import convert, to_builtins

from ..contract import Peer
from ..environment import Environment
from ..events import BrokerRestarted, MessageSeen
from ..listener import Listener
from ..restarting import ended
from ..snapshots import ConnectionView, DestinationView, GroupView, Metric
from ..storage.facts import Kept, LogRows
from ..storage.store import Store, still
from .apis import offer_of
from .apis.caller import Counters
from .connection import KafkaConnection
from .embedded import EmbeddedProtocol
from .idle import Idle
from .inside import Inside
from .metrics import families, latency
from .misbehaviour import REFUSALS
from .options import KafkaOptions
from .rows import Reading, remembered
from .state.cluster import Cluster
from .state.configs.broker import broker_keys
from .state.configuring import unserved
from .state.keeper import FORGETFUL
from .state.kept import KeptCluster
from .unpacked import Unpacked
from .verbs.clients import ClientVerbs
from .verbs.configs import ConfigVerbs
from .verbs.groups import GroupVerbs
from .verbs.nodes import NodeVerbs
from .verbs.producers import ProducerVerbs
from .verbs.records import RecordVerbs
from .verbs.topics import TopicVerbs
from .views import connection_view, group_view, topic_view

if TYPE_CHECKING:
    from .keeping import StoringKeeper


def _keeper(store: Store | None) -> StoringKeeper | None:
    if store is None:
        return None
    from .keeping import StoringKeeper

    return StoringKeeper(store)


class KafkaBroker(RecordVerbs, TopicVerbs, ConfigVerbs, GroupVerbs, ProducerVerbs, ClientVerbs):
    """`contract.Broker` for Kafka, and the verbs that prompt, fixtures and HTTP have for it.

    Each verb calls the same entrance of the state as the wire's handlers do.
    """

    protocol = "kafka"
    refusals = REFUSALS
    address_name = "bootstrap"

    def __init__(self, environment: Environment, options: KafkaOptions | None = None) -> None:
        self.environment = environment
        self.options = options or KafkaOptions()
        self._keeper = _keeper(environment.store)
        limits = environment.limits
        embedded = EmbeddedProtocol(limits.kafka_request_items)
        self.cluster = Cluster(environment, self.options, self._keeper or FORGETFUL, embedded)
        if self._keeper is not None:
            self._keeper.cluster = self.cluster
        self._offer = offer_of(self.options.as_version, self.options.api_versions)
        self._reading = Reading(
            self.cluster.topics.name_of,
            remembered(limits.journal_connection),
            limits.kafka_request_items,
            limit=limits.kafka_request,
        )
        self.counters = Counters()
        environment.histograms.append(latency(self.counters))
        self._connections: dict[int, KafkaConnection] = {}
        self._idle = Idle(environment, self.cluster.config, self._connections)
        environment.usage.gauge("kafka_request", self._largest_incomplete)
        # A request is read in one go: whoever looks sees none in the midst of it.
        environment.usage.gauge("kafka_request_items", lambda: 0)
        environment.access.on_change(self._renew_guards)
        self.cluster.quotas.on_change(self._renew_quotas)
        self._inside = Inside(environment, self.cluster.topics.name_of)
        self._unpacked = Unpacked(environment.clock)
        self._next_partition: dict[str, int] = {}
        self.nodes = NodeVerbs(
            self.cluster, lambda: list(self._connections.values()), environment.random
        )

    @property
    def notices(self) -> list[str]:
        """What who started it is to know: values of server.properties that do nothing."""
        values = self.cluster.config.given_at_start
        return [f"--kafka-config {text}" for text in unserved(values, broker_keys())]

    # contract.Broker

    def connect(self, peer: Peer) -> KafkaConnection:
        connection = KafkaConnection(
            self.cluster,
            self.environment,
            self.counters,
            self._offer,
            self._reading,
            peer,
            self._forget,
        )
        self._connections[peer.id] = connection
        self._idle.watch()
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
            connection.caller.leave_short_path()
        if self._keeper is not None:
            self._keeper.cluster_changed()

    def _forget(self, connection: KafkaConnection) -> None:
        number = connection.caller.peer.id
        self._connections.pop(number, None)
        self.cluster.telemetry.disconnected(number)

    def disconnect(
        self, connection: int, reason: str, *, reset: bool = False, code: int | None = None
    ) -> bool:
        found = self._connections.get(connection)
        if found is None:
            return False
        found.end(reason, reset=reset, code=code)
        return True

    def address(self, listener: Listener) -> str:
        return listener.reachable

    def settings_at(self, listener: Listener) -> Mapping[str, object]:
        return {}

    def connections(self) -> list[ConnectionView]:
        return [connection_view(one) for one in self._connections.values()]

    def clients(self) -> Iterator[str]:
        return (each.client for each in self._connections.values())

    def connection(self, number: int) -> ConnectionView | None:
        found = self._connections.get(number)
        return connection_view(found) if found is not None else None

    def destinations(self) -> list[DestinationView]:
        owners = self.cluster.transactions.by_producer()
        replication, topics = self.cluster.replication, self.cluster.topics
        return [topic_view(topic, owners, replication) for topic in topics.values()]

    def groups(self) -> list[GroupView]:
        return [group_view(self.cluster, group) for group in self.cluster.groups.by_id.values()]

    def group(self, name: str) -> GroupView | None:
        found = self.cluster.groups.by_id.get(name)
        return None if found is None else group_view(self.cluster, found)

    def metrics(self) -> list[Metric]:
        return families(self.cluster, self.counters)

    def watch(
        self, callback: Callable[[MessageSeen], object], destination: str | None = None
    ) -> Callable[[], None]:
        return self.cluster.watchers.watch(callback, destination)

    def reset(self) -> None:
        for connection in tuple(self._connections.values()):
            connection.end("the broker was reset")
        # What they asked for is carried out to its end, which is before this.
        self.environment.chores.finish()
        self.cluster.clear()
        self.counters.clear()
        self._next_partition.clear()

    # A restart.

    def dump(self) -> dict[str, object]:
        self.environment.chores.finish()
        values: dict[str, object] = to_builtins(self.cluster.dump(), builtin_types=(bytes,))
        return values

    def restore(self, values: Mapping[str, Any]) -> None:
        self.cluster.restore(convert(values, KeptCluster, builtin_types=(bytes,)))

    def logs_in(self, kept: Kept) -> Iterable[LogRows]:
        return () if self._keeper is None else self._keeper.logs_in(kept)

    def take_up(self, kept: Kept) -> None:
        if self._keeper is None:
            return
        found = self._keeper.read(kept)
        if found is None:
            self._keeper.cluster_changed()
            return
        with still(self.environment.store):
            self.cluster.restore(found)
        self._keeper.forget_deleted(kept, found)

    def restart(self, *, hard: bool = False) -> BrokerRestarted:
        connections = tuple(self._connections.values())
        store = self.environment.store
        # They are those of all protocols: what the others have left to do is kept.
        self.environment.chores.finish()
        left = ended(connections, self.dump, hard=hard, store=store, protocol=self.protocol)
        with still(store):
            # What is still asked for by who was killed is not done to what comes after.
            self.environment.chores.finish()
            self.cluster.stop()
            self._next_partition.clear()
            if not isinstance(left, Kept):
                self.restore(left)
        if isinstance(left, Kept):
            self.take_up(left)
        topics, groups = self.cluster.topics.values(), self.cluster.groups.by_id
        records = sum(topic.records for topic in topics)
        event = BrokerRestarted(
            "kafka",
            len(connections),
            f"{len(topics)} topics with {records:,} records, {len(groups)} groups with members",
        )
        self.environment.spine.emit(event)
        return event
