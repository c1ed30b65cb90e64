"""OffsetCommit 2-10: where a group got to (KIP-211, KIP-320, KIP-345)."""

from ....errors import RequestRefused
from ....fairness import Stepped
from ...codes import ApiKey
from ...state.groups.committed import Committer, Offsets
from ...wire.messages.offsets import (
    OffsetCommitRequest,
    OffsetCommitResponse,
    OffsetCommitResponsePartition,
    OffsetCommitResponseTopic,
)
from ..caller import Caller
from ..handler import MessageHandler
from ..stepping import LIGHT
from .committing import Refused, commit_each

_API = ApiKey.OFFSET_COMMIT
_EPOCHS_SINCE = 9
_BY_ID_SINCE = 10
_AS_USUAL = -1


def handle(caller: Caller, request: OffsetCommitRequest) -> Stepped[OffsetCommitResponse]:
    retention = request.retention_time_ms
    committer = Committer(
        request.member_id,
        request.generation_id_or_member_epoch,
        request.group_instance_id,
        knows_epochs=caller.version >= _EPOCHS_SINCE,
        retention=None if retention == _AS_USUAL else retention / 1000,
    )

    def permit() -> None:
        caller.permit("read", "group", request.group_id)

    def commit(offsets: Offsets) -> Refused:
        return caller.cluster.groups.offsets.keep(request.group_id, committer, offsets)

    def code_of(refusal: RequestRefused) -> int:
        return caller.denied(_API, refusal)

    by_id = caller.version >= _BY_ID_SINCE
    codes = yield from commit_each(
        caller, _API, request.topics, committer, permit, commit, code_of, by_id=by_id
    )
    code_of_next = iter(codes).__next__
    topics, left = [], LIGHT
    for topic in request.topics:
        partitions = []
        for one in topic.partitions:
            partitions.append(
                OffsetCommitResponsePartition(
                    partition_index=one.partition_index, error_code=code_of_next()
                )
            )
            left -= 1
            if not left:
                yield
                left = LIGHT
        topics.append(
            OffsetCommitResponseTopic(
                name=topic.name, topic_id=topic.topic_id, partitions=partitions
            )
        )
    return OffsetCommitResponse(topics=topics)


API = MessageHandler(OffsetCommitRequest, handle)
