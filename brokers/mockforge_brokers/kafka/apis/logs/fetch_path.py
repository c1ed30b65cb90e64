"""The fast path: a Fetch request that repeats the last one of its connection but for its offset.

What it does. A consumer that reads one partition sends the same bytes again and again: only the
correlation id and the offset differ. The general path (`fetch`) decodes a request, looks through
what it names, waits, looks again and encodes its answer; what it found out is kept as the
`FetchPath` of the connection, with which the next frame is compared. If it fits, the log is read at
once, and the answer is the one before with other offsets and records. Where there is nothing it
waits as the general one does, and reads once it is woken.

When it may be taken. `learn` makes a path of a request that

  - is of version 5 or later, has no session (KIP-227) and nothing unusual in its tagged fields;
  - names one partition of one topic that is there, and no last epoch that was read (KIP-595);
  - waits for a byte at most, and comes from a consumer that names no rack, to a cluster of one node
    and without quotas.

`answer` takes a frame that is alone in its burst, as long as that request, with the same bytes
around correlation id and offset, while the log's `terms` are the same (neither configured nor
deleted nor in another epoch since) and no right has changed (`Caller.leave_short_path`).

What it leaves to the general path. An offset out of range; aborted transactions that who reads
committed records alone has to be told of; large batches, which are sent as they lie in the log; and
more than the request or one turn of the loop takes. `answer` is None then, nothing was done, and
the general path meets the same bytes next. Who waits already is answered by that one's code then.

What comes out is the same either way, byte for byte and count for count; tests/brokers/kafka/
test_fetch_path.py compares them.
"""

from __future__ import annotations

from struct import Struct
from typing import Final

from ....clock import Timer
from ....errors import RequestRefused
from ....fairness import Stepped
from ...codes import IsolationLevel
from ...snapshots import FetchWait
from ...state.fetch_sessions import FINAL_EPOCH
from ...state.logs.log import PartitionLog
from ...state.logs.segments import Span
from ...state.purgatory import Parked
from ...varints import write_uvarint
from ...wire.codec import decode
from ...wire.frames import encode_request, encode_response, read_request_header, response_by_steps
from ...wire.messages.logs import (
    FetchableTopicResponse,
    FetchRequest,
    FetchResponse,
    PartitionData,
)
from ..caller import Caller
from ..handler import Pieces
from ..leader_epoch import check_leader_epoch
from ..stepping import worked
from . import fetched
from .asking import BY_ID_SINCE, ask, is_follower
from .fetched import Reading, are_small, readable_end

_FIRST: Final = 5
"""The version that says where a log begins."""
_FIRST_FLEXIBLE: Final = 12
_SELDOM: Final = 1024
_HEAD: Final = 8
"""Bytes up to the correlation id: size, API and version."""
_AFTER_CORRELATION_ID: Final = 12
_MARK: Final = 0x0102030405060708
_OFFSET: Final = Struct(">q")
_SIZE_AND_ID: Final = Struct(">ii")
_OFFSETS: Final = Struct(">qqq")
_LENGTH: Final = Struct(">i")


class FetchPath:
    """One shape of request on one connection, with the log it leads to."""

    __slots__ = (
        "_at",
        "_before",
        "_between",
        "_bounded",
        "_end",
        "_flexible",
        "_head",
        "_least",
        "_prefix",
        "_room",
        "_size",
        "_suffix",
        "_terms",
        "client_id",
        "committed",
        "log",
        "used",
        "version",
        "wait",
    )

    def __init__(
        self,
        caller: Caller,
        frame: bytes,
        at: int,
        request: FetchRequest,
        log: PartitionLog,
        sample: bytes,
    ) -> None:
        """`at`: where the offset stands. `sample` is an answer without records, whose high
        watermark is `_MARK`.
        """
        [partition] = request.topics[0].partitions
        self.client_id, self.version, self.log = caller.client_id, caller.version, log
        self.committed = request.isolation_level == IsolationLevel.READ_COMMITTED
        self.wait = request.max_wait_ms / 1000
        self.used = False
        """Whether a request went this way."""
        self._terms = log.terms
        most = min(request.max_bytes, caller.cluster.most_fetched)
        self._least = min(request.min_bytes, most)
        self._at, self._size = at, len(frame)
        self._head = frame[:_HEAD]
        self._prefix = frame[_AFTER_CORRELATION_ID:at]
        self._suffix = frame[at + _OFFSET.size :]
        self._room = min(partition.partition_max_bytes, most, fetched.COPIED)
        self._bounded = self._room < partition.partition_max_bytes
        """What does not fit is not for the next request alone to have."""
        self._flexible = caller.version >= _FIRST_FLEXIBLE
        # An answer's bytes but for size, correlation id, offsets, and records with their length.
        at = sample.index(_OFFSET.pack(_MARK))
        self._before = sample[_SIZE_AND_ID.size : at]
        end = len(sample) - (4 if self._flexible else _LENGTH.size)
        self._between = sample[at + _OFFSETS.size : end]
        self._end = sample[end + 1 :] if self._flexible else b""

    @classmethod
    def learn(cls, caller: Caller, frame: bytes, at: int) -> FetchPath | None:
        """The path of a request whose message begins at `at`, and which was just handled."""
        version, cluster = caller.version, caller.cluster
        if version < _FIRST or cluster.nodes.many or cluster.quotas.active:
            return None
        request = decode(FetchRequest, version, frame, at)
        if not _is_usual(request):
            return None
        [topic] = request.topics
        [partition] = topic.partitions
        by_id = version >= BY_ID_SINCE
        try:
            found = caller.topic(None if by_id else topic.topic, topic.topic_id, "read")
            log = found.log(partition.partition)
            # Another epoch of the log has other terms.
            check_leader_epoch(caller, log, max(-1, partition.current_leader_epoch))
        except RequestRefused:
            return None
        header, _ = read_request_header(frame)
        offset, partition.fetch_offset = partition.fetch_offset, _MARK
        marked = encode_request(request, version, header.correlation_id, header.client_id)
        mark = _OFFSET.pack(_MARK)
        place = marked.find(mark, _AFTER_CORRELATION_ID)
        if marked.replace(mark, _OFFSET.pack(offset)) != frame:
            return None
        committed = request.isolation_level == IsolationLevel.READ_COMMITTED
        data = PartitionData(
            partition_index=partition.partition,
            high_watermark=_MARK,
            aborted_transactions=[] if committed else None,
            records=b"",
        )
        answered = FetchableTopicResponse(
            topic=topic.topic, topic_id=topic.topic_id, partitions=[data]
        )
        sample = encode_response(FetchResponse(responses=[answered]), version, 0)
        return cls(caller, frame, place, request, log, sample)

    def answer(
        self, caller: Caller, frame: bytes, correlation_id: int
    ) -> Pieces | Parked[Pieces] | None:
        """The answer to a request of this shape; None for any other."""
        if (
            len(frame) != self._size
            or not frame.startswith(self._head)
            or not frame.startswith(self._prefix, _AFTER_CORRELATION_ID)
            or not frame.endswith(self._suffix)
            or self.client_id is not caller.client_id
        ):
            return None
        (offset,) = _OFFSET.unpack_from(frame, self._at)
        span = self.read(caller, offset)
        if span is None:
            return None
        self.used = True
        log = self.log
        caller.version = self.version
        caller.fetch_session = None
        caller.note_fetch(log, offset, self.committed)
        if span.size >= self._least or self.wait <= 0:
            return self.response(caller, correlation_id, offset, span)
        return _Waiting(self, caller, frame, correlation_id, offset).parked

    def read(self, caller: Caller, offset: int) -> Span | None:
        """What there is from an offset on; None where the general path has to look at it."""
        log = self.log
        if (
            self._terms is not log.terms
            or not log.log_start_offset <= offset <= log.high_watermark
            or (self.committed and log.transactions.aborted)
            or caller.cluster.replication.held
        ):
            return None
        # As `readable_end`, written out.
        end = log.last_stable_offset if self.committed else log.high_watermark
        span = log.read(offset, self._room, end=end)
        if not span.batches:
            return span
        if (
            not are_small(span)
            or (self._bounded and span.next_offset < end)
            or not all(isinstance(batch, bytes) for batch in span.batches)
        ):
            return None
        return span

    def response(self, caller: Caller, correlation_id: int, offset: int, span: Span) -> Pieces:
        """The answer, whose records count as consumed."""
        log = self.log
        count = span.next_offset - offset
        log.records_out += count
        log.bytes_out += span.size
        caller.messages_out += count
        length = write_uvarint(span.size + 1) if self._flexible else _LENGTH.pack(span.size)
        fixed = len(self._before) + _OFFSETS.size + len(self._between) + len(self._end)
        size = fixed + 4 + len(length) + span.size
        end, high_watermark = self._end, log.high_watermark
        front = b"".join(
            (
                _SIZE_AND_ID.pack(size, correlation_id),
                self._before,
                _OFFSETS.pack(high_watermark, log.last_stable_offset, log.log_start_offset),
                self._between,
                length,
            )
        )
        records = b"".join(span.batches)  # type: ignore[arg-type]
        return [front, records, end] if end else [front, records]


class _Waiting:
    """One of these requests that found nothing, as `waiting.Waiting` of any."""

    __slots__ = (
        "_caller",
        "_correlation_id",
        "_end",
        "_frame",
        "_offset",
        "_path",
        "_timer",
        "parked",
    )

    def __init__(
        self, path: FetchPath, caller: Caller, frame: bytes, correlation_id: int, offset: int
    ) -> None:
        self.parked: Parked[Pieces] = Parked()
        self._path, self._caller, self._frame = path, caller, frame
        self._correlation_id, self._offset = correlation_id, offset
        self._end = readable_end(path.log, path.committed)
        path.log.watchlist.add(self, self._came)
        self._timer: Timer = caller.environment.clock.call_later(path.wait, self._answer)
        self.parked.on_abandon(self._stop)
        caller.parked_fetch = self

    @property
    def wait(self) -> FetchWait:
        """For people."""
        return FetchWait(1, 0, self._path.wait)

    def _came(self, size: int) -> None:
        path = self._path
        if size >= 0 and path.committed:
            end = path.log.last_stable_offset
            if end == self._end or end <= self._offset:
                # In an open transaction, or behind one: nobody is to look at it yet.
                self._end = end
                return
        self._answer()

    def _answer(self) -> None:
        self._stop()
        path, caller = self._path, self._caller
        # What it may do may have changed while it waited.
        span = path.read(caller, self._offset) if caller.fetch_path is path else None
        if span is None:
            self.parked.settle(worked(caller, self._answered()))
            return
        caller.note_fetch(path.log, self._offset, path.committed)
        self.parked.complete(path.response(caller, self._correlation_id, self._offset, span))

    def _answered(self) -> Stepped[Pieces]:
        """By the general path's code."""
        caller, version = self._caller, self._path.version
        _, at = read_request_header(self._frame)
        request = decode(FetchRequest, version, self._frame, at)
        asking = yield from ask(caller, request)
        reading = yield from Reading.of(asking)
        response = yield from reading.response()
        return (yield from response_by_steps(response, version, self._correlation_id))

    def _stop(self) -> None:
        self._timer.cancel()
        self._caller.parked_fetch = None
        self._path.log.watchlist.discard(self)


class Learning:
    """When a connection's requests are learned from: seldom where none is like the one before."""

    __slots__ = ("_left", "_spacing")

    def __init__(self) -> None:
        self._left = self._spacing = 1

    def is_due(self, path: FetchPath | None) -> bool:
        """Asked once for each request of the general path; `path` is what there was for it."""
        self._left -= 1
        if self._left:
            return False
        used = path is not None and path.used
        self._spacing = 1 if used else min(2 * self._spacing, _SELDOM)
        self._left = self._spacing
        return True


def _is_usual(request: FetchRequest) -> bool:
    """Whether it says what this path can do, as far as the request alone tells."""
    return not (
        is_follower(request)
        or request.session_id
        or request.session_epoch != FINAL_EPOCH
        or request.rack_id
        or request.forgotten_topics_data
        or request.min_bytes > 1
        or len(request.topics) != 1
        or len(request.topics[0].partitions) != 1
        or request.topics[0].partitions[0].last_fetched_epoch >= 0
    )
