"""Idempotent producers: who produced what last, in each partition (KIP-98)."""

from collections import deque
from collections.abc import Callable, Container, Iterable
from typing import Final

from msgspec import Struct

from ....errors import RequestRefused
from ...codes import ErrorCode
from ...records import BatchHeader
from .transactions import Marker

_SEQUENCE_MAX: Final = 2**31 - 1
_NO_SEQUENCE: Final = -1
_NO_COORDINATOR: Final = -1

REMEMBERED_BATCHES: Final = 5
"""As many as Kafka keeps: a producer may have five requests in flight."""


class ProducerFencedError(RequestRefused):
    """The producer's epoch is older than the one that is known."""

    def __init__(self, of: BatchHeader | Marker, current_epoch: int) -> None:
        super().__init__(
            ErrorCode.INVALID_PRODUCER_EPOCH,
            f"producer {of.producer_id} has epoch {of.producer_epoch},"
            f" but epoch {current_epoch} is known",
        )
        self.producer_id = of.producer_id
        self.producer_epoch = of.producer_epoch
        self.current_epoch = current_epoch


class Producer:
    """The last batches of one producer in one partition."""

    __slots__ = ("batches", "coordinator_epoch", "epoch", "last_sequence", "last_timestamp")

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch
        self.coordinator_epoch = _NO_COORDINATOR
        self.last_sequence = _NO_SEQUENCE
        self.last_timestamp = -1
        self.batches: deque[tuple[int, int, int]] = deque(maxlen=REMEMBERED_BATCHES)
        """(first sequence, last sequence, base offset)"""

    def add(self, first: int, last_delta: int, newest: int, base_offset: int) -> None:
        """A batch that begins with the sequence `first`, with its newest timestamp."""
        last = first + last_delta
        if last > _SEQUENCE_MAX:
            last = sequence_after(first, last_delta)
        self.last_sequence = last
        self.last_timestamp = newest
        self.batches.append((first, last, base_offset))


class KeptProducer(Struct):
    """A producer as a restart keeps it: `batches` as in `Producer`."""

    producer_id: int
    epoch: int
    last_sequence: int
    last_timestamp: int
    batches: list[tuple[int, int, int]]
    coordinator_epoch: int = _NO_COORDINATOR


class ProducerTable:
    """The producers of one partition; the longest silent ones are forgotten past `limit`.

    Those in an open transaction (`is_busy`) are not: its next batch goes on where it was.
    """

    __slots__ = ("_idle", "_is_busy", "_limit", "_newest", "_producers")

    def __init__(self, is_busy: Callable[[int], bool], limit: int = 1000) -> None:
        self._is_busy = is_busy
        self._limit = limit
        self._producers: dict[int, Producer] = {}
        self._idle: dict[int, None] = {}
        """Whom to ask about first when one is to be forgotten, the longest silent one first.

        A busy one that was met leaves, and its next batch or marker puts it at the end again.
        """
        self._newest = -1
        """The producer id that stands last in them."""

    def __len__(self) -> int:
        return len(self._producers)

    def dump(self) -> list[KeptProducer]:
        """The longest silent one first."""
        return [
            KeptProducer(
                producer_id,
                one.epoch,
                one.last_sequence,
                one.last_timestamp,
                list(one.batches),
                one.coordinator_epoch,
            )
            for producer_id, one in self._producers.items()
        ]

    def restore(self, kept: Iterable[KeptProducer]) -> None:
        for one in kept:
            producer = self._producers[one.producer_id] = Producer(one.epoch)
            self._idle[one.producer_id] = None
            producer.last_sequence = one.last_sequence
            producer.last_timestamp = one.last_timestamp
            producer.coordinator_epoch = one.coordinator_epoch
            producer.batches.extend(one.batches)

    def whose_next(self, producer_id: int, epoch: int, sequence: int) -> Producer | None:
        """Who has this batch for the next one of its epoch; None: there is more to ask."""
        producer = self._producers.get(producer_id)
        if producer is None or producer.epoch != epoch or producer.last_sequence + 1 != sequence:
            return None
        return producer

    def duplicate_of(self, header: BatchHeader) -> int | None:
        """The base offset under which this batch was appended before; None if it is new.

        Raises RequestRefused for a sequence that leaves a gap and for an old epoch.
        """
        producer = self._producers.get(header.producer_id)
        if (
            producer is not None
            and header.base_sequence == producer.last_sequence + 1
            and header.producer_epoch == producer.epoch
        ):
            # What is next was not there before: most batches are, and nothing more is asked.
            return None
        # As Kafka since 2.4: a producer that is not known may begin anywhere, for its records may
        # have left the log with what was known of it.
        if producer is None:
            return None
        if header.producer_epoch < producer.epoch:
            raise ProducerFencedError(header, producer.epoch)
        first = header.base_sequence
        if header.producer_epoch > producer.epoch:
            # A new epoch counts from 0: anything else lost its first batches.
            if first != 0:
                raise _out_of_order(header, 0)
            return None
        last = sequence_after(first, header.last_offset_delta)
        for known_first, known_last, base_offset in producer.batches:
            if known_first == first and known_last == last:
                return base_offset
        expected = sequence_after(producer.last_sequence, 1)
        if first != expected:
            raise _out_of_order(header, expected)
        return None

    def appended(self, header: BatchHeader, base_offset: int) -> None:
        """A batch is in the log now."""
        producer_id = header.producer_id
        producer = self._producers.get(producer_id)
        if producer is None or producer.epoch != header.producer_epoch:
            coordinator_epoch = producer.coordinator_epoch if producer else _NO_COORDINATOR
            producer = Producer(header.producer_epoch)
            producer.coordinator_epoch = coordinator_epoch
            self._put_last(producer_id, producer)
        elif producer_id != self._newest:
            self._put_last(producer_id, producer)
        span = header.base_sequence, header.last_offset_delta
        producer.add(*span, header.max_timestamp, base_offset)

    def went_on(
        self, producer_id: int, producer: Producer, span: tuple[int, int, int, int]
    ) -> None:
        """As `appended`, of one `whose_next` it was."""
        if producer_id != self._newest:
            self._put_last(producer_id, producer)
        producer.add(*span)

    def __contains__(self, producer_id: int) -> bool:
        return producer_id in self._producers

    def epoch_of(self, producer_id: int) -> int:
        """The newest epoch of a producer, 0 for one that is forgotten."""
        producer = self._producers.get(producer_id)
        return 0 if producer is None else producer.epoch

    def expire(self, before: int, kept: Container[int]) -> None:
        """Forget who produced last before this time (ms), but those in `kept`."""
        for producer_id, one in tuple(self._producers.items()):
            if one.last_timestamp < before and producer_id not in kept:
                del self._producers[producer_id]
                self._idle.pop(producer_id, None)

    def check_marker(self, marker: Marker) -> None:
        """Raises RequestRefused for a marker of an older epoch, or of an older coordinator."""
        producer = self._producers.get(marker.producer_id)
        if producer is None:
            return
        # KIP-890: a marker of the epoch that its batches have could be one that was delayed.
        least = producer.epoch + 1 if marker.bumped else producer.epoch
        if marker.producer_epoch < least:
            raise ProducerFencedError(marker, producer.epoch)
        if marker.coordinator_epoch < producer.coordinator_epoch:
            raise RequestRefused(
                ErrorCode.TRANSACTION_COORDINATOR_FENCED,
                f"coordinator epoch {marker.coordinator_epoch} is older than"
                f" {producer.coordinator_epoch}, which wrote the last marker",
            )

    def marked(self, marker: Marker, timestamp: int) -> None:
        """A marker is in the log now, and its transaction over: a new epoch counts from 0."""
        producer = self._producers.get(marker.producer_id)
        if producer is None or producer.epoch != marker.producer_epoch:
            producer = Producer(marker.producer_epoch)
            self._put_last(marker.producer_id, producer)
        elif marker.producer_id != self._newest:
            self._put_last(marker.producer_id, producer)
        producer.last_timestamp = timestamp
        producer.coordinator_epoch = marker.coordinator_epoch

    def _put_last(self, producer_id: int, producer: Producer) -> None:
        # At the end, so that the first one is the longest silent one.
        self._producers.pop(producer_id, None)
        self._producers[producer_id] = producer
        self._newest = producer_id
        self._idle.pop(producer_id, None)
        if len(self._producers) > self._limit:
            self._forget_one()
        self._idle[producer_id] = None

    def _forget_one(self) -> None:
        # Each is met once for each time that it was put in, however many of them are busy.
        while self._idle:
            longest_silent = next(iter(self._idle))
            del self._idle[longest_silent]
            if not self._is_busy(longest_silent):
                del self._producers[longest_silent]
                return


def sequence_after(sequence: int, step: int) -> int:
    """Sequences wrap from 2^31-1 to 0."""
    if sequence > _SEQUENCE_MAX - step:
        return step - (_SEQUENCE_MAX - sequence) - 1
    return sequence + step


def _out_of_order(header: BatchHeader, expected: int) -> RequestRefused:
    return RequestRefused(
        ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER,
        f"producer {header.producer_id} sent sequence {header.base_sequence},"
        f" but {expected} is next",
    )
