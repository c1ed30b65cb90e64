"""OffsetDelete 0: what a group committed of single partitions goes (KIP-496)."""

from ....errors import RequestRefused
from ...codes import ApiKey
from ...state.groups.kept import AnyGroup
from ...wire.messages.offsets import (
    OffsetDeleteRequest,
    OffsetDeleteRequestTopic,
    OffsetDeleteResponse,
    OffsetDeleteResponsePartition,
    OffsetDeleteResponseTopic,
)
from ..caller import Caller
from ..handler import MessageHandler


def handle(caller: Caller, request: OffsetDeleteRequest) -> OffsetDeleteResponse:
    try:
        caller.permit("delete", "group", request.group_id)
        group = caller.cluster.groups.offsets.for_deletion(request.group_id)
    except RequestRefused as refusal:
        code = caller.denied(ApiKey.OFFSET_DELETE, refusal)
        return OffsetDeleteResponse(error_code=code, topics=[])
    subscribed = caller.cluster.groups.subscribed(group)
    return OffsetDeleteResponse(
        topics=[
            OffsetDeleteResponseTopic(
                name=topic.name,
                partitions=[
                    _delete(caller, group, topic, one.partition_index, subscribed)
                    for one in topic.partitions
                ],
            )
            for topic in request.topics
        ]
    )


def _delete(
    caller: Caller,
    group: AnyGroup,
    topic: OffsetDeleteRequestTopic,
    partition: int,
    subscribed: frozenset[str] | None,
) -> OffsetDeleteResponsePartition:
    code = 0
    try:
        caller.topic(topic.name, b"", "read").log(partition)
        caller.cluster.groups.offsets.delete(group, topic.name, partition, subscribed)
    except RequestRefused as refusal:
        code = caller.denied(ApiKey.OFFSET_DELETE, refusal)
    return OffsetDeleteResponsePartition(partition_index=partition, error_code=code)


API = MessageHandler(OffsetDeleteRequest, handle)
