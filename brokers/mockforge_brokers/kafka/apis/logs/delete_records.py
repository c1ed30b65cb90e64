"""DeleteRecords 0-2: records below an offset go (KIP-107)."""

from functools import partial

from ....errors import RequestRefused
from ....fairness import Stepped
from ...codes import ApiKey, ErrorCode
from ...state.logs.internal import check_records
from ...wire.messages.logs import (
    DeleteRecordsPartition,
    DeleteRecordsPartitionResult,
    DeleteRecordsRequest,
    DeleteRecordsResponse,
    DeleteRecordsTopicResult,
)
from ..caller import Caller
from ..handler import MessageHandler
from ..stepping import each

_TO_THE_END = -1


def handle(caller: Caller, request: DeleteRecordsRequest) -> Stepped[DeleteRecordsResponse]:
    # Of a partition that is named twice the last offset counts: Kafka gathers them by partition.
    wanted: dict[str, dict[int, DeleteRecordsPartition]] = {}
    for topic in request.topics:
        wanted.setdefault(topic.name, {}).update(
            (one.partition_index, one) for one in topic.partitions
        )
    topics = []
    for name, partitions in wanted.items():
        deleted = yield from each(partial(_delete, caller, name), partitions.values())
        topics.append(DeleteRecordsTopicResult(name=name, partitions=deleted))
    return DeleteRecordsResponse(topics=topics)


def _delete(
    caller: Caller, name: str, wanted: DeleteRecordsPartition
) -> DeleteRecordsPartitionResult:
    try:
        topic = caller.topic(name, b"", "delete")
        log = topic.log(wanted.partition_index)
        check_records(name)
        caller.cluster.replication.check_leader(log, caller.node)
        if topic.config.value("cleanup.policy") == "compact":
            raise RequestRefused(
                ErrorCode.POLICY_VIOLATION,
                f"topic {name} is compacted: its records are not deleted",
            )
        offset = log.high_watermark if wanted.offset == _TO_THE_END else wanted.offset
        if not 0 <= offset <= log.high_watermark:
            raise RequestRefused(
                ErrorCode.OFFSET_OUT_OF_RANGE,
                f"{name}/{log.partition} ends at {log.high_watermark}: nothing is before {offset}",
            )
        caller.cluster.delete_records(log, offset, reason=f"deleted by {caller.name}")
    except RequestRefused as refusal:
        return DeleteRecordsPartitionResult(
            partition_index=wanted.partition_index,
            low_watermark=-1,
            error_code=caller.denied(ApiKey.DELETE_RECORDS, refusal),
        )
    return DeleteRecordsPartitionResult(
        partition_index=wanted.partition_index, low_watermark=log.log_start_offset
    )


API = MessageHandler(DeleteRecordsRequest, handle)
