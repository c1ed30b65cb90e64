"""One partition's log: what a batch must be to be taken, and who produced what is in it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from msgspec import Struct

from ....errors import ProtocolError, RequestRefused
from ...codes import Compression, ErrorCode
from ...records import (
    HEADER_SIZE,
    LARGE,
    LENGTH_COUNTS_FROM,
    BatchHeader,
    Record,
    build_marker,
    crc_of_large,
    place,
    place_whole,
    read_batch_header,
    read_records,
    unpack_header,
)
from ...scattered import CRC_FROM, Buffer, crc32c
from ..purgatory import Watchlist
from .admission import admit, first_batch, look_through, too_large
from .epochs import LeaderEpochs
from .policy import Policy
from .producers import KeptProducer, Producer, ProducerTable
from .segment import Segment
from .segments import UNBOUNDED, Segments, segment_size
from .transactions import AbortedTransaction, LogTransactions, Marker

_MAGIC: Final = 2
_APPEND_TIME: Final = 0x08
_TRANSACTIONAL: Final = 0x10


class Appended(NamedTuple):
    """Where a batch came to lie; a `duplicate` had been appended before (KIP-98)."""

    base_offset: int
    records: int
    duplicate: bool
    append_time: int = -1
    """The broker's time (ms), where that is what the records have."""


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


class PartitionLog(Segments):
    """Takes batches, and knows the producers and transactions in them.

    `max_bytes` bounds its cost in memory, segment by segment; the newest batch always stays.
    """

    __slots__ = (
        "bytes_in",
        "bytes_out",
        "deleted",
        "epochs",
        "leader_epoch",
        "max_batch_bytes",
        "max_bytes",
        "partition",
        "policy",
        "producers",
        "records_in",
        "records_out",
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
        super().__init__(segment_size(max_bytes))
        self.topic = topic
        self.partition = partition
        self.max_bytes = max_bytes
        self.max_batch_bytes = max_batch_bytes
        self.leader_epoch = 0
        self.epochs = LeaderEpochs()
        self.deleted = False
        self.policy: Policy | None = None
        self.undisputed_until = UNBOUNDED
        """Batches with timestamps up to this one (ms) are not looked at by the policy."""
        self.terms = object()
        """Another one as soon as it is configured otherwise or is deleted."""
        self.transactions = LogTransactions()
        self.producers = ProducerTable(self.transactions.is_open)
        self.watchlist = Watchlist()
        self.records_in = 0
        self.records_out = 0
        self.bytes_in = 0
        self.bytes_out = 0

    @property
    def last_stable_offset(self) -> int:
        """Where a read_committed consumer's part ends."""
        transactions = self.transactions
        # Each look of each fetch asks, and nearly always nothing is open.
        if not transactions.open:
            return self.high_watermark
        return max(next(iter(transactions.open.values())), self.log_start_offset)

    def append(self, batch: Buffer, begin: Begin | None = None, *, look_at: int = 0) -> Appended:
        """Check a batch, give it its offsets and keep it. Raises RequestRefused.

        `begin` is asked whether a transaction may begin here with this batch, and raises if not.
        `look_at`: at so many of its records, too, which costs as much as all the rest.
        """
        batch = first_batch(batch)
        header = admit(batch, self.max_batch_bytes)
        if look_at:
            look_through(bytes(batch), header, look_at)
        # One comparison for nearly all batches: the policy has said until when it asks nothing.
        if header.max_timestamp > self.undisputed_until or header.attributes & _APPEND_TIME:
            batch, header = self._by_policy(batch, header)
        if header.producer_id >= 0:
            return self._append_of_producer(batch, header, begin)
        base_offset = self.high_watermark
        self._store(base_offset, place(batch, base_offset, self.leader_epoch), header)
        append_time = header.max_timestamp if header.attributes & _APPEND_TIME else -1
        return Appended(base_offset, header.record_count, False, append_time)

    def append_plain(self, batch: Buffer, begin: Begin | None = None) -> int:
        """Append a batch about which there is nothing to say: its base offset, or -1 for any other.

        That is one whose header, size and CRC fit, that no policy looks at, and that is the next of
        its producer where it has one, in a transaction that is open here or in none. Of any other
        nothing was done: `append` does it, or refuses it and says why.
        """
        size = len(batch)
        if not HEADER_SIZE <= size <= self.max_batch_bytes:
            return -1
        head = batch if isinstance(batch, bytes) else batch.header
        # In one go, without a header in between: this runs for each record of whoever sends single
        # ones, and half of what `append` takes is calls.
        (first, length, _, magic, crc, attributes, delta, _, newest,
         producer_id, epoch, sequence, count) = unpack_header(head)  # fmt: skip
        if (
            magic != _MAGIC
            or first
            or not 0 <= attributes & ~_TRANSACTIONAL <= Compression.ZSTD
            or not 0 <= delta == count - 1
            or length + LENGTH_COUNTS_FROM != size
            or newest > self.undisputed_until
        ):
            return -1
        producer: Producer | None = None
        transactional = attributes >= _TRANSACTIONAL
        if producer_id >= 0:
            producer = self.producers.whose_next(producer_id, epoch, sequence)
            if (
                producer is None
                or transactional != (producer_id in self.transactions.open)
                or (transactional and begin is None)
            ):
                return -1
        elif transactional:
            return -1
        small = head is batch and size < LARGE
        if (crc32c(head[CRC_FROM:]) if small else crc_of_large(batch)) != crc:
            return -1
        base_offset = self.high_watermark
        if small:
            placed: Buffer = place_whole(head, base_offset, self.leader_epoch)
        else:
            placed = place(batch, base_offset, self.leader_epoch)
        self._keep(base_offset, placed, delta, newest)
        if producer is not None:
            self.producers.went_on(producer_id, producer, (sequence, delta, newest, base_offset))
        self.records_in += count
        self.bytes_in += size
        if self.watchlist.waiting:
            self.watchlist.notify(size)
        return base_offset

    def configure(self, policy: Policy) -> None:
        """What batches must be from now on; who relied on how they were taken asks anew."""
        self.policy = policy
        self.undisputed_until = policy.undisputed_until
        self.terms = object()

    @property
    def stamps(self) -> bool:
        """Whether records get the broker's time."""
        return self.policy is not None and self.policy.append_time

    def delete(self) -> list[Segment]:
        """It is no more: who waits for it is answered, and who knows it keeps no records.

        Returns what it had.
        """
        self.deleted = True
        segments, self.segments, self._bases = self.segments, [], []
        self.terms = object()
        return segments

    def _by_policy(self, batch: Buffer, header: BatchHeader) -> tuple[Buffer, BatchHeader]:
        policy = self.policy
        if policy is None:
            return batch, header
        self.undisputed_until = policy.undisputed_until
        if header.max_timestamp <= self.undisputed_until and not header.has_log_append_time:
            return batch, header
        applied = policy.apply(self.topic, self.partition, bytes(batch), header)
        if len(applied) > self.max_batch_bytes:
            raise too_large(len(applied), self.max_batch_bytes)
        return applied, read_batch_header(applied)

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
        append_time = header.max_timestamp if header.attributes & _APPEND_TIME else -1
        return Appended(base_offset, header.record_count, False, append_time)

    def _check_transaction(self, header: BatchHeader, begin: Begin | None) -> None:
        is_open = header.producer_id in self.transactions.open
        if header.attributes & _TRANSACTIONAL:
            if begin is None:
                raise RequestRefused(
                    ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
                    "a transactional batch came without a transactional id",
                )
            # What another epoch opened is not its own to go on with: the coordinator knows.
            if not is_open or self.producers.epoch_of(header.producer_id) != header.producer_epoch:
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
        offset = self.high_watermark
        batch = build_marker(
            marker.producer_id,
            marker.producer_epoch,
            committed=marker.committed,
            coordinator_epoch=marker.coordinator_epoch,
            timestamp=timestamp,
            base_offset=offset,
            partition_leader_epoch=self.leader_epoch,
        )
        self._keep(offset, batch, 0, timestamp)
        self.transactions.end(marker.producer_id, offset, committed=marker.committed)
        self.producers.marked(marker, timestamp)
        if self.watchlist.waiting:
            self.watchlist.notify(len(batch))
        return offset

    def _store(self, base_offset: int, batch: Buffer, header: BatchHeader) -> None:
        self._keep(base_offset, batch, header.last_offset_delta, header.max_timestamp)
        size = len(batch)
        self.records_in += header.record_count
        self.bytes_in += size
        if self.watchlist.waiting:
            self.watchlist.notify(size)

    def truncate_before(self, offset: int) -> int:
        left = super().truncate_before(offset)
        self.transactions.truncate_before(self.log_start_offset)
        self.epochs.truncate_before(self.log_start_offset)
        return left

    def check_offset(self, offset: int) -> None:
        """Raises RequestRefused where there is nothing to fetch and never will be."""
        if not self.log_start_offset <= offset <= self.high_watermark:
            raise RequestRefused(
                ErrorCode.OFFSET_OUT_OF_RANGE,
                f"{self.topic}/{self.partition} has offsets {self.log_start_offset} to"
                f" {self.high_watermark}, not {offset}",
            )

    # What outlives a restart.

    def dump(self) -> KeptLog:
        return KeptLog(
            self.log_start_offset,
            self.high_watermark,
            self.leader_epoch,
            [batch for segment in self.segments for batch in segment.whole()],
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
            if gap:
                self.gaps_below = header.base_offset
            self._keep(header.base_offset, batch, header.last_offset_delta, header.max_timestamp)
            gap += header.last_offset_delta + 1 - header.record_count
            self.segments[-1].removed += gap
        self.compacted_to = kept.compacted_to
        self.gaps_below = max(self.gaps_below, kept.compacted_to)
        self.high_watermark = kept.high_watermark
        self.epochs.begin(kept.leader_epoch, kept.high_watermark)
        self.epochs.truncate_before(kept.log_start_offset)
        self.producers.restore(kept.producers)
        self.transactions.restore(kept.open_transactions, kept.aborted)

    # Offsets by time and by epoch.

    def offset_at(self, timestamp: int) -> TimedOffset:
        """The first record with this timestamp (ms) or a later one.

        Raises RequestRefused where a batch that may hold it cannot be decoded.
        """
        for segment in self.segments:
            if segment.max_timestamp < timestamp:
                continue
            for batch in segment.whole():
                header = read_batch_header(batch)
                if header.max_timestamp < timestamp:
                    continue
                try:
                    found = self._first_at(batch, timestamp)
                except ProtocolError as error:
                    # It was somebody else who wrote it: this client has done nothing wrong.
                    raise RequestRefused(
                        ErrorCode.UNKNOWN_SERVER_ERROR,
                        f"{self.topic}/{self.partition}: the batch at offset {header.base_offset}"
                        f" cannot be decoded: {error.text}",
                    ) from None
                if found is not None:
                    epoch = header.partition_leader_epoch
                    return TimedOffset(found.offset, found.timestamp, epoch)
        return NOWHERE

    def _first_at(self, batch: bytes, timestamp: int) -> Record | None:
        for record in read_records(batch):
            if record.timestamp >= timestamp and record.offset >= self.log_start_offset:
                return record
        return None

    def offset_of_max_timestamp(self) -> TimedOffset:
        """The record with the greatest timestamp (KIP-734), the first one of equals."""
        newest = max((segment.max_timestamp for segment in self.segments), default=-1)
        return self.offset_at(newest) if newest >= 0 else NOWHERE

    def end_of_epoch(self, leader_epoch: int) -> tuple[int, int]:
        """(epoch, end offset) of the greatest epoch up to `leader_epoch` (KIP-320), or (-1, -1).

        As in Kafka: -1 is no epoch, and what is below that is one before the first.
        """
        if leader_epoch == -1 or leader_epoch > self.leader_epoch:
            return -1, -1
        return self.epochs.end_of(leader_epoch, self.high_watermark)

    @property
    def first_epoch(self) -> int:
        """The leader epoch in which the log's first offset was written, or is to be."""
        return self.epochs.first

    def begin_epoch(self) -> None:
        """Another leader, or the same one elected anew; who waits for it is answered."""
        self.leader_epoch += 1
        self.epochs.begin(self.leader_epoch, self.high_watermark)
        self.terms = object()
        self.watchlist.notify(-1)
