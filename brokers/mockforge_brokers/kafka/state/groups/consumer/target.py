"""What each member of a consumer group is to have: as an assignor says, or as somebody chose."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Final

from .assignment import Assignment, Key, Ordered
from .assignors import ASSIGNORS
from .member import ConsumerMember
from .members import ConsumerMembers
from .subscribed import SubscribedTopics

_DEFAULT: Final = next(iter(ASSIGNORS))


def _place(member: ConsumerMember) -> tuple[bool, str]:
    """Where it stands among the others, as Kafka's RangeAssignor sorts them."""
    instance = member.group_instance_id
    return instance is None, instance or member.member_id


class TargetAssignment:
    """Made once for each epoch of the group; `epoch` is the one it was made for.

    The members go towards it by their own heartbeats (`ConsumerMember.reconcile`).
    """

    def __init__(self, members: ConsumerMembers, topics: SubscribedTopics) -> None:
        self.epoch = 1
        self.by_member: Assignment = {}
        self.assignor = _DEFAULT
        self._ordered: Ordered = {}
        """As the assignor made it: what each member got first."""
        self._members = members
        self._topics = topics
        self.chosen: Assignment | None = None
        """What somebody chose, in the place of an assignor."""

    def of(self, member_id: str) -> frozenset[Key]:
        return self.by_member.get(member_id, frozenset())

    def make(self, epoch: int) -> None:
        """For this epoch, by the assignor that most members ask for."""
        members = self._members.values()
        # Each member may prefer another assignor; as in Kafka the most frequent one wins.
        asked = Counter(member.assignor for member in members if member.assignor)
        self.assignor = asked.most_common(1)[0][0] if asked else _DEFAULT
        subscriptions = {
            member.member_id: self._topics.ids_of(member) for member in sorted(members, key=_place)
        }
        if self.chosen is not None:
            self.by_member = self._still_possible(self.chosen, subscriptions)
        else:
            assign = ASSIGNORS[self.assignor]
            current = {member: self._in_order(member) for member in self.by_member}
            self._ordered = assign(subscriptions, self._topics.partitions, current)
            self.by_member = {member: frozenset(keys) for member, keys in self._ordered.items()}
        self.epoch = epoch

    def choose(self, member_id: str, keys: frozenset[Key]) -> None:
        """A member is to have these, and nobody else; the others keep what they were to have."""
        # The first choice begins with what everybody has, so that only one member moves.
        before = self.by_member if self.chosen is None else self.chosen
        self.chosen = {member: held - keys for member, held in before.items()}
        self.chosen[member_id] = keys

    def leave_to_assignor(self) -> None:
        """What was chosen holds no longer."""
        self.chosen = None

    def clear(self) -> None:
        """The next one is made without regard to what everybody has."""
        self.by_member = {}

    def rename(self, before: str, member_id: str) -> None:
        """A static member came back under another id, to what it was to have (KIP-345)."""
        for assignment in (self.by_member, self.chosen or {}):
            if before in assignment:
                assignment[member_id] = assignment.pop(before)

    def _in_order(self, member_id: str) -> list[Key]:
        """What it is to have, what it got first at the beginning."""
        known, held = self._ordered.get(member_id, ()), self.by_member[member_id]
        return [key for key in known if key in held] + sorted(held.difference(known))

    def _still_possible(
        self, chosen: Assignment, subscriptions: Mapping[str, frozenset[bytes]]
    ) -> Assignment:
        """What was chosen for those who are there, as far as they read it and it is there."""
        partitions = self._topics.partitions
        return {
            member: frozenset(
                (topic, partition)
                for topic, partition in chosen.get(member, ())
                if topic in topics and partition < partitions.get(topic, 0)
            )
            for member, topics in subscriptions.items()
        }
