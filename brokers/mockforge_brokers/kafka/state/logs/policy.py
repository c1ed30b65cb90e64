"""What a topic's configuration asks of each batch: timestamps, keys, the codec it is kept in.

Where all is default nothing of this runs, but for a batch that claims to be younger than
`PartitionLog.undisputed_until`: most of `message.timestamp.after.max.ms` is always left.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from msgspec import Struct

from ....errors import RequestRefused
from ...codes import Compression, ErrorCode
from ...records import (
    BatchHeader,
    Record,
    read_batch_header,
    recompressed,
    with_timestamps,
)
from ..configs.topic import TopicConfig
from .admission import whole_records

_NO_TIMESTAMP: Final = -1
_LONG_MAX: Final = 2**63 - 1
_APPEND_TIME: Final = 0x08
_SHOWN: Final = 3
"""Record errors that the message names; the answer lists them all."""

_CODECS: Final = {
    "uncompressed": Compression.NONE,
    "gzip": Compression.GZIP,
    "snappy": Compression.SNAPPY,
    "lz4": Compression.LZ4,
    "zstd": Compression.ZSTD,
}

_LEVELS: Final = (Compression.GZIP, Compression.LZ4, Compression.ZSTD)
"""Snappy has none (KIP-390)."""

RecordErrors = Sequence[tuple[int, str]]
"""Which records of a batch were refused, and why (KIP-467)."""


class RecordsRefusedError(RequestRefused):
    """Single records of a batch are why it is refused."""

    def __init__(self, code: ErrorCode, text: str, errors: RecordErrors) -> None:
        super().__init__(code, text)
        self.errors = errors


class Policy(Struct, frozen=True):
    """Times in ms. `codec` None: as it came. `wall` is the broker's clock, in seconds."""

    wall: Callable[[], float]
    before_max: int = _LONG_MAX
    after_max: int = 3_600_000
    append_time: bool = False
    compacts: bool = False
    codec: Compression | None = None
    levels: tuple[int, ...] = ()
    """Of gzip, lz4 and zstd, as `_LEVELS` has them."""

    @classmethod
    def of(cls, config: TopicConfig, wall: Callable[[], float]) -> Policy:
        return cls(
            wall,
            before_max=config.number("message.timestamp.before.max.ms"),
            after_max=config.number("message.timestamp.after.max.ms"),
            append_time=config.value("message.timestamp.type") == "LogAppendTime",
            compacts=config.compacts,
            codec=_CODECS.get(config.value("compression.type")),
            levels=tuple(
                config.number(f"compression.{each.name.lower()}.level") for each in _LEVELS
            ),
        )

    @property
    def undisputed_until(self) -> int:
        """Up to which timestamp (ms) a batch may be stored unread; -2**63: none."""
        plain = self.before_max == _LONG_MAX and self.codec is None
        if not plain or self.append_time or self.compacts:
            return -(2**63)
        return int(self.wall() * 1000) + self.after_max

    def apply(self, topic: str, partition: int, batch: bytes, header: BatchHeader) -> bytes:
        """The batch as it is to be kept. Raises RequestRefused for what it may not be."""
        now = int(self.wall() * 1000)
        if header.has_log_append_time and not self.append_time:
            # As Kafka: the producer's mark goes, and all its records have their own time.
            batch = with_timestamps(batch, header.attributes & ~_APPEND_TIME, header.max_timestamp)
            header = read_batch_header(batch)
        if self.compacts or not self.append_time or header.has_log_append_time:
            newest = self._check(topic, partition, batch, header, now)
            if newest != header.max_timestamp and not header.has_log_append_time:
                # As Kafka: who looks at the records believes them, and not their header.
                batch = with_timestamps(batch, header.attributes, newest)
                header = read_batch_header(batch)
        if self.codec is not None and header.compression is not self.codec:
            level = dict(zip(_LEVELS, self.levels, strict=False)).get(self.codec)
            batch = recompressed(batch, self.codec, level)
            header = read_batch_header(batch)
        if self.append_time:
            batch = with_timestamps(batch, header.attributes | _APPEND_TIME, now)
        return batch

    def _check(
        self, topic: str, partition: int, batch: bytes, header: BatchHeader, now: int
    ) -> int:
        """The newest of the records' timestamps. Raises RequestRefused."""
        errors: list[tuple[int, str]] = []
        code = ErrorCode.INVALID_RECORD
        oldest, newest = now - self.before_max, now + self.after_max
        records = whole_records(batch, header)
        for number, record in enumerate(records):
            if self.compacts and record.key is None:
                text = "Compacted topic cannot accept message without key in topic partition"
                errors.append((number, f"{text} {topic}-{partition}"))
                continue
            problem = self._time_problem(record, header, oldest, newest)
            if problem:
                code = ErrorCode.INVALID_TIMESTAMP
                errors.append((number, problem))
        if errors:
            raise RecordsRefusedError(code, _summary(code, errors), errors)
        return max(record.timestamp for record in records)

    def _time_problem(self, record: Record, header: BatchHeader, oldest: int, newest: int) -> str:
        if self.append_time:
            if not header.has_log_append_time:
                return ""
            return (
                "Invalid timestamp type in message: a producer should not set timestamp type to"
                " LogAppendTime."
            )
        time = record.timestamp
        if time == _NO_TIMESTAMP or oldest <= time <= newest:
            return ""
        # The offset is the one within the batch: it has no other one yet.
        return (
            f"Timestamp {time} of message with offset {record.offset - header.base_offset} is out"
            f" of range. The timestamp should be within [{oldest}, {newest}]"
        )


def _summary(code: ErrorCode, errors: RecordErrors) -> str:
    if code is ErrorCode.INVALID_TIMESTAMP:
        return "One or more records have been rejected due to invalid timestamp"
    shown = ", ".join(
        f"RecordError(batchIndex={number}, message='{text}')" for number, text in errors[:_SHOWN]
    )
    return (
        f"One or more records have been rejected due to {len(errors)} record errors in total,"
        f" and only showing the first three errors at most: [{shown}]"
    )
