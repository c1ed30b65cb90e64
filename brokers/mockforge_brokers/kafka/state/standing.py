"""How one partition stands: who leads it, who is in sync, and who may lead next (KIP-966)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

NOBODY: Final = -1


class Move(NamedTuple):
    """A reassignment that waits for a replica which is not there (KIP-455)."""

    before: Sequence[int]
    target: Sequence[int]

    @property
    def adding(self) -> list[int]:
        return [node for node in self.target if node not in self.before]

    @property
    def removing(self) -> list[int]:
        return [node for node in self.before if node not in self.target]

    def is_done(self, in_sync: Sequence[int]) -> bool:
        """As Kafka: what is added is in sync, or, if nothing is, all that stays."""
        wanted = self.adding or self.target
        return all(node in in_sync for node in wanted)


class Standing:
    """Of one partition, kept from the first time on that it is not as its replicas say.

    `eligible` left the in-sync replicas in order when these became too few: what was acknowledged
    is with them, so that one of them may lead again. `last_leader` is who led while nobody does.
    """

    __slots__ = ("eligible", "in_sync", "last_leader", "leader", "move")

    def __init__(self, leader: int, in_sync: Sequence[int]) -> None:
        self.leader = leader
        self.in_sync = list(in_sync)
        self.eligible: list[int] = []
        self.last_leader = NOBODY
        self.move: Move | None = None

    def lose(self, node: int, least: int) -> None:
        """`node` stopped; `least` replicas are to be in sync."""
        if node not in self.in_sync:
            return
        self.in_sync.remove(node)
        if len(self.in_sync) < least:
            self.eligible.append(node)
        if not self.in_sync:
            self.last_leader = node

    def gain(self, node: int) -> None:
        """`node` has all that the leader has."""
        if node not in self.in_sync:
            self.in_sync.append(node)
        self.last_leader = NOBODY

    def weigh(self, least: int) -> None:
        """With enough of them in sync nobody else is eligible."""
        enough = len(self.in_sync) >= least
        self.eligible = [node for node in self.eligible if not enough and node not in self.in_sync]

    def is_as_at_first(self, replicas: Sequence[int]) -> bool:
        """Whether all of a partition's replicas are in sync, and led by the first one."""
        settled = self.move is None and not self.eligible and self.leader == replicas[0]
        return settled and len(self.in_sync) == len(replicas)
