"""One consumer group whose assignment the broker makes (KIP-848)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import Enum
from functools import partial
from typing import Final

from msgspec import Struct

from .....environment import Environment
from .....errors import RequestRefused
from .....fairness import Stepped
from ....codes import ErrorCode
from ....events import MemberJoined, MemberLeft
from ...configs.group import GroupConfigs
from ...logs.topic import Topics
from ..offsets import Committer, GroupOffsets
from ..rebalances import Rebalances
from ..sessions import Sessions, new_member_id
from .assignment import Key
from .member import ConsumerMember, HeartbeatRequest, MemberState
from .members import ConsumerMembers
from .subscribed import SubscribedTopics
from .target import TargetAssignment

LEAVES: Final = -1
"""The member epoch of one that leaves for good."""
LEAVES_FOR_A_WHILE: Final = -2
"""That of a static member that will come back: what it has waits for it."""


class ConsumerGroupState(Enum):
    """Named as ConsumerGroupDescribe shows them."""

    EMPTY = "Empty"
    ASSIGNING = "Assigning"
    RECONCILING = "Reconciling"
    STABLE = "Stable"
    DEAD = "Dead"


class HeartbeatResult(Struct, frozen=True):
    """`assignment` is None where the member has what it had."""

    member_id: str
    member_epoch: int
    assignment: frozenset[Key] | None = None


class ConsumerGroup:
    """Heartbeats drive it: each may change the group, and moves its own member a step.

    Whatever changes what should be read (a member comes, goes or reads other topics; a topic comes,
    goes or grows) raises `epoch`. The next heartbeat makes the target assignment of that epoch,
    and each member goes towards it by its own heartbeats (`ConsumerMember.reconcile`), so that
    only those who lose or gain partitions notice.
    """

    protocol_type = "consumer"

    def __init__(
        self,
        group_id: str,
        environment: Environment,
        configs: GroupConfigs,
        topics: Topics,
        on_only_classic: Callable[[ConsumerGroup, str], bool] = lambda group, reason: False,
    ) -> None:
        """`on_only_classic` is called with the reason why nobody is left who speaks the consumer
        protocol; it returns whether another group took this one's place.
        """
        self.group_id = group_id
        self.epoch = 1
        self.members = ConsumerMembers(group_id)
        self.topics = SubscribedTopics(environment, self.members, topics)
        self.target = TargetAssignment(self.members, self.topics)
        self.offsets = GroupOffsets()
        self.rebalances = Rebalances(group_id, environment)
        self.emptied = 0.0
        """Wall time when its last member went."""
        self._environment = environment
        self._configs = configs
        self._on_only_classic = on_only_classic
        self._sessions: Sessions[ConsumerMember] = Sessions(environment.clock, self.remove)
        self._dead = False
        self.retired = False
        """Another one is in its place."""
        self._announced = 0
        """The newest epoch that all members reached."""

    # What is shown.

    @property
    def state(self) -> ConsumerGroupState:
        if self._dead:
            return ConsumerGroupState.DEAD
        if not self.members:
            return ConsumerGroupState.EMPTY
        if self.epoch > self.target.epoch:
            return ConsumerGroupState.ASSIGNING
        if all(
            member.state is MemberState.STABLE and member.epoch == self.target.epoch
            for member in self.members.values()
        ):
            return ConsumerGroupState.STABLE
        return ConsumerGroupState.RECONCILING

    @property
    def reason(self) -> str:
        return self.rebalances.reason

    @property
    def empty(self) -> bool:
        return not self.members

    @property
    def generation_id(self) -> int:
        return self.epoch

    # Heartbeats.

    def heartbeat(self, request: HeartbeatRequest) -> Stepped[HeartbeatResult]:
        """Raises RequestRefused."""
        if request.member_epoch in (LEAVES, LEAVES_FOR_A_WHILE):
            return self._leave(request)
        # Epoch 0 is how a member joins, and how it begins anew after it was fenced.
        member = self.enter(request) if not request.member_epoch else self.members.present(request)
        before = member.assigned
        yield from self.advance(member, request)
        self._watch_revocation(member)
        changed = not request.member_epoch or request.whole or member.assigned != before
        return HeartbeatResult(member.member_id, member.epoch, member.assigned if changed else None)

    def advance(self, member: ConsumerMember, request: HeartbeatRequest) -> Stepped[None]:
        """Take over what a member says, and go with it as far as it can go now.

        A target of thousands of partitions is made in steps, and then it is gone on with what is
        so by then. Raises RequestRefused where the member is no longer there.
        """
        differs = self._take_over(member, request)
        self.touch(member)
        if differs:
            member.unsubscribe(self.topics.ids_of(member), request.owned)
            self._begin(f"{_who(member)} reads other topics")
        # Nobody announces a new topic to the group: the next heartbeat notices it.
        elif self.topics.changed():
            self._begin("topics came, went or grew")
        member_id, wanted = member.member_id, self.epoch
        while not self.target.reach(max(wanted, self.epoch)) and self.target.epoch < wanted:
            yield
            if self.members.known(member_id, request.group_instance_id) is not member:
                raise RequestRefused(
                    ErrorCode.UNKNOWN_MEMBER_ID, f"Member {member_id} joined anew meanwhile."
                )
            if self.retired:
                return
        epoch = self.target.epoch
        if not member.settled(epoch):
            held = partial(self.members.held_by_others, member)
            # It may have come in the place of one that read more.
            readable = self.topics.ids_of(member)
            target = frozenset(key for key in self.target.of(member_id) if key[0] in readable)
            member.reconcile(target, epoch, request.owned, held)
        self._announce()

    def is_current_for(self, member: ConsumerMember, request: HeartbeatRequest) -> bool:
        """Take over what a member says; whether its target is still one for that."""
        return not self._take_over(member, request) and self.epoch == self.target.epoch

    def _take_over(self, member: ConsumerMember, request: HeartbeatRequest) -> bool:
        """What it says; whether that asks for another target."""
        topics, assignor = (member.topic_names, self.topics.of(member)), None
        if request.assignor not in (None, member.assignor):
            # All members are asked, which not every heartbeat may do.
            assignor = self.members.assignor
        member.update(request)
        if topics != (member.topic_names, self.topics.of(member)):
            return True
        return assignor is not None and assignor != self.members.assignor

    def touch(self, member: ConsumerMember) -> None:
        """The member is alive."""
        member.session_timeout = (
            self._configs.seconds(self.group_id, "consumer.session.timeout.ms")
            if member.classic is None
            else member.classic.session_timeout
        )
        self._sessions.touch(member)

    @property
    def heartbeat_interval(self) -> float:
        """Seconds after which a member reports again."""
        return self._configs.seconds(self.group_id, "consumer.heartbeat.interval.ms")

    def enter(self, request: HeartbeatRequest) -> ConsumerMember:
        """A new member, or one that begins anew after an error. Raises RequestRefused."""
        instance = request.group_instance_id
        member = self.members.get(request.member_id)
        former = self.members.static(instance)
        if former is not None:
            _check_released(former, request)
        if former is not None and former is not member:
            if member is not None:
                # It took the id of another member, whose timers would put out the wrong one.
                self._drop(member, f"came back as instance {instance}")
                returned = self._return_static(former, request.member_id)
                # What it had under its own id is to be others' now.
                self._begin(f"{_who(returned)} came back and left what it had before")
                return returned
            return self._return_static(former, request.member_id)
        if member is not None:
            member.group_instance_id = instance or member.group_instance_id
            return member
        member_id = request.member_id or new_member_id(self._environment)
        member = ConsumerMember(member_id, instance)
        assignor = self.members.assignor if request.assignor is not None else None
        self.members[member_id] = member
        member.update(request)
        event = MemberJoined("kafka", self.group_id, member_id, member.client_id, instance)
        self._environment.spine.emit(event)
        # As in Kafka also for topics that are not there; by a pattern, where it matches any.
        other = assignor is not None and self.members.assignor != assignor
        if other or member.topic_names or self.topics.of(member):
            self._begin(f"{_who(member)} joined")
        return member

    def _return_static(self, former: ConsumerMember, member_id: str) -> ConsumerMember:
        """It comes back under a new id to what it had: nobody else moves (KIP-345)."""
        del self.members[former.member_id]
        self._sessions.end(former)
        self.stop_timer(former)
        self.target.rename(former.member_id, member_id)
        former.member_id = member_id
        former.epoch, former.previous_epoch = 0, -1
        former.state, former.revoking = MemberState.STABLE, frozenset()
        self.members[member_id] = former
        return former

    # Epochs and targets.

    def _begin(self, reason: str) -> None:
        self.epoch += 1
        self.topics.count()
        self.rebalances.begin(reason, self.epoch, len(self.members), left=self.epoch)

    def assign(self, name: str, keys: frozenset[Key], reason: str) -> None:
        """Choose what a member is to have from now on. Raises RequestRefused."""
        self.target.choose(self.members.find(name).member_id, keys)
        self._begin(reason)

    def assign_by_assignor(self, reason: str) -> None:
        """What was chosen holds no longer."""
        self.target.leave_to_assignor()
        self._begin(reason)

    def look_again(self, reason: str) -> None:
        """What an assignor goes by is other than it was; who has what is kept as far as it can."""
        if self.members:
            self._begin(reason)

    def _watch_revocation(self, member: ConsumerMember) -> None:
        """Who does not give up what it has to within its rebalance timeout is put out."""
        if member.state is not MemberState.UNREVOKED:
            self.stop_timer(member)
        else:
            self.expect(member, "did not give up its partitions")

    def expect(self, member: ConsumerMember, otherwise: str) -> None:
        """It has its rebalance timeout for what it has to do; `otherwise` it is put out."""
        if member.due is None:
            member.due = self._environment.clock.call_later(
                member.rebalance_timeout, self.remove, member, otherwise
            )

    def _announce(self) -> None:
        if self._announced != self.epoch and self.state is ConsumerGroupState.STABLE:
            self._announced = self.epoch
            self.rebalances.complete(self.epoch, len(self.members), self.target.assignor)

    # Leaving.

    def _leave(self, request: HeartbeatRequest) -> HeartbeatResult:
        member = self.members.known(request.member_id, request.group_instance_id)
        if request.member_epoch == LEAVES_FOR_A_WHILE:
            member.epoch, member.revoking = LEAVES_FOR_A_WHILE, frozenset()
            # The process that comes back has them under another member id from the first epoch on.
            member.assigned_at = dict.fromkeys(member.held, 0)
            self.stop_timer(member)
            self._sessions.touch(member)
        else:
            self.remove(member, "left")
        return HeartbeatResult(member.member_id, request.member_epoch)

    def kick(self, name: str, reason: str) -> None:
        """Put out the member of this member, instance or client id; raises RequestRefused."""
        self.remove(self.members.find(name), reason)

    def rebalance(self, reason: str) -> None:
        """Make the assignment anew, without regard to what everybody has."""
        self.target.clear()
        self._begin(reason)

    def begin_at(self, epoch: int) -> None:
        """It goes on where another group was, or the same one before a restart."""
        self.epoch = self.target.epoch = epoch

    def take_over(self, members: Iterable[ConsumerMember]) -> None:
        """They come from a classic group with what it assigned them; its generation stands."""
        for member in members:
            self.members[member.member_id] = member
            self.target.by_member[member.member_id] = member.assigned
            member.epoch = member.previous_epoch = self.epoch
            member.assigned_at = dict.fromkeys(member.assigned, self.epoch)
            self.touch(member)
        self.topics.count()

    def resume(self, members: Iterable[ConsumerMember]) -> None:
        """They were in this group before the broker was restarted; the target is theirs."""
        for member in members:
            self.members[member.member_id] = member
            self.touch(member)
            self._watch_revocation(member)
        self.topics.count()
        self._announced = self.epoch

    def retire(self) -> None:
        """Another group takes this one's place, with its members."""
        self.retired = True
        for member in self.members.values():
            self._sessions.end(member)
            self.stop_timer(member)

    def dissolve(self, reason: str) -> None:
        """The group ends: nobody is a member any more."""
        for member in tuple(self.members.values()):
            self._drop(member, reason)
        self._dead = True

    def remove(self, member: ConsumerMember, reason: str) -> None:
        self._drop(member, reason)
        why = f"{_who(member)} {reason}"
        if (
            member.classic is None
            and self.members.only_classic
            and self._on_only_classic(self, why)
        ):
            return
        self._begin(why)
        if not self.members:
            self.target.clear()
            self.target.epoch = self.epoch
            self.emptied = self._environment.clock.wall()
            self.rebalances.empty(self.epoch)

    def _drop(self, member: ConsumerMember, reason: str) -> None:
        self._sessions.end(member)
        self.stop_timer(member)
        del self.members[member.member_id]
        self.target.by_member.pop(member.member_id, None)
        event = MemberLeft("kafka", self.group_id, member.member_id, member.client_id, reason)
        self._environment.spine.emit(event)

    def stop_timer(self, member: ConsumerMember) -> None:
        if member.due is not None:
            member.due.cancel()
            member.due = None

    # Who is asking.

    def check_commit(
        self,
        committer: Committer,
        places: Iterable[tuple[str, int]],
        *,
        transactional: bool = False,
    ) -> None:
        """Raises RequestRefused unless these partitions may be committed in this name.

        A transactional producer need not say for whom it commits.
        """
        nobody = not committer.member_id and committer.group_instance_id is None
        if committer.generation_id < 0 and (not self.members or (transactional and nobody)):
            return
        keys = self.topics.keys((topic, (partition,)) for topic, partition in places)
        self.members.check_commit(committer, keys, transactional=transactional)


def _who(member: ConsumerMember) -> str:
    return f"member {member.group_instance_id or member.client_id or member.member_id}"


def _check_released(former: ConsumerMember, request: HeartbeatRequest) -> None:
    """Another process with the same instance id takes over where the former one said that it would
    be back (KIP-848), and is refused while that one is alive, by its member id or another one.
    """
    # Who speaks the classic protocol takes over from itself without leaving (KIP-345).
    only_new = former.classic is None and request.classic is None
    if only_new and former.epoch != LEAVES_FOR_A_WHILE:
        raise RequestRefused(
            ErrorCode.UNRELEASED_INSTANCE_ID,
            f"Static member {request.member_id} with instance id {request.group_instance_id} cannot"
            f" join the group because the instance id is owned by {former.member_id} member.",
        )
