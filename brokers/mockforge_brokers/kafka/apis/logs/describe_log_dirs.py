"""DescribeLogDirs 1-5: how large each partition is (KIP-113, KIP-827, KIP-1066).

There is one directory, which is memory: its size is the limit of all logs.
"""

from collections.abc import Iterator
from functools import partial

from ....errors import RequestRefused
from ....fairness import Stepped
from ...codes import ErrorCode
from ...state.configs.broker_checks import LOG_DIR
from ...state.logs.log import PartitionLog
from ...wire.messages.logs import (
    DescribeLogDirsPartition,
    DescribeLogDirsRequest,
    DescribeLogDirsResponse,
    DescribeLogDirsResult,
    DescribeLogDirsTopic,
)
from ..caller import Caller
from ..handler import MessageHandler, nothing
from ..stepping import LIGHT, each


def handle(caller: Caller, request: DescribeLogDirsRequest) -> Stepped[DescribeLogDirsResponse]:
    try:
        caller.permit("describe", "cluster")
    except RequestRefused:
        return DescribeLogDirsResponse(
            error_code=ErrorCode.CLUSTER_AUTHORIZATION_FAILED, results=[]
        )
    total = caller.environment.limits.kafka_total
    topics = []
    for name, logs in _wanted(caller, request):
        described = yield from each(partial(_describe, caller), logs, at_a_time=LIGHT)
        here = [one for one in described if one is not None]
        if here:
            topics.append(DescribeLogDirsTopic(name=name, partitions=here))
        yield
    return DescribeLogDirsResponse(
        results=[
            DescribeLogDirsResult(
                log_dir=LOG_DIR,
                topics=topics,
                total_bytes=total,
                usable_bytes=max(0, total - caller.cluster.bounds.cost),
            )
        ]
    )


def _wanted(
    caller: Caller, request: DescribeLogDirsRequest
) -> Iterator[tuple[str, list[PartitionLog]]]:
    """What is there of it: what is not is left out, as Kafka does."""
    topics = caller.cluster.topics
    if request.topics is None:
        for topic in tuple(topics.values()):
            yield topic.name, list(topic.logs)
        return
    for wanted in request.topics:
        logs = topics[wanted.topic].logs if wanted.topic in topics else []
        indexes = dict.fromkeys(wanted.partitions)
        yield wanted.topic, [logs[index] for index in indexes if 0 <= index < len(logs)]


def _describe(caller: Caller, log: PartitionLog) -> DescribeLogDirsPartition | None:
    """None where another node has it: each has a disk of its own."""
    if caller.node not in caller.cluster.replication.replicas(log):
        return None
    return DescribeLogDirsPartition(
        partition_index=log.partition, partition_size=log.size, offset_lag=0, is_future_key=False
    )


API = MessageHandler(DescribeLogDirsRequest, handle, changes=nothing)
