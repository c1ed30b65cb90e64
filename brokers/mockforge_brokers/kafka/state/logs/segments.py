"""A log's batches as opaque bytes, in segments, bounded from the front."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from typing import Final, NamedTuple

from ...records import read_batch_header
from ...scattered import Buffer
from .segment import BATCH_OVERHEAD, Segment

UNBOUNDED: Final = 2**63 - 1
"""As `max_bytes`: `retention.bytes` is -1."""

_LARGEST_SEGMENT: Final = 1024 * 1024


class Span(NamedTuple):
    """What one read found: whole batches, and the offset after the last of their records."""

    batches: list[Buffer]
    size: int
    next_offset: int


def segment_size(bound: int) -> int:
    """How many bytes of a log leave at once, when all that may be kept are `bound`."""
    return min(_LARGEST_SEGMENT, bound // 4)


class Segments:
    """Batches in offset order. With one broker the high watermark is always the log's end."""

    __slots__ = (
        "_bases",
        "compacted_to",
        "cost",
        "gaps_below",
        "high_watermark",
        "log_start_offset",
        "segment_bytes",
        "segments",
    )

    def __init__(self, segment_bytes: int) -> None:
        self.segment_bytes = segment_bytes
        self.log_start_offset = 0
        self.high_watermark = 0
        self.compacted_to = 0
        """Below this offset a compaction was."""
        self.gaps_below = 0
        """Below this offset there may be gaps: by compaction, or by batches that a disk lost."""
        self.cost = 0
        self.segments: list[Segment] = []
        self._bases: list[int] = []

    @property
    def size(self) -> int:
        """Bytes of its batches."""
        return sum(segment.size for segment in self.segments)

    def _keep(
        self, base_offset: int, batch: Buffer, last_offset_delta: int, max_timestamp: int
    ) -> None:
        segments = self.segments
        if not segments or segments[-1].cost >= self.segment_bytes:
            segments.append(Segment())
            self._bases.append(base_offset)
        segments[-1].add(base_offset, batch, max_timestamp)
        self.high_watermark = base_offset + last_offset_delta + 1
        self.cost += len(batch) + BATCH_OVERHEAD

    def read(
        self, offset: int, max_bytes: int, *, at_least_one: bool = True, end: int = UNBOUNDED
    ) -> Span:
        """Whole batches from the one that holds `offset` on, up to `max_bytes`.

        The first one may be larger when `at_least_one` is asked for (KIP-74). `end` is the last
        stable offset, or the like: where a batch begins.
        """
        if offset >= self.high_watermark or offset >= end or not self.segments:
            return Span([], 0, offset)
        # Two searches: for the segment, then for the batch in it that holds the offset.
        at = max(0, bisect_right(self._bases, offset) - 1)
        first = max(0, bisect_right(self.segments[at].offsets, offset) - 1)
        if offset < self.gaps_below:
            at, first = self._over_gap(offset, at, first)
        found: list[Buffer] = []
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
        (batch,) = segment.whole(first, first + 1)
        if read_batch_header(batch).last_offset >= offset:
            return at, first
        # Records are gone from the end of this batch, or whole batches behind it.
        if first + 1 < len(segment.batches):
            return at, first + 1
        return at + 1, 0

    def truncate_before(self, offset: int) -> int:
        """Records below `offset` are no more; returns how many left. Whole segments go at once."""
        offset = min(max(offset, self.log_start_offset), self.high_watermark)
        left = offset - self.log_start_offset
        self.log_start_offset = offset
        while self.segments and self._end_of_first() <= offset:
            self._drop_first()
        return left

    @property
    def records(self) -> int:
        """How many it holds, markers among them."""
        removed = sum(segment.removed for segment in self.segments) if self.gaps_below else 0
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
            if at < len(self.segments):
                # The gap stands in front of the next one now, and leaves the log with it.
                self.segments[at].removed += other.removed
        return True

    def compacted(self, end: int) -> None:
        """What lies below `end` was compacted."""
        self.compacted_to = max(self.compacted_to, end)
        self.gaps_below = max(self.gaps_below, end)

    @property
    def can_shrink(self) -> bool:
        """Whether `drop_oldest_segment` has something to drop: the newest batch stays."""
        return len(self.segments) > 1 or (bool(self.segments) and len(self.segments[0].batches) > 1)

    def drop_oldest_segment(self) -> int:
        """Make room; returns how many records left: none when only one batch stands."""
        if not self.segments:
            return 0
        if len(self.segments) == 1:
            # One segment is all there is: to let it go would leave nothing to read.
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
        for at, (offset, batch) in enumerate(zip(only.offsets, only.whole(), strict=True)):
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

    def batches(self, first_offset: int, last_offset: int) -> Iterator[bytes]:
        """The batches that hold the records from `first_offset` up to `last_offset`."""
        for run in self.runs(first_offset, last_offset):
            yield from run

    def runs(self, first_offset: int, last_offset: int) -> Iterator[list[bytes]]:
        """The same, those of one segment together."""
        at = max(0, bisect_right(self._bases, first_offset) - 1)
        for segment in self.segments[at:]:
            start = max(0, bisect_right(segment.offsets, first_offset) - 1)
            stop = bisect_left(segment.offsets, last_offset + 1)
            yield segment.whole(start, stop)
