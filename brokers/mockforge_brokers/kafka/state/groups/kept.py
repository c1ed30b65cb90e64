"""What a restart keeps of a group: what it committed, and who is in it, as Kafka does."""

from __future__ import annotations

from msgspec import Struct

from .classic.group import Group
from .classic.member import JoinRequest, Member
from .consumer.assignment import Key
from .consumer.group import ConsumerGroup
from .consumer.member import ClassicMember, ConsumerMember, MemberState
from .offsets import CommittedOffset
from .offsets_log import KeptOffsetsLog

AnyGroup = Group | ConsumerGroup


class KeptClassic(Struct):
    """The members of a classic group: how each joined, and what it was assigned.

    `settled`: all had their assignments; else they have to join again.
    """

    leader: str | None
    protocol_name: str | None
    settled: bool
    members: list[tuple[JoinRequest, bytes]]


class KeptConsumerMember(Struct):
    """Fields are those of `ConsumerMember`."""

    member_id: str
    group_instance_id: str | None
    rebalance_timeout: float
    rack_id: str | None
    client_id: str
    client_host: str
    topic_names: frozenset[str]
    topic_regex: str
    assignor: str | None
    epoch: int
    previous_epoch: int
    state: MemberState
    assigned: frozenset[Key]
    revoking: frozenset[Key]
    classic: ClassicMember | None
    assigned_at: list[tuple[Key, int]] = []


class KeptConsumers(Struct):
    """The members of a consumer group and its target; `chosen` is what somebody chose."""

    target_epoch: int
    members: list[KeptConsumerMember]
    by_member: dict[str, frozenset[Key]]
    chosen: dict[str, frozenset[Key]] | None


class KeptGroup(Struct):
    """`offsets` by topic and partition, `pending` by producer id.

    `consumer`: it speaks the protocol of KIP-848. A start from a folder finds no members: those of
    a run before are mostly gone with it, and nobody shall wait until their sessions end. `log` says
    where on disk the offsets are; None: nowhere but here, as in a folder of an older program.
    """

    group_id: str
    protocol_type: str
    generation_id: int
    offsets: dict[str, dict[int, CommittedOffset]]
    pending: dict[int, list[tuple[str, int, CommittedOffset]]] = {}
    consumer: bool = False
    members: KeptClassic | None = None
    consumers: KeptConsumers | None = None
    log: KeptOffsetsLog | None = None


def kept_group(group: AnyGroup) -> KeptGroup:
    """Without its members."""
    kept = _kept_alone(group)
    offsets = group.offsets
    kept.offsets = {topic: dict(partitions) for topic, partitions in offsets.topics.items()}
    kept.pending = {
        producer_id: [(*place, offset) for place, offset in held.items()]
        for producer_id, held in offsets.pending.items()
        if held
    }
    return kept


def kept_on_disk(group: AnyGroup) -> KeptGroup:
    """Its own row: without members, and without what its log has."""
    kept = _kept_alone(group)
    if kept.log is None:
        return kept_group(group)
    kept.log.held_at = []
    return kept


def _kept_alone(group: AnyGroup) -> KeptGroup:
    made = KeptGroup(group.group_id, group.protocol_type, group.generation_id, {})
    made.consumer, made.log = isinstance(group, ConsumerGroup), group.offsets.log.dump()
    return made


def kept_with_members(group: AnyGroup) -> KeptGroup:
    kept = kept_group(group)
    # A classic group that waits for somebody who was given an id is not empty, and has no members.
    if not len(group.members):
        return kept
    if isinstance(group, ConsumerGroup):
        kept.consumers = KeptConsumers(
            group.target.epoch,
            [_kept_member(each) for each in group.members.values()],
            dict(group.target.by_member),
            group.target.chosen,
        )
    else:
        kept.members = KeptClassic(
            group.members.leader,
            group.protocol_name,
            group.settled,
            [(_joined(each, group), each.assignment) for each in group.members],
        )
    return kept


def _kept_member(member: ConsumerMember) -> KeptConsumerMember:
    values = {name: getattr(member, name) for name in KeptConsumerMember.__struct_fields__}
    return KeptConsumerMember(**values | {"assigned_at": sorted(member.assigned_at.items())})


def _joined(member: Member, group: Group) -> JoinRequest:
    return JoinRequest(
        member.member_id,
        member.group_instance_id,
        member.client_id,
        member.client_host,
        member.session_timeout,
        member.rebalance_timeout,
        group.protocol_type,
        member.protocols,
    )


def restore_members(group: AnyGroup, kept: KeptGroup) -> None:
    """They go on where they were; each has a whole session for its next word."""
    if isinstance(group, ConsumerGroup):
        if kept.consumers is not None:
            group.target.epoch = kept.consumers.target_epoch
            group.target.by_member = kept.consumers.by_member
            group.target.chosen = kept.consumers.chosen
            group.resume([_member(each) for each in kept.consumers.members])
    elif kept.members is not None:
        members = []
        for request, assignment in kept.members.members:
            member = Member(request.member_id, request)
            member.assign(assignment)
            members.append(member)
        group.take_over(kept.generation_id, members)
        group.members.leader = kept.members.leader
        group.protocol_type, group.protocol_name = kept.protocol_type, kept.members.protocol_name
        if not kept.members.settled:
            group.rebalance("the broker was restarted in the midst of a rebalance")


def _member(kept: KeptConsumerMember) -> ConsumerMember:
    member = ConsumerMember(kept.member_id, kept.group_instance_id)
    for name in kept.__struct_fields__:
        setattr(member, name, getattr(kept, name))
    member.assigned_at = dict(kept.assigned_at)
    return member
