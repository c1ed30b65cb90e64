"""Replica assignments, of which one broker leaves one possible."""

from collections.abc import Sequence

from ....errors import RequestRefused
from ...codes import ErrorCode


def check_assignment(broker_ids: Sequence[int], broker_id: int) -> None:
    """Raises RequestRefused unless the replicas of a partition are this broker alone."""
    if list(broker_ids) != [broker_id]:
        raise RequestRefused(
            ErrorCode.INVALID_REPLICA_ASSIGNMENT,
            f"replicas {list(broker_ids)}: there is broker {broker_id} only",
        )
