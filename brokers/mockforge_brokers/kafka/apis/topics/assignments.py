"""What CreateTopics and CreatePartitions ask of a topic: once, and on nodes of the cluster."""

from collections.abc import Sequence

from ....errors import RequestRefused
from ...codes import ErrorCode
from ...state.nodes import Nodes
from ...state.standing import NOBODY


def check_assignment(broker_ids: Sequence[int], nodes: Nodes, count: int) -> None:
    """Raises RequestRefused unless the replicas of a partition are `count` nodes, each once."""
    known = all(node in nodes.registered for node in broker_ids)
    if not broker_ids or not known or len(set(broker_ids)) != len(broker_ids):
        there = (
            f"brokers {', '.join(map(str, nodes.ids))}"
            if nodes.many
            else f"broker {nodes.controller} only"
        )
        raise RequestRefused(
            ErrorCode.INVALID_REPLICA_ASSIGNMENT, f"replicas {list(broker_ids)}: there is {there}"
        )
    if len(broker_ids) != count:
        text = f"The manual partition assignment includes a partition with {len(broker_ids)}"
        raise RequestRefused(
            ErrorCode.INVALID_REPLICA_ASSIGNMENT,
            f"{text} replica(s), but this is not consistent with previous partitions, which have"
            f" {count} replica(s).",
        )
    if nodes.first_alive(broker_ids) == NOBODY:
        raise RequestRefused(
            ErrorCode.INVALID_REPLICA_ASSIGNMENT,
            f"All brokers of the assignment {list(broker_ids)} are stopped.",
        )


def check_once(topic: str, *, repeated: bool) -> None:
    """Raise RequestRefused for a topic that stands twice in the request."""
    if repeated:
        raise RequestRefused(
            ErrorCode.INVALID_REQUEST, f"topic {topic} stands twice in the request"
        )


def spread(partitions: int, factor: int, nodes: Nodes) -> list[list[int]]:
    """Replicas for so many partitions, leaders in turn; raises RequestRefused for too many."""
    count = len(nodes.ids)
    if not 1 <= factor <= count:
        raise RequestRefused(
            ErrorCode.INVALID_REPLICATION_FACTOR,
            f"replication factor {factor} cannot be reached with {count} broker"
            f"{'s' if count > 1 else ''}",
        )
    return [
        [nodes.ids[(index + place) % count] for place in range(factor)]
        for index in range(partitions)
    ]
