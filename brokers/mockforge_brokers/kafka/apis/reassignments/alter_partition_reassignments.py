"""AlterPartitionReassignments 0-1: replicas are moved, and have all at once (KIP-455, KIP-860)."""

from collections.abc import Sequence
from functools import partial

from ....errors import RequestRefused
from ....fairness import Stepped
from ...codes import ApiKey, ErrorCode
from ...state.logs.log import PartitionLog
from ...wire.messages.reassignments import (
    AlterPartitionReassignmentsRequest,
    AlterPartitionReassignmentsResponse,
    ReassignablePartition,
    ReassignablePartitionResponse,
    ReassignableTopicResponse,
)
from ..caller import Caller
from ..handler import MessageHandler
from ..stepping import each
from ..topics.assignments import check_nodes

_API = ApiKey.ALTER_PARTITION_REASSIGNMENTS


def handle(
    caller: Caller, request: AlterPartitionReassignmentsRequest
) -> Stepped[AlterPartitionReassignmentsResponse]:
    allow = request.allow_replication_factor_change
    try:
        caller.permit("alter", "cluster")
    except RequestRefused as refusal:
        return AlterPartitionReassignmentsResponse(
            allow_replication_factor_change=allow,
            error_code=caller.denied(_API, refusal),
            error_message=refusal.text,
            responses=[],
        )
    responses = []
    for topic in request.topics:
        altered = yield from each(partial(_alter, caller, allow, topic.name), topic.partitions)
        responses.append(ReassignableTopicResponse(name=topic.name, partitions=altered))
    return AlterPartitionReassignmentsResponse(
        allow_replication_factor_change=allow,
        # Kafka's own difference: no text at all, or an empty one where nothing was asked.
        error_message=None if request.topics else "",
        responses=responses,
    )


def _alter(
    caller: Caller, resize: bool, topic: str, wanted: ReassignablePartition
) -> ReassignablePartitionResponse:
    code, text = 0, None
    index = wanted.partition_index
    try:
        log = _found(caller, topic, index)
        if wanted.replicas is not None:
            _check(caller, log, wanted.replicas, resize)
        caller.cluster.replication.reassign(log, wanted.replicas, f"asked by {caller.name}")
    except RequestRefused as refusal:
        code, text = caller.denied(_API, refusal), refusal.text
        if code == ErrorCode.NO_REASSIGNMENT_IN_PROGRESS:
            text = None
    return ReassignablePartitionResponse(partition_index=index, error_code=code, error_message=text)


def _found(caller: Caller, topic: str, index: int) -> PartitionLog:
    found = caller.cluster.topics.get(topic)
    if found is None:
        raise RequestRefused(
            ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, f"Unable to find a topic named {topic}."
        )
    if not 0 <= index < len(found.logs):
        raise RequestRefused(
            ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, f"Unable to find partition {topic}:{index}."
        )
    return found.logs[index]


def _check(caller: Caller, log: PartitionLog, replicas: Sequence[int], resize: bool) -> None:
    check_nodes(replicas, caller.cluster.nodes)
    move = caller.cluster.replication.move(log)
    before = caller.cluster.replication.replicas(log) if move is None else move.before
    if not resize and len(replicas) != len(before):
        raise RequestRefused(
            ErrorCode.INVALID_REPLICATION_FACTOR,
            "The replication factor is changed from"
            f" {len(before)} to {len(replicas)}, which was not allowed.",
        )


API = MessageHandler(AlterPartitionReassignmentsRequest, handle)
