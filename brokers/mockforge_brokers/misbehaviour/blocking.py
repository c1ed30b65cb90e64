"""The blocks of one connection: what it sends is left unread for a while, and it is told so."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

from msgspec import Struct

from ..clock import Timer
from ..journal import IN
from .actions import Block
from .waiting import Waiting, nothing

if TYPE_CHECKING:
    from .lane import Lane
    from .rules import Rule


class _Blocked(Struct, eq=False):
    """One block: what fired, where it stops what comes in (None: nothing came yet), its end."""

    lane: Lane
    timer: Timer | None
    barrier: tuple[Lane, Waiting] | None = None


class Blocks:
    """Both lanes of a connection share one; it is read again when the last block has ended.

    What the client sent already waits behind a barrier; what it gets goes on, as does the word that
    it is blocked.
    """

    __slots__ = ("_blocks",)

    def __init__(self) -> None:
        self._blocks: dict[Rule, _Blocked] = {}

    def __bool__(self) -> bool:
        return bool(self._blocks)

    def block(self, lane: Lane, inward: Lane | None, rule: Rule, action: Block) -> None:
        """From here on; a rule that fires again while its block lasts changes nothing.

        A frame from the client waits itself, behind those that came before it. One to the client
        goes on, and nothing more comes in: `inward` is the lane of that, where there is one.
        """
        if rule in self._blocks:
            return

        def end() -> None:
            self._end(rule)

        timer = None if action.duration is None else lane.clock.call_later(action.duration, end)
        first = not self._blocks
        self._blocks[rule] = blocked = _Blocked(lane, timer)
        if lane.direction == IN:
            barrier = Waiting(nothing, 0, inf)
            blocked.barrier = lane, barrier
            lane.queue.add(barrier)
        elif inward is not None and inward.queue:
            self.stop(inward)
        rule.effects[self] = end
        lane.peer.pause_reading()
        if first:
            _tell(lane, action.reason)

    def stop(self, lane: Lane) -> None:
        """Nothing goes in from here on: what comes now was read before the block."""
        for blocked in self._blocks.values():
            if blocked.barrier is None:
                barrier = Waiting(nothing, 0, inf)
                blocked.barrier = lane, barrier
                lane.queue.add_first(barrier)

    def end(self) -> None:
        """The connection is gone: its rules have no more to do with it."""
        for rule, blocked in self._blocks.items():
            rule.effects.pop(self, None)
            if blocked.timer is not None:
                blocked.timer.cancel()
        self._blocks.clear()

    def _end(self, rule: Rule) -> None:
        blocked = self._blocks.pop(rule)
        rule.effects.pop(self, None)
        if blocked.timer is not None:
            blocked.timer.cancel()
        lane = blocked.lane
        if not self._blocks:
            _tell(lane, None)
        lane.peer.resume_reading()
        if blocked.barrier is not None:
            inward, barrier = blocked.barrier
            barrier.due = 0.0
            inward.queue.run()


def _tell(lane: Lane, reason: str | None) -> None:
    lane.connection.notify_blocked(reason)
    if lane.connection.out:
        lane.peer.wake()
