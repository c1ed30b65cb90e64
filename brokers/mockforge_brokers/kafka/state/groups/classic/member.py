"""Members of a classic group: who they are, what they can do, what they wait for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from msgspec import Struct

from .....clock import Timer
from ....codes import ErrorCode
from ...java_maps import hash_of, place_of
from ...purgatory import Parked

_PLACES: Final = 16
"""In Java's HashMap of a few keys."""
_LONGEST_COMPARED: Final = 1_000
"""Characters of a protocol's name: a frame may hold one of many millions, and each is a step."""


class JoinRequest(Struct, frozen=True):
    """What a member asks for. Timeouts are seconds; `protocols` are (name, opaque metadata).

    `must_know_id`: a new dynamic member is first told its id (KIP-394, v4 and later).
    `may_skip_assignment`: a leader can be told that nothing changed (KIP-814, v9 and later).
    """

    member_id: str
    group_instance_id: str | None
    client_id: str
    client_host: str
    session_timeout: float
    rebalance_timeout: float
    protocol_type: str
    protocols: tuple[tuple[str, bytes], ...]
    must_know_id: bool = True
    may_skip_assignment: bool = False
    reason: str = ""


class JoinedMember(Struct, frozen=True):
    member_id: str
    group_instance_id: str | None
    metadata: bytes


class JoinResult(Struct, frozen=True):
    """`members` is filled for the leader only."""

    error_code: ErrorCode
    member_id: str
    generation_id: int = -1
    protocol_type: str | None = None
    protocol_name: str | None = None
    leader: str = ""
    skip_assignment: bool = False
    members: tuple[JoinedMember, ...] = ()


class SyncRequest(Struct, frozen=True):
    """`assignments` come from the leader only; None for a protocol means that it was not told."""

    member_id: str
    generation_id: int
    group_instance_id: str | None = None
    protocol_type: str | None = None
    protocol_name: str | None = None
    assignments: tuple[tuple[str, bytes], ...] = ()


class SyncResult(Struct, frozen=True):
    error_code: ErrorCode
    protocol_type: str | None = None
    protocol_name: str | None = None
    assignment: bytes = b""


class Member:
    """One member. `join` and `sync` are its parked requests."""

    __slots__ = (
        "_assignment",
        "client_host",
        "client_id",
        "deadline",
        "group_instance_id",
        "join",
        "member_id",
        "protocols",
        "rebalance_timeout",
        "session_timeout",
        "sync",
        "timer",
    )

    def __init__(self, member_id: str, request: JoinRequest) -> None:
        self.member_id = member_id
        self.group_instance_id = request.group_instance_id
        self.client_id = request.client_id
        self.client_host = request.client_host
        self._assignment: bytes | Callable[[], bytes] = b""
        self.join: Parked[JoinResult] | None = None
        self.sync: Parked[SyncResult] | None = None
        self.deadline = 0.0
        self.timer: Timer | None = None
        self.update(request)

    def update(self, request: JoinRequest) -> None:
        """The member came again, perhaps with other wishes."""
        self.session_timeout = request.session_timeout
        self.rebalance_timeout = request.rebalance_timeout
        self.protocols = request.protocols

    @property
    def assignment(self) -> bytes:
        """What the leader gave it, or what it had in the group before this one."""
        if not isinstance(self._assignment, bytes):
            self._assignment = self._assignment()
        return self._assignment

    def assign(self, assignment: bytes | Callable[[], bytes]) -> None:
        """A function makes it once it is asked for, which few of very many are."""
        self._assignment = assignment

    @property
    def waits(self) -> bool:
        """A request of it is parked, which is as good as a heartbeat."""
        return self.join is not None or self.sync is not None

    def metadata(self, protocol_name: str | None) -> bytes:
        return dict(self.protocols).get(protocol_name or "", b"")

    def answer_join(self, result: JoinResult) -> None:
        parked, self.join = self.join, None
        if parked is not None:
            parked.complete(result)

    def answer_sync(self, result: SyncResult) -> None:
        parked, self.sync = self.sync, None
        if parked is not None:
            parked.complete(result)

    def refuse(self, code: ErrorCode) -> None:
        """Answer what is parked with an error."""
        # As Kafka: who is no member any more is not named, and is given another id if it joins.
        name = "" if code == ErrorCode.UNKNOWN_MEMBER_ID else self.member_id
        self.answer_join(JoinResult(code, name))
        self.answer_sync(SyncResult(code))


class Members:
    """Who is in a group, in the order in which they came; the first one leads unless it left."""

    def __init__(self) -> None:
        self.by_id: dict[str, Member] = {}
        self.static: dict[str, str] = {}
        """group_instance_id to member_id (KIP-345)"""
        self.leader: str | None = None

    def __len__(self) -> int:
        return len(self.by_id)

    def __iter__(self) -> Iterator[Member]:
        return iter(tuple(self.by_id.values()))

    def add(self, member: Member) -> None:
        self.by_id[member.member_id] = member
        if member.group_instance_id is not None:
            self.static[member.group_instance_id] = member.member_id
        if self.leader is None:
            self.leader = member.member_id

    def remove(self, member: Member) -> None:
        del self.by_id[member.member_id]
        if member.group_instance_id is not None:
            self.static.pop(member.group_instance_id, None)
        if self.leader == member.member_id:
            self.leader = None
            self.elect()

    def replace_static(self, member: Member, new_id: str) -> None:
        """A static member came back under a new id: it is the same member, the old id is fenced."""
        member.refuse(ErrorCode.FENCED_INSTANCE_ID)
        if self.leader == member.member_id:
            self.leader = new_id
        # In place, so that the order of members stays.
        self.by_id = {
            new_id if key == member.member_id else key: m for key, m in self.by_id.items()
        }
        member.member_id = new_id
        if member.group_instance_id is not None:
            self.static[member.group_instance_id] = new_id

    def elect(self) -> bool:
        """See that the leader is one who waits for the next generation; False if nobody does."""
        leader = self.by_id.get(self.leader or "")
        if leader is not None and leader.join is not None:
            return True
        waiting = [member for member in self if member.join is not None]
        if waiting:
            self.leader = waiting[0].member_id
        elif leader is None:
            self.leader = next(iter(self.by_id), None)
        return bool(waiting)

    def find(self, name: str) -> str:
        """The id of the member with this member id, instance id or client id; `name` if none."""
        for member in self:
            if name in (member.member_id, member.group_instance_id, member.client_id):
                return member.member_id
        return name

    @property
    def all_wait_to_join(self) -> bool:
        return all(member.join is not None for member in self)

    @property
    def rebalance_timeout(self) -> float:
        return max((member.rebalance_timeout for member in self), default=0.0)

    def common_protocols(self) -> list[str]:
        """What every member supports, in the first member's order."""
        members = list(self)
        names = [name for name, _ in members[0].protocols] if members else []
        others = [{name for name, _ in member.protocols} for member in members[1:]]
        return [name for name in names if all(name in other for other in others)]

    def vote(self) -> str:
        """The protocol that most members prefer among those that all support.

        Of as many votes it is the one that Kafka would choose, whichever member came first; one of
        endless length only where all have such names.
        """
        common = self.common_protocols()
        votes = dict.fromkeys(common, 0)
        for member in self:
            votes[next(name for name, _ in member.protocols if name in votes)] += 1
        most = max(votes.values())
        equal = [name for name in common if votes[name] == most]
        return min(equal, key=_place_of) if len(equal) > 1 else equal[0]

    def roster(self, protocol_name: str) -> tuple[JoinedMember, ...]:
        """All members as their leader is told of them."""
        return tuple(
            JoinedMember(m.member_id, m.group_instance_id, m.metadata(protocol_name)) for m in self
        )


def _place_of(name: str) -> int:
    """Where Java's HashMap of a few strings has this one: Kafka goes through them in this order."""
    if len(name) > _LONGEST_COMPARED:
        return _PLACES
    return place_of(hash_of(name), _PLACES)
