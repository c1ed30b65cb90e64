"""The root of the state: topics, logs and producers, with everything that bounds them."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from functools import cached_property
from typing import Final

from ...environment import Environment
from ...errors import RequestRefused
from ...fairness import Stepped, Steps
from ..codes import ErrorCode
from ..events import (
    ProducerFenced,
    TopicCreated,
    TopicDeleted,
    TopicGrown,
)
from ..options import KafkaOptions
from ..scattered import Buffer
from .configs.broker import BrokerConfig
from .configs.client_metrics import ClientMetricsConfigs
from .configs.topic import TOPIC_CONFIGS, TopicConfig, new_topic_config
from .configuring import Changes, Configuring
from .expiring import Expiring
from .features import Features
from .fetch_sessions import FetchSessions
from .groups.coordinator import Groups
from .groups.embedded import OPAQUE, Embedded
from .keeper import FORGETFUL, Keeper
from .kept import FORMAT, KeptCluster
from .logs.bounds import Bounds
from .logs.cleaner import Cleaner
from .logs.internal import check_creatable
from .logs.log import Appended, Begin, PartitionLog
from .logs.producers import ProducerFencedError
from .logs.topic import LogSettings, NewLogs, Topic, Topics, check_topic_name, new_topic_id
from .logs.transactions import Marker
from .nodes import Nodes
from .quotas import Quotas
from .replication import Replication
from .telemetry import Telemetry
from .topic_limits import TopicLimits
from .transactions.coordinator import Transactions
from .watching import Watchers

_LOGS: Final = 64
"""Partitions that are made or let go at a time."""


class Cluster:
    """One broker's topics. `append` is the one entrance for records."""

    def __init__(
        self,
        environment: Environment,
        options: KafkaOptions,
        keeper: Keeper = FORGETFUL,
        embedded: Embedded = OPAQUE,
    ) -> None:
        self.options = options
        self._keeper = keeper
        self.cluster_id = options.cluster_id or _new_cluster_id(environment)
        self.features = Features(options.broker_id)
        self.quotas = Quotas(environment.clock)
        self.quotas.on_change(keeper.cluster_changed)
        self.topics = Topics()
        changed = keeper.cluster_changed
        self.config = BrokerConfig(options)
        self.nodes = Nodes(environment, options, changed, self.config.rack)
        self.replication = Replication(environment, self.nodes, self.topics, changed)
        self.configuring = Configuring(
            environment, self.config, keeper, ClientMetricsConfigs(options.client_metrics)
        )
        self.groups = Groups(
            environment, options, self.topics, keeper, self.configuring.groups, embedded
        )
        self.transactions = Transactions(environment, options, self, self.groups, keeper)
        self.bounds = Bounds(environment, self.topics, self.config)
        self.cleaner = Cleaner(environment, self.topics, self.bounds, self.config)
        self.expiring = Expiring(
            environment, self.config, self.groups, self.transactions, self.topics
        )
        self.telemetry = Telemetry(environment, self.configuring.client_metrics, self.config)
        self.configuring.bind(self.topics, self.bounds, self.cleaner)
        self.fetch_sessions = FetchSessions(environment)
        self._environment = environment
        self._next_producer_id = 1000
        self.watchers = Watchers(environment)
        self._topic_limits = TopicLimits(environment, self.topics)
        environment.usage.gauge("kafka_total", lambda: self.bounds.cost)

    @cached_property
    def most_fetched(self) -> int:
        """Bytes of one answer to a fetch, but for a first batch that is larger."""
        return self.config.number("fetch.max.bytes")

    # Topics.

    def check_new_topic(
        self, name: str, partitions: int, configs: Mapping[str, str | None]
    ) -> TopicConfig:
        """Raises RequestRefused where `create_topic` would; changes nothing."""
        config = self.check_new_name(name, configs)
        self.check_new_partitions(name, partitions)
        return config

    def check_new_name(self, name: str, configs: Mapping[str, str | None]) -> TopicConfig:
        """The first part of `check_new_topic`."""
        check_topic_name(name)
        check_creatable(name)
        if name in self.topics:
            raise RequestRefused(ErrorCode.TOPIC_ALREADY_EXISTS, f"Topic '{name}' already exists.")
        other = self.topics.colliding(name)
        if other is not None:
            raise RequestRefused(
                ErrorCode.INVALID_TOPIC_EXCEPTION,
                f"Topic '{name}' collides with existing topic: {other}",
            )
        return new_topic_config(self.config, configs)

    def check_new_partitions(self, name: str, partitions: int) -> None:
        """The rest of it."""
        if partitions < 1:
            raise RequestRefused(
                ErrorCode.INVALID_PARTITIONS,
                "Number of partitions was set to an invalid non-positive value.",
            )
        self._topic_limits.check_topics(name)
        self._topic_limits.check_partitions(name, partitions)

    def create_topic(
        self,
        name: str,
        partitions: int | None = None,
        *,
        configs: Mapping[str, str | None] | None = None,
        made: NewLogs | None = None,
        source: str,
    ) -> Topic:
        """A new topic with a new random id; `made` are `new_logs`. Raises RequestRefused."""
        count = self.options.default_partitions if partitions is None else partitions
        config = self.check_new_topic(name, count, configs or {})
        topic = self._made(name, new_topic_id(self._environment.random), config)
        self.topics.grow(topic, count, made)
        self.replication.created(topic.logs)
        self._keeper.topic_changed(name)
        self._environment.spine.emit(TopicCreated("kafka", name, count, source))
        self.configuring.warn_of_unserved(f"topic {name}", dict(config.own), TOPIC_CONFIGS)
        self._watch(topic)
        return topic

    def _watch(self, *new: Topic) -> None:
        """What looks at the clock does so from now on."""
        self.bounds.watch_age()
        self.cleaner.watch(*new)
        self.expiring.watch()

    def _made(self, name: str, topic_id: bytes, config: TopicConfig) -> Topic:
        environment = self._environment
        total, wall = environment.limits.kafka_total, environment.clock.wall
        topic = Topic(name, topic_id, config, total, wall, self._keeper.make_log)
        self.topics.add(topic)
        return topic

    def delete_topic(self, name: str, *, source: str) -> None:
        """The topic, its records and what groups committed of it go; of very many partitions the
        last ones a little later than the name."""
        topic = self.topics.named(name)
        self.topics.remove(topic)
        self.replication.forget(name)
        self._keeper.topic_changed(name)
        self.groups.offsets.forget_topic(name)
        self._environment.spine.emit(TopicDeleted("kafka", name, source))
        last_first, topic.logs = topic.logs[::-1], []
        self._environment.chores.do(self._letting_go(last_first))

    def _letting_go(self, logs: list[PartitionLog]) -> Steps:
        while logs:
            # Nobody else has them: what is left of very many is freed bit by bit, too.
            some = logs[: -_LOGS - 1 : -1]
            del logs[-_LOGS:]
            self.bounds.forget(some)
            for log in some:
                self._keeper.log_gone(log)
                self.replication.forget_log(log)
                log.watchlist.notify(-1)
            if logs:
                yield

    def check_growth(self, name: str, partitions: int) -> Topic:
        """Raises RequestRefused where `grow_topic` would; changes nothing."""
        topic = self.topics.named(name)
        now = len(topic.logs)
        if partitions <= now:
            raise RequestRefused(
                ErrorCode.INVALID_PARTITIONS,
                f"Topic already has {now} partition(s)."
                if partitions == now
                else f"The topic {name} currently has {now} partition(s);"
                f" {partitions} would not be an increase.",
            )
        self._topic_limits.check_partitions(name, partitions - now)
        return topic

    def new_logs(self, topic: str, config: TopicConfig, first: int, end: int) -> Stepped[NewLogs]:
        """Partitions from `first` to before `end` that a topic is to get: most of what it costs."""
        environment = self._environment
        settings = LogSettings.of(config, environment.limits.kafka_total, environment.clock.wall)
        made: list[PartitionLog] = []
        with self._topic_limits.making(end - first):
            for at in range(first, end, _LOGS):
                numbers = range(at, min(at + _LOGS, end))
                some = [self._keeper.make_log(topic, number) for number in numbers]
                settings.bring_into_force(some)
                made += some
                if len(some) == _LOGS:
                    yield
        return NewLogs(settings, made)

    def grow_topic(
        self, name: str, partitions: int, *, made: NewLogs | None = None, source: str
    ) -> None:
        """Add partitions until there are `partitions` of them; `made` are `new_logs`."""
        topic = self.check_growth(name, partitions)
        before = len(topic.logs)
        self.topics.grow(topic, partitions, made)
        self.replication.created(topic.logs[before:])
        self._keeper.topic_changed(name)
        self._environment.spine.emit(TopicGrown("kafka", name, partitions, source))

    def configure_topic(
        self, name: str, changes: Changes, *, source: str, validate_only: bool = False
    ) -> None:
        """Alter single values, or replace them all when given a mapping. Raises RequestRefused."""
        topic = self.topics.named(name)
        self.configuring.topic(topic, changes, source=source, validate_only=validate_only)

    def purging(self, name: str, *, source: str) -> Stepped[int]:
        """Delete all records, keep the topic; comes to how many there were.

        Raises RequestRefused.
        """
        return self._purging(self.topics.named(name), f"purged by {source}")

    def _purging(self, topic: Topic, reason: str) -> Stepped[int]:
        gone = 0
        for log in tuple(topic.logs):
            gone += self.delete_records(log, log.high_watermark, reason=reason)
            yield
        return gone

    def compacting(self, name: str) -> Stepped[int]:
        """Compact all partitions; comes to how many records left. Raises RequestRefused."""
        topic = self.topics.named(name)
        if not topic.config.compacts:
            raise RequestRefused(
                ErrorCode.INVALID_CONFIG,
                f"topic {name} is not compacted: set cleanup.policy=compact first",
            )
        return self.cleaner.compact(topic)

    # Records.

    def append(
        self,
        log: PartitionLog,
        batch: Buffer,
        *,
        client: str = "",
        begin: Begin | None = None,
        look_at: int = 0,
    ) -> Appended:
        """Append one batch of records; `client` is who sent it. Raises RequestRefused.

        `begin` and `look_at` as `PartitionLog.append` takes them.
        """
        before = log.cost
        try:
            appended = log.append(batch, begin, look_at=look_at)
        except ProducerFencedError as error:
            self._emit_fenced(log, error)
            raise
        self.bounds.grown(log, log.cost - before)
        if self.watchers.by_topic and not appended.duplicate:
            self.watchers.show(log, appended, client)
        return appended

    def append_marker(self, log: PartitionLog, marker: Marker) -> None:
        """End a producer's transaction in one partition. Raises RequestRefused."""
        before = log.cost
        log.append_marker(marker, int(self._environment.clock.wall() * 1000))
        self.bounds.grown(log, log.cost - before)

    def log_of(self, topic: str, partition: int) -> PartitionLog | None:
        """A partition, if it is there."""
        found = self.topics.get(topic)
        if found is None or not 0 <= partition < len(found.logs):
            return None
        return found.logs[partition]

    def delete_records(self, log: PartitionLog, before_offset: int, *, reason: str) -> int:
        """Records below an offset leave; returns how many. Their space goes with whole segments."""
        return self.bounds.truncate(log, before_offset, reason)

    def next_producer_id(self) -> int:
        """A producer id that nobody else has."""
        self._next_producer_id += 1
        self._keeper.cluster_changed()
        return self._next_producer_id - 1

    def _emit_fenced(self, log: PartitionLog, error: ProducerFencedError) -> None:
        self._environment.spine.emit(
            ProducerFenced(
                "kafka",
                log.topic,
                log.partition,
                error.producer_id,
                error.producer_epoch,
                error.current_epoch,
            )
        )

    def clear(self) -> None:
        """All topics and groups go."""
        # Groups first: each topic that goes would look through what all of them committed.
        self.groups.clear("the broker was reset")
        for name in tuple(self.topics):
            self.delete_topic(name, source="reset")
        self.transactions.clear()
        self.features.clear()
        self.configuring.clear()
        self.fetch_sessions.clear()
        self.quotas.clear()
        self.nodes.clear()
        self.replication.clear()
        self.telemetry.clear()

    # What outlives a restart.

    def dump(self) -> KeptCluster:
        kept = self.dump_cluster()
        kept.topics = [topic.dump() for topic in self.topics.values()]
        kept.groups = self.groups.dump()
        kept.transactions = self.transactions.dump()
        return kept

    def dump_cluster(self) -> KeptCluster:
        """Without topics, groups and transactions."""
        return KeptCluster(
            FORMAT,
            self.cluster_id,
            self._next_producer_id,
            [],
            [],
            [],
            dict(self.features.levels),
            self.features.epoch,
            self.config.dump(),
            {group: dict(values) for group, values in self.configuring.groups.own.items()},
            self.quotas.dump(),
            {name: list(each) for name, each in self.replication.placement.by_topic.items()},
            dict(self.configuring.client_metrics.own),
            self.replication.dump(),
            dict(self.nodes.moved_coordinators),
            list(self.nodes.homes),
        )

    def restore(self, kept: KeptCluster) -> None:
        """Take up what `dump` gave; the cluster must be empty."""
        self.cluster_id = kept.cluster_id
        self._next_producer_id = kept.next_producer_id
        self.config.restore(kept.broker_config)
        self.configuring.groups.own = dict(kept.group_configs)
        self.quotas.restore(kept.quotas)
        self.replication.placement.by_topic = {
            name: list(each) for name, each in kept.placed.items()
        }
        self.configuring.client_metrics.restore(kept.client_metrics)
        for one in kept.topics:
            topic = self._made(one.name, one.topic_id, TopicConfig(self.config, one.config))
            self.topics.grow(topic, len(one.logs))
            for log, log_kept in zip(topic.logs, one.logs, strict=True):
                log.restore(log_kept)
                self.bounds.grown(log, log.cost)
            self._keeper.topic_changed(topic.name)
        self.replication.restore(kept.leaders)
        self.nodes.restore(kept.coordinators, kept.homes)
        self._watch(*self.topics.values())
        self.groups.restore(kept.groups)
        self.transactions.restore(kept.transactions)
        self.features.restore(kept.features, kept.features_epoch)
        self._keeper.cluster_changed()

    def stop(self) -> None:
        """Forget all without a word: the broker is stopped."""
        for topic in self.topics.values():
            self.bounds.forget(topic.logs)
        self.topics.clear()
        self.nodes.clear()
        self.replication.clear()
        self.fetch_sessions.clear()
        self.transactions.clear()
        self.groups.retire()


def append_plain(
    cluster: Cluster, log: PartitionLog, batch: Buffer, begin: Begin | None = None
) -> int:
    """The base offset of a batch about which there is nothing to say; -1: `append` is asked.

    As `PartitionLog.append_plain` takes it, and where nobody watches.
    """
    if cluster.watchers.by_topic:
        return -1
    before = log.cost
    base_offset = log.append_plain(batch, begin)
    if base_offset >= 0:
        cluster.bounds.grown(log, log.cost - before)
    return base_offset


def _new_cluster_id(environment: Environment) -> str:
    raw = environment.random.randbytes(16)
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")
