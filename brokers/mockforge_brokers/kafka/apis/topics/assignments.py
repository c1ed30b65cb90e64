"""What CreateTopics and CreatePartitions ask of a topic: once, by right, on the one broker."""

from collections.abc import Sequence

from ....errors import RequestRefused
from ...codes import ErrorCode
from ...state.nodes import Nodes


def check_assignment(broker_ids: Sequence[int], nodes: Nodes) -> None:
    """Raises RequestRefused unless the replicas of a partition are one node of the cluster."""
    if len(broker_ids) != 1 or broker_ids[0] not in nodes:
        raise RequestRefused(
            ErrorCode.INVALID_REPLICA_ASSIGNMENT,
            f"replicas {list(broker_ids)}: there is broker {nodes.controller} only",
        )


def check_once(topic: str, *, repeated: bool) -> None:
    """Raise RequestRefused for a topic that stands twice in the request."""
    if repeated:
        raise RequestRefused(
            ErrorCode.INVALID_REQUEST, f"topic {topic} stands twice in the request"
        )
