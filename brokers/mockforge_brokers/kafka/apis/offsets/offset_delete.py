"""OffsetDelete 0: what a group committed of single partitions goes (KIP-496)."""

from collections.abc import Iterable
from functools import partial

from ....errors import RequestRefused
from ....fairness import Stepped
from ...codes import ApiKey
from ...wire.messages.offsets import (
    OffsetDeleteRequest,
    OffsetDeleteRequestPartition,
    OffsetDeleteResponse,
    OffsetDeleteResponsePartition,
    OffsetDeleteResponseTopic,
)
from ..caller import Caller
from ..handler import MessageHandler
from ..stepping import each


def handle(caller: Caller, request: OffsetDeleteRequest) -> Stepped[OffsetDeleteResponse]:
    topics = []
    try:
        caller.permit("delete", "group", request.group_id)
        caller.cluster.groups.offsets.for_deletion(request.group_id)
        for topic in request.topics:
            checked = yield from each(partial(_check, caller, topic.name), topic.partitions)
            topics.append(OffsetDeleteResponseTopic(name=topic.name, partitions=checked))
        # All in one step, as Kafka does: between two of them the group may change.
        _delete(caller, request.group_id, topics)
    except RequestRefused as refusal:
        code = caller.denied(ApiKey.OFFSET_DELETE, refusal)
        return OffsetDeleteResponse(error_code=code, topics=[])
    return OffsetDeleteResponse(topics=topics)


def _check(
    caller: Caller, topic: str, wanted: OffsetDeleteRequestPartition
) -> OffsetDeleteResponsePartition:
    code, index = 0, wanted.partition_index
    try:
        caller.topic(topic, b"", "read").log(index)
    except RequestRefused as refusal:
        code = caller.denied(ApiKey.OFFSET_DELETE, refusal)
    return OffsetDeleteResponsePartition(partition_index=index, error_code=code)


def _delete(caller: Caller, group_id: str, topics: Iterable[OffsetDeleteResponseTopic]) -> None:
    """Raises RequestRefused where the group is one of which nothing is deleted."""
    offsets = caller.cluster.groups.offsets
    group = offsets.for_deletion(group_id)
    subscribed = caller.cluster.groups.subscribed(group)
    for topic in topics:
        for one in topic.partitions:
            if one.error_code:
                continue
            try:
                offsets.delete(group, topic.name, one.partition_index, subscribed)
            except RequestRefused as refusal:
                one.error_code = caller.denied(ApiKey.OFFSET_DELETE, refusal)


API = MessageHandler(OffsetDeleteRequest, handle)
