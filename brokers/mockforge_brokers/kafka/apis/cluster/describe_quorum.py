"""DescribeQuorum 0-2: a quorum of one, which is this node (KIP-595, KIP-836, KIP-853)."""

from typing import Final

from ....errors import RequestRefused
from ...codes import ApiKey, ErrorCode
from ...state.logs.internal import CLUSTER_METADATA
from ...wire.messages.cluster import (
    DescribeQuorumRequest,
    DescribeQuorumResponse,
    QuorumListener,
    QuorumNode,
    QuorumPartitionState,
    QuorumReplica,
    QuorumTopic,
    QuorumTopicState,
)
from ...wire.schema import ZERO_UUID
from ..caller import Caller
from ..handler import MessageHandler
from .raft_voters import LISTENER, directory_of, has_directories

_EPOCH: Final = 1
_RECORDS_PER_SECOND: Final = 2
"""An idle controller writes a record each `metadata.max.idle.interval.ms`, which is 500."""
_TIMES_SINCE: Final = 1
_DIRECTORIES_SINCE: Final = 2


def handle(caller: Caller, request: DescribeQuorumRequest) -> DescribeQuorumResponse:
    try:
        caller.permit("describe", "cluster")
    except RequestRefused as refusal:
        code = caller.denied(ApiKey.DESCRIBE_QUORUM, refusal)
        return DescribeQuorumResponse(
            error_code=code, error_message=refusal.text, topics=[], nodes=[]
        )
    known = any(_is_metadata(topic) for topic in request.topics)
    return DescribeQuorumResponse(
        error_message="",
        topics=[_topic(caller, topic) for topic in request.topics],
        nodes=[_node(caller, node) for node in caller.cluster.nodes.ids] if known else [],
    )


def _is_metadata(topic: QuorumTopic) -> bool:
    partitions = [one.partition_index for one in topic.partitions]
    return topic.topic_name == CLUSTER_METADATA and partitions == [0]


def _topic(caller: Caller, topic: QuorumTopic) -> QuorumTopicState:
    if _is_metadata(topic):
        return QuorumTopicState(topic_name=topic.topic_name, partitions=[_state(caller)])
    refusal = RequestRefused(
        ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, "This server does not host this topic-partition."
    )
    code = caller.denied(ApiKey.DESCRIBE_QUORUM, refusal)
    return QuorumTopicState(
        topic_name=topic.topic_name,
        partitions=[
            QuorumPartitionState(
                partition_index=one.partition_index,
                error_code=code,
                error_message=refusal.text,
                leader_id=0,
                leader_epoch=0,
                high_watermark=0,
                current_voters=[],
                observers=[],
            )
            for one in topic.partitions
        ],
    )


def _state(caller: Caller) -> QuorumPartitionState:
    clock = caller.environment.clock
    end = int(clock.now() * _RECORDS_PER_SECOND)
    wall = int(clock.wall() * 1000) if caller.version >= _TIMES_SINCE else -1
    nodes = caller.cluster.nodes
    known = caller.version >= _DIRECTORIES_SINCE and has_directories(caller.cluster)
    return QuorumPartitionState(
        partition_index=0,
        error_message="",
        leader_id=nodes.controller,
        leader_epoch=_EPOCH,
        high_watermark=end,
        current_voters=[
            QuorumReplica(
                replica_id=node,
                replica_directory_id=directory_of(caller.cluster, node) if known else ZERO_UUID,
                log_end_offset=end,
                last_fetch_timestamp=wall,
                last_caught_up_timestamp=wall,
            )
            for node in nodes.ids
        ],
        observers=[],
    )


def _node(caller: Caller, node: int) -> QuorumNode:
    host, port = caller.address(node)
    return QuorumNode(node_id=node, listeners=[QuorumListener(name=LISTENER, host=host, port=port)])


API = MessageHandler(DescribeQuorumRequest, handle)
