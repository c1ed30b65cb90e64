"""When logs are compacted: on the clock, as Kafka's log cleaner chooses, or when asked.

Kafka never compacts the active segment. Ours are smaller, so where a segment would end by
`segment.bytes` and `segment.ms` is counted from the batches when the cleaner looks.
"""

from __future__ import annotations

from collections.abc import Mapping

from ....environment import Environment
from ....events import Warned
from ....fairness import Stepped, Steps
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

    def watch(self, *topics: Topic) -> None:
        """Look from now on, where one of these is compacted."""
        if self._armed or not any(topic.config.compacts for topic in topics):
            return
        self._armed = True
        pause = self._broker.number("log.cleaner.backoff.ms") / 1000
        self._environment.clock.call_later(
            pause, lambda: self._environment.chores.do(self._round())
        )

    def compact(self, topic: Topic) -> Stepped[int]:
        """Compact all that is stable now, whatever the dirty ratio; comes to how many left.

        `min.compaction.lag.ms` and `delete.retention.ms` hold: they are promises to consumers.
        """
        removed = 0
        for log in tuple(topic.logs):
            end = yield from self._settled(log, topic.config, log.last_stable_offset)
            compaction = self._compaction(topic.config, log, end)
            yield from self._steps(log, compaction)
            removed += compaction.removed
        return removed

    def _round(self) -> Steps:
        """Once over all compacted logs; the next round is counted from the end of this one."""
        failed: Exception | None = None
        for topic in tuple(self._topics.values()):
            for log in tuple(topic.logs) if topic.config.compacts else ():
                try:
                    yield from self._look(log, topic.config)
                except Exception as error:
                    # Our own bug: the logs behind it are compacted all the same.
                    failed = failed or error
        self._armed = False
        self.watch(*self._topics.values())
        if failed is not None:
            # The loop reports it; the next round finds it again, or no more.
            raise failed

    def _look(self, log: PartitionLog, config: TopicConfig) -> Steps:
        end = yield from self._due(log, config)
        if end is not None:
            yield from self._steps(log, self._compaction(config, log, end))

    def _compaction(self, config: TopicConfig, log: PartitionLog, end: int) -> Compaction:
        return Compaction(log, end, self._now(), config.number("delete.retention.ms"))

    def _steps(self, log: PartitionLog, compaction: Compaction) -> Steps:
        cost = log.cost
        for _ in compaction.steps():
            # What is appended between two steps is counted where it is appended.
            self._bounds.compacted(log.cost - cost)
            yield
            cost = log.cost
        if compaction.removed:
            self._environment.spine.emit(
                LogCompacted("kafka", log.topic, log.partition, compaction.removed, log.records)
            )
        if compaction.unreadable:
            count = compaction.unreadable
            text = f"{count} batch{'es' if count > 1 else ''} cannot be decoded and not compacted"
            about = f"topic {log.topic}/{log.partition}"
            self._environment.spine.emit(Warned("kafka", about, text))

    # A log may have millions of batches, and each of these looks at all: a segment a step.

    def _due(self, log: PartitionLog, config: TopicConfig) -> Stepped[int | None]:
        """Up to where a log is to be compacted now; None: not yet."""
        active = yield from _active_base(log, config)
        end = yield from self._settled(log, config, min(active, log.last_stable_offset))
        clean = max(log.compacted_to, log.log_start_offset)
        first = next(log.batches(clean, end - 1), None) if clean < end else None
        if first is None:
            return None
        dirty = yield from _bytes(log, clean, end)
        total = yield from _bytes(log, log.log_start_offset, end)
        # As Kafka's LogCleanerManager chooses: by the share of bytes that no compaction saw.
        if dirty > total * float(config.value("min.cleanable.dirty.ratio")):
            return end
        most = config.number("max.compaction.lag.ms")
        return end if self._now() - read_batch_header(first).max_timestamp > most else None

    def _settled(self, log: PartitionLog, config: TopicConfig, end: int) -> Stepped[int]:
        """Where the first record younger than `min.compaction.lag.ms` lies, or `end`."""
        lag = config.number("min.compaction.lag.ms")
        if not lag:
            return end
        until = self._now() - lag
        for run in log.runs(log.log_start_offset, end - 1):
            for batch in run:
                header = read_batch_header(batch)
                if header.max_timestamp > until:
                    return header.base_offset
            yield
        return end

    def _now(self) -> int:
        return int(self._environment.clock.wall() * 1000)


def _bytes(log: PartitionLog, first_offset: int, end: int) -> Stepped[int]:
    size = 0
    for run in log.runs(first_offset, end - 1):
        size += sum(map(len, run))
        yield
    return size


def _active_base(log: PartitionLog, config: TopicConfig) -> Stepped[int]:
    """Where the segment begins that Kafka would still write to: all in front of it are closed."""
    size_limit = config.number("segment.bytes")
    time_limit = min(config.number("segment.ms"), config.number("max.compaction.lag.ms"))
    base, size, first_time = log.log_start_offset, 0, 0
    for run in log.runs(log.log_start_offset, log.high_watermark):
        for batch in run:
            header = read_batch_header(batch)
            full = size + len(batch) > size_limit or header.max_timestamp - first_time > time_limit
            if size and full:
                base, size = header.base_offset, 0
            if not size:
                first_time = header.max_timestamp
            size += len(batch)
        yield
    return base
