"""ListPartitionReassignments 0: moves that wait for a node which is not there (KIP-455)."""

from ....errors import RequestRefused
from ...codes import ApiKey
from ...state.logs.log import PartitionLog
from ...wire.messages.reassignments import (
    ListPartitionReassignmentsRequest,
    ListPartitionReassignmentsResponse,
    OngoingPartitionReassignment,
    OngoingTopicReassignment,
)
from ..caller import Caller
from ..handler import MessageHandler


def handle(
    caller: Caller, request: ListPartitionReassignmentsRequest
) -> ListPartitionReassignmentsResponse:
    try:
        caller.permit("describe", "cluster")
    except RequestRefused as refusal:
        return ListPartitionReassignmentsResponse(
            error_code=caller.denied(ApiKey.LIST_PARTITION_REASSIGNMENTS, refusal),
            error_message=refusal.text,
            topics=[],
        )
    moving: dict[str, list[OngoingPartitionReassignment]] = {}
    for log, move in caller.cluster.replication.moving():
        if _is_asked_for(request, log):
            moving.setdefault(log.topic, []).append(
                OngoingPartitionReassignment(
                    partition_index=log.partition,
                    replicas=[*move.target, *move.removing],
                    adding_replicas=move.adding,
                    removing_replicas=move.removing,
                )
            )
    return ListPartitionReassignmentsResponse(
        topics=[
            OngoingTopicReassignment(name=name, partitions=partitions)
            for name, partitions in moving.items()
        ]
    )


def _is_asked_for(request: ListPartitionReassignmentsRequest, log: PartitionLog) -> bool:
    """Nothing said is all."""
    return request.topics is None or any(
        one.name == log.topic and log.partition in one.partition_indexes for one in request.topics
    )


API = MessageHandler(ListPartitionReassignmentsRequest, handle)
