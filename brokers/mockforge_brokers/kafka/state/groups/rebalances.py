"""The rebalances of one group as people see them: each is emitted, and the last ones are kept."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Final

from msgspec.structs import replace

from ....environment import Environment
from ...events import GroupEmptied, GroupRebalanced, RebalanceStarted
from ...snapshots import RebalanceView

MOST: Final = 20
"""So many of each group are kept: those of the last deployment, not of the whole day."""


class Rebalances:
    """Oldest first. They stay when the group becomes one of the other protocol."""

    def __init__(self, group_id: str, environment: Environment) -> None:
        self.group_id = group_id
        self.reason = ""
        """Why the group is as it is: of its newest rebalance, or of the broker's restart."""
        self._environment = environment
        self._kept: deque[RebalanceView] = deque(maxlen=MOST)
        self._begun = 0.0

    def __iter__(self) -> Iterator[RebalanceView]:
        return iter(self._kept)

    def begin(self, reason: str, generation: int, members: int, *, left: int) -> None:
        """`generation` is that which comes; `left` is the one that the event names."""
        self.reason = reason
        self._begun = self._environment.clock.now()
        wall = self._environment.clock.wall()
        self._kept.append(RebalanceView(wall, generation, members, reason))
        self._environment.spine.emit(RebalanceStarted("kafka", self.group_id, left, reason))

    def complete(self, generation: int, members: int, assignor: str) -> None:
        self._end(generation, members)
        self._environment.spine.emit(
            GroupRebalanced("kafka", self.group_id, generation, members, assignor, self.reason)
        )

    def empty(self, generation: int) -> None:
        """Nobody is left."""
        self._end(generation, 0)
        self._environment.spine.emit(GroupEmptied("kafka", self.group_id, generation, self.reason))

    def _end(self, generation: int, members: int) -> None:
        if self._kept and self._kept[-1].generation == generation:
            took = self._environment.clock.now() - self._begun
            self._kept[-1] = replace(self._kept[-1], members=members, took=took)
