"""Who leads now: what a node adds to NOT_LEADER_OR_FOLLOWER (KIP-951)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Final

from ....fairness import Stepped
from ...codes import ErrorCode
from ...state.standing import NOBODY
from ...wire.messages.logs import (
    BatchIndexAndErrorMessage,
    LeaderIdAndEpoch,
    NodeEndpoint,
    PartitionProduceResponse,
    ProduceResponse,
    TopicProduceResponse,
)
from ...wire.produce import PartitionResult, Results
from ..caller import Caller
from ..stepping import each

_STRETCH: Final = 256
"""Partitions of which so many are a step."""
_MOVED = (ErrorCode.NOT_LEADER_OR_FOLLOWER, ErrorCode.FENCED_LEADER_EPOCH)


def of_partition(
    caller: Caller, topic: str | bytes, partition: int, code: int
) -> LeaderIdAndEpoch | None:
    """The leader of a partition that was refused for another one; None: there is no partition."""
    if code not in _MOVED:
        return None
    cluster = caller.cluster
    name = cluster.topics.name_of(topic) if isinstance(topic, bytes) else topic
    log = cluster.log_of(name, partition)
    if log is None:
        return None
    return LeaderIdAndEpoch(
        leader_id=cluster.replication.leader(log), leader_epoch=log.leader_epoch
    )


def endpoints(caller: Caller, leaders: Iterable[LeaderIdAndEpoch | None]) -> Sequence[NodeEndpoint]:
    """Where those are found, each once."""
    found = []
    named = {one.leader_id for one in leaders if one is not None} - {NOBODY}
    for node in sorted(caller.found(named)):
        host, port = caller.address(node)
        found.append(NodeEndpoint(node_id=node, host=host, port=port))
    return found


def of_produce(
    caller: Caller, results: Results, *, always: bool
) -> Stepped[ProduceResponse | None]:
    """The whole answer, where it has somebody to name or `always`; else None."""
    topics, leaders = [], []
    for topic, partitions in results:
        parts = yield from each(partial(_part, caller, topic), partitions, at_a_time=_STRETCH)
        leaders += [one.current_leader for one in parts if one.current_leader is not None]
        if isinstance(topic, bytes):
            topics.append(TopicProduceResponse(topic_id=topic, partition_responses=parts))
        else:
            topics.append(TopicProduceResponse(name=topic, partition_responses=parts))
    if not leaders and not always:
        return None
    return ProduceResponse(responses=topics, node_endpoints=endpoints(caller, leaders))


def _part(caller: Caller, topic: str | bytes, one: PartitionResult) -> PartitionProduceResponse:
    return PartitionProduceResponse(
        index=one.partition,
        error_code=one.error_code,
        base_offset=one.base_offset,
        log_append_time_ms=one.log_append_time_ms,
        log_start_offset=one.log_start_offset,
        record_errors=[
            BatchIndexAndErrorMessage(batch_index=number, batch_index_error_message=text)
            for number, text in one.record_errors
        ],
        error_message=one.error_message,
        current_leader=of_partition(caller, topic, one.partition, one.error_code),
    )
