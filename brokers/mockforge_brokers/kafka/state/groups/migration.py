"""A group's members taken over into a group of the other protocol (KIP-848).

Classic becomes consumer with the first member that speaks it, and classic again when the last one
of these has gone. What is assigned stays, the generation goes on as the epoch and back.
"""

from collections.abc import Mapping
from functools import partial
from typing import Final

from msgspec import Struct

from ....errors import RequestRefused
from ....fairness import Stepped
from ...codes import ErrorCode
from ..logs.topic import Topics
from .classic.group import Group
from .classic.member import JoinRequest, Member
from .consumer.assignment import Key
from .consumer.group import ConsumerGroup
from .consumer.member import ClassicMember, ConsumerMember
from .consumer.subscribed import keys_of
from .embedded import Embedded, Partitions, Subscription

CONSUMERS = "consumer"
_A_STEP: Final = 4
"""Members whose bytes are read at a time."""


class Read(Struct, frozen=True):
    """What a member of a classic group said and was assigned, and these bytes themselves.

    `keys` are those of its partitions that were there in a version of the topics.
    """

    metadata: bytes
    assignment: bytes
    subscription: Subscription
    partitions: Partitions
    keys: frozenset[Key]
    version: int


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


def reading(former: Group, embedded: Embedded, topics: Topics) -> Stepped[Mapping[str, Read]]:
    """What `into_consumer` asks of each member that there is when all of them are read.

    Raises RequestRefused where a subscription cannot be read.
    """
    read: dict[str, Read] = {}
    while unread := [each for each in former.members if not _is_read(former, each, read)]:
        for count, member in enumerate(unread, 1):
            read[member.member_id] = _read(former, member, embedded, topics)
            if not count % _A_STEP:
                yield
    return read


def _is_read(former: Group, member: Member, read: Mapping[str, Read]) -> bool:
    found = read.get(member.member_id)
    return (
        found is not None
        and found.assignment == member.assignment
        and found.metadata == _metadata(former, member)
    )


def _metadata(former: Group, member: Member) -> bytes:
    return member.metadata(former.protocol_name or member.protocols[0][0])


def _read(former: Group, member: Member, embedded: Embedded, topics: Topics) -> Read:
    metadata, assignment = _metadata(former, member), member.assignment
    subscription = embedded.subscription(metadata)
    if subscription is None:
        raise _cannot(former, "the embedded consumer protocol is malformed")
    partitions = embedded.assigned(assignment)
    keys = keys_of(topics, partitions)
    return Read(metadata, assignment, subscription, partitions, keys, topics.version)


def into_consumer(
    former: Group, group: ConsumerGroup, read: Mapping[str, Read], topics: Topics
) -> None:
    """`read` is what `reading` came to just now."""
    members = [_consumer(one, read[one.member_id], topics) for one in former.members]
    former.retire()
    group.begin_at(former.generation_id)
    group.take_over(members)


def _consumer(member: Member, read: Read, topics: Topics) -> ConsumerMember:
    made = ConsumerMember(member.member_id, member.group_instance_id)
    made.classic = ClassicMember(member.session_timeout, member.protocols)
    made.client_id, made.client_host = member.client_id, member.client_host
    made.rack_id = read.subscription.rack_id
    made.rebalance_timeout = member.rebalance_timeout
    made.topic_names = read.subscription.topics
    current = read.version == topics.version
    made.assigned = read.keys if current else keys_of(topics, read.partitions)
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
    # Mostly they join again before anybody asks for these bytes, which of 10,000 partitions would
    # be some 20 ms.
    made.assign(partial(_assignment, former, member.member_id, classic, embedded))
    return made


def _assignment(
    former: ConsumerGroup, member_id: str, classic: ClassicMember, embedded: Embedded
) -> bytes:
    subscription = embedded.subscription(classic.protocols[0][1])
    version = subscription.version if subscription is not None else 0
    return embedded.assignment(version, former.topics.named(former.target.of(member_id)))
