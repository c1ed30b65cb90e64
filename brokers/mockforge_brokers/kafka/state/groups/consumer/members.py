"""Who is in a consumer group, and whether who asks is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Set

from .....errors import RequestRefused
from ....codes import ErrorCode
from ..offsets import Committer
from .assignment import Key
from .assignors import ASSIGNORS
from .member import ConsumerMember, HeartbeatRequest


class ConsumerMembers(dict[str, ConsumerMember]):
    """By member id, in the order in which they came."""

    def __init__(self, group_id: str) -> None:
        super().__init__()
        self.group_id = group_id

    @property
    def only_classic(self) -> bool:
        """It has members, and none of them speaks the consumer protocol."""
        return bool(self) and all(one.classic is not None for one in self.values())

    @property
    def assignor(self) -> str:
        """What most of them prefer; of as frequent ones the first of all."""
        # Apache Kafka takes now one of these and now the other, by an epoch for each heartbeat.
        asked = Counter(member.assignor for member in self.values())
        return max(ASSIGNORS, key=asked.__getitem__)

    def held_by_others(self, member: ConsumerMember, keys: Set[Key]) -> set[Key]:
        """Of these."""
        held: set[Key] = set()
        # What a member reads is little beside what all of them do.
        for other in self.values() if keys else ():
            if other is not member:
                held |= keys & other.assigned
                held |= keys & other.revoking
        return held

    def find(self, name: str) -> ConsumerMember:
        """By member, instance or client id; raises RequestRefused."""
        for member in self.values():
            if name in (member.member_id, member.group_instance_id, member.client_id):
                return member
        return self.known(name, None)

    def present(self, request: HeartbeatRequest) -> ConsumerMember:
        """The member of a heartbeat after its first one. Raises RequestRefused."""
        member = self.known(request.member_id, request.group_instance_id)
        known, said = member.epoch, request.member_epoch
        owned = request.owned
        # It may have missed the answer that brought it to the next epoch: then it has nothing
        # but what it was given.
        missed = said == member.previous_epoch and owned is not None and owned <= member.assigned
        if said == known or missed:
            return member
        compared = "greater" if said > known else "smaller"
        raise RequestRefused(
            ErrorCode.FENCED_MEMBER_EPOCH,
            f"The consumer group member has a {compared} member epoch ({said}) than the one known"
            f" by the group coordinator ({known}). The member must abandon all its partitions and"
            " rejoin.",
        )

    def known(self, member_id: str, instance: str | None) -> ConsumerMember:
        """The member of these ids. Raises RequestRefused."""
        if instance is not None:
            static = self.static(instance)
            if static is None:
                raise RequestRefused(
                    ErrorCode.UNKNOWN_MEMBER_ID, f"Instance id {instance} is unknown."
                )
            if static.member_id != member_id:
                raise RequestRefused(
                    ErrorCode.FENCED_INSTANCE_ID,
                    f"Static member {member_id} with instance id {instance} was fenced by member"
                    f" {static.member_id}.",
                )
        member = self.get(member_id)
        if member is None:
            raise RequestRefused(
                ErrorCode.UNKNOWN_MEMBER_ID,
                f"Member {member_id} is not a member of group {self.group_id}.",
            )
        return member

    def static(self, instance: str | None) -> ConsumerMember | None:
        if instance is None:
            return None
        return next((each for each in self.values() if each.group_instance_id == instance), None)

    def check_commit(
        self, committer: Committer, keys: Iterable[Key], *, transactional: bool
    ) -> None:
        """Raises RequestRefused unless a member may commit offsets of these partitions.

        One that has not heard of the newest epoch may commit what it has had since the epoch that
        it says, since nobody else read that meanwhile (KIP-1251).
        """
        member, epoch = self.known(committer.member_id, None), committer.generation_id
        if not (transactional or committer.knows_epochs or member.classic is not None):
            raise RequestRefused(
                ErrorCode.UNSUPPORTED_VERSION,
                "OffsetCommit version 9 or above must be used by members using the consumer group"
                " protocol",
            )
        if epoch > member.epoch:
            raise _stale(member, f"{epoch} is newer than current member epoch {member.epoch}")
        if epoch == member.epoch:
            return
        for key in keys:
            since = member.assigned_at.get(key)
            if since is None or epoch < since:
                had = "which it does not have" if since is None else f"assigned at {since}"
                raise _stale(member, f"{epoch} is too old for partition {key[1]}, {had}")

    def check_epoch(self, member_id: str, epoch: int) -> None:
        """Raises RequestRefused unless this member is at this epoch."""
        member = self.known(member_id, None)
        if epoch == member.epoch:
            return
        raise _stale(member, f"{epoch} does not match the expected member epoch {member.epoch}")


def _stale(member: ConsumerMember, why: str) -> RequestRefused:
    """The refusal of an epoch, in the words of the member's protocol."""
    if member.classic is not None:
        code, said = ErrorCode.ILLEGAL_GENERATION, "generation id"
    else:
        code, said = ErrorCode.STALE_MEMBER_EPOCH, "member epoch"
    return RequestRefused(code, f"The received {said} {why}.")
