"""ListOffsets 1-11: positions by time (KIP-79, KIP-320, KIP-405, KIP-734)."""

from collections import Counter
from collections.abc import Mapping
from typing import Final

from ....errors import RequestRefused
from ....fairness import Stepped
from ...codes import ApiKey, ErrorCode, IsolationLevel, ListOffsetsTimestamp
from ...state.logs.log import NOWHERE, PartitionLog, TimedOffset
from ...wire.messages.offsets import (
    ListOffsetsPartition,
    ListOffsetsPartitionResponse,
    ListOffsetsRequest,
    ListOffsetsResponse,
    ListOffsetsTopicResponse,
)
from ..caller import Caller
from ..handler import MessageHandler, nothing
from ..leader_epoch import check_leader_epoch
from ..stepping import LIGHT

_SINCE: Final[Mapping[int, int]] = {
    ListOffsetsTimestamp.MAX_TIMESTAMP: 7,
    ListOffsetsTimestamp.EARLIEST_LOCAL: 8,
    ListOffsetsTimestamp.LATEST_TIERED: 9,
    ListOffsetsTimestamp.EARLIEST_PENDING_UPLOAD: 11,
}
"""From which version on a client may ask for it."""
_LEAST: Final = min(ListOffsetsTimestamp)


def handle(caller: Caller, request: ListOffsetsRequest) -> Stepped[ListOffsetsResponse]:
    committed = request.isolation_level == IsolationLevel.READ_COMMITTED
    times = Counter(
        (topic.name, one.partition_index) for topic in request.topics for one in topic.partitions
    )
    # A topic that is named twice is answered once, and so is each of its partitions.
    wanted: dict[str, dict[int, ListOffsetsPartition]] = {}
    for topic in request.topics:
        wanted.setdefault(topic.name, {}).update(
            (one.partition_index, one) for one in topic.partitions
        )
    topics, left = [], LIGHT
    for name, partitions in wanted.items():
        found = []
        for number, one in partitions.items():
            found.append(_partition(caller, name, one, committed, times[name, number]))
            left -= 1
            if not left:
                yield
                left = LIGHT
        topics.append(ListOffsetsTopicResponse(name=name, partitions=found))
    return ListOffsetsResponse(topics=topics)


def _partition(
    caller: Caller, topic: str, wanted: ListOffsetsPartition, committed: bool, times: int
) -> ListOffsetsPartitionResponse:
    try:
        caller.permit("describe", "topic", topic)
        # Before there is a look whether it is there, as in Kafka.
        if times > 1:
            raise RequestRefused(
                ErrorCode.INVALID_REQUEST,
                f"{topic}/{wanted.partition_index} is named {times} times in one request",
            )
        _check_version(caller.version, wanted.timestamp)
        log = caller.cluster.topics.named(topic).log(wanted.partition_index)
        check_leader_epoch(caller, log, wanted.current_leader_epoch)
        end = caller.cluster.replication.visible_end(log)
        if committed:
            end = min(end, log.last_stable_offset)
        found = _look_up(log, wanted.timestamp, end)
    except RequestRefused as refusal:
        return ListOffsetsPartitionResponse(
            partition_index=wanted.partition_index,
            error_code=caller.denied(ApiKey.LIST_OFFSETS, refusal),
        )
    return ListOffsetsPartitionResponse(
        partition_index=wanted.partition_index,
        timestamp=found.timestamp,
        offset=found.offset,
        leader_epoch=found.leader_epoch,
    )


def _check_version(version: int, timestamp: int) -> None:
    if timestamp < _LEAST:
        raise RequestRefused(
            ErrorCode.UNSUPPORTED_VERSION, f"timestamp {timestamp} stands for no position"
        )
    since = _SINCE.get(timestamp, 0)
    if version < since:
        raise RequestRefused(
            ErrorCode.UNSUPPORTED_VERSION, f"timestamp {timestamp} needs ListOffsets v{since}"
        )


def _look_up(log: PartitionLog, timestamp: int, end: int) -> TimedOffset:
    """What a timestamp stands for, in the part of the log before `end`."""
    match timestamp:
        case ListOffsetsTimestamp.LATEST:
            return TimedOffset(end, -1, log.leader_epoch)
        case ListOffsetsTimestamp.EARLIEST | ListOffsetsTimestamp.EARLIEST_LOCAL:
            return TimedOffset(log.log_start_offset, -1, log.first_epoch)
        case ListOffsetsTimestamp.MAX_TIMESTAMP:
            return _before(end, log.offset_of_max_timestamp())
        case ListOffsetsTimestamp.LATEST_TIERED | ListOffsetsTimestamp.EARLIEST_PENDING_UPLOAD:
            return NOWHERE
    return _before(end, log.offset_at(timestamp))


def _before(end: int, found: TimedOffset) -> TimedOffset:
    return found if found.offset < end else NOWHERE


API = MessageHandler(ListOffsetsRequest, handle, changes=nothing)
