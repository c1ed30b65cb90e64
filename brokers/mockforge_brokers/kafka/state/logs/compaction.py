"""One compaction of one log: of each key the newest record stays (Kafka's log cleaner).

What stays keeps its offset, its time and its batch, so that offsets have gaps afterwards. Records
of aborted transactions leave, and markers when none of their transaction's batches is left. A
tombstone stays until `delete_horizon`: the time of the compaction that first met it, and
`delete.retention.ms` (KIP-534). The last batch of each producer, and of the log, stays without
records: there the producer's next sequence and a consumer's next offset are read off. A batch that
cannot be decoded stays as it is: it came while the topic was not compacted, and nobody looked.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from ....errors import ProtocolError
from ....fairness import Stepped, Steps
from ...records import (
    BatchHeader,
    Record,
    read_batch_header,
    read_records,
    rebuilt_by_steps,
)
from .segment import Segment

if TYPE_CHECKING:
    from .log import PartitionLog

_BATCHES: Final = 32
"""Batches of a segment that are looked at in one step, where each has few records."""
_RECORDS: Final = 128
"""Records of a batch that are."""


class Compaction:
    """Of the batches below `end`; times are ms. `removed` is how many records left so far.

    `unreadable` counts batches that cannot be decoded.
    """

    def __init__(self, log: PartitionLog, end: int, now: int, delete_retention: int) -> None:
        self._log = log
        self._end = end
        self._now = now
        self._horizon = now + delete_retention
        self._newest: dict[bytes, int] = {}
        self._aborted: dict[int, list[tuple[int, int]]] = {}
        """By producer: first offset and marker of each transaction, ascending."""
        self._markers_gone: set[int] = set()
        """Offsets of markers that leave with the segment in hand."""
        self._seen: set[int] = set()
        """Producers of whose present transaction a batch was met."""
        self._last = {
            one.producer_id: one.batches[-1][2] for one in log.producers.dump() if one.batches
        }
        self.removed = 0
        self.unreadable = 0

    def steps(self) -> Steps:
        """Each has little to do, but a segment is replaced in one; one that leaves is let go."""
        for one in self._log.transactions.aborted:
            span = (one.first_offset, one.last_offset)
            self._aborted.setdefault(one.producer_id, []).append(span)
        segments = [one for one in self._log.segments if one.offsets[0] < self._end]
        for segment in segments:
            yield from self._note_newest(segment)
            yield
        for segment in segments:
            self._markers_gone.clear()
            compacted = yield from self._compacted(segment)
            if self._log.replace_segment(segment, compacted):
                self.removed += compacted.removed - segment.removed
                # In the same turn: no fetch may be told of an abort whose marker is gone.
                if self._markers_gone:
                    self._log.transactions.forget_aborted(self._markers_gone)
            yield
        self._log.compacted(self._end)

    def _note_newest(self, segment: Segment) -> Steps:
        for number, (offset, batch) in enumerate(_batches(segment), 1):
            if offset >= self._end:
                break
            if not number % _BATCHES:
                yield
            header = read_batch_header(batch)
            # A marker's key is no record's, and what was aborted must not displace anything.
            if header.is_control or self._is_aborted(header):
                continue
            for record in (yield from _decoded(batch)) or ():
                if record.key is not None:
                    self._newest[record.key] = record.offset

    def _is_aborted(self, header: BatchHeader) -> bool:
        spans = self._aborted.get(header.producer_id) if header.is_transactional else None
        if spans is None:
            return False
        # A producer's transactions follow each other: only the last one that began can hold it.
        at = bisect_right(spans, header.base_offset, key=lambda span: span[0])
        return at > 0 and header.base_offset < spans[at - 1][1]

    def _compacted(self, segment: Segment) -> Stepped[Segment]:
        made = Segment()
        made.removed = segment.removed
        # Batches of before the end only, but what comes into the segment meanwhile is kept too.
        for number, (offset, batch) in enumerate(_batches(segment), 1):
            if not number % _BATCHES:
                yield
            header = read_batch_header(batch)
            kept: bytes | None = batch
            if offset < self._end:
                records = yield from _decoded(batch)
                if records is None:
                    self.unreadable += 1
                else:
                    kept = yield from self._kept(batch, header, records)
                now = read_batch_header(kept).record_count if kept is not None else 0
                made.removed += header.record_count - now
            if kept is not None:
                made.add(offset, kept, read_batch_header(kept).max_timestamp)
        return made

    def _kept(
        self, batch: bytes, header: BatchHeader, records: list[Record]
    ) -> Stepped[bytes | None]:
        """What is left of a batch; None: nothing."""
        producer_id = header.producer_id
        may_leave = self._is_aborted(header)
        if header.is_control:
            # A marker ends its producer's transaction: is a batch of it left in front of it, the
            # marker is still what tells consumers whether to believe that batch.
            may_leave = producer_id not in self._seen
            self._seen.discard(producer_id)
        elif header.is_transactional:
            self._seen.add(producer_id)
        past = header.delete_horizon is not None and self._now >= header.delete_horizon
        if header.is_control:
            left = [] if may_leave and past else records
        else:
            left = [] if may_leave else list(self._newest_of(records, past=past))
        if header.is_control and not left:
            self._markers_gone.add(header.base_offset)
        if not left and not self._stays_empty(header):
            return None
        # The first compaction that meets a tombstone or a needless marker only writes down until
        # when slow consumers shall still see it; a later one takes it out.
        horizon = header.delete_horizon
        if horizon is None and any(one.value is None for one in left):
            horizon = self._horizon
        if horizon is None and header.is_control and may_leave:
            horizon = self._horizon
        if horizon == header.delete_horizon and len(left) == header.record_count:
            return batch
        return (yield from rebuilt_by_steps(header, left, horizon if left else None))

    def _newest_of(self, records: list[Record], *, past: bool) -> Iterator[Record]:
        for record in records:
            # Without a key there is nothing to keep it by: Kafka's cleaner drops it as well.
            if record.key is None or record.offset < self._newest.get(record.key, -1):
                continue
            if record.value is not None or not past:
                yield record

    def _stays_empty(self, header: BatchHeader) -> bool:
        if header.last_offset + 1 == self._log.high_watermark:
            return True
        return (
            not header.is_control
            and header.producer_id >= 0
            and self._last.get(header.producer_id) == header.base_offset
        )


def _batches(segment: Segment) -> Iterator[tuple[int, bytes]]:
    """With their offsets, also those that come while it is walked."""
    at = 0
    while at < len(segment.offsets):
        (batch,) = segment.whole(at, at + 1)
        yield segment.offsets[at], batch
        at += 1


def _decoded(batch: bytes) -> Stepped[list[Record] | None]:
    """None: it cannot be."""
    found = []
    try:
        for record in read_records(batch):
            found.append(record)
            if not len(found) % _RECORDS:
                yield
    except ProtocolError:
        return None
    return found
