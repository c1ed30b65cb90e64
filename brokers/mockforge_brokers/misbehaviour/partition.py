"""The cut of one connection: which ways nothing arrives for now, and what waits for its end."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

from ..clock import Clock, Timer
from .actions import Partition
from .waiting import Waiting, nothing

if TYPE_CHECKING:
    from .lane import Lane
    from .rules import Rule


class Cut:
    """Both lanes of a connection share one; it is whole again when the last partition ended.

    A lane that is cut has a barrier in its queue: what was on its way before it still arrives,
    and what comes later stands behind it.
    """

    __slots__ = ("_barriers", "_parted", "ways")

    def __init__(self) -> None:
        self.ways: set[int] = set()
        self._parted: dict[Rule, tuple[set[int], Timer | None]] = {}
        self._barriers: list[tuple[Lane, Waiting]] = []

    def part(self, ways: set[int], rule: Rule, action: Partition, clock: Clock) -> None:
        """Cut these ways; a rule that fires again while its cut lasts changes nothing."""
        if rule in self._parted:
            return

        def mend() -> None:
            self._mend(rule)

        timer = None if action.duration is None else clock.call_later(action.duration, mend)
        self._parted[rule] = ways, timer
        rule.effects[self] = mend
        self.ways |= ways

    def stop(self, lane: Lane) -> None:
        """What comes to this lane from here on waits."""
        if not any(known is lane for known, _ in self._barriers):
            barrier = Waiting(nothing, 0, inf)
            self._barriers.append((lane, barrier))
            lane.queue.add(barrier)

    def end(self) -> None:
        """The connection is gone: what waits goes with it, and its rules have no more to do."""
        for rule, (_, timer) in self._parted.items():
            rule.effects.pop(self, None)
            if timer is not None:
                timer.cancel()
        self._parted.clear()
        self._barriers.clear()

    def _mend(self, rule: Rule) -> None:
        _, timer = self._parted.pop(rule)
        rule.effects.pop(self, None)
        if timer is not None:
            timer.cancel()
        # Two rules may cut the same way: it is whole when the last of them is over.
        self.ways = set().union(*(ways for ways, _ in self._parted.values()))
        waiting = [each for each in self._barriers if each[0].direction not in self.ways]
        self._barriers = [each for each in self._barriers if each[0].direction in self.ways]
        for lane, barrier in waiting:
            barrier.due = 0.0
            lane.queue.run()
