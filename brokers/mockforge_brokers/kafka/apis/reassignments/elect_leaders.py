"""ElectLeaders 0-2: the preferred leader leads again, or any one (KIP-183, KIP-460)."""

from collections.abc import Collection
from functools import partial
from typing import Final

from ....errors import RequestRefused
from ....fairness import Stepped
from ...codes import ApiKey, ErrorCode
from ...state.logs.log import PartitionLog
from ...wire.messages.reassignments import (
    ElectionPartitionResult,
    ElectLeadersRequest,
    ElectLeadersResponse,
    ReplicaElectionResult,
)
from ..caller import Caller
from ..handler import MessageHandler
from ..stepping import each

_PREFERRED: Final = 0
_UNCLEAN: Final = 1
"""Of a leader that is not in sync, where there is none."""
_NOTHING_TO_ELECT: Final = (ErrorCode.ELECTION_NOT_NEEDED, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)


def handle(caller: Caller, request: ElectLeadersRequest) -> Stepped[ElectLeadersResponse]:
    try:
        caller.permit("alter", "cluster")
        if request.election_type not in (_PREFERRED, _UNCLEAN):
            raise RequestRefused(
                ErrorCode.INVALID_REQUEST, f"Unknown election type {request.election_type}"
            )
    except RequestRefused as refusal:
        code = caller.denied(ApiKey.ELECT_LEADERS, refusal)
        return ElectLeadersResponse(
            error_code=code, replica_election_results=_refused(request, code, refusal.text)
        )
    results = []
    for topic, partitions in _wanted(caller, request):
        elect = partial(_elect, caller, request.election_type == _UNCLEAN, topic)
        elected = yield from each(elect, partitions)
        if request.topic_partitions is None:
            # Asked for all, Kafka leaves out those that need no election; nobody named a topic that
            # was deleted between two steps.
            elected = [one for one in elected if one.error_code not in _NOTHING_TO_ELECT]
        results.append(ReplicaElectionResult(topic=topic, partition_result=elected))
    return ElectLeadersResponse(replica_election_results=results)


def _wanted(caller: Caller, request: ElectLeadersRequest) -> list[tuple[str, Collection[int]]]:
    if request.topic_partitions is None:
        return [(topic.name, range(len(topic.logs))) for topic in caller.cluster.topics.values()]
    return [(one.topic, one.partitions) for one in request.topic_partitions]


def _refused(request: ElectLeadersRequest, code: int, text: str) -> list[ReplicaElectionResult]:
    """What is refused as a whole is refused for each partition, too."""
    return [
        ReplicaElectionResult(
            topic=wanted.topic,
            partition_result=[
                ElectionPartitionResult(partition_id=one, error_code=code, error_message=text)
                for one in wanted.partitions
            ],
        )
        for wanted in request.topic_partitions or ()
    ]


def _elect(caller: Caller, unclean: bool, topic: str, partition: int) -> ElectionPartitionResult:
    try:
        log = _found(caller, topic, partition)
        caller.cluster.replication.elect(log, f"elected for {caller.name}", unclean=unclean)
    except RequestRefused as refusal:
        return ElectionPartitionResult(
            partition_id=partition,
            error_code=caller.denied(ApiKey.ELECT_LEADERS, refusal),
            error_message=refusal.text,
        )
    return ElectionPartitionResult(partition_id=partition, error_message=None)


def _found(caller: Caller, topic: str, partition: int) -> PartitionLog:
    found = caller.cluster.topics.get(topic)
    if found is None:
        raise RequestRefused(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, f"No such topic as {topic}")
    if not 0 <= partition < len(found.logs):
        raise RequestRefused(
            ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, f"No such partition as {topic}-{partition}"
        )
    return found.logs[partition]


API = MessageHandler(ElectLeadersRequest, handle)
