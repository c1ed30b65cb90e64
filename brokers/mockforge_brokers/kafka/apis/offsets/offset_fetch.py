"""OffsetFetch 1-10: what groups committed (KIP-320, KIP-447, KIP-709)."""

from collections import Counter
from collections.abc import Collection, Iterable
from functools import partial
from typing import TypeVar

from ....errors import RequestRefused
from ....fairness import Stepped
from ...codes import ApiKey, ErrorCode
from ...state.groups.offsets import UNCOMMITTED, CommittedOffset, GroupOffsets
from ...wire.messages.offsets import (
    OffsetFetchRequest,
    OffsetFetchRequestGroup,
    OffsetFetchRequestTopics,
    OffsetFetchResponse,
    OffsetFetchResponseGroup,
    OffsetFetchResponsePartition,
    OffsetFetchResponsePartitions,
    OffsetFetchResponseTopic,
    OffsetFetchResponseTopics,
)
from ..caller import Caller
from ..handler import MessageHandler, nothing
from ..reading import check_meant
from ..stepping import LIGHT, each

P = TypeVar("P", OffsetFetchResponsePartition, OffsetFetchResponsePartitions)

_SEVERAL_GROUPS_SINCE = 8
_BY_ID_SINCE = 10


def handle(caller: Caller, request: OffsetFetchRequest) -> Stepped[OffsetFetchResponse]:
    if caller.version >= _SEVERAL_GROUPS_SINCE:
        check_meant(caller, OffsetFetchRequest, _said_again(caller, request))
        groups = []
        for group in request.groups:
            groups.append((yield from _group(caller, group, request.require_stable)))
            yield
        return OffsetFetchResponse(groups=groups)
    try:
        caller.permit("describe", "group", request.group_id)
    except RequestRefused as refusal:
        code = caller.denied(ApiKey.OFFSET_FETCH, refusal)
        return OffsetFetchResponse(topics=[], error_code=code)
    offsets = _offsets_of(caller, request.group_id)
    if request.topics is None:
        wanted: Iterable[tuple[str, Collection[int]]] = _known(caller, offsets)
    else:
        wanted = [(topic.name, topic.partition_indexes) for topic in request.topics]
    topics = []
    for name, partitions in wanted:
        code = _denied(caller, name)
        answer = OffsetFetchResponsePartition
        fetch = partial(_partition, answer, offsets, name, request.require_stable, code)
        found = yield from each(fetch, partitions, at_a_time=LIGHT)
        topics.append(OffsetFetchResponseTopic(name=name, partitions=found))
        yield
    return OffsetFetchResponse(topics=topics)


def _said_again(caller: Caller, request: OffsetFetchRequest) -> int:
    """Partitions of groups that are asked for all, for each time but the first one.

    Said once, they are no more than what is kept.
    """
    times = Counter(group.group_id for group in request.groups if group.topics is None)
    return sum(
        (count - 1) * sum(map(len, _offsets_of(caller, group_id).topics.values()))
        for group_id, count in times.items()
        if count > 1
    )


def _known(caller: Caller, offsets: GroupOffsets) -> list[tuple[str, Collection[int]]]:
    """What was committed of topics that the user may know of."""
    return [
        (name, tuple(partitions))
        for name, partitions in offsets.topics.items()
        if caller.may_know("topic", name)
    ]


def _denied(caller: Caller, topic: str) -> int:
    """The error code of a topic that the user may not know of; 0 if it may."""
    try:
        caller.permit("describe", "topic", topic)
    except RequestRefused as refusal:
        return caller.denied(ApiKey.OFFSET_FETCH, refusal)
    return 0


def _fetched(
    offsets: GroupOffsets, topic: str, partition: int, require_stable: bool, code: int
) -> tuple[CommittedOffset, int]:
    """What was committed; UNSTABLE_OFFSET_COMMIT while a transaction would move it (KIP-447).

    A consumer asks again until the transaction ends, so this is no refusal to be reported.
    """
    if code:
        return UNCOMMITTED, 0
    if require_stable and offsets.is_unstable(topic, partition):
        return UNCOMMITTED, int(ErrorCode.UNSTABLE_OFFSET_COMMIT)
    return offsets.fetch(topic, partition), 0


def _group(
    caller: Caller, wanted: OffsetFetchRequestGroup, require_stable: bool
) -> Stepped[OffsetFetchResponseGroup]:
    try:
        caller.permit("describe", "group", wanted.group_id)
        caller.cluster.groups.check_fetch(wanted.group_id, wanted.member_id, wanted.member_epoch)
    except RequestRefused as refusal:
        code = caller.denied(ApiKey.OFFSET_FETCH, refusal)
        return OffsetFetchResponseGroup(group_id=wanted.group_id, topics=[], error_code=code)
    offsets = _offsets_of(caller, wanted.group_id)
    topics: list[OffsetFetchResponseTopics] = []
    refused: list[OffsetFetchResponseTopics] = []
    if wanted.topics is None:
        for name, partitions in _known(caller, offsets):
            # Between two steps it may go, with all that was committed of it.
            topic = caller.cluster.topics.get(name)
            if topic is None:
                continue
            fetch = partial(
                _partition, OffsetFetchResponsePartitions, offsets, name, require_stable, 0
            )
            found = yield from each(fetch, partitions, at_a_time=LIGHT)
            topics.append(
                OffsetFetchResponseTopics(name=name, topic_id=topic.topic_id, partitions=found)
            )
            yield
    for one in wanted.topics or ():
        answered, code = yield from _topic(caller, offsets, one, require_stable)
        # As Kafka: what is not there, or not to be known of, stands behind all else.
        (refused if code else topics).append(answered)
        yield
    topics += refused
    return OffsetFetchResponseGroup(group_id=wanted.group_id, topics=topics)


def _topic(
    caller: Caller,
    offsets: GroupOffsets,
    wanted: OffsetFetchRequestTopics,
    require_stable: bool,
) -> Stepped[tuple[OffsetFetchResponseTopics, int]]:
    """With the code that all of it is refused with, or 0."""
    name, code = wanted.name, 0
    if caller.version >= _BY_ID_SINCE:
        try:
            name = caller.cluster.topics.with_id(wanted.topic_id).name
        except RequestRefused as refusal:
            code = caller.denied(ApiKey.OFFSET_FETCH, refusal)
    code = code or _denied(caller, name)
    fetch = partial(_partition, OffsetFetchResponsePartitions, offsets, name, require_stable, code)
    partitions = yield from each(fetch, wanted.partition_indexes, at_a_time=LIGHT)
    topic = OffsetFetchResponseTopics(name=name, topic_id=wanted.topic_id, partitions=partitions)
    return topic, code


def _partition(
    answer: type[P], offsets: GroupOffsets, topic: str, require_stable: bool, code: int,
    partition: int,
) -> P:  # fmt: skip
    """The answer about one partition, in the form of one group or in that of several."""
    found, unstable = _fetched(offsets, topic, partition, require_stable, code)
    return answer(
        partition_index=partition,
        committed_offset=found.offset,
        committed_leader_epoch=found.leader_epoch,
        metadata=found.metadata,
        error_code=code or unstable,
    )


def _offsets_of(caller: Caller, group_id: str) -> GroupOffsets:
    """An unknown group has committed nothing, which is no error."""
    group = caller.cluster.groups.by_id.get(group_id)
    return group.offsets if group is not None else GroupOffsets()


API = MessageHandler(OffsetFetchRequest, handle, changes=nothing)
