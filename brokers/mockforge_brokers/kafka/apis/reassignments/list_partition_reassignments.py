"""ListPartitionReassignments 0: no replica is ever on its way (KIP-455)."""

from ....errors import RequestRefused
from ...codes import ApiKey
from ...wire.messages.reassignments import (
    ListPartitionReassignmentsRequest,
    ListPartitionReassignmentsResponse,
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
    return ListPartitionReassignmentsResponse(topics=[])


API = MessageHandler(ListPartitionReassignmentsRequest, handle)
