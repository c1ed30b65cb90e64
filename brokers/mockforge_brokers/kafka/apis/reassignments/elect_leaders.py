"""ElectLeaders 0-2: the preferred leader leads again (KIP-183, KIP-460)."""

from typing import Final

from ....errors import RequestRefused
from ...codes import ApiKey, ErrorCode
from ...state.logs.topic import Topic
from ...wire.messages.reassignments import (
    ElectionPartitionResult,
    ElectLeadersRequest,
    ElectLeadersResponse,
    ReplicaElectionResult,
)
from ..caller import Caller
from ..handler import MessageHandler

_ELECTION_TYPES: Final = (0, 1)
"""Of the preferred leader, and of one that is not in sync."""


def handle(caller: Caller, request: ElectLeadersRequest) -> ElectLeadersResponse:
    try:
        caller.permit("alter", "cluster")
        if request.election_type not in _ELECTION_TYPES:
            raise RequestRefused(
                ErrorCode.INVALID_REQUEST, f"there is no election type {request.election_type}"
            )
    except RequestRefused as refusal:
        code = caller.denied(ApiKey.ELECT_LEADERS, refusal)
        return ElectLeadersResponse(error_code=code, replica_election_results=[])
    if request.topic_partitions is None:
        # Asked for all, Kafka leaves out those that need no election.
        results = [
            ReplicaElectionResult(topic=name, partition_result=_elect_needed(caller, topic))
            for name, topic in caller.cluster.topics.items()
        ]
    else:
        results = [
            ReplicaElectionResult(
                topic=wanted.topic,
                partition_result=[_elect(caller, wanted.topic, one) for one in wanted.partitions],
            )
            for wanted in request.topic_partitions
        ]
    return ElectLeadersResponse(replica_election_results=results)


def _elect_needed(caller: Caller, topic: Topic) -> list[ElectionPartitionResult]:
    nodes, reason = caller.cluster.nodes, f"elected for {caller.name}"
    elected = [log for log in topic.logs if nodes.elect_preferred(log, reason)]
    return [
        ElectionPartitionResult(partition_id=log.partition, error_message=None) for log in elected
    ]


def _elect(caller: Caller, topic: str, partition: int) -> ElectionPartitionResult:
    found = caller.cluster.topics.get(topic)
    if found is None:
        code, text = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, f"No such topic as {topic}"
    elif not 0 <= partition < len(found.logs):
        code = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
        text = f"No such partition as {topic}-{partition}"
    elif caller.cluster.nodes.elect_preferred(found.logs[partition], f"elected for {caller.name}"):
        return ElectionPartitionResult(partition_id=partition, error_message=None)
    else:
        code = ErrorCode.ELECTION_NOT_NEEDED
        text = "Leader election not needed for topic partition."
    refusal = RequestRefused(code, text)
    return ElectionPartitionResult(
        partition_id=partition,
        error_code=caller.denied(ApiKey.ELECT_LEADERS, refusal),
        error_message=text,
    )


API = MessageHandler(ElectLeadersRequest, handle)
