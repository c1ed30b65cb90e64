"""What CreateTopics and CreatePartitions ask of a topic: once, and on nodes of the cluster."""

from collections.abc import Sequence

from ....errors import RequestRefused
from ...codes import ErrorCode
from ...state.nodes import Nodes
from ...state.standing import NOBODY


def check_assignment(broker_ids: Sequence[int], nodes: Nodes, count: int) -> None:
    """Raises RequestRefused unless the replicas of a partition are `count` nodes, each once."""
    check_nodes(broker_ids, nodes)
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


def check_nodes(broker_ids: Sequence[int], nodes: Nodes) -> None:
    """Raises RequestRefused unless these are nodes of the cluster, each once."""
    problem = _problem(broker_ids, nodes)
    if problem:
        raise RequestRefused(
            ErrorCode.INVALID_REPLICA_ASSIGNMENT,
            f"The manual partition assignment includes {problem}.",
        )


def _problem(broker_ids: Sequence[int], nodes: Nodes) -> str:
    """What keeps nodes from holding the replicas of a partition; empty if nothing does."""
    if not broker_ids:
        return "an empty replica list"
    ordered = sorted(broker_ids)
    for place, node in enumerate(ordered):
        if node not in nodes.registered:
            return f"broker {node}, but no such broker is registered"
        if place and node == ordered[place - 1]:
            return f"the broker {node} more than once"
    return ""


def check_once(*, repeated: bool) -> None:
    """Raise RequestRefused for a topic that stands twice in the request."""
    if repeated:
        raise RequestRefused(ErrorCode.INVALID_REQUEST, "Duplicate topic name.")


def check_factor(factor: int, nodes: Nodes) -> None:
    """Raises RequestRefused unless a partition may have so many replicas."""
    count = len(nodes.ids)
    if factor < 1:
        raise RequestRefused(
            ErrorCode.INVALID_REPLICATION_FACTOR,
            "Replication factor must be larger than 0, or -1 to use the default value.",
        )
    if factor > count:
        raise RequestRefused(
            ErrorCode.INVALID_REPLICATION_FACTOR,
            f"Unable to replicate the partition {factor} time(s): The target replication factor of"
            f" {factor} cannot be reached because only {count} broker(s) are registered or some"
            " brokers have all their log directories cordoned.",
        )


def spread(partitions: int, factor: int, nodes: Nodes) -> list[list[int]]:
    """Replicas for so many partitions, leaders in turn.

    It takes room for each: whether there may be so many is to be checked before.
    """
    count = len(nodes.ids)
    return [
        [nodes.ids[(index + place) % count] for place in range(factor)]
        for index in range(partitions)
    ]
