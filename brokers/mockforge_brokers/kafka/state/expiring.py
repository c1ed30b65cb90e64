"""What is forgotten after long silence: committed offsets, transactional ids, producers' ids.

As in Kafka (KIP-211), what a classic group committed counts from when its last member went, all
else from its commit; what members read stays, and who has neither members nor offsets is gone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from ...environment import Environment
from ...fairness import Steps
from ..events import OffsetsExpired
from .configs.broker import BrokerConfig
from .groups.classic.group import Group
from .groups.consumer.group import ConsumerGroup
from .groups.coordinator import Groups
from .groups.kept import AnyGroup
from .groups.offsets import CommittedOffset
from .logs.topic import Topic
from .transactions.coordinator import Transactions

_PRODUCERS_EVERY: Final = 600.0
"""Seconds; Kafka's producer.id.expiration.check.interval.ms, which is not public."""
SILENCE: Final = "silence"
"""As who deleted a group."""


class Expiring:
    """Looks as often as Kafka does, as long as the cluster is there."""

    def __init__(
        self,
        environment: Environment,
        config: BrokerConfig,
        groups: Groups,
        transactions: Transactions,
        topics: Mapping[str, Topic],
    ) -> None:
        self._environment = environment
        self._config = config
        self._groups = groups
        self._transactions = transactions
        self._topics = topics
        self._armed: set[Callable[[], Steps]] = set()

    def watch(self) -> None:
        """Look from now on, as long as there is anything."""
        config = self._config
        cleanup = "transaction.remove.expired.transaction.cleanup.interval.ms"
        for look, pause in (
            (self._look_at_offsets, config.number("offsets.retention.check.interval.ms") / 1000),
            (self._look_at_ids, config.number(cleanup) / 1000),
            (self._look_at_producers, _PRODUCERS_EVERY),
        ):
            if look not in self._armed:
                self._armed.add(look)
                self._environment.clock.call_later(pause, self._ring, look)

    def _ring(self, look: Callable[[], Steps]) -> None:
        self._environment.chores.do(self._round(look))

    def _round(self, look: Callable[[], Steps]) -> Steps:
        """There may be ten thousand groups, and ten times as many logs."""
        try:
            yield from look()
        finally:
            self._armed.discard(look)
            if self._topics or self._groups.by_id or self._transactions.by_id:
                self.watch()

    def _since(self, key: str, seconds: float) -> float:
        """The wall time before which it is too long ago."""
        return self._environment.clock.wall() - self._config.number(key) * seconds

    def _look_at_offsets(self) -> Steps:
        before = self._since("offsets.retention.minutes", 60)
        for group in tuple(self._groups.by_id.values()):
            # Between two steps one goes, and another may come by its name.
            if self._groups.by_id.get(group.group_id) is group:
                self._look_at_group(group, before)
            yield

    def _look_at_group(self, group: AnyGroup, before: float) -> None:
        expired = [
            place
            for place, offset in self._unread(group)
            if self._is_old(group, offset, before)
            # What a transaction is about to move stays until that has ended.
            and not group.offsets.is_unstable(*place)
        ]
        self._expire(group, expired)

    def _unread(self, group: AnyGroup) -> Iterator[tuple[tuple[str, int], CommittedOffset]]:
        """What was committed of topics that no member reads."""
        read = self._groups.subscribed(group)
        # While a generation is in the making its members may come to read something else.
        if read is None or not (group.empty or isinstance(group, ConsumerGroup) or group.settled):
            return
        for topic, partitions in group.offsets.topics.items():
            if topic not in read:
                for partition, offset in partitions.items():
                    yield (topic, partition), offset

    def _is_old(self, group: AnyGroup, offset: CommittedOffset, before: float) -> bool:
        if offset.expires is not None:
            return offset.expires <= self._environment.clock.wall()
        # Of a classic group that had members the silence counts, and not when a person committed.
        counts_silence = isinstance(group, Group) and group.protocol_type and group.empty
        return (group.emptied if counts_silence else offset.committed) <= before

    def _expire(self, group: AnyGroup, expired: Sequence[tuple[str, int]]) -> None:
        if expired:
            self._groups.offsets.expire(group, expired)
            event = OffsetsExpired("kafka", group.group_id, len(expired))
            self._environment.spine.emit(event)
        if group.empty and not group.offsets:
            self._groups.delete(group.group_id, source=SILENCE)

    def _look_at_ids(self) -> Steps:
        before = self._since("transactional.id.expiration.ms", 0.001)
        yield from self._transactions.expire(before)

    def _look_at_producers(self) -> Steps:
        before = self._since("producer.id.expiration.ms", 0.001) * 1000
        for topic in tuple(self._topics.values()):
            for log in tuple(topic.logs):
                log.producers.expire(int(before), log.transactions.open.keys())
                yield
