"""OffsetCommit 2-10: where a group got to (KIP-211, KIP-320, KIP-345)."""

from ....errors import RequestRefused
from ...codes import ApiKey, ErrorCode
from ...state.groups.classic.group import Group
from ...state.groups.offsets import CommittedOffset
from ...state.logs.topic import Topic
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

_METADATA_BYTES = 4096
"""Kafka's offset.metadata.max.bytes"""


def handle(caller: Caller, request: OffsetCommitRequest) -> OffsetCommitResponse:
    group: Group | RequestRefused
    try:
        group = caller.cluster.groups.for_commit(
            request.group_id,
            request.member_id,
            request.generation_id_or_member_epoch,
            request.group_instance_id,
        )
    except RequestRefused as refusal:
        caller.denied(ApiKey.OFFSET_COMMIT, refusal)
        group = refusal
    return OffsetCommitResponse(
        topics=[
            OffsetCommitResponseTopic(
                name=topic.name,
                topic_id=topic.topic_id,
                partitions=_commit_topic(caller, group, topic),
            )
            for topic in request.topics
        ]
    )


def _commit_topic(
    caller: Caller, group: Group | RequestRefused, wanted: OffsetCommitRequestTopic
) -> list[OffsetCommitResponsePartition]:
    code = 0
    if isinstance(group, RequestRefused):
        code = group.code
    else:
        try:
            topic = caller.topic(wanted.name, wanted.topic_id)
        except RequestRefused as refusal:
            code = caller.denied(ApiKey.OFFSET_COMMIT, refusal)
        else:
            return [
                OffsetCommitResponsePartition(
                    partition_index=one.partition_index,
                    error_code=_commit(caller, group, topic, one),
                )
                for one in wanted.partitions
            ]
    return [
        OffsetCommitResponsePartition(partition_index=one.partition_index, error_code=code)
        for one in wanted.partitions
    ]


def _commit(
    caller: Caller, group: Group, topic: Topic, wanted: OffsetCommitRequestPartition
) -> int:
    metadata = wanted.committed_metadata or ""
    try:
        topic.log(wanted.partition_index)
        if len(metadata.encode()) > _METADATA_BYTES:
            raise RequestRefused(
                ErrorCode.OFFSET_METADATA_TOO_LARGE,
                f"the metadata has more than {_METADATA_BYTES} bytes",
            )
    except RequestRefused as refusal:
        return caller.denied(ApiKey.OFFSET_COMMIT, refusal)
    committed = CommittedOffset(
        wanted.committed_offset,
        wanted.committed_leader_epoch,
        metadata,
        caller.environment.clock.wall(),
    )
    group.offsets.commit(topic.name, wanted.partition_index, committed)
    return 0


API = MessageHandler(OffsetCommitRequest, handle)
