"""What a Fetch finds: one look at all of its partitions, and the answer that is made of it."""

from __future__ import annotations

from typing import Final

from msgspec import Struct, field

from ....errors import RequestRefused
from ....fairness import Stepped, Steps
from ...codes import ApiKey, ErrorCode, IsolationLevel
from ...state.fetch_sessions import FetchedPartition, FetchSession, TopicKey
from ...state.logs.log import PartitionLog
from ...state.logs.segments import Span
from ...state.standing import NOBODY
from ...wire.frames import size_by_steps
from ...wire.messages.logs import (
    AbortedTransaction,
    EpochEndOffset,
    FetchableTopicResponse,
    FetchPartition,
    FetchResponse,
    LeaderIdAndEpoch,
    PartitionData,
)
from ..caller import Caller
from ..leader_epoch import check_leader_epoch
from ..stepping import LIGHT
from . import leader_hints
from .asking import Asking

_LARGE: Final = 16 * 1024
"""Bytes of a batch, on the average, that are not worth a copy."""
COPIED: Final = 2 * 1024 * 1024
"""Bytes of small batches in one answer: to copy them is a turn of the loop."""
_STRETCH: Final = 1024 * 1024
"""Bytes of large ones of which views may be copied in one step."""
_FOLLOWERS_SINCE: Final = 11
_LEADERS_SINCE: Final = 16
"""KIP-951: the addresses of those that lead what is not led here."""


def may_go(caller: Caller, response: FetchResponse) -> Stepped[bool]:
    """Whether its quotas let the client have this now; it is charged for it."""
    if not caller.cluster.quotas.active:
        return True
    return caller.may_send((yield from size_by_steps(response, caller.version)))


def throttled(caller: Caller) -> FetchResponse:
    return FetchResponse(responses=[], throttle_time_ms=round(caller.wait * 1000))


class Reading(Struct):
    """One look at all partitions of a request."""

    asking: Asking
    answers_now: bool = False
    topics: list[FetchableTopicResponse] = field(default_factory=list)
    spans: list[tuple[PartitionLog, int, Span, int]] = field(default_factory=list)
    """Of each partition that was read its log, from which offset, what was found, and where the
    log ended then (`readable_end`)."""
    size: int = 0
    _large: list[tuple[list[bytes], Span]] = field(default_factory=list)
    """Records that are yet to be filled in, and from what."""
    _copied: int = 0
    _moved: bool = False
    """Some partition is led elsewhere, or in another epoch."""

    @classmethod
    def of(cls, asking: Asking) -> Stepped[Reading]:
        reading = cls(asking)
        left = LIGHT
        for topic, partitions in asking.wanted:
            read = []
            for one in partitions:
                read.append(reading._partition(topic, one))
                left -= 1
                if not left:
                    yield
                    left = LIGHT
            if isinstance(topic, str):
                reading.topics.append(FetchableTopicResponse(topic=topic, partitions=read))
            else:
                reading.topics.append(FetchableTopicResponse(topic_id=topic, partitions=read))
        if not reading.topics or reading.size >= asking.min_bytes:
            reading.answers_now = True
        return reading

    def response(self) -> Stepped[FetchResponse]:
        """What was found goes out, and counts as consumed; where a quota lets it wait, nothing."""
        caller, session = self.asking.caller, self.asking.session
        if self._large:
            yield from self._fill()
        topics = self.topics if session is None else (yield from self._news(session))
        response = FetchResponse(responses=topics)
        if session is not None:
            response.session_id = session.session_id
        if self._moved:
            leaders = [one.current_leader for topic in topics for one in topic.partitions]
            response.node_endpoints = leader_hints.endpoints(caller, leaders)
        asked = caller.cluster.quotas.active and not self.asking.follows
        if asked and not (yield from may_go(caller, response)):
            return self._nothing()
        if session is not None:
            yield from self._told(session, topics)
        left = LIGHT
        for log, offset, span, _ in self.spans:
            count = span.next_offset - offset
            log.records_out += count
            log.bytes_out += span.size
            caller.messages_out += count
            left -= 1
            if not left:
                yield
                left = LIGHT
        return response

    def _fill(self) -> Steps:
        """What nobody has read yet is copied as it is sent for the first time."""
        left = _STRETCH
        for pieces, span in self._large:
            for batch in span.batches:
                if isinstance(batch, bytes):
                    pieces.append(batch)
                    continue
                pieces += batch.sent()
                left -= len(batch)
                if left <= 0:
                    yield
                    left = _STRETCH

    def _nothing(self) -> FetchResponse:
        """To a client that is throttled: of a session it goes on, a new one is not begun."""
        caller, session = self.asking.caller, self.asking.session
        response = throttled(caller)
        if session is not None and self.asking.new:
            caller.cluster.fetch_sessions.close(session.session_id)
            caller.fetch_session = None
        elif session is not None:
            response.session_id = session.session_id
        return response

    def _leader(self, topic: TopicKey, partition: int, code: int) -> LeaderIdAndEpoch | None:
        caller = self.asking.caller
        if caller.version < _LEADERS_SINCE:
            return None
        leader = leader_hints.of_partition(caller, topic, partition, code)
        self._moved = self._moved or leader is not None
        return leader

    def _news(self, session: FetchSession) -> Stepped[list[FetchableTopicResponse]]:
        """Of a session's partitions those that changed; of a new one all."""
        if self.asking.new:
            return self.topics
        topics, left = [], LIGHT
        for topic in self.topics:
            name: TopicKey = topic.topic_id if session.by_id else topic.topic
            changed = []
            for one in topic.partitions:
                if self._is_news(session.partitions.get((name, one.partition_index)), one):
                    changed.append(one)
                left -= 1
                if not left:
                    yield
                    left = LIGHT
            if changed:
                topic.partitions = changed
                topics.append(topic)
        return topics

    def _told(self, session: FetchSession, topics: list[FetchableTopicResponse]) -> Steps:
        """The session knows from now on what is answered."""
        left = LIGHT
        for topic in topics:
            name: TopicKey = topic.topic_id if session.by_id else topic.topic
            for one in topic.partitions:
                left -= 1
                if not left:
                    yield
                    left = LIGHT
                known = session.partitions.get((name, one.partition_index))
                if known is None:
                    continue
                known.told(one.high_watermark, one.log_start_offset, failed=bool(one.error_code))
                if not self.asking.new:
                    # As in Kafka behind the others, so that a full answer starves nobody.
                    session.move_last(name, one.partition_index)

    @staticmethod
    def _is_news(known: FetchedPartition | None, one: PartitionData) -> bool:
        return (
            known is None
            or bool(one.records)
            or one.diverging_epoch is not None
            or bool(one.error_code)
            or known.is_news(one.high_watermark, one.log_start_offset)
        )

    def _partition(
        self, topic: TopicKey, wanted: FetchPartition | FetchedPartition
    ) -> PartitionData:
        caller, request = self.asking.caller, self.asking.request
        offset = wanted.fetch_offset
        committed = request.isolation_level == IsolationLevel.READ_COMMITTED
        log: PartitionLog | None = None
        try:
            name, topic_id = (topic, b"") if isinstance(topic, str) else (None, topic)
            log = caller.topic(name, topic_id, "read").log(wanted.partition)
            # KIP-392: a consumer that can name its rack may read where the leader is followed.
            leads = caller.version < _FOLLOWERS_SINCE
            # Kafka reads each epoch below 0 as none, here and not in ListOffsets.
            epoch = max(-1, wanted.current_leader_epoch)
            check_leader_epoch(caller, log, epoch, leads=leads)
            diverging = None if wanted.last_fetched_epoch < 0 else _diverging(log, wanted)
            if diverging is None:
                log.check_offset(offset)
                caller.note_fetch(log, offset, committed)
        except RequestRefused as refusal:
            self.answers_now = True
            code = caller.denied(ApiKey.FETCH, self._of_session(topic, wanted, refusal))
            return PartitionData(
                partition_index=wanted.partition,
                error_code=code,
                current_leader=self._leader(topic, wanted.partition, code),
                high_watermark=-1,
                # As in Kafka: null where a log was looked at, none where there is no log.
                aborted_transactions=[] if log is None else None,
                records=b"",
            )
        near = self._near(log) if request.rack_id else NOBODY
        high_watermark = caller.cluster.replication.visible_end(log)
        stable = min(log.last_stable_offset, high_watermark)
        if diverging is not None:
            self.answers_now = True
            span = Span([], 0, offset)
        elif near != NOBODY:
            # Answered at once and without records: the consumer goes on reading over there.
            self.answers_now = True
            span = Span([], 0, offset)
        else:
            # KIP-74: the limit of the request holds for all partitions together, in their order.
            room = min(wanted.partition_max_bytes, self.asking.max_bytes - self.size)
            end = stable if committed else high_watermark
            span = self._read(log, offset, room, end)
            self.size += span.size
            # As `readable_end`, written out.
            ended = log.last_stable_offset if committed else log.high_watermark
            self.spans.append((log, offset, span, ended))
            if room < wanted.partition_max_bytes and span.next_offset < end:
                # Full: Kafka sends a part of the next batch, too, and waits for nothing more.
                self.answers_now = True
        return PartitionData(
            partition_index=wanted.partition,
            high_watermark=high_watermark,
            last_stable_offset=stable,
            log_start_offset=log.log_start_offset,
            diverging_epoch=diverging,
            aborted_transactions=(
                _aborted(log, offset, span.next_offset) if committed and near == NOBODY else None
            ),
            preferred_read_replica=near,
            records=self._records(span),
        )

    def _records(self, span: Span) -> bytes | list[bytes]:
        """Large batches are sent as they lie in the log, small ones as one piece."""
        pieces: list[bytes] = []
        if not are_small(span):
            self._large.append((pieces, span))
            return pieces
        for batch in span.batches:
            if isinstance(batch, bytes):
                pieces.append(batch)
            else:
                pieces += batch.sent()
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _read(self, log: PartitionLog, offset: int, room: int, end: int) -> Span:
        # KIP-74: the first batch goes out even if it is larger than what was allowed.
        first = not self.size
        left = max(COPIED, self.asking.min_bytes) - self._copied
        span = log.read(offset, min(room, left), at_least_one=first, end=end)
        if room > left and span.next_offset < end:
            self.answers_now = True
            if not are_small(span if span.batches else log.read(offset, 0, end=end)):
                more = log.read(offset, room, at_least_one=first, end=end)
                span = span if are_small(more) else more
        if are_small(span):
            self._copied += span.size
        return span

    def _of_session(
        self, topic: TopicKey, wanted: FetchPartition | FetchedPartition, refusal: RequestRefused
    ) -> RequestRefused:
        """The refusal of a topic id that is no longer there, where the session knows its name.

        Kafka's session knows the topic by both: whoever is refused the name, or asks for one that
        is gone, is answered of the name, and only the log of another topic finds the id wrong.
        """
        caller = self.asking.caller
        name = wanted.topic_name if isinstance(wanted, FetchedPartition) else ""
        if not name or topic in caller.cluster.topics.by_id:
            return refusal
        try:
            caller.topic(name, b"", "read")
        except RequestRefused as of_its_name:
            return of_its_name
        return RequestRefused(
            ErrorCode.INCONSISTENT_TOPIC_ID,
            f"{name} was deleted and made anew since this fetch session took it up",
        )

    def _near(self, log: PartitionLog) -> int:
        """The follower that this consumer is to read from instead of us (KIP-392); -1: none."""
        caller, request = self.asking.caller, self.asking.request
        rack = request.rack_id
        # Who says to be a broker follows this leader, wherever it stands.
        if self.asking.follows or not caller.cluster.nodes.many:
            return NOBODY
        replication, here = caller.cluster.replication, caller.node
        if replication.leader(log) != here or not caller.cluster.config.selects_by_rack:
            return NOBODY
        nearest = caller.cluster.nodes.nearest(here, replication.in_sync(log), rack)
        return NOBODY if nearest == here else nearest


def readable_end(log: PartitionLog, committed: bool) -> int:
    """What comes behind it is what a fetch waits for."""
    return log.last_stable_offset if committed else log.high_watermark


def _diverging(
    log: PartitionLog, wanted: FetchPartition | FetchedPartition
) -> EpochEndOffset | None:
    """Where the log parts from what the client last read (KIP-595); None: it does not.

    Raises RequestRefused for an epoch that never was.
    """
    epoch, end = log.end_of_epoch(wanted.last_fetched_epoch)
    if epoch < 0:
        raise RequestRefused(
            ErrorCode.OFFSET_OUT_OF_RANGE,
            f"{log.topic}/{log.partition} has no end of the last fetched epoch"
            f" {wanted.last_fetched_epoch}",
        )
    if epoch < wanted.last_fetched_epoch or end < wanted.fetch_offset:
        return EpochEndOffset(epoch=epoch, end_offset=end)
    return None


def are_small(span: Span) -> bool:
    return span.size <= len(span.batches) * _LARGE


def _aborted(log: PartitionLog, offset: int, end: int) -> list[AbortedTransaction]:
    """Whose records among those that were read a consumer has to drop."""
    return [
        AbortedTransaction(producer_id=one.producer_id, first_offset=one.first_offset)
        for one in log.transactions.aborted_in(offset, end)
    ]
