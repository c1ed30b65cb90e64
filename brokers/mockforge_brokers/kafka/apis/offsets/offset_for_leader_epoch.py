"""OffsetForLeaderEpoch 2-4: where an epoch ended, for truncation checks (KIP-320)."""

from functools import partial

from ....errors import RequestRefused
from ....fairness import Stepped
from ...codes import ApiKey
from ...wire.messages.offsets import (
    EpochEndOffset,
    OffsetForLeaderEpochRequest,
    OffsetForLeaderEpochResponse,
    OffsetForLeaderPartition,
    OffsetForLeaderTopicResult,
)
from ..caller import Caller
from ..handler import MessageHandler, nothing
from ..leader_epoch import check_leader_epoch
from ..stepping import each


def handle(
    caller: Caller, request: OffsetForLeaderEpochRequest
) -> Stepped[OffsetForLeaderEpochResponse]:
    topics = []
    for topic in request.topics:
        found = yield from each(partial(_partition, caller, topic.topic), topic.partitions)
        topics.append(OffsetForLeaderTopicResult(topic=topic.topic, partitions=found))
    return OffsetForLeaderEpochResponse(topics=topics)


def _partition(caller: Caller, topic: str, wanted: OffsetForLeaderPartition) -> EpochEndOffset:
    try:
        if caller.may("cluster_action", "cluster"):  # as a follower
            log = caller.cluster.topics.named(topic).log(wanted.partition)
        else:
            log = caller.topic(topic, b"").log(wanted.partition)
        check_leader_epoch(caller, log, wanted.current_leader_epoch)
    except RequestRefused as refusal:
        code = caller.denied(ApiKey.OFFSET_FOR_LEADER_EPOCH, refusal)
        return EpochEndOffset(partition=wanted.partition, error_code=code)
    epoch, end_offset = log.end_of_epoch(wanted.leader_epoch)
    return EpochEndOffset(partition=wanted.partition, leader_epoch=epoch, end_offset=end_offset)


API = MessageHandler(OffsetForLeaderEpochRequest, handle, changes=nothing)
