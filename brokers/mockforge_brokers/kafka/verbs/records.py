"""Records that people publish and read."""

from __future__ import annotations

import struct
from collections.abc import Sequence

from ...environment import Environment
from ...errors import InvalidInput, PlainRefusals
from ...events import INSIDE
from ..inside import Inside
from ..options import KafkaOptions
from ..records import Record, build_batch, is_control
from ..snapshots import RecordView
from ..state.cluster import Cluster
from ..state.logs.partitioner import partition_for
from ..state.logs.topic import Topic
from ..unpacked import Unpacked
from .source import PROMPT


class RecordVerbs:
    cluster: Cluster
    environment: Environment
    options: KafkaOptions
    _inside: Inside
    _unpacked: Unpacked
    _next_partition: dict[str, int]
    """By topic: where the next record without a key goes."""

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
            appended = self.cluster.append(log, batch, client=f"{INSIDE}{source}")
        offset = appended.base_offset
        if self.environment.journal is not None:
            for placed in log.batches(offset, offset):
                self._inside.produced(source, topic, partition, placed)
        return partition, offset

    def read(self, topic: str, partition: int, offset: int, limit: int) -> list[RecordView]:
        """At most `limit` records from `offset` on (below the log's start: from its start)."""
        with PlainRefusals():
            log = self.cluster.topics.named(topic).log(partition)
            offset = max(offset, log.log_start_offset)
            found: list[RecordView] = []
            for batch in log.batches(offset, min(log.high_watermark, offset + limit) - 1):
                if is_control(batch):
                    continue
                for record in self._unpacked.records(batch, offset):
                    if len(found) >= limit:
                        return found
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
            logs = self.cluster.topics.named(topic).logs
        return [(log.log_start_offset, log.high_watermark) for log in logs]

    def offsets_at(self, topic: str, time: float) -> list[int]:
        """Of each partition the first offset with this time (seconds since 1970) or later; its
        high watermark where there is none."""
        with PlainRefusals():
            logs = self.cluster.topics.named(topic).logs
            found = [(log, log.offset_at(int(time * 1000)).offset) for log in logs]
        return [log.high_watermark if offset < 0 else offset for log, offset in found]

    def _topic_for_publish(self, name: str, source: str) -> Topic:
        if name in self.cluster.topics or not self.options.auto_create_topics:
            return self.cluster.topics.named(name)
        return self.cluster.create_topic(name, source=source)

    def _choose_partition(self, topic: Topic, key: bytes | None) -> int:
        count = len(topic.logs)
        if key is not None:
            return partition_for(key, count)
        chosen = self._next_partition.get(topic.name, 0) % count
        self._next_partition[topic.name] = chosen + 1
        return chosen
