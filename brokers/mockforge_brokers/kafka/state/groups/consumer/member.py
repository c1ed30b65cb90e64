"""One member of a consumer group: what it reads, what it has, and how it gets to its target.

A member never has what another one still has. What it is to give up it gives up first, and says so
by its heartbeats (`owned`); then it moves on to the newest epoch and takes what others gave up,
as soon as they did. Between heartbeats nothing changes.
"""

from __future__ import annotations

from collections.abc import Callable, Set
from enum import Enum

from msgspec import Struct

from .....clock import Timer
from .assignment import Key

MayKnow = Callable[[str], bool]
"""Whether a member's user may describe a topic; equal for one user by the same rules."""


class ClassicMember(Struct, frozen=True):
    """What else is known of a member that speaks the classic protocol; the timeout in seconds.

    `protocols` are its assignors, each with its subscription as it came.
    """

    session_timeout: float
    protocols: tuple[tuple[str, bytes], ...]


class HeartbeatRequest(Struct, frozen=True):
    """What a member says. None: as before (KIP-848). The rebalance timeout is in seconds.

    `owned` is what it reads from now; `classic` is set where it said so by JoinGroup. Of the topics
    that its pattern matches it gets those that it `may_know`; None: all of them.
    """

    member_id: str
    member_epoch: int
    group_instance_id: str | None = None
    rack_id: str | None = None
    client_id: str = ""
    client_host: str = ""
    rebalance_timeout: float | None = None
    topic_names: frozenset[str] | None = None
    topic_regex: str | None = None
    assignor: str | None = None
    owned: frozenset[Key] | None = None
    classic: ClassicMember | None = None
    may_know: MayKnow | None = None

    @property
    def whole(self) -> bool:
        """It says everything, as at the beginning or after an error."""
        return (
            self.rebalance_timeout is not None
            and (self.topic_names is not None or self.topic_regex is not None)
            and self.owned is not None
        )


class MemberState(Enum):
    STABLE = "stable"
    UNREVOKED = "revoking"
    """It has to give up partitions, and did not say yet that it did."""
    UNRELEASED = "waiting"
    """It waits for partitions that others have not given up yet."""


class ConsumerMember:
    """`assigned` it may read, `revoking` it has to give up. Epoch -2: a static one that is away.

    `classic` is None unless it speaks the classic protocol.
    """

    __slots__ = (
        "assigned",
        "assigned_at",
        "assignor",
        "classic",
        "client_host",
        "client_id",
        "deadline",
        "due",
        "epoch",
        "group_instance_id",
        "may_know",
        "member_id",
        "previous_epoch",
        "rack_id",
        "rebalance_timeout",
        "resolved",
        "revoking",
        "session_timeout",
        "state",
        "timer",
        "topic_names",
        "topic_regex",
    )

    waits = False

    def __init__(self, member_id: str, instance: str | None) -> None:
        self.member_id = member_id
        self.group_instance_id = instance
        self.session_timeout = 0.0
        self.rebalance_timeout = 0.0
        self.rack_id: str | None = None
        self.client_id = ""
        self.client_host = ""
        self.topic_names: frozenset[str] = frozenset()
        self.topic_regex = ""
        self.may_know: MayKnow | None = None
        self.resolved: tuple[object, frozenset[str]] = (None, frozenset())
        """What it reads as was found last, and for which wish (`SubscribedTopics`)."""
        self.assignor: str | None = None
        self.epoch = 0
        self.previous_epoch = -1
        self.state = MemberState.STABLE
        self.assigned: frozenset[Key] = frozenset()
        self.revoking: frozenset[Key] = frozenset()
        self.assigned_at: dict[Key, int] = {}
        """The epoch since which it has had each of what it holds."""
        self.deadline = 0.0
        self.timer: Timer | None = None
        self.due: Timer | None = None
        """Runs while it has to do something within its rebalance timeout."""
        self.classic: ClassicMember | None = None

    def update(self, request: HeartbeatRequest) -> None:
        """Take over what it says."""
        self.classic = request.classic
        self.client_id, self.client_host = request.client_id, request.client_host
        self.may_know = request.may_know
        if request.rack_id is not None:
            self.rack_id = request.rack_id
        if request.rebalance_timeout is not None:
            self.rebalance_timeout = request.rebalance_timeout
        if request.topic_names is not None:
            self.topic_names = request.topic_names
        if request.topic_regex is not None:
            self.topic_regex = request.topic_regex
        if request.assignor is not None:
            self.assignor = request.assignor

    @property
    def held(self) -> frozenset[Key]:
        """What nobody else may have yet."""
        return self.assigned | self.revoking

    def settled(self, target_epoch: int) -> bool:
        """Nothing is left to do towards the target of this epoch."""
        return self.state is MemberState.STABLE and self.epoch == target_epoch

    def unsubscribe(self, readable: Set[bytes], owned: frozenset[Key] | None) -> None:
        """It reads these topics alone: what else it has it gives up with what it has to anyhow."""
        # In the other states `reconcile` sees to it by the new target. From this one it goes no
        # further before the member gave up what it was asked for before.
        if self._holds_back(owned):
            lost = frozenset(key for key in self.assigned if key[0] not in readable)
            self.assigned -= lost
            self.revoking |= lost

    def _holds_back(self, owned: frozenset[Key] | None) -> bool:
        """Whether it did not say yet that it gave up all that it was asked for."""
        # Silence is no word of having given up: it says `owned` when that changes.
        return self.state is MemberState.UNREVOKED and (
            owned is None or not owned.isdisjoint(self.revoking)
        )

    def reconcile(
        self,
        target: frozenset[Key],
        target_epoch: int,
        owned: frozenset[Key] | None,
        held_by_others: Callable[[frozenset[Key]], Set[Key]],
    ) -> None:
        """Go as far towards the target as it can now; not for one that is settled.

        `owned`: what the member reads by its own words, None where it did not say.
        `held_by_others`: which of these partitions others have not given up yet.
        """
        if self._holds_back(owned):
            return
        self.revoking = frozenset()
        assigned = self.assigned & target
        revoking = self.assigned - target
        self.assigned = assigned
        if revoking and (owned is None or owned & revoking):
            self.revoking = revoking
            self._keep_epochs()
            self.state = MemberState.UNREVOKED
            self.previous_epoch = self.epoch
            # Still in its epoch, in which it may commit what it read of these partitions.
            return
        wanted = target - assigned
        free = wanted - held_by_others(wanted)
        # What is free comes at once, the rest with later heartbeats: nobody waits for the slowest.
        self._keep_epochs()
        self.assigned_at |= dict.fromkeys(free, target_epoch)
        self.assigned = assigned | free
        self.state = MemberState.STABLE if free == wanted else MemberState.UNRELEASED
        self.previous_epoch, self.epoch = self.epoch, target_epoch

    def _keep_epochs(self) -> None:
        """Only what it still holds has been its own since some epoch."""
        held = self.held
        self.assigned_at = {key: at for key, at in self.assigned_at.items() if key in held}
