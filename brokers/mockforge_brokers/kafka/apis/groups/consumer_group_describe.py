"""ConsumerGroupDescribe 0-1: groups of the new protocol, with what each member has (KIP-848)."""

from collections.abc import Iterable
from functools import partial
from itertools import groupby

from ....errors import RequestRefused
from ....fairness import Stepped, Steps
from ...codes import ApiKey, ErrorCode
from ...state.cluster import Cluster
from ...state.groups.consumer.assignment import Key
from ...state.groups.consumer.group import ConsumerGroup
from ...state.groups.consumer.member import ConsumerMember
from ...wire.messages.consumer_groups import (
    ConsumerGroupDescribeRequest,
    ConsumerGroupDescribeResponse,
    DescribedAssignment,
    DescribedConsumer,
    DescribedConsumerGroup,
    NamedTopicPartitions,
)
from ..authorized import authorized
from ..caller import Caller
from ..handler import MessageHandler, nothing
from ..stepping import MEMBERS, each, each_by_steps

_CLASSIC, _CONSUMER = 0, 1
_MEMBER_TYPE_SINCE = 1


def handle(
    caller: Caller, request: ConsumerGroupDescribeRequest
) -> Stepped[ConsumerGroupDescribeResponse]:
    describe = partial(_describe, caller, request.include_authorized_operations)
    return ConsumerGroupDescribeResponse(
        groups=(yield from each_by_steps(describe, request.group_ids))
    )


def _describe(caller: Caller, asked: bool, group_id: str) -> Stepped[DescribedConsumerGroup]:
    try:
        caller.permit("describe", "group", group_id)
        if not group_id:
            raise RequestRefused(ErrorCode.INVALID_GROUP_ID, "")
        group = caller.cluster.groups.consumer(group_id)
        yield from _check_topics(caller, group)
    except RequestRefused as refusal:
        return DescribedConsumerGroup(
            error_code=caller.denied(ApiKey.CONSUMER_GROUP_DESCRIBE, refusal),
            error_message=refusal.text or None,
            group_id=group_id,
            group_state="",
            group_epoch=0,
            assignment_epoch=0,
            assignor_name="",
            members=[],
        )
    described = DescribedConsumerGroup(
        group_id=group_id,
        group_state=group.state.value,
        group_epoch=group.epoch,
        assignment_epoch=group.target.epoch,
        assignor_name=group.members.assignor,
        members=[],
        authorized_operations=authorized(caller, "group", group_id, asked=asked),
    )
    # What all have at this moment, though it is told in steps.
    members = [
        (member, member.epoch, member.held, group.target.of(member.member_id))
        for member in group.members.values()
    ]
    describe = partial(_member, caller)
    described.members = yield from each(describe, members, at_a_time=MEMBERS)
    return described


def _check_topics(caller: Caller, group: ConsumerGroup) -> Steps:
    """Raises RequestRefused where the user may not know of a topic that a member has."""
    ids: set[bytes] = set()
    for count, member in enumerate(tuple(group.members.values()), 1):
        ids.update(topic for topic, _ in member.held | group.target.of(member.member_id))
        if not count % MEMBERS:
            yield
    topics = caller.cluster.topics.by_id
    if not all(caller.may_know("topic", topics[one].name) for one in ids if one in topics):
        raise RequestRefused(
            ErrorCode.TOPIC_AUTHORIZATION_FAILED,
            "The group has described topic(s) that the client is not authorized to describe.",
        )


def _member(
    caller: Caller, shown: tuple[ConsumerMember, int, frozenset[Key], frozenset[Key]]
) -> DescribedConsumer:
    member, epoch, held, target = shown
    return DescribedConsumer(
        member_id=member.member_id,
        instance_id=member.group_instance_id,
        rack_id=member.rack_id,
        member_epoch=epoch,
        client_id=member.client_id,
        client_host=member.client_host,
        subscribed_topic_names=sorted(member.topic_names),
        subscribed_topic_regex=member.topic_regex,
        assignment=_named(caller.cluster, held),
        target_assignment=_named(caller.cluster, target),
        member_type=_type(member) if caller.version >= _MEMBER_TYPE_SINCE else -1,
    )


def _type(member: ConsumerMember) -> int:
    return _CONSUMER if member.classic is None else _CLASSIC


def _named(cluster: Cluster, keys: Iterable[Key]) -> DescribedAssignment:
    """Partitions of topics that are gone meanwhile are left out."""
    return DescribedAssignment(
        topic_partitions=[
            NamedTopicPartitions(
                topic_id=topic_id,
                topic_name=cluster.topics.by_id[topic_id].name,
                partitions=[number for _, number in group],
            )
            for topic_id, group in groupby(sorted(keys), key=lambda key: key[0])
            if topic_id in cluster.topics.by_id
        ]
    )


API = MessageHandler(ConsumerGroupDescribeRequest, handle, changes=nothing)
