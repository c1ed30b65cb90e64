"""The fence that KIP-320 puts before a partition's data."""

from ...errors import RequestRefused
from ..codes import ErrorCode
from ..state.logs.log import PartitionLog
from .caller import Caller


def check_leader_epoch(
    caller: Caller, log: PartitionLog, current_leader_epoch: int, *, leads: bool = True
) -> None:
    """Raises RequestRefused when the client's idea of the leader is older or newer; -1: none.

    A node that has no replica says so first; one that only follows (`leads`: that is not enough)
    after the epoch, as in Kafka.
    """
    if not caller.cluster.nodes.many:
        # Of one node each partition is here, and led here.
        _check_epoch(log, current_leader_epoch)
        return
    replication = caller.cluster.replication
    replication.check_replica(log, caller.node)
    _check_epoch(log, current_leader_epoch)
    if leads:
        replication.check_leader(log, caller.node)


def _check_epoch(log: PartitionLog, current_leader_epoch: int) -> None:
    if current_leader_epoch in (-1, log.leader_epoch):
        return
    older = current_leader_epoch < log.leader_epoch
    raise RequestRefused(
        ErrorCode.FENCED_LEADER_EPOCH if older else ErrorCode.UNKNOWN_LEADER_EPOCH,
        f"{log.topic}/{log.partition} has leader epoch {log.leader_epoch},"
        f" the client said {current_leader_epoch}",
    )
