"""One partition's log: record batches as opaque bytes, in segments, bounded from the front."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from msgspec import Struct

from ....errors import RequestRefused
from ...codes import ErrorCode
from ...records import (
    BatchHeader,
    Buffer,
    build_marker,
    place,
    read_batch_header,
    read_records,
)
from ..purgatory import Watchlist
from .admission import admit, too_large, whole_records
from .epochs import LeaderEpochs
from .policy import Policy
from .producers import KeptProducer, ProducerTable
from .segment import BATCH_OVERHEAD, Segment
from .transactions import AbortedTransaction, LogTransactions, Marker

UNBOUNDED: Final = 2**63 - 1
"""As `max_bytes`: `retention.bytes` is -1."""

_APPEND_TIME: Final = 0x08
_TRANSACTIONAL: Final = 0x10

_LARGEST_SEGMENT: Final = 1024 * 1024


class Appended(NamedTuple):
    """Where a batch came to lie; a `duplicate` had been appended before (KIP-98)."""

    base_offset: int
    records: int
    duplicate: bool
    append_time: int = -1
    """The broker's time (ms), where that is what the records have."""


class Span(NamedTuple):
    """What one read found: whole batches, and the offset after the last of their records."""

    batches: list[bytes]
    size: int
    next_offset: int


class TimedOffset(NamedTuple):
    """A record's place in time; -1 where there is none."""

    offset: int
    timestamp: int
    leader_epoch: int


NOWHERE: Final = TimedOffset(-1, -1, -1)


Begin = Callable[["PartitionLog", BatchHeader], object]


class KeptLog(Struct):
    """One partition as a restart keeps it; batches with their offsets, oldest first."""

    log_start_offset: int
    high_watermark: int
    leader_epoch: int
    batches: list[bytes]
    producers: list[KeptProducer]
    open_transactions: dict[int, int] = {}
    aborted: list[AbortedTransaction] = []
    number: int = 0
    """Of its log on disk; 0 where nothing is kept there."""
    compacted_to: int = 0


def segment_size(bound: int) -> int:
    """How many bytes of a log leave at once, when all that may be kept are `bound`."""
    return min(_LARGEST_SEGMENT, bound // 4)


class PartitionLog:
    """Batches in offset order. With one broker the high watermark is always the log's end.

    `max_bytes` bounds its cost in memory, segment by segment; the newest batch always stays.
    """

    __slots__ = (
        "_bases",
        "bytes_in",
        "bytes_out",
        "compacted_to",
        "cost",
        "deleted",
        "epochs",
        "high_watermark",
        "leader_epoch",
        "log_start_offset",
        "max_batch_bytes",
        "max_bytes",
        "partition",
        "policy",
        "producers",
        "records_in",
        "records_out",
        "segment_bytes",
        "segments",
        "terms",
        "topic",
        "transactions",
        "undisputed_until",
        "watchlist",
    )

    def __init__(
        self,
        topic: str,
        partition: int,
        *,
        max_bytes: int = UNBOUNDED,
        max_batch_bytes: int = 1048588,
    ) -> None:
        self.topic = topic
        self.partition = partition
        self.max_bytes = max_bytes
        self.max_batch_bytes = max_batch_bytes
        self.segment_bytes = segment_size(max_bytes)
        self.leader_epoch = 0
        self.epochs = LeaderEpochs()
        self.log_start_offset = 0
        self.high_watermark = 0
        self.compacted_to = 0
        """Below this offset a compaction was, and there may be gaps."""
        self.cost = 0
        self.deleted = False
        self.policy: Policy | None = None
        self.undisputed_until = UNBOUNDED
        """Batches with timestamps up to this one (ms) are not looked at by the policy."""
        self.terms = object()
        """Another one as soon as it is configured otherwise or is deleted."""
        self.producers = ProducerTable()
        self.transactions = LogTransactions()
        self.watchlist = Watchlist()
        self.records_in = 0
        self.records_out = 0
        self.bytes_in = 0
        self.bytes_out = 0
        self.segments: list[Segment] = []
        self._bases: list[int] = []

    @property
    def size(self) -> int:
        """Bytes of its batches."""
        return sum(segment.size for segment in self.segments)

    @property
    def last_stable_offset(self) -> int:
        """Where a read_committed consumer's part ends."""
        first = self.transactions.first_offset
        return self.high_watermark if first is None else max(first, self.log_start_offset)

    def append(self, batch: Buffer, begin: Begin | None = None, *, read: bool = False) -> Appended:
        """Check a batch, give it its offsets and keep it. Raises RequestRefused.

        `begin` is asked whether a transaction may begin here with this batch, and raises if not.
        `read`: look at its records, too, which costs as much as all the rest.
        """
        header = admit(batch, self.max_batch_bytes)
        if read:
            whole_records(batch, header)
        # One comparison for nearly all batches: the policy has said until when it asks nothing.
        if header.max_timestamp > self.undisputed_until or header.attributes & _APPEND_TIME:
            batch, header = self._by_policy(batch, header)
        if header.producer_id >= 0:
            return self._append_of_producer(batch, header, begin)
        base_offset = self.high_watermark
        self._store(base_offset, place(batch, base_offset, self.leader_epoch), header)
        return Appended(base_offset, header.record_count, False, self._append_time(header))

    def configure(self, policy: Policy) -> None:
        """What batches must be from now on; who relied on how they were taken asks anew."""
        self.policy = policy
        self.undisputed_until = policy.undisputed_until
        self.terms = object()

    @property
    def stamps(self) -> bool:
        """Whether records get the broker's time."""
        return self.policy is not None and self.policy.append_time

    def delete(self) -> None:
        """It is no more: who waits for it is answered."""
        self.deleted = True
        self.terms = object()

    def _by_policy(self, batch: Buffer, header: BatchHeader) -> tuple[Buffer, BatchHeader]:
        policy = self.policy
        if policy is None:
            return batch, header
        self.undisputed_until = policy.undisputed_until
        if header.max_timestamp <= self.undisputed_until and not header.has_log_append_time:
            return batch, header
        batch = policy.apply(self.topic, self.partition, batch, header)
        if len(batch) > self.max_batch_bytes:
            raise too_large(len(batch), self.max_batch_bytes)
        return batch, read_batch_header(batch)

    @staticmethod
    def _append_time(header: BatchHeader) -> int:
        return header.max_timestamp if header.attributes & _APPEND_TIME else -1

    def _append_of_producer(
        self, batch: Buffer, header: BatchHeader, begin: Begin | None
    ) -> Appended:
        """The same for an idempotent or transactional producer (KIP-98)."""
        transactional = header.attributes & _TRANSACTIONAL
        if transactional or self.transactions.open:
            self._check_transaction(header, begin)
        producers = self.producers
        known = producers.duplicate_of(header)
        # A retry whose answer was lost: the offsets that it got then, and nothing new.
        if known is not None:
            return Appended(known, header.record_count, True)
        base_offset = self.high_watermark
        if transactional:
            # Before it is stored: who waits for it must not take it for stable.
            self.transactions.open.setdefault(header.producer_id, base_offset)
        self._store(base_offset, place(batch, base_offset, self.leader_epoch), header)
        producers.appended(header, base_offset)
        return Appended(base_offset, header.record_count, False, self._append_time(header))

    def _check_transaction(self, header: BatchHeader, begin: Begin | None) -> None:
        is_open = header.producer_id in self.transactions.open
        if header.attributes & _TRANSACTIONAL:
            if begin is None:
                raise RequestRefused(
                    ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
                    "a transactional batch came without a transactional id",
                )
            if not is_open:
                begin(self, header)
        elif is_open:
            raise RequestRefused(
                ErrorCode.INVALID_TXN_STATE,
                f"producer {header.producer_id} has a transaction open in {self.topic}/"
                f"{self.partition}, and sent a batch outside of it",
            )

    def append_marker(self, marker: Marker, timestamp: int) -> int:
        """End a producer's transaction in this partition; returns the marker's offset.

        Raises RequestRefused for a marker that comes too late.
        """
        self.producers.check_marker(marker)
        batch = build_marker(
            marker.producer_id,
            marker.producer_epoch,
            committed=marker.committed,
            coordinator_epoch=marker.coordinator_epoch,
            timestamp=timestamp,
        )
        offset = self.high_watermark
        self.producers.marked(marker, timestamp)
        header = read_batch_header(batch)
        self._keep(offset, place(batch, offset, self.leader_epoch), header)
        self.transactions.end(marker.producer_id, offset, committed=marker.committed)
        if self.watchlist:
            self.watchlist.notify(len(batch))
        return offset

    def _store(self, base_offset: int, batch: bytes, header: BatchHeader) -> None:
        self._keep(base_offset, batch, header)
        size = len(batch)
        self.records_in += header.record_count
        self.bytes_in += size
        if self.watchlist:
            self.watchlist.notify(size)

    def _keep(self, base_offset: int, batch: bytes, header: BatchHeader) -> None:
        segments = self.segments
        if not segments or segments[-1].cost >= self.segment_bytes:
            segments.append(Segment())
            self._bases.append(base_offset)
        segments[-1].add(base_offset, batch, header.max_timestamp)
        self.high_watermark = base_offset + header.last_offset_delta + 1
        self.cost += len(batch) + BATCH_OVERHEAD

    # What outlives a restart.

    def dump(self) -> KeptLog:
        return KeptLog(
            self.log_start_offset,
            self.high_watermark,
            self.leader_epoch,
            [batch for segment in self.segments for batch in segment.batches],
            self.producers.dump(),
            dict(self.transactions.open),
            list(self.transactions.aborted),
            self.number,
            self.compacted_to,
        )

    @property
    def number(self) -> int:
        """Of its log on disk; 0 where nothing is kept there."""
        return 0

    def restore(self, kept: KeptLog) -> None:
        """Take up what `dump` gave; the log must be empty."""
        self.leader_epoch = kept.leader_epoch
        self.log_start_offset = self.high_watermark = kept.log_start_offset
        for batch in kept.batches:
            header = read_batch_header(batch)
            self.epochs.begin(header.partition_leader_epoch, header.base_offset)
            gap = max(0, header.base_offset - self.high_watermark)
            self._keep(header.base_offset, batch, header)
            gap += header.last_offset_delta + 1 - header.record_count
            self.segments[-1].removed += gap
        self.compacted_to = kept.compacted_to
        self.high_watermark = kept.high_watermark
        self.epochs.begin(kept.leader_epoch, kept.high_watermark)
        self.producers.restore(kept.producers)
        self.transactions.restore(kept.open_transactions, kept.aborted)

    def check_offset(self, offset: int) -> None:
        """Raises RequestRefused where there is nothing to fetch and never will be."""
        if not self.log_start_offset <= offset <= self.high_watermark:
            raise RequestRefused(
                ErrorCode.OFFSET_OUT_OF_RANGE,
                f"{self.topic}/{self.partition} has offsets {self.log_start_offset} to"
                f" {self.high_watermark}, not {offset}",
            )

    def read(
        self, offset: int, max_bytes: int, *, at_least_one: bool = True, end: int = UNBOUNDED
    ) -> Span:
        """Whole batches from the one that holds `offset` on, up to `max_bytes`.

        The first one may be larger when `at_least_one` is asked for (KIP-74). `end` is the last
        stable offset, or the like: where a batch begins.
        """
        if offset >= self.high_watermark or offset >= end or not self.segments:
            return Span([], 0, offset)
        at = max(0, bisect_right(self._bases, offset) - 1)
        first = max(0, bisect_right(self.segments[at].offsets, offset) - 1)
        if offset < self.compacted_to:
            at, first = self._over_gap(offset, at, first)
        found: list[bytes] = []
        size = 0
        for number in range(at, len(self.segments)):
            segment = self.segments[number]
            # `ends` are sums of sizes: one search finds how many batches fit into what is left.
            before = segment.ends[first - 1] if first else 0
            last = bisect_right(segment.ends, before + max_bytes - size)
            if last <= first and not found and at_least_one:
                last = first + 1
            if end < self.high_watermark:
                last = min(last, bisect_left(segment.offsets, end))
            if last > first:
                found += segment.batches[first:last]
                size += segment.ends[last - 1] - before
            if last < len(segment.batches):
                next_offset = segment.offsets[max(first, last)]
                return Span(found, size, next_offset if found else offset)
            first = 0
        return Span(found, size, self.high_watermark)

    def _over_gap(self, offset: int, at: int, first: int) -> tuple[int, int]:
        """The next batch after this one, where this one ends before the offset."""
        segment = self.segments[at]
        if read_batch_header(segment.batches[first]).last_offset >= offset:
            return at, first
        if first + 1 < len(segment.batches):
            return at, first + 1
        return at + 1, 0

    def bytes_from(self, offset: int, enough: int) -> int:
        """How many bytes a fetch from `offset` would find, counted no further than `enough`."""
        return self.read(offset, enough).size if offset < self.high_watermark else 0

    def truncate_before(self, offset: int) -> int:
        """Records below `offset` are no more; returns how many left. Whole segments go at once."""
        offset = min(max(offset, self.log_start_offset), self.high_watermark)
        left = offset - self.log_start_offset
        self.log_start_offset = offset
        self.transactions.truncate_before(offset)
        while self.segments and self._end_of_first() <= offset:
            self._drop_first()
        return left

    @property
    def records(self) -> int:
        """How many it holds, markers among them."""
        removed = sum(segment.removed for segment in self.segments) if self.compacted_to else 0
        return max(0, self.high_watermark - self.log_start_offset - removed)

    def replace_segment(self, segment: Segment, other: Segment) -> bool:
        """Put what was compacted in its place; False when it left the log meanwhile."""
        if segment not in self.segments:
            return False
        at = self.segments.index(segment)
        self.cost += other.cost - segment.cost
        if other.batches:
            self.segments[at] = other
        else:
            del self.segments[at], self._bases[at]
        return True

    def compacted(self, end: int) -> None:
        """What lies below `end` was compacted."""
        self.compacted_to = max(self.compacted_to, end)

    def drop_oldest_segment(self) -> int:
        """Make room; returns how many records left: none when only one batch stands."""
        if not self.segments:
            return 0
        if len(self.segments) == 1:
            self._halve()
        if len(self.segments) < 2:
            return 0
        return self.truncate_before(self._end_of_first())

    def _halve(self) -> None:
        """Make two segments of the only one, so that the older half can leave."""
        only = self.segments[0]
        middle = len(only.batches) // 2
        if not middle:
            return
        halves = Segment(), Segment()
        for at, (offset, batch) in enumerate(zip(only.offsets, only.batches, strict=True)):
            newest = read_batch_header(batch).max_timestamp
            halves[at >= middle].add(offset, batch, newest)
        halves[0].removed = only.removed
        self.segments = list(halves)
        self._bases = [half.offsets[0] for half in halves]

    def drop_older_than(self, timestamp: int) -> int:
        """Retention by time: segments whose newest record is older than `timestamp` (ms) leave."""
        left = 0
        while self.segments and self.segments[0].max_timestamp < timestamp:
            left += self.truncate_before(self._end_of_first())
        return left

    def _end_of_first(self) -> int:
        return self._bases[1] if len(self._bases) > 1 else self.high_watermark

    def _drop_first(self) -> None:
        segment = self.segments.pop(0)
        self._bases.pop(0)
        self.cost -= segment.cost

    # Offsets by time and by epoch.

    def offset_at(self, timestamp: int) -> TimedOffset:
        """The first record with this timestamp (ms) or a later one."""
        for segment in self.segments:
            if segment.max_timestamp < timestamp:
                continue
            for batch in segment.batches:
                if read_batch_header(batch).max_timestamp < timestamp:
                    continue
                for record in read_records(batch):
                    if record.timestamp >= timestamp and record.offset >= self.log_start_offset:
                        return TimedOffset(record.offset, record.timestamp, self.leader_epoch)
        return NOWHERE

    def offset_of_max_timestamp(self) -> TimedOffset:
        """The record with the greatest timestamp (KIP-734), the first one of equals."""
        newest = max((segment.max_timestamp for segment in self.segments), default=-1)
        return self.offset_at(newest) if newest >= 0 else NOWHERE

    def end_of_epoch(self, leader_epoch: int) -> tuple[int, int]:
        """(epoch, end offset) of the greatest epoch up to `leader_epoch` (KIP-320), or (-1, -1)."""
        if leader_epoch < 0 or leader_epoch > self.leader_epoch:
            return -1, -1
        return self.epochs.end_of(leader_epoch, self.high_watermark)

    def begin_epoch(self) -> None:
        """Another leader, or the same one elected anew; who waits for it is answered."""
        self.leader_epoch += 1
        self.epochs.begin(self.leader_epoch, self.high_watermark)
        self.terms = object()
        self.watchlist.notify(-1)

    # For people.

    def batches(self, first_offset: int, last_offset: int) -> Iterator[bytes]:
        """The batches that hold the records from `first_offset` up to `last_offset`."""
        at = max(0, bisect_right(self._bases, first_offset) - 1)
        for segment in self.segments[at:]:
            start = max(0, bisect_right(segment.offsets, first_offset) - 1)
            stop = bisect_left(segment.offsets, last_offset + 1)
            yield from segment.batches[start:stop]
