"""DescribeTopicPartitions 0: topics in pages of so many partitions (KIP-966)."""

from collections.abc import Sequence
from functools import partial
from typing import Final

from ....errors import RequestRefused
from ....fairness import Stepped
from ...codes import ApiKey, ErrorCode
from ...state.logs.internal import is_internal
from ...state.logs.log import PartitionLog
from ...state.logs.topic import check_topic_name
from ...state.standing import NOBODY
from ...wire.messages.topics import (
    Cursor,
    DescribeTopicPartitionsRequest,
    DescribeTopicPartitionsResponse,
    DescribeTopicPartitionsResponsePartition,
    DescribeTopicPartitionsResponseTopic,
)
from ...wire.schema import ZERO_UUID
from ..authorized import authorized
from ..caller import Caller
from ..handler import MessageHandler, nothing
from ..stepping import LIGHT, each

_MOST: Final = 2000
"""Kafka's max.request.partition.size.limit"""


def handle(
    caller: Caller, request: DescribeTopicPartitionsRequest
) -> Stepped[DescribeTopicPartitionsResponse]:
    names = sorted({topic.name for topic in request.topics}) or sorted(
        name for name in caller.cluster.topics if caller.may_know("topic", name)
    )
    cursor = request.cursor
    try:
        _check_cursor(cursor, names if request.topics else None)
    except RequestRefused as refusal:
        code = caller.denied(ApiKey.DESCRIBE_TOPIC_PARTITIONS, refusal)
        topics = [_refused(topic.name, code) for topic in request.topics]
        return DescribeTopicPartitionsResponse(topics=topics)
    left = max(1, min(_MOST, request.response_partition_limit))
    start = 0
    if cursor is not None:
        names = [name for name in names if name >= cursor.topic_name]
        start = cursor.partition_index if names and names[0] == cursor.topic_name else 0
    found: list[DescribeTopicPartitionsResponseTopic] = []
    for name in names:
        if not left:
            return _page(found, name, 0)
        topic, count = yield from _describe(caller, name, start, left)
        found.append(topic)
        left -= len(topic.partitions)
        if start + len(topic.partitions) < count:
            return _page(found, name, start + len(topic.partitions))
        start = 0
        yield
    return DescribeTopicPartitionsResponse(topics=found)


def _page(
    topics: Sequence[DescribeTopicPartitionsResponseTopic], name: str, partition: int
) -> DescribeTopicPartitionsResponse:
    cursor = Cursor(topic_name=name, partition_index=partition)
    return DescribeTopicPartitionsResponse(topics=topics, next_cursor=cursor)


def _check_cursor(cursor: Cursor | None, names: Sequence[str] | None) -> None:
    if cursor is None:
        return
    if cursor.partition_index < 0:
        raise RequestRefused(ErrorCode.INVALID_REQUEST, "the cursor's partition is 0 or more")
    if names is not None and cursor.topic_name not in names:
        raise RequestRefused(
            ErrorCode.INVALID_REQUEST, f"the cursor's topic {cursor.topic_name} is not asked for"
        )


def _describe(
    caller: Caller, name: str, start: int, most: int
) -> Stepped[tuple[DescribeTopicPartitionsResponseTopic, int]]:
    """A topic from a partition on, and how many partitions it has in all."""
    try:
        topic = caller.cluster.topics.get(name)
        if topic is None:
            check_topic_name(name)
        topic = caller.topic(name, b"")
    except RequestRefused as refusal:
        refused = _refused(name, caller.denied(ApiKey.DESCRIBE_TOPIC_PARTITIONS, refusal))
        # As Kafka: only who may not know of the topic is not shown what they could do with it.
        known = refused.error_code != ErrorCode.TOPIC_AUTHORIZATION_FAILED
        refused.topic_authorized_operations = authorized(caller, "topic", name, asked=known)
        return refused, 0
    described = DescribeTopicPartitionsResponseTopic(
        name=name,
        topic_id=topic.topic_id,
        is_internal=is_internal(name),
        partitions=[],
        topic_authorized_operations=authorized(caller, "topic", name, asked=True),
    )
    count, logs = len(topic.logs), topic.logs[start : start + most]
    partitions = yield from each(partial(_partition, caller), logs, at_a_time=LIGHT)
    described.partitions = partitions
    return described, count


def _partition(caller: Caller, log: PartitionLog) -> DescribeTopicPartitionsResponsePartition:
    replication = caller.cluster.replication
    replicas, last = replication.replicas(log), replication.last_leader(log)
    return DescribeTopicPartitionsResponsePartition(
        partition_index=log.partition,
        leader_id=replication.leader(log),
        leader_epoch=log.leader_epoch,
        replica_nodes=replicas,
        isr_nodes=replication.in_sync(log),
        eligible_leader_replicas=replication.eligible(log),
        last_known_elr=() if last == NOBODY else (last,),
        offline_replicas=[node for node in replicas if node in caller.cluster.nodes.stopped],
    )


def _refused(name: str, code: int) -> DescribeTopicPartitionsResponseTopic:
    return DescribeTopicPartitionsResponseTopic(
        error_code=code,
        name=name,
        topic_id=ZERO_UUID,
        is_internal=is_internal(name),
        partitions=[],
    )


API = MessageHandler(DescribeTopicPartitionsRequest, handle, changes=nothing)
