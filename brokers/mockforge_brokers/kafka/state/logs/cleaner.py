"""When logs are compacted: on the clock, as Kafka's log cleaner chooses, or when asked.

Kafka never compacts the active segment. Ours are smaller, so where a segment would end by
`segment.bytes` and `segment.ms` is counted from the batches when the cleaner looks.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ....environment import Environment
from ....fairness import Steps
from ...events import LogCompacted
from ...records import read_batch_header
from ..configs.broker import BrokerConfig
from ..configs.topic import TopicConfig
from .bounds import Bounds
from .compaction import Compaction
from .log import PartitionLog
from .topic import Topic


class Cleaner:
    """Looks at all compacted topics every `log.cleaner.backoff.ms`, as long as there are any."""

    def __init__(
        self,
        environment: Environment,
        topics: Mapping[str, Topic],
        bounds: Bounds,
        broker: BrokerConfig,
    ) -> None:
        self._environment = environment
        self._topics = topics
        self._bounds = bounds
        self._broker = broker
        self._armed = False

    def watch(self) -> None:
        """Look from now on, where a topic is compacted."""
        if self._armed or not any(topic.config.compacts for topic in self._topics.values()):
            return
        self._armed = True
        pause = self._broker.number("log.cleaner.backoff.ms") / 1000
        self._environment.clock.call_later(pause, self._look)

    def compact(self, topic: Topic) -> int:
        """Compact all that is stable now, whatever the dirty ratio; returns how many left.

        `min.compaction.lag.ms` and `delete.retention.ms` hold: they are promises to consumers.
        """
        removed = 0
        for log in topic.logs:
            end = self._settled(log, topic.config, log.last_stable_offset)
            compaction = self._compaction(topic.config, log, end)
            for _ in self._steps(log, compaction):
                pass
            removed += compaction.removed
        return removed

    def _look(self) -> None:
        self._armed = False
        for topic in self._topics.values():
            if not topic.config.compacts:
                continue
            for log in topic.logs:
                end = self._due(log, topic.config)
                if end is not None:
                    compaction = self._compaction(topic.config, log, end)
                    self._environment.chores.do(self._steps(log, compaction))
        self.watch()

    def _compaction(self, config: TopicConfig, log: PartitionLog, end: int) -> Compaction:
        return Compaction(log, end, self._now(), config.number("delete.retention.ms"))

    def _steps(self, log: PartitionLog, compaction: Compaction) -> Steps:
        cost = log.cost
        for _ in compaction.steps():
            # What is appended between two steps is counted where it is appended.
            self._bounds.cost += log.cost - cost
            yield
            cost = log.cost
        if compaction.removed:
            self._environment.spine.emit(
                LogCompacted("kafka", log.topic, log.partition, compaction.removed, log.records)
            )

    def _due(self, log: PartitionLog, config: TopicConfig) -> int | None:
        """Up to where a log is to be compacted now; None: not yet."""
        active = _active_base(log, config)
        end = self._settled(log, config, min(active, log.last_stable_offset))
        clean = max(log.compacted_to, log.log_start_offset)
        if end <= clean:
            return None
        dirty = sum(map(len, log.batches(clean, end - 1)))
        total = sum(map(len, log.batches(log.log_start_offset, end - 1)))
        # As Kafka's LogCleanerManager chooses: by the share of bytes that no compaction saw.
        if dirty > total * float(config.value("min.cleanable.dirty.ratio")):
            return end
        most = config.number("max.compaction.lag.ms")
        oldest = read_batch_header(next(log.batches(clean, end - 1))).max_timestamp
        return end if self._now() - oldest > most else None

    def _settled(self, log: PartitionLog, config: TopicConfig, end: int) -> int:
        """Where the first record younger than `min.compaction.lag.ms` lies, or `end`."""
        lag = config.number("min.compaction.lag.ms")
        if not lag:
            return end
        until = self._now() - lag
        for batch in log.batches(log.log_start_offset, end - 1):
            header = read_batch_header(batch)
            if header.max_timestamp > until:
                return header.base_offset
        return end

    def _now(self) -> int:
        return int(self._environment.clock.wall() * 1000)


def _active_base(log: PartitionLog, config: TopicConfig) -> int:
    """Where the segment begins that Kafka would still write to."""
    # The last one that begins: all in front of it are closed.
    *_, base = _segment_bases(log, config)
    return base


def _segment_bases(log: PartitionLog, config: TopicConfig) -> Iterator[int]:
    size_limit = config.number("segment.bytes")
    time_limit = min(config.number("segment.ms"), config.number("max.compaction.lag.ms"))
    size, first_time = 0, 0
    yield log.log_start_offset
    for batch in log.batches(log.log_start_offset, log.high_watermark):
        header = read_batch_header(batch)
        full = size + len(batch) > size_limit or header.max_timestamp - first_time > time_limit
        if size and full:
            yield header.base_offset
            size = 0
        if not size:
            first_time = header.max_timestamp
        size += len(batch)
