"""OffsetCommit 2-10: where a group got to (KIP-211, KIP-320, KIP-345)."""

from collections.abc import Iterator
from itertools import count

from ....errors import RequestRefused
from ...codes import ApiKey, ErrorCode
from ...state.groups.coordinator import Committer
from ...state.groups.offsets import CommittedOffset
from ...wire.messages.offsets import (
    OffsetCommitRequest,
    OffsetCommitRequestPartition,
    OffsetCommitRequestTopic,
    OffsetCommitResponse,
    OffsetCommitResponsePartition,
    OffsetCommitResponseTopic,
)
from ..caller import Caller
from ..handler import MessageHandler

_EPOCHS_SINCE = 9


def handle(caller: Caller, request: OffsetCommitRequest) -> OffsetCommitResponse:
    codes: dict[int, int] = {}
    """By the partition's place in the request."""
    offsets: dict[tuple[str, int], CommittedOffset] = {}
    places: dict[tuple[str, int], int] = {}
    for place, (topic, partition) in enumerate(_partitions(request)):
        try:
            found = caller.topic(topic.name, topic.topic_id, "read")
            name = found.log(partition.partition_index).topic
        except RequestRefused as refusal:
            codes[place] = caller.denied(ApiKey.OFFSET_COMMIT, refusal)
            continue
        key = (name, partition.partition_index)
        places[key] = place
        offsets[key] = CommittedOffset(
            partition.committed_offset,
            partition.committed_leader_epoch,
            partition.committed_metadata or "",
        )
    committer = Committer(
        request.member_id,
        request.generation_id_or_member_epoch,
        request.group_instance_id,
    )
    try:
        caller.permit("read", "group", request.group_id)
        refused = caller.cluster.groups.commit(request.group_id, committer, offsets)
    except RequestRefused as refusal:
        code = caller.denied(ApiKey.OFFSET_COMMIT, _for_version(refusal, caller.version))
        codes |= dict.fromkeys(places.values(), code)
    else:
        for key, reason in refused.items():
            codes[places[key]] = caller.denied(ApiKey.OFFSET_COMMIT, reason)
    numbers = count()
    return OffsetCommitResponse(
        topics=[
            OffsetCommitResponseTopic(
                name=topic.name,
                topic_id=topic.topic_id,
                partitions=[
                    OffsetCommitResponsePartition(
                        partition_index=one.partition_index, error_code=codes.get(next(numbers), 0)
                    )
                    for one in topic.partitions
                ],
            )
            for topic in request.topics
        ]
    )


def _for_version(refusal: RequestRefused, version: int) -> RequestRefused:
    """Older clients know nothing of member epochs."""
    if refusal.code == ErrorCode.STALE_MEMBER_EPOCH and version < _EPOCHS_SINCE:
        return RequestRefused(ErrorCode.UNSUPPORTED_VERSION, refusal.text)
    return refusal


def _partitions(
    request: OffsetCommitRequest,
) -> Iterator[tuple[OffsetCommitRequestTopic, OffsetCommitRequestPartition]]:
    for topic in request.topics:
        for partition in topic.partitions:
            yield topic, partition


API = MessageHandler(OffsetCommitRequest, handle)
