"""Fetch 4-18: records out, at once or when enough came (KIP-74, KIP-320, KIP-392, KIP-516).

No fetch sessions (KIP-227): the session id is always 0, which tells clients to ask in full.
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct, field

from ....errors import RequestRefused
from ...codes import ApiKey, ErrorCode, IsolationLevel
from ...state.logs.log import PartitionLog, Span
from ...state.purgatory import Parked
from ...wire.messages.logs import (
    AbortedTransaction,
    FetchableTopicResponse,
    FetchPartition,
    FetchRequest,
    FetchResponse,
    FetchTopic,
    PartitionData,
)
from ..caller import Caller
from ..handler import MessageHandler
from ..leader_epoch import check_leader_epoch

_LARGE: Final = 16 * 1024
"""Bytes of a batch, on the average, that are not worth a copy."""


def handle(caller: Caller, request: FetchRequest) -> FetchResponse | Parked[FetchResponse]:
    if request.session_id:
        refusal = RequestRefused(
            ErrorCode.FETCH_SESSION_ID_NOT_FOUND,
            f"there is no fetch session {request.session_id}",
        )
        return FetchResponse(error_code=caller.denied(ApiKey.FETCH, refusal), responses=[])
    reading = Reading.of(caller, request)
    if reading.answers_now or request.max_wait_ms <= 0:
        return reading.response()
    return Waiting(caller, request, reading).parked


class Reading(Struct):
    """One look at all partitions of a request."""

    caller: Caller
    answers_now: bool
    topics: list[FetchableTopicResponse] = field(default_factory=list)
    spans: list[tuple[PartitionLog, int, Span]] = field(default_factory=list)
    size: int = 0

    @classmethod
    def of(cls, caller: Caller, request: FetchRequest) -> Reading:
        reading = cls(caller, answers_now=not request.topics)
        for wanted in request.topics:
            reading.topics.append(
                FetchableTopicResponse(
                    topic=wanted.topic,
                    topic_id=wanted.topic_id,
                    partitions=[
                        reading._partition(request, wanted, partition)
                        for partition in wanted.partitions
                    ],
                )
            )
        reading.answers_now |= reading.size >= request.min_bytes
        return reading

    def response(self) -> FetchResponse:
        """What was found goes out, and counts as consumed."""
        for log, offset, span in self.spans:
            count = span.next_offset - offset
            log.records_out += count
            log.bytes_out += span.size
            self.caller.messages_out += count
        return FetchResponse(responses=self.topics)

    def _partition(
        self, request: FetchRequest, topic: FetchTopic, wanted: FetchPartition
    ) -> PartitionData:
        offset = wanted.fetch_offset
        committed = request.isolation_level == IsolationLevel.READ_COMMITTED
        log: PartitionLog | None = None
        try:
            log = self.caller.topic(topic.topic, topic.topic_id, "read").log(wanted.partition)
            check_leader_epoch(log, wanted.current_leader_epoch)
            log.check_offset(offset)
            self.caller.note_fetch(log, offset, committed)
        except RequestRefused as refusal:
            self.answers_now = True
            return PartitionData(
                partition_index=wanted.partition,
                error_code=self.caller.denied(ApiKey.FETCH, refusal),
                high_watermark=-1,
                # As in Kafka: null where a log was looked at, none where there is no log.
                aborted_transactions=[] if log is None else None,
                records=b"",
            )
        room = min(wanted.partition_max_bytes, request.max_bytes - self.size)
        stable = log.last_stable_offset
        end = stable if committed else log.high_watermark
        # KIP-74: the first batch goes out even if it is larger than what was allowed.
        span = log.read(offset, room, at_least_one=not self.size, end=end)
        self.size += span.size
        self.spans.append((log, offset, span))
        return PartitionData(
            partition_index=wanted.partition,
            high_watermark=log.high_watermark,
            last_stable_offset=stable,
            log_start_offset=log.log_start_offset,
            aborted_transactions=(_aborted(log, offset, span.next_offset) if committed else None),
            records=_pieces(span),
        )


def _pieces(span: Span) -> bytes | list[bytes]:
    """Large batches are sent as they lie in the log, small ones as one piece."""
    batches = span.batches
    if len(batches) == 1:
        return batches[0]
    return batches if span.size > len(batches) * _LARGE else b"".join(batches)


def _aborted(log: PartitionLog, offset: int, end: int) -> list[AbortedTransaction]:
    """Whose records among those that were read a consumer has to drop."""
    return [
        AbortedTransaction(producer_id=one.producer_id, first_offset=one.first_offset)
        for one in log.transactions.aborted_in(offset, end)
    ]


class Waiting:
    """A request that found too little: it looks again when enough came, or when its time is up.

    What came counts for a read_committed consumer when it is below the last stable offset: a
    marker may bring much at once, and a batch of an open transaction nothing.
    """

    __slots__ = ("_caller", "_committed", "_logs", "_missing", "_request", "_timer", "parked")

    def __init__(self, caller: Caller, request: FetchRequest, reading: Reading) -> None:
        self.parked: Parked[FetchResponse] = Parked()
        self._caller = caller
        self._request = request
        self._committed = request.isolation_level == IsolationLevel.READ_COMMITTED
        self._missing = request.min_bytes - reading.size
        self._logs = [log for log, _, _ in reading.spans]
        for log in self._logs:
            log.watchlist.add(self, self._came)
        self._timer = caller.environment.clock.call_later(request.max_wait_ms / 1000, self._answer)
        self.parked.on_abandon(self._stop)

    def _came(self, size: int) -> None:
        self._missing -= size
        if size < 0:
            self._answer()
        elif self._missing <= 0:
            if not self._committed:
                self._answer()
                return
            reading = Reading.of(self._caller, self._request)
            if reading.answers_now:
                self._stop()
                self.parked.complete(reading.response())

    def _answer(self) -> None:
        self._stop()
        self.parked.complete(Reading.of(self._caller, self._request).response())

    def _stop(self) -> None:
        self._timer.cancel()
        for log in self._logs:
            log.watchlist.discard(self)


API = MessageHandler(FetchRequest, handle)
