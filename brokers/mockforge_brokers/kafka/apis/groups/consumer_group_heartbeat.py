"""ConsumerGroupHeartbeat 0-1: all that a member of the new protocol says (KIP-848, KIP-1082)."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import groupby
from typing import Self

from ....access import Guard, Terms
from ....errors import RequestRefused
from ....fairness import Stepped
from ...acls import resource
from ...codes import ApiKey, ErrorCode
from ...state.groups.consumer.assignment import Key
from ...state.groups.consumer.assignors import ASSIGNORS
from ...state.groups.consumer.group import LEAVES, LEAVES_FOR_A_WHILE
from ...state.groups.consumer.member import HeartbeatRequest
from ...wire.messages.consumer_groups import (
    ConsumerGroupHeartbeatRequest,
    ConsumerGroupHeartbeatResponse,
    HeartbeatAssignment,
    OwnedTopicPartitions,
)
from ..caller import Caller
from ..handler import MessageHandler

_OWN_IDS_SINCE = 1


def handle(
    caller: Caller, request: ConsumerGroupHeartbeatRequest
) -> Stepped[ConsumerGroupHeartbeatResponse]:
    try:
        caller.permit("read", "group", request.group_id)
        _check(request, caller.version)
        for name in request.subscribed_topic_names or ():
            caller.permit("describe", "topic", name)
        wish = _wish(caller, request)
        result = yield from caller.cluster.groups.heartbeat(request.group_id, wish)
    except RequestRefused as refusal:
        code = caller.denied(ApiKey.CONSUMER_GROUP_HEARTBEAT, refusal)
        return ConsumerGroupHeartbeatResponse(error_code=code, error_message=refusal.text)
    leaves = result.member_epoch < 0
    configs = caller.cluster.configuring.groups
    interval = (
        0 if leaves else int(configs.value(request.group_id, "consumer.heartbeat.interval.ms"))
    )
    return ConsumerGroupHeartbeatResponse(
        member_id=result.member_id,
        member_epoch=result.member_epoch,
        heartbeat_interval_ms=interval,
        assignment=None
        if result.assignment is None
        else HeartbeatAssignment(topic_partitions=by_topic(result.assignment)),
    )


def by_topic(keys: Iterable[Key]) -> list[OwnedTopicPartitions]:
    return [
        OwnedTopicPartitions(topic_id=topic_id, partitions=[number for _, number in group])
        for topic_id, group in groupby(sorted(keys), key=lambda key: key[0])
    ]


def _check(request: ConsumerGroupHeartbeatRequest, version: int) -> None:
    """Raises RequestRefused with Kafka's words for what no member says."""
    epoch = request.member_epoch
    joins = epoch == 0
    must_have_id = version >= _OWN_IDS_SINCE or (not joins and epoch >= LEAVES_FOR_A_WHILE)
    wrong = ""
    if must_have_id and not request.member_id.strip():
        wrong = "MemberId can't be empty."
    elif not request.group_id.strip():
        wrong = "GroupId can't be empty."
    elif request.instance_id is not None and not request.instance_id.strip():
        wrong = "InstanceId can't be empty."
    elif request.rack_id is not None and not request.rack_id.strip():
        wrong = "RackId can't be empty."
    elif epoch == LEAVES_FOR_A_WHILE and request.instance_id is None:
        wrong = "InstanceId can't be null."
    elif epoch < min(LEAVES, LEAVES_FOR_A_WHILE):
        wrong = "MemberEpoch is invalid."
    elif joins:
        wrong = _wrong_at_first(request)
    if wrong:
        raise RequestRefused(ErrorCode.INVALID_REQUEST, wrong)
    assignor = request.server_assignor
    if assignor is not None and assignor not in ASSIGNORS:
        raise RequestRefused(
            ErrorCode.UNSUPPORTED_ASSIGNOR,
            f"ServerAssignor {assignor} is not supported. Supported assignors:"
            f" {', '.join(ASSIGNORS)}.",
        )


def _wrong_at_first(request: ConsumerGroupHeartbeatRequest) -> str:
    if request.rebalance_timeout_ms == -1:
        return "RebalanceTimeoutMs must be provided in first request."
    if request.topic_partitions is None or request.topic_partitions:
        return "TopicPartitions must be empty when (re-)joining."
    if request.subscribed_topic_names is None and request.subscribed_topic_regex is None:
        return (
            "Either SubscribedTopicNames or SubscribedTopicRegex must be non-null when"
            " (re-)joining."
        )
    return ""


def _wish(caller: Caller, request: ConsumerGroupHeartbeatRequest) -> HeartbeatRequest:
    names, owned = request.subscribed_topic_names, request.topic_partitions
    timeout = request.rebalance_timeout_ms
    return HeartbeatRequest(
        member_id=request.member_id,
        member_epoch=request.member_epoch,
        group_instance_id=request.instance_id,
        rack_id=request.rack_id,
        client_id=caller.client_id,
        client_host=caller.client_host,
        rebalance_timeout=None if timeout == -1 else timeout / 1000,
        topic_names=None if names is None else frozenset(names),
        topic_regex=request.subscribed_topic_regex,
        assignor=request.server_assignor,
        owned=None
        if owned is None
        else frozenset((one.topic_id, number) for one in owned for number in one.partitions),
        may_know=None if caller.guard is None else MayDescribe.of(caller.guard),
    )


@dataclass(frozen=True, slots=True)
class MayDescribe:
    """Whether the user of a guard may describe a topic; equal where the same rules say so.

    Each connection has a guard of its own, also those of one user.
    """

    guard: Guard = field(compare=False)
    terms: Terms

    @classmethod
    def of(cls, guard: Guard) -> Self:
        return cls(guard, guard.terms)

    def __call__(self, topic: str) -> bool:
        return self.guard.allows("describe", resource("topic", topic))


API = MessageHandler(ConsumerGroupHeartbeatRequest, handle)
