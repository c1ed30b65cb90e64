"""The fast path: a Produce request that repeats the last one of its connection but for its records.

What it does. A producer that sends one partition a request sends the same bytes again and again:
only size, correlation id and the records with their length differ. The general path
(`ProduceHandler`) decodes a request, looks up its topic and encodes its answer; what it found out
is kept as a `ProducePath` of the connection, and the next frame is compared with it: two slices
and one length, or the slices alone if the last two were as long. If they fit, the records go to the
log at once, and the answer is the one before with another correlation id and other offsets. A
connection has a path for each partition that it produces to (`ProducePaths`), since clients send
their requests in turns. A large frame comes in the pieces in which it was read: they are checked as
they are, and lie so in the log until somebody looks into them.

When it may be taken. `learn` makes a path of a request that

  - named one partition of one topic that is there, with acks 1 or -1;
  - is of version 7 or later, where each codec may come (KIP-110);
  - was not given the broker's time, which the answer would have to say (LogAppendTime);
  - ends with its records and, from version 9 on, with no tagged fields.

`records` takes a frame that has the same API and version, the same bytes from behind the
correlation id up to the length of the records (client and transactional id, acks, timeout, topic,
partition; `begin` is the general path's for this transactional id), a
length that leads exactly to its end, and whose topic was neither configured nor deleted since
(`PartitionLog.terms`): a deleted log never comes back, a topic of the same name has other logs.

What it leaves to the general path. Every other frame, and all that is malformed: `records` answers
None, nothing was done, and the general path meets the same bytes next. Refusals by the log are
answered here, in the words of the general path, since the log reports what it refuses only once.

What comes out is the same either way, byte for byte and event for event; tests/brokers/kafka/
test_produce_path.py compares them.
"""

from __future__ import annotations

from struct import Struct
from typing import Final

from ...records import HEADER_SIZE
from ...scattered import Buffer, Piece, Scattered
from ...state.logs.log import Begin, PartitionLog
from ...varints import read_uvarint, write_uvarint
from ...wire.produce import PartitionResult, write_response
from ...wire.splitter import LARGE, Frame, whole

_API_AND_VERSION: Final = slice(4, 8)
AFTER_CORRELATION_ID: Final = 12
_FIRST_FLEXIBLE: Final = 9
_FLEXIBLE_END: Final = b"\0\0\0"
"""No tagged fields of partition, topic and request."""

_LENGTH = Struct(">i")
_CORRELATION_ID = Struct(">i").unpack_from
_HEAD = Struct(">ii")
_OFFSET = Struct(">q")
_OFFSETS = Struct(">qqq")
_MARK: Final = 0x0102030405060708


class ProducePath:
    """One shape of request on one connection, with the log it leads to."""

    __slots__ = (
        "_after",
        "_alike",
        "_api_and_version",
        "_before",
        "_begin",
        "_end",
        "_flexible",
        "_lead",
        "_pack",
        "_prefix",
        "_seen",
        "_size",
        "_start",
        "_terms",
        "_topic",
        "begin",
        "client_id",
        "log",
        "version",
    )

    def __init__(
        self,
        frame: bytes,
        prefix_end: int,
        version: int,
        client_id: str,
        topic: str | bytes,
        log: PartitionLog,
        begin: Begin | None,
    ) -> None:
        self.client_id = client_id
        self.log = log
        self._terms = log.terms
        self.begin = begin
        self.version = version
        self._topic = topic
        self._api_and_version = frame[_API_AND_VERSION]
        self._prefix = frame[AFTER_CORRELATION_ID:prefix_end]
        self._flexible = version >= _FIRST_FLEXIBLE
        self._seen = self._alike = 0
        """Bytes of the last request, and of those of which is known what follows."""
        self._lead = self._begin = b""
        """What they begin with, and what stands between correlation id and records."""
        self._start = self._end = 0
        """Where their records are."""
        # The answer's bytes but for correlation id, base offset and log start offset.
        # The mark stands where the base offset will, and nowhere else in the answer.
        sample = write_response(version, 0, [(topic, [PartitionResult(log.partition, 0, _MARK)])])
        at = sample.index(_OFFSET.pack(_MARK))
        self._size = len(sample) - 4
        self._before = sample[_HEAD.size : at]
        self._after = sample[at + _OFFSETS.size :]
        self._pack = Struct(f">ii{len(self._before)}sqqq{len(self._after)}s").pack

    @classmethod
    def learn(
        cls,
        frame: bytes,
        version: int,
        client_id: str,
        topic: str | bytes,
        records: bytes,
        log: PartitionLog,
        begin: Begin | None = None,
    ) -> ProducePath | None:
        """The path of a request with this one partition; None where its end is unusual."""
        if version < _FIRST_FLEXIBLE:
            length, end = _LENGTH.pack(len(records)), b""
        else:
            length, end = write_uvarint(len(records) + 1), _FLEXIBLE_END
        if not frame.endswith(length + records + end):
            return None
        prefix_end = len(frame) - len(length) - len(records) - len(end)
        return cls(frame, prefix_end, version, client_id, topic, log, begin)

    def records(self, head: bytes, frame: Frame) -> Buffer | None:
        """The records of a request of this shape, large ones in pieces; None for any other.

        `head` is the frame, or the first piece of it.
        """
        if (
            len(head) == self._alike
            and head.startswith(self._lead)
            and head.startswith(self._begin, AFTER_CORRELATION_ID)
            and self._terms is self.log.terms
            and (not self._flexible or head.endswith(_FLEXIBLE_END))
        ):
            return head[self._start : self._end]
        return self._records_of_other_size(head, frame)

    def _records_of_other_size(self, head: bytes, frame: Frame) -> Buffer | None:
        # `terms` is replaced by whatever could change how the log takes a batch: one identity in
        # the place of a look-up of the topic, its configuration and its end.
        if head[_API_AND_VERSION] != self._api_and_version or self._terms is not self.log.terms:
            return None
        prefix = self._prefix
        if not head.startswith(prefix, AFTER_CORRELATION_ID):
            return None
        at = AFTER_CORRELATION_ID + len(prefix)
        size = len(head) if head is frame else 4 + int.from_bytes(head[:4], "big")
        if not self._flexible:
            length = int.from_bytes(head[at : at + 4], "big")
            at, end = at + 4, size
        else:
            last = frame if isinstance(frame, bytes) else frame[-1]
            if not last.endswith(_FLEXIBLE_END):
                return None
            try:
                length, at = read_uvarint(head, at)
            except (IndexError, ValueError):
                return None
            # The length is one more than that of the records; 0 is null (KIP-482).
            length, end = length - 1, size - len(_FLEXIBLE_END)
        if length < 0 or at + length != end:
            return None
        if length < LARGE:
            return self._small_records(head if head is frame else whole(frame), at, end)
        body = at + HEADER_SIZE
        # A header that stands in two pieces is rare, and the general path joins them.
        if len(head) < body:
            return None
        # Views, since each of the two may be most of the batch: beside it they keep no more than
        # the request's first and last bytes.
        pieces: list[Piece] = [head[at:body], memoryview(head)[body:end]]
        if not isinstance(frame, bytes):
            *between, last = frame[1:]
            pieces += between
            pieces.append(last if end == size else memoryview(last)[: end - size])
        return Scattered(pieces, length)

    def _small_records(self, frame: bytes, start: int, end: int) -> bytes:
        size = len(frame)
        if size == self._seen:
            # Those as long as this one follow each other: if they are alike, their records are
            # where its records are.
            self._alike, self._start, self._end = size, start, end
            self._lead = frame[: _API_AND_VERSION.stop]
            self._begin = frame[AFTER_CORRELATION_ID:start]
        self._seen = size
        # Names may be most of the request, and a view would keep them.
        return frame[start:end]

    @property
    def key(self) -> bytes:
        """What stands in front of the records' length, behind the correlation id."""
        return self._prefix

    def response(self, frame: bytes, base_offset: int) -> bytes:
        """The answer to `frame`: its records are in the log now."""
        (correlation_id,) = _CORRELATION_ID(frame, _API_AND_VERSION.stop)
        start = self.log.log_start_offset
        return self._pack(
            self._size, correlation_id, self._before, base_offset, -1, start, self._after
        )

    def refusal(self, frame: bytes, result: PartitionResult) -> bytes:
        """The answer to `frame` whose records were refused."""
        correlation_id = int.from_bytes(frame[8:12], "big", signed=True)
        return write_response(self.version, correlation_id, [(self._topic, [result])])
