"""What each member of a consumer group is to have: as an assignor says, or as somebody chose."""

from __future__ import annotations

from typing import Final

from .....fairness import Steps
from .assignment import Assignment, Counts, Key, Ordered, Subscriptions, of_each
from .assignors import ASSIGNORS
from .member import ConsumerMember
from .members import ConsumerMembers
from .subscribed import SubscribedTopics

_MADE: Final = object()


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
        self.assignor = members.assignor
        self._ordered: Ordered = {}
        """As the assignor made it: what each member got first."""
        self._members = members
        self._topics = topics
        self._making: Steps | None = None
        self.chosen: Assignment | None = None
        """What somebody chose, in the place of an assignor."""

    def of(self, member_id: str) -> frozenset[Key]:
        return self.by_member.get(member_id, frozenset())

    def reach(self, epoch: int) -> bool:
        """A step towards the target of this epoch; whether it, or that of a newer one, is there.

        All who wait for it do the steps of one making, which is of the newest epoch when it begins.
        """
        if self.epoch < epoch:
            if self._making is None:
                self._making = self._make(epoch)
            if next(self._making, _MADE) is _MADE:
                self._making = None
        return self.epoch >= epoch

    def _make(self, epoch: int) -> Steps:
        """For this epoch, by the assignor that most members ask for.

        Members and topics that come meanwhile have a newer epoch.
        """
        members, partitions = sorted(self._members.values(), key=_place), self._topics.partitions
        assignor = self._members.assignor
        alike = self._topics.alike
        by_id = {member.member_id: member for member in members}
        ids: dict[frozenset[str], frozenset[bytes]] = {}

        def subscription(member_id: str) -> frozenset[bytes]:
            member = by_id[member_id]
            names = self._topics.of(member)
            if names not in ids:
                ids[names] = self._topics.ids_of(member).intersection(partitions)
            return ids[names]

        subscriptions = yield from of_each(by_id, subscription)
        # By a pattern each reads what its own user may know.
        alike = alike and len(ids) == 1
        before, ordered = dict(self.by_member), self._ordered
        if self.chosen is not None:
            made = self._still_possible(self.chosen, subscriptions, partitions)
        else:
            current = yield from of_each(before, lambda member: self._in_order(before, member))
            ordered = yield from ASSIGNORS[assignor](subscriptions, partitions, current, alike)
            made = yield from of_each(ordered, lambda member: frozenset(ordered[member]))
        self.assignor, self._ordered = assignor, ordered
        self.by_member = {member: keys for member, keys in made.items() if member in self._members}
        self.epoch = epoch

    def _begin_anew(self) -> None:
        """What is being made goes by what is no longer so."""
        self._making = None

    def choose(self, member_id: str, keys: frozenset[Key]) -> None:
        """A member is to have these, and nobody else; the others keep what they were to have."""
        # The first choice begins with what everybody has, so that only one member moves.
        before = self.by_member if self.chosen is None else self.chosen
        self.chosen = {member: held - keys for member, held in before.items()}
        self.chosen[member_id] = keys
        self._begin_anew()

    def leave_to_assignor(self) -> None:
        """What was chosen holds no longer."""
        self.chosen = None
        self._begin_anew()

    def clear(self) -> None:
        """The next one is made without regard to what everybody has."""
        self.by_member = {}
        self._begin_anew()

    def rename(self, before: str, member_id: str) -> None:
        """A static member came back under another id, to what it was to have (KIP-345)."""
        for assignment in (self.by_member, self.chosen or {}):
            if before in assignment:
                assignment[member_id] = assignment.pop(before)
        self._begin_anew()

    def _in_order(self, assignment: Assignment, member_id: str) -> list[Key]:
        """What it is to have, what it got first at the beginning."""
        known, held = self._ordered.get(member_id, ()), assignment[member_id]
        return [key for key in known if key in held] + sorted(held.difference(known))

    def _still_possible(
        self, chosen: Assignment, subscriptions: Subscriptions, partitions: Counts
    ) -> Assignment:
        """What was chosen for those who are there, as far as they read it and it is there."""
        return {
            member: frozenset(
                (topic, partition)
                for topic, partition in chosen.get(member, ())
                if topic in topics and partition < partitions.get(topic, 0)
            )
            for member, topics in subscriptions.items()
        }
