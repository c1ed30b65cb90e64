"""Produce 3-13, shown from 0: records in (KIP-98, KIP-467, KIP-516, KIP-951).

The one handler that reads and writes its bytes by hand: it is the path of every message.
"""

from collections.abc import Sequence
from typing import Final

from ....errors import ProtocolError, RequestRefused
from ....fairness import Stepped, finished
from ...codes import ApiKey, ErrorCode
from ...state.cluster import append_plain
from ...state.logs.admission import NotOneBatchError
from ...state.logs.internal import check_records
from ...state.logs.log import Begin, PartitionLog
from ...state.logs.policy import RecordsRefusedError
from ...state.logs.topic import Topic
from ...state.purgatory import Parked
from ...wire.codec import TooManyItems
from ...wire.frames import response_by_steps
from ...wire.messages.logs import ProduceRequest
from ...wire.produce import (
    FIRST_WITH_TOPIC_IDS,
    PartitionResult,
    ProduceRequestParts,
    read_request,
    write_response,
)
from ...wire.splitter import Frame
from ..caller import Caller
from ..handler import Pieces
from ..reading import read_by_steps
from ..stepping import LIGHT, worked
from . import leader_hints
from .joining import joining
from .produce_path import ProducePath
from .produce_paths import ProducePaths

_ZSTD: Final = 4
_ZSTD_SINCE: Final = 7
_CODEC_BYTE: Final = 22
"""Where the low byte of a batch's attributes stands."""


_AT_ONCE: Final = 4 * LIGHT
"""Partitions of a request that is answered without a look at the time."""
_BY_HAND: Final = 1_000
"""Things that are read, and answered, in one go."""
_ALL: Final = -1
_LEADER_SINCE: Final = 10
"""KIP-951: who is no leader says who is."""


_WITHOUT_START: Final = frozenset(
    (
        *(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, ErrorCode.NOT_LEADER_OR_FOLLOWER),
        *(ErrorCode.INVALID_TOPIC_EXCEPTION, ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED),
        *(ErrorCode.MESSAGE_TOO_LARGE, ErrorCode.RECORD_LIST_TOO_LARGE),
        *(ErrorCode.CORRUPT_MESSAGE, ErrorCode.KAFKA_STORAGE_ERROR, ErrorCode.UNKNOWN_TOPIC_ID),
    )
)
"""Refusals that leave out where the log begins."""

Topics = list[tuple[str | bytes, list[tuple[int, bytes | None]]]]


class ProduceHandler:
    """As `handler.Handler` wants it."""

    api_key = ApiKey.PRODUCE

    def answer(
        self, caller: Caller, frame: bytes, at: int, correlation_id: int
    ) -> Pieces | Parked[Pieces]:
        try:
            request = read_request(frame, at, caller.version, _most_by_hand(caller))
        except TooManyItems:
            steps = _read_and_answered(caller, frame, at, correlation_id)
        else:
            steps = _answered(caller, frame, request, correlation_id)
            if sum([len(partitions) for _, partitions in request.topics]) <= _AT_ONCE:
                return finished(steps)
        # What was sent is appended, also of who has gone.
        return worked(caller, steps, to_the_end=lambda: True)


def _most_by_hand(caller: Caller) -> int:
    return min(_BY_HAND, caller.environment.limits.kafka_request_items)


def _read_and_answered(
    caller: Caller, frame: bytes, at: int, correlation_id: int
) -> Stepped[Pieces]:
    """The response to what names too much to be read by hand in one turn."""
    version = caller.version
    read = yield from read_by_steps(caller, ProduceRequest, version, frame, at)
    topics: Topics = []
    for topic in read.topic_data:
        name_or_id = topic.topic_id if version >= FIRST_WITH_TOPIC_IDS else topic.name
        topics.append((name_or_id, [(part.index, part.records) for part in topic.partition_data]))
        yield
    request = ProduceRequestParts(read.transactional_id, read.acks, read.timeout_ms, topics)
    return (yield from _answered(caller, frame, request, correlation_id))


def _answered(
    caller: Caller, frame: bytes, request: ProduceRequestParts, correlation_id: int
) -> Stepped[Pieces]:
    """The response, of no pieces where nobody waits for one (acks=0)."""
    acks, version = request.acks, caller.version
    begin: Begin | None = None
    refusal = _refused_as_a_whole(caller, acks, request.transactional_id)
    if refusal is None:
        begin = joining(caller, request.transactional_id)
    topics = _each_once(request.topics)
    results = []
    left = LIGHT
    for topic, partitions in topics:
        found: list[PartitionResult] = []
        while some := partitions[len(found) : len(found) + left]:
            # Each step asks for the topic: it may have gone meanwhile.
            found += _append_some(caller, topic, some, begin, acks, refusal)
            left -= len(some)
            if not left:
                yield
                left = LIGHT
        results.append((topic, found))
    if acks == 0:
        _end_on_error(results)
        return []
    caller.took_general_path()
    if refusal is None:
        _learn_path(caller, frame, topics, begin, acks)
    hints = version >= _LEADER_SINCE and caller.cluster.nodes.many
    many = sum([len(found) for _, found in results]) > _BY_HAND
    if hints or many:
        response = yield from leader_hints.of_produce(caller, results, always=many)
        if response is not None:
            return (yield from response_by_steps(response, version, correlation_id))
    return [write_response(version, correlation_id, results)]


def _append_some(
    caller: Caller,
    name_or_id: str | bytes,
    partitions: Sequence[tuple[int, bytes | None]],
    begin: Begin | None,
    acks: int,
    refusal: RequestRefused | None,
) -> list[PartitionResult]:
    topic: Topic | RequestRefused
    try:
        if refusal is not None:
            raise refusal
        if isinstance(name_or_id, str):
            topic = caller.topic(name_or_id, b"", "write")
        else:
            topic = caller.topic(None, name_or_id, "write")
    except RequestRefused as error:
        topic = error
    return [_append(caller, topic, index, batch, begin, acks) for index, batch in partitions]


def _each_once(topics: Topics) -> Topics:
    """Of a partition that is named twice the last batch counts: Kafka gathers them by partition."""
    if len(topics) == 1 and len(topics[0][1]) == 1:
        return topics
    found: dict[str | bytes, dict[int, bytes | None]] = {}
    for name_or_id, partitions in topics:
        found.setdefault(name_or_id, {}).update(partitions)
    return [(name_or_id, list(batches.items())) for name_or_id, batches in found.items()]


def answer_on_path(caller: Caller, paths: ProducePaths, head: bytes, frame: Frame) -> Pieces | None:
    """The answer to a request like the last one; None: it takes the general path, `answer`.

    `head` is the frame, or the first piece of it.
    """
    path = paths.last
    records = path.records(head, frame) if path is not None else None
    if path is None or records is None:
        # Who produces to several partitions has their requests in turns.
        path = paths.other(head)
        records = path.records(head, frame) if path is not None else None
        if path is None or records is None:
            return None
        paths.last = path
    # Another API's request may have come in between, with another client id.
    if path.client_id is not caller.client_id:
        caller.rename(path.client_id)
    log = path.log
    base_offset = append_plain(caller.cluster, log, records, path.begin)
    if base_offset >= 0:
        caller.messages_in += log.high_watermark - base_offset
        return [path.response(head, base_offset)]
    try:
        appended = caller.cluster.append(log, records, client=caller.client_id, begin=path.begin)
    except RequestRefused as error:
        return [path.refusal(head, _refused(caller, log.partition, error, log))]
    if not appended.duplicate:
        caller.messages_in += appended.records
    return [path.response(head, appended.base_offset)]


def _learn_path(
    caller: Caller, frame: bytes, topics: Topics, begin: Begin | None, acks: int
) -> None:
    if len(topics) != 1 or len(topics[0][1]) != 1 or caller.version < _ZSTD_SINCE:
        return
    topic, [(index, records)] = topics[0]
    try:
        name, topic_id = (topic, b"") if isinstance(topic, str) else (None, topic)
        found = caller.topic(name, topic_id, "write")
        log = found.log(index)
        _check_may_append(caller, log, acks)
    except RequestRefused:
        return
    if records is not None and not log.stamps and not caller.looks_at(log):
        path = ProducePath.learn(
            frame, caller.version, caller.client_id, topic, records, log, begin
        )
        if path is not None:
            caller.learn_path(path)


def _append(
    caller: Caller,
    topic: Topic | RequestRefused,
    index: int,
    batch: bytes | None,
    begin: Begin | None,
    acks: int,
) -> PartitionResult:
    log: PartitionLog | None = None
    try:
        if isinstance(topic, RequestRefused):
            raise topic
        log = topic.log(index)
        _check_may_append(caller, log, acks)
        if batch is None:
            raise RequestRefused(ErrorCode.INVALID_RECORD, "there are no records")
        if caller.version < _ZSTD_SINCE and len(batch) > _CODEC_BYTE:
            _check_codec(batch)
        look_at = caller.looks_at(log)
        base_offset = -1 if look_at else append_plain(caller.cluster, log, batch, begin)
        if base_offset >= 0:
            caller.messages_in += log.high_watermark - base_offset
            return PartitionResult(index, 0, base_offset, -1, log.log_start_offset)
        appended = caller.cluster.append(
            log, batch, client=caller.client_id, begin=begin, look_at=look_at
        )
        if look_at:
            caller.note_written(log)
    except RequestRefused as error:
        return _refused(caller, index, error, log)
    if not appended.duplicate:
        caller.messages_in += appended.records
    return PartitionResult(
        index, 0, appended.base_offset, appended.append_time, log.log_start_offset
    )


def _check_may_append(caller: Caller, log: PartitionLog, acks: int) -> None:
    check_records(log.topic, caller.client_id)
    replication = caller.cluster.replication
    replication.check_leader(log, caller.node)
    if acks == _ALL:
        replication.check_in_sync(log)


def _refused(
    caller: Caller, partition: int, refusal: RequestRefused, log: PartitionLog | None = None
) -> PartitionResult:
    code = caller.denied(ApiKey.PRODUCE, _in_full(refusal, log))
    # As Kafka: where the log itself was asked, it says where it begins.
    asked = code not in _WITHOUT_START and not isinstance(refusal, NotOneBatchError)
    start = log.log_start_offset if log is not None and asked else -1
    errors = refusal.errors if isinstance(refusal, RecordsRefusedError) else ()
    return PartitionResult(partition, code, -1, -1, start, refusal.text, errors)


def _in_full(refusal: RequestRefused, log: PartitionLog | None) -> RequestRefused:
    """The refusal for people: with its place, and the first record that was why."""
    if log is None:
        return refusal
    text = f"{log.topic}/{log.partition}: {refusal.text}"
    if isinstance(refusal, RecordsRefusedError) and refusal.errors[0][1] not in text:
        text = f"{text}: {refusal.errors[0][1]}"
    return RequestRefused(refusal.code, text)


def _refused_as_a_whole(
    caller: Caller, acks: int, transactional_id: str | None
) -> RequestRefused | None:
    if acks not in (-1, 0, 1):
        return RequestRefused(ErrorCode.INVALID_REQUIRED_ACKS, f"acks are -1, 0 or 1, not {acks}")
    if transactional_id is not None:
        try:
            caller.permit("write", "transactional_id", transactional_id)
        except RequestRefused as refusal:
            return refusal
    return None


def _check_codec(batch: bytes) -> None:
    # KIP-110: a client that speaks an older version is not expected to know zstd.
    if batch[_CODEC_BYTE] & 0x07 == _ZSTD:
        raise RequestRefused(
            ErrorCode.UNSUPPORTED_COMPRESSION_TYPE, "zstd needs Produce version 7 or later"
        )


def _end_on_error(results: list[tuple[str | bytes, list[PartitionResult]]]) -> None:
    """With acks=0 nobody reads an error code: like Kafka, end the connection to be heard."""
    for topic, partitions in results:
        for result in partitions:
            if result.error_code:
                raise ProtocolError(
                    f"Produce with acks=0 to {topic!r}/{result.partition} failed:"
                    f" {result.error_message}"
                )


API = ProduceHandler()
