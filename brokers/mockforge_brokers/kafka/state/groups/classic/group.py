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

Who joins without a rebalance is the subject of `joining`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from .....environment import Environment
from .....errors import RequestRefused
from .....fairness import Steps
from ....codes import ErrorCode
from ....events import MemberJoined, MemberLeft
from ....options import KafkaOptions
from ...purgatory import Parked
from ..offsets import Committer, GroupOffsets
from ..rebalances import Rebalances
from ..sessions import PendingIds, Sessions
from .joining import because, join, named
from .member import JoinRequest, JoinResult, Member, Members, SyncRequest, SyncResult
from .membership import (
    check_choice,
    check_generation,
    known_member,
    unknown_member,
)
from .round import Round
from .state import GroupState

T = TypeVar("T")


class Group:
    """Members come and go; each change makes a new generation in two phases.

    PreparingRebalance waits until all members joined, or for the longest rebalance timeout of
    theirs; CompletingRebalance waits for the leader's assignments. `reason` says in words why
    the newest rebalance began.
    """

    def __init__(self, group_id: str, environment: Environment, options: KafkaOptions) -> None:
        self.group_id = group_id
        self.state = GroupState.EMPTY
        self.generation_id = 0
        self.protocol_type = ""
        self.protocol_name: str | None = None
        self.members = Members()
        self.offsets = GroupOffsets()
        self.rebalances = Rebalances(group_id, environment)
        self.emptied = 0.0
        """Wall time when its last member went."""
        self._environment = environment
        self._options = options
        self.sessions = Sessions(environment.clock, self._remove)
        self.pending = PendingIds(environment, self._complete_join_if_all)
        self.unsynced: set[str] = set()
        """Ids of those that have not asked for their assignment of this generation."""
        self._round = Round(
            environment.clock,
            self.members,
            options.initial_rebalance_delay,
            self._complete_join,
            self._drop_unsynced,
        )

    @property
    def empty(self) -> bool:
        return self.state is GroupState.EMPTY

    @property
    def reason(self) -> str:
        return self.rebalances.reason

    @property
    def settled(self) -> bool:
        """Everybody in it has what the newest generation assigned."""
        return self.state is GroupState.STABLE

    # Joining.

    def join(self, request: JoinRequest) -> Parked[JoinResult]:
        """A member wants to be part of the next generation. Raises RequestRefused."""
        return join(self, request)

    def add(self, member: Member, protocol_type: str) -> None:
        """A newcomer is among the members; what it asked for is not answered yet."""
        self.members.add(member)
        self.protocol_type = protocol_type
        self._round.newcomer = True
        event = MemberJoined(
            "kafka", self.group_id, member.member_id, member.client_id, member.group_instance_id
        )
        self._environment.spine.emit(event)

    def park_join(self, member: Member, reason: str) -> Parked[JoinResult]:
        """Its answer comes with the next generation, which begins for this reason."""
        # Its request before, if one still waits, was given up by the client.
        member.answer_join(JoinResult(ErrorCode.REBALANCE_IN_PROGRESS, member.member_id))
        parked = member.join = Parked()
        self.sessions.touch(member)
        if self.state is GroupState.PREPARING_REBALANCE:
            self._complete_join_if_all()
        else:
            self.rebalance(reason)
        return parked

    def joined(
        self, member: Member, *, leader: str | None = None, skip: bool = False, roster: bool
    ) -> JoinResult:
        """The answer of this generation; `roster`: with all members, as its leader has it."""
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
                member.assign(b"")
            member.answer_sync(SyncResult(ErrorCode.REBALANCE_IN_PROGRESS))
        was_empty = self.state is GroupState.EMPTY
        self.state = GroupState.PREPARING_REBALANCE
        self.unsynced.clear()
        before = self.generation_id
        self.rebalances.begin(reason, before + 1, len(self.members), left=before)
        self._round.begin(first=was_empty)
        self._complete_join_if_all()

    def _complete_join_if_all(self) -> None:
        if (
            self.state is GroupState.PREPARING_REBALANCE
            and not self._round.collects
            # Who was given an id is on its way, and is waited for.
            and not self.pending
            and self.members.all_wait_to_join
        ):
            self._complete_join()

    def _complete_join(self) -> None:
        """All who will come have come: the next generation begins."""
        self._round.over()
        for member in self.members:
            # A static member may be away without losing its place (KIP-345): its session decides.
            if member.join is None and member.group_instance_id is None:
                self._drop(member, "did not rejoin within the rebalance timeout")
        if len(self.members) and not self.members.elect():
            # Only static members are left and none of them is back: they have until their
            # sessions end.
            self._round.wait_for_joins()
            return
        self.generation_id += 1
        if not len(self.members):
            self.state = GroupState.EMPTY
            self.emptied = self._environment.clock.wall()
            self.protocol_name = None
            self.rebalances.empty(self.generation_id)
            return
        self.state = GroupState.COMPLETING_REBALANCE
        self.protocol_name = self.members.vote()
        self.unsynced = set(self.members.by_id)
        self._round.wait_for_syncs()
        answers = []
        for member in self.members:
            self.sessions.touch(member)
            leads = member.member_id == self.members.leader
            parked, member.join = member.join, None
            answers.append((parked, self.joined(member, roster=leads)))
        self._environment.chores.do(_answering(answers))

    def sync(self, request: SyncRequest) -> Parked[SyncResult]:
        """A member asks for its assignment; the leader brings all. Raises RequestRefused."""
        member = self._current(request.member_id, request.group_instance_id, request.generation_id)
        check_choice(self.group_id, (self.protocol_type, self.protocol_name), request)
        if self.state is GroupState.PREPARING_REBALANCE:
            raise self._rebalancing()
        self.sessions.touch(member)
        self.unsynced.discard(member.member_id)
        if self.state is GroupState.STABLE:
            return Parked.of(self._synced(member))
        parked = member.sync = Parked()
        if member.member_id == self.members.leader:
            self._assign(dict(request.assignments))
        return parked

    def _assign(self, assignments: dict[str, bytes]) -> None:
        self.state = GroupState.STABLE
        self.rebalances.complete(self.generation_id, len(self.members), self.protocol_name or "")
        answers = []
        for member in self.members:
            member.assign(assignments.get(member.member_id, b""))
            parked, member.sync = member.sync, None
            answers.append((parked, self._synced(member)))
        self._environment.chores.do(_answering(answers))

    def _synced(self, member: Member) -> SyncResult:
        return SyncResult(ErrorCode.NONE, self.protocol_type, self.protocol_name, member.assignment)

    def _drop_unsynced(self) -> None:
        # Its partitions would be read by nobody.
        late = [member for member in self.members if member.member_id in self.unsynced]
        for member in late:
            self._drop(member, "did not sync within the rebalance timeout")
        if late:
            self.rebalance(f"{named(late[0])} did not sync within the rebalance timeout")

    # Staying and leaving.

    def heartbeat(self, member_id: str, generation_id: int, instance: str | None = None) -> None:
        """Raises RequestRefused, with REBALANCE_IN_PROGRESS when the member has to join again."""
        self.sessions.touch(self._current(member_id, instance, generation_id))
        # While the leader assigns, a heartbeat is answered as if all was well: who joined again now
        # would end the new generation before it began.
        if self.state is GroupState.PREPARING_REBALANCE:
            raise self._rebalancing()

    def leave(self, member_id: str, instance: str | None = None, reason: str = "") -> str:
        """A member goes, named by its id or by its instance id alone; returns its id."""
        if self.pending.take(member_id):
            self._complete_join_if_all()
            return member_id
        if instance is not None and not member_id:
            member_id = self.members.static.get(instance, "")
        member = self.known(member_id, instance)
        self._remove(member, f"left{because(reason)}")
        return member.member_id

    def kick(self, name: str, reason: str) -> None:
        """Put out the member of this member, instance or client id; raises RequestRefused.

        It learns of it by its next request.
        """
        self._remove(self.known(self.members.find(name), None), reason)

    def put_out(self, member_id: str, reason: str) -> None:
        """Who has this id, be it a member or only on its way, is not waited for any more."""
        member = self.members.by_id.get(member_id)
        if member is not None:
            self._remove(member, reason)
        elif self.pending.take(member_id):
            self._complete_join_if_all()

    def dissolve(self, reason: str) -> None:
        """The group ends: everybody in it is told that it is not known."""
        self._round.over()
        self.pending.clear()
        for member in self.members:
            self._drop(member, reason)
        self.state = GroupState.DEAD

    def take_over(self, generation_id: int, members: Iterable[Member]) -> None:
        """They come with what another group assigned them, whose generation or epoch stands."""
        for member in members:
            self.members.add(member)
            self.sessions.touch(member)
        self.state = GroupState.STABLE
        self.generation_id, self.protocol_type = generation_id, "consumer"
        self.protocol_name = self.members.vote()

    def retire(self) -> None:
        """Another group takes this one's place, with its members: who waits has to join again."""
        self._round.over()
        self.pending.clear()
        for member in self.members:
            member.refuse(ErrorCode.REBALANCE_IN_PROGRESS)
            self.sessions.end(member)

    def _remove(self, member: Member, reason: str) -> None:
        self._drop(member, reason)
        if self.state is GroupState.PREPARING_REBALANCE:
            self._complete_join_if_all()
        elif self.state is not GroupState.EMPTY:
            self.rebalance(f"{named(member)} {reason}")

    def _drop(self, member: Member, reason: str) -> None:
        member.refuse(ErrorCode.UNKNOWN_MEMBER_ID)
        self.sessions.end(member)
        self.members.remove(member)
        self.unsynced.discard(member.member_id)
        event = MemberLeft("kafka", self.group_id, member.member_id, member.client_id, reason)
        self._environment.spine.emit(event)

    # Who is asking.

    def check_commit(
        self,
        committer: Committer,
        places: Iterable[tuple[str, int]] = (),
        *,
        transactional: bool = False,
    ) -> None:
        """Raises RequestRefused unless offsets may be committed in this name.

        Of which `places` (topic and partition) is the same here: only the leader knows who reads
        what. In a transaction Kafka asks for less: older clients do not say which member they are.
        """
        member_id, generation_id = committer.member_id, committer.generation_id
        instance = committer.group_instance_id
        if generation_id < 0 and self.state is GroupState.EMPTY:
            return
        if generation_id < 0 and not member_id and instance is None:
            if transactional:
                return
            raise unknown_member(self.group_id, member_id)
        self.sessions.touch(self._current(member_id, instance, generation_id))
        if self.state is GroupState.COMPLETING_REBALANCE and not transactional:
            raise self._rebalancing()

    def known(self, member_id: str, instance: str | None) -> Member:
        """Raises RequestRefused."""
        return known_member(self.group_id, self.members, member_id, instance)

    def _current(self, member_id: str, instance: str | None, generation_id: int) -> Member:
        member = self.known(member_id, instance)
        check_generation(self.group_id, self.generation_id, generation_id)
        return member

    def _rebalancing(self) -> RequestRefused:
        return RequestRefused(
            ErrorCode.REBALANCE_IN_PROGRESS, f"group {self.group_id} rebalances: {self.reason}"
        )


def _answering(answers: Iterable[tuple[Parked[T] | None, T]]) -> Steps:
    """Thousands may wait for one generation: each is answered with what was so when it began."""
    for parked, result in answers:
        if parked is not None:
            parked.complete(result)
        yield
