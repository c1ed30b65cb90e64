"""A group's members taken over into a group of the other protocol (KIP-848).

Classic becomes consumer with the first member that speaks it, and classic again when the last one
of these has gone. What is assigned stays, the generation goes on as the epoch and back.
"""

from ....errors import RequestRefused
from ...codes import ErrorCode
from .classic.group import Group
from .classic.member import JoinRequest, Member
from .consumer.group import ConsumerGroup
from .consumer.member import ClassicMember, ConsumerMember
from .embedded import Embedded

CONSUMERS = "consumer"


def check_upgrade(group: Group, policy: str) -> None:
    """Raises RequestRefused unless the members may become those of a consumer group."""
    if policy.lower() not in ("upgrade", "bidirectional"):
        raise _cannot(group, "online upgrade is disabled")
    if group.protocol_type != CONSUMERS:
        raise _cannot(group, "the group does not use the consumer embedded protocol")


def _cannot(group: Group, why: str) -> RequestRefused:
    return RequestRefused(
        ErrorCode.GROUP_ID_NOT_FOUND,
        f"Cannot upgrade classic group {group.group_id} to consumer group because {why}.",
    )


def can_be_classic(policy: str) -> bool:
    return policy.lower() in ("downgrade", "bidirectional")


def into_consumer(former: Group, group: ConsumerGroup, embedded: Embedded) -> None:
    """Raises RequestRefused, and changes nothing, where a subscription cannot be read."""
    members = [_consumer(former, one, group, embedded) for one in former.members]
    former.retire()
    group.begin_at(former.generation_id)
    group.take_over(members)


def _consumer(
    former: Group, member: Member, group: ConsumerGroup, embedded: Embedded
) -> ConsumerMember:
    name = former.protocol_name or member.protocols[0][0]
    subscription = embedded.subscription(member.metadata(name))
    if subscription is None:
        raise _cannot(former, "the embedded consumer protocol is malformed")
    made = ConsumerMember(member.member_id, member.group_instance_id)
    made.classic = ClassicMember(member.session_timeout, member.protocols)
    made.client_id, made.client_host = member.client_id, member.client_host
    made.rack_id = subscription.rack_id
    made.rebalance_timeout = member.rebalance_timeout
    made.topic_names = subscription.topics
    made.assigned = group.topics.keys(embedded.assigned(member.assignment))
    return made


def into_classic(former: ConsumerGroup, group: Group, embedded: Embedded) -> None:
    """All members must speak the classic protocol."""
    members = [
        _classic(former, one, one.classic, embedded)
        for one in former.members.values()
        if one.classic is not None
    ]
    former.retire()
    group.take_over(former.epoch, members)


def _classic(
    former: ConsumerGroup, member: ConsumerMember, classic: ClassicMember, embedded: Embedded
) -> Member:
    made = Member(
        member.member_id,
        JoinRequest(
            member_id=member.member_id,
            group_instance_id=member.group_instance_id,
            client_id=member.client_id,
            client_host=member.client_host,
            session_timeout=classic.session_timeout,
            rebalance_timeout=member.rebalance_timeout,
            protocol_type=CONSUMERS,
            protocols=classic.protocols,
        ),
    )
    subscription = embedded.subscription(classic.protocols[0][1])
    target = former.target.of(member.member_id)
    version = subscription.version if subscription is not None else 0
    made.assignment = embedded.assignment(version, former.topics.named(target))
    return made
