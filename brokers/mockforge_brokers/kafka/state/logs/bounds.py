"""What bounds the logs: bytes of one and of all, and age. The oldest segments leave."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from ....environment import Environment
from ....fairness import Steps
from ...events import LogTruncated
from ..configs.broker import BrokerConfig
from .largest import LargestLogs
from .log import PartitionLog
from .segment import Segment
from .topic import Topic

_LOOKS: Final = 64
"""So often all of them are looked at for the largest, while as much comes as they may have."""
_PAUSE: Final = 1.0
"""Seconds between two events about the same partition, when its limit is met again and again."""


class Bounds:
    """`cost` is what all logs take in memory, `truncated` how many records left so far."""

    def __init__(
        self, environment: Environment, topics: Mapping[str, Topic], broker: BrokerConfig
    ) -> None:
        self.cost = 0
        self.truncated = 0
        self._topics = topics
        self._environment = environment
        self._broker = broker
        self._total = environment.limits.kafka_total
        self._unreported: dict[tuple[str, int], tuple[float, int]] = {}
        self._armed = False
        self._gone = 0
        """Bytes that left."""
        self._leaving: list[Segment] = []
        """What left for good, and is yet to be let go of."""
        self._largest = LargestLogs(self._logs, self._total // _LOOKS)

    def grown(self, log: PartitionLog, cost: int) -> None:
        """A log costs so much more."""
        self.cost += cost
        if log.cost > log.max_bytes or self.cost > self._total:
            self.keep(log, cost)

    def compacted(self, cost: int) -> None:
        """What was compacted costs so much more: mostly less."""
        self.cost += cost
        self._gone -= cost

    def keep(self, log: PartitionLog, cost: int = 0) -> None:
        """The oldest segments leave: of this partition, then of the largest ones.

        `cost` is by how much it has grown.
        """
        reason = f"larger than retention.bytes={log.max_bytes}"
        while log.cost > log.max_bytes and self._drop(log, log.drop_oldest_segment, reason):
            pass
        if self.cost <= self._total:
            return
        # One whose newest batch alone is large gives nothing: then it is up to the others.
        self._largest.look(log, self.cost + self._gone, cost)
        while self.cost > self._total and (largest := self._largest.take()) is not None:
            # Of a half whose records were deleted before none leaves, and still there is room.
            self._drop(largest, largest.drop_oldest_segment)
            self._largest.put(largest)

    def truncate(self, log: PartitionLog, offset: int, reason: str) -> int:
        """Records below `offset` leave; returns how many."""
        return self._drop_for_good(log, lambda: log.truncate_before(offset), reason)

    def forget(self, logs: Sequence[PartitionLog]) -> None:
        """The logs are no more: their records are let go of bit by bit."""
        for log in logs:
            self.cost -= log.cost
            self._gone += log.cost
            self._unreported.pop((log.topic, log.partition), None)
            self._let_go(log.delete())
            self._environment.freed.add(log.cost)
        self._largest.deleted(len(logs))

    def _let_go(self, segments: list[Segment]) -> None:
        """To free a million batches at once would hold up everybody."""
        if segments:
            if not self._leaving:
                # One for all that leaves, since each would have a slice of its own.
                self._environment.chores.later(_emptied(self._leaving))
            self._leaving += segments

    def watch_age(self) -> None:
        """Look for old segments from now on, as long as there are topics."""
        if not self._armed:
            self._armed = True
            pause = self._broker.number("log.retention.check.interval.ms") / 1000
            self._environment.clock.call_later(pause, self._check_age)

    def _check_age(self) -> None:
        self._environment.chores.do(self._look_at_ages())

    def _look_at_ages(self) -> Steps:
        """Of each log, of which there may be a hundred thousand."""
        wall = int(self._environment.clock.wall() * 1000)
        try:
            for topic in tuple(self._topics.values()):
                keep = topic.config.number("retention.ms") if topic.config.deletes else -1
                for log in tuple(topic.logs) if keep >= 0 else ():
                    self._drop_older(log, wall - keep, f"older than retention.ms={keep}")
                    yield
        finally:
            self._armed = False
            if self._topics:
                self.watch_age()

    def _drop_older(self, log: PartitionLog, timestamp: int, reason: str) -> None:
        self._drop_for_good(log, lambda: log.drop_older_than(timestamp), reason)

    def _logs(self) -> Iterator[PartitionLog]:
        return (log for topic in self._topics.values() for log in topic.logs)

    def _drop_for_good(self, log: PartitionLog, drop: Callable[[], int], reason: str) -> int:
        """What leaves makes no room for what comes."""
        before, segments = log.cost, log.segments.copy()
        left = self._drop(log, drop, reason)
        self._let_go(segments[: len(segments) - len(log.segments)])
        self._environment.freed.add(before - log.cost)
        return left

    def _drop(self, log: PartitionLog, drop: Callable[[], int], reason: str = "") -> int:
        """Let `drop` take records from a log, count and report them; returns how many left.

        Without a reason it is the limit of all logs that takes them, which nobody asked for.
        """
        before = log.cost
        left = drop()
        self.cost += log.cost - before
        self._gone += before - log.cost
        self.truncated += left
        if not left:
            return 0
        if not reason:
            self._environment.usage.met(
                "kafka",
                "kafka_total",
                f"{log.topic}/{log.partition}",
                "oldest records deleted: {lost:,}, up to offset {last}",
                lost=left,
                last=str(log.log_start_offset - 1),
            )
            return left
        now = self._environment.clock.now()
        key = (log.topic, log.partition)
        reported_at, unreported = self._unreported.get(key, (-_PAUSE, 0))
        unreported += left
        if now - reported_at >= _PAUSE:
            event = LogTruncated(
                "kafka", log.topic, log.partition, log.log_start_offset, unreported, reason
            )
            reported_at, unreported = now, 0
            self._environment.spine.emit(event)
        self._unreported[key] = (reported_at, unreported)
        return left


def _emptied(segments: list[Segment]) -> Steps:
    while segments:
        segments.pop()
        yield
