"""One classic consumer group: the state machine of Join, Sync, Heartbeat and Leave.

  Empty                 offsets at most. The first JoinGroup leads on; the initial delay collects
                        more members, so that ten that start together rebalance once.
  PreparingRebalance    JoinGroup requests are parked until every known member has joined again,
                        or until the longest rebalance timeout drops those that have not. Heartbeats
                        say REBALANCE_IN_PROGRESS, which is how a member learns that it has to.
  CompletingRebalance   a new generation: all joins are answered at once, the leader's with the
                        members. SyncGroup requests are parked until the leader's brings the
                        assignments; who never syncs is dropped.
  Stable                each member has its assignment. Whoever joins, leaves, falls silent or (as
                        leader) joins again starts over.
  Dead                  deleted: whoever still speaks of it is answered UNKNOWN_MEMBER_ID.

The surprise is in who does not rebalance: a follower that joins again unchanged, and a static
member (KIP-345) that comes back under a new member id to the same choice of protocol, get the
answer that the group had for them.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum

from .....environment import Environment
from .....errors import RequestRefused
from ....codes import ErrorCode
from ....events import GroupEmptied, GroupRebalanced, MemberJoined, MemberLeft, RebalanceStarted
from ....options import KafkaOptions
from ...purgatory import Parked
from ..offsets import GroupOffsets
from ..sessions import Alarm, PendingIds, Sessions
from .member import JoinRequest, JoinResult, Member, Members, SyncRequest, SyncResult
from .membership import check_protocols, known_member, unknown_member


class GroupState(Enum):
    """Named as DescribeGroups shows them."""

    EMPTY = "Empty"
    PREPARING_REBALANCE = "PreparingRebalance"
    COMPLETING_REBALANCE = "CompletingRebalance"
    STABLE = "Stable"
    DEAD = "Dead"


class Group:
    """Members come and go; each change makes a new generation in two phases.

    PreparingRebalance waits until all members joined, or for the longest rebalance timeout of
    theirs; CompletingRebalance waits for the leader's assignments. `reason` says in words why
    the newest rebalance began. A few lines over our ceiling, since each half of the state machine
    would need all of the other's state.
    """

    def __init__(self, group_id: str, environment: Environment, options: KafkaOptions) -> None:
        self.group_id = group_id
        self.state = GroupState.EMPTY
        self.generation_id = 0
        self.protocol_type = ""
        self.protocol_name: str | None = None
        self.members = Members()
        self.offsets = GroupOffsets()
        self.reason = ""
        self.emptied = 0.0
        """Wall time when its last member went."""
        self._environment = environment
        self._options = options
        self._sessions = Sessions(environment.clock, self._remove)
        self._pending = PendingIds(environment, self._complete_join_if_all)
        self._unsynced: set[str] = set()
        self._phase = Alarm(environment.clock)
        self._collecting_since: float | None = None
        """When the first member of an empty group came, while the initial delay lasts."""
        self._newcomer = False

    @property
    def empty(self) -> bool:
        return self.state is GroupState.EMPTY

    @property
    def settled(self) -> bool:
        """Everybody in it has what the newest generation assigned."""
        return self.state is GroupState.STABLE

    # Joining.

    def join(self, request: JoinRequest) -> Parked[JoinResult]:
        """A member wants to be part of the next generation. Raises RequestRefused."""
        check_protocols(self.group_id, self.protocol_type, self.members, request)
        if not request.member_id:
            return self._join_as_new(request)
        if self._pending.take(request.member_id):
            return self._add(request.member_id, request)
        member = self._known(request.member_id, request.group_instance_id)
        return self._rejoin(member, request)

    def _join_as_new(self, request: JoinRequest) -> Parked[JoinResult]:
        instance = request.group_instance_id
        member_id = self._pending.new_id(instance or request.client_id)
        if instance is not None:
            current = self.members.by_id.get(self.members.static.get(instance, ""))
            if current is not None:
                return self._return_static(current, member_id, request)
        elif request.must_know_id:
            # KIP-394: it becomes a member when it comes again with this id, so that who gives up on
            # a slow join and tries anew leaves no ghost behind that the others wait for.
            self._pending.give_out(member_id, request.session_timeout)
            return Parked.of(JoinResult(ErrorCode.MEMBER_ID_REQUIRED, member_id))
        return self._add(member_id, request)

    def _add(self, member_id: str, request: JoinRequest) -> Parked[JoinResult]:
        member = Member(member_id, request)
        self.members.add(member)
        self.protocol_type = request.protocol_type
        self._newcomer = True
        event = MemberJoined(
            "kafka", self.group_id, member_id, member.client_id, member.group_instance_id
        )
        self._environment.spine.emit(event)
        return self._park_join(member, f"{_who(member)} joined{_because(request.reason)}")

    def _return_static(
        self, member: Member, new_id: str, request: JoinRequest
    ) -> Parked[JoinResult]:
        old_id, old_leader = member.member_id, self.members.leader or ""
        self.members.replace_static(member, new_id)
        self._unsynced = {new_id if one == old_id else one for one in self._unsynced}
        member.update(request)
        member.client_id, member.client_host = request.client_id, request.client_host
        self._sessions.touch(member)
        if self.state is GroupState.STABLE and self.members.vote() == self.protocol_name:
            # KIP-345: a static member that comes back within its session moves nothing. An old
            # client that leads must not assign again: it is told the id that it had before.
            leads = self.members.leader == new_id
            skip = leads and request.may_skip_assignment
            leader = old_leader if leads and not skip else self.members.leader or ""
            return Parked.of(self._joined(member, leader=leader, skip=skip, roster=skip))
        return self._park_join(member, f"static {_who(member)} came back")

    def _rejoin(self, member: Member, request: JoinRequest) -> Parked[JoinResult]:
        changed = member.protocols != request.protocols
        leads = self.members.leader == member.member_id
        # A leader that joins a stable group again wants to assign anew, since topics may have
        # grown: that is a rebalance. A follower's repeated join is none.
        told_before = self.state is GroupState.COMPLETING_REBALANCE or (
            self.state is GroupState.STABLE and not leads
        )
        if told_before and not changed:
            # The member did not get its answer, or asks once more: this generation still stands.
            self._sessions.touch(member)
            return Parked.of(self._joined(member, roster=leads))
        member.update(request)
        why = "with other subscriptions" if changed else "and leads"
        return self._park_join(member, f"{_who(member)} rejoined {why}{_because(request.reason)}")

    def _park_join(self, member: Member, reason: str) -> Parked[JoinResult]:
        # Its request before, if one still waits, was given up by the client.
        member.answer_join(JoinResult(ErrorCode.REBALANCE_IN_PROGRESS, member.member_id))
        parked = member.join = Parked()
        self._sessions.touch(member)
        if self.state is GroupState.PREPARING_REBALANCE:
            self._complete_join_if_all()
        else:
            self.rebalance(reason)
        return parked

    def _joined(
        self, member: Member, *, leader: str | None = None, skip: bool = False, roster: bool
    ) -> JoinResult:
        return JoinResult(
            ErrorCode.NONE,
            member.member_id,
            self.generation_id,
            self.protocol_type,
            self.protocol_name,
            self.members.leader or "" if leader is None else leader,
            skip,
            self.members.roster(self.protocol_name or "") if roster else (),
        )

    # The phases of a rebalance.

    def rebalance(self, reason: str) -> None:
        """Begin a new generation."""
        for member in self.members:
            # The leader's assignment for this generation will never come.
            if self.state is GroupState.COMPLETING_REBALANCE:
                member.assignment = b""
            member.answer_sync(SyncResult(ErrorCode.REBALANCE_IN_PROGRESS))
        was_empty = self.state is GroupState.EMPTY
        self.state = GroupState.PREPARING_REBALANCE
        self.reason = reason
        self._unsynced.clear()
        event = RebalanceStarted("kafka", self.group_id, self.generation_id, reason)
        self._environment.spine.emit(event)
        delay = self._options.initial_rebalance_delay
        if was_empty and delay > 0:
            self._collecting_since = self._environment.clock.now()
            self._newcomer = False
            self._phase.arm(min(delay, self.members.rebalance_timeout), self._collect)
        elif was_empty:
            self._complete_join()
        else:
            self._phase.arm(self.members.rebalance_timeout, self._complete_join)
            self._complete_join_if_all()

    def _collect(self) -> None:
        """The initial delay is over, unless somebody came meanwhile (KIP-134)."""
        since = self._collecting_since or 0.0
        left = since + self.members.rebalance_timeout - self._environment.clock.now()
        if self._newcomer and left > 0:
            self._newcomer = False
            self._phase.arm(min(self._options.initial_rebalance_delay, left), self._collect)
        else:
            self._complete_join()

    def _complete_join_if_all(self) -> None:
        if (
            self.state is GroupState.PREPARING_REBALANCE
            and self._collecting_since is None
            # Who was given an id is on its way, and is waited for.
            and not self._pending
            and self.members.all_wait_to_join
        ):
            self._complete_join()

    def _complete_join(self) -> None:
        """All who will come have come: the next generation begins."""
        self._phase.disarm()
        self._collecting_since = None
        for member in self.members:
            # A static member may be away without losing its place (KIP-345): its session decides.
            if member.join is None and member.group_instance_id is None:
                self._drop(member, "did not rejoin within the rebalance timeout")
        if len(self.members) and not self.members.elect():
            # Only static members are left and none of them is back: they have until their
            # sessions end.
            self._phase.arm(self.members.rebalance_timeout, self._complete_join)
            return
        self.generation_id += 1
        if not len(self.members):
            self.state = GroupState.EMPTY
            self.emptied = self._environment.clock.wall()
            self.protocol_name = None
            event = GroupEmptied("kafka", self.group_id, self.generation_id, self.reason)
            self._environment.spine.emit(event)
            return
        self.state = GroupState.COMPLETING_REBALANCE
        self.protocol_name = self.members.vote()
        self._unsynced = set(self.members.by_id)
        self._phase.arm(self.members.rebalance_timeout, self._drop_unsynced)
        for member in self.members:
            self._sessions.touch(member)
            leads = member.member_id == self.members.leader
            member.answer_join(self._joined(member, roster=leads))

    def sync(self, request: SyncRequest) -> Parked[SyncResult]:
        """A member asks for its assignment; the leader brings all. Raises RequestRefused."""
        member = self._current(request.member_id, request.group_instance_id, request.generation_id)
        for given, known in (
            (request.protocol_type, self.protocol_type),
            (request.protocol_name, self.protocol_name),
        ):
            if given is not None and given != known:
                raise RequestRefused(
                    ErrorCode.INCONSISTENT_GROUP_PROTOCOL,
                    f"group {self.group_id} chose {known}, the member says {given}",
                )
        if self.state is GroupState.PREPARING_REBALANCE:
            raise self._rebalancing()
        self._sessions.touch(member)
        self._unsynced.discard(member.member_id)
        if self.state is GroupState.STABLE:
            return Parked.of(self._synced(member))
        parked = member.sync = Parked()
        if member.member_id == self.members.leader:
            self._assign(dict(request.assignments))
        return parked

    def _assign(self, assignments: dict[str, bytes]) -> None:
        self.state = GroupState.STABLE
        event = GroupRebalanced(
            "kafka",
            self.group_id,
            self.generation_id,
            len(self.members),
            self.protocol_name or "",
            self.reason,
        )
        self._environment.spine.emit(event)
        for member in self.members:
            member.assignment = assignments.get(member.member_id, b"")
            member.answer_sync(self._synced(member))

    def _synced(self, member: Member) -> SyncResult:
        return SyncResult(ErrorCode.NONE, self.protocol_type, self.protocol_name, member.assignment)

    def _drop_unsynced(self) -> None:
        # Its partitions would be read by nobody.
        late = [member for member in self.members if member.member_id in self._unsynced]
        for member in late:
            self._drop(member, "did not sync within the rebalance timeout")
        if late:
            self.rebalance(f"{_who(late[0])} did not sync within the rebalance timeout")

    # Staying and leaving.

    def heartbeat(self, member_id: str, generation_id: int, instance: str | None = None) -> None:
        """Raises RequestRefused, with REBALANCE_IN_PROGRESS when the member has to join again."""
        self._sessions.touch(self._current(member_id, instance, generation_id))
        # While the leader assigns, a heartbeat is answered as if all was well: who joined again now
        # would end the new generation before it began.
        if self.state is GroupState.PREPARING_REBALANCE:
            raise self._rebalancing()

    def leave(self, member_id: str, instance: str | None = None, reason: str = "") -> str:
        """A member goes, named by its id or by its instance id alone; returns its id."""
        if self._pending.take(member_id):
            self._complete_join_if_all()
            return member_id
        if instance is not None and not member_id:
            member_id = self.members.static.get(instance, "")
        member = self._known(member_id, instance)
        self._remove(member, f"left{_because(reason)}")
        return member.member_id

    def kick(self, name: str, reason: str) -> None:
        """Put out the member of this member, instance or client id; raises RequestRefused.

        It learns of it by its next request.
        """
        self._remove(self._known(self.members.find(name), None), reason)

    def dissolve(self, reason: str) -> None:
        """The group ends: everybody in it is told that it is not known."""
        self._phase.disarm()
        self._pending.clear()
        for member in self.members:
            self._drop(member, reason)
        self.state = GroupState.DEAD

    def take_over(self, generation_id: int, members: Iterable[Member]) -> None:
        """They come with what another group assigned them, whose generation or epoch stands."""
        for member in members:
            self.members.add(member)
            self._sessions.touch(member)
        self.state = GroupState.STABLE
        self.generation_id, self.protocol_type = generation_id, "consumer"
        self.protocol_name = self.members.vote()

    def retire(self) -> None:
        """Another group takes this one's place, with its members: who waits has to join again."""
        self._phase.disarm()
        self._pending.clear()
        for member in self.members:
            member.refuse(ErrorCode.REBALANCE_IN_PROGRESS)
            self._sessions.end(member)

    def _remove(self, member: Member, reason: str) -> None:
        self._drop(member, reason)
        if self.state is GroupState.PREPARING_REBALANCE:
            self._complete_join_if_all()
        elif self.state is not GroupState.EMPTY:
            self.rebalance(f"{_who(member)} {reason}")

    def _drop(self, member: Member, reason: str) -> None:
        member.refuse(ErrorCode.UNKNOWN_MEMBER_ID)
        self._sessions.end(member)
        self.members.remove(member)
        self._unsynced.discard(member.member_id)
        event = MemberLeft("kafka", self.group_id, member.member_id, member.client_id, reason)
        self._environment.spine.emit(event)

    # Who is asking.

    def check_commit(
        self,
        member_id: str,
        generation_id: int,
        instance: str | None,
        *,
        transactional: bool = False,
    ) -> None:
        """Raises RequestRefused unless offsets may be committed in this name.

        In a transaction Kafka asks for less: older clients do not say which member they are.
        """
        if generation_id < 0 and self.state is GroupState.EMPTY:
            return
        if generation_id < 0 and not member_id and instance is None:
            if transactional:
                return
            raise unknown_member(self.group_id, member_id)
        self._sessions.touch(self._current(member_id, instance, generation_id))
        if self.state is GroupState.COMPLETING_REBALANCE and not transactional:
            raise self._rebalancing()

    def _known(self, member_id: str, instance: str | None) -> Member:
        return known_member(self.group_id, self.members, member_id, instance)

    def _current(self, member_id: str, instance: str | None, generation_id: int) -> Member:
        member = self._known(member_id, instance)
        if generation_id != self.generation_id:
            raise RequestRefused(
                ErrorCode.ILLEGAL_GENERATION,
                f"group {self.group_id} is at generation {self.generation_id},"
                f" the member at {generation_id}",
            )
        return member

    def _rebalancing(self) -> RequestRefused:
        return RequestRefused(
            ErrorCode.REBALANCE_IN_PROGRESS, f"group {self.group_id} rebalances: {self.reason}"
        )


def _who(member: Member) -> str:
    name = member.group_instance_id or member.client_id or member.member_id
    return f"member {name}"


def _because(reason: str) -> str:
    return f" ({reason})" if reason else ""
