"""The blocks of one connection: what it sends is left unread for a while, and it is told so."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

from ..clock import Timer
from ..journal import IN
from .actions import Block
from .waiting import Waiting, nothing

if TYPE_CHECKING:
    from .lane import Lane
    from .rules import Rule


class Blocks:
    """Both lanes of a connection share one; it is read again when the last block has ended.

    What the client sent already waits behind a barrier; what it gets goes on, as does the word that
    it is blocked.
    """

    __slots__ = ("_blocks",)

    def __init__(self) -> None:
        self._blocks: dict[Rule, tuple[Lane, Waiting | None, Timer | None]] = {}

    def __bool__(self) -> bool:
        return bool(self._blocks)

    def block(self, lane: Lane, rule: Rule, action: Block) -> None:
        """From here on; a rule that fires again while its block lasts changes nothing."""
        if rule in self._blocks:
            return
        barrier = None
        if lane.direction == IN:
            barrier = Waiting(nothing, 0, inf)
            lane.queue.add(barrier)

        def end() -> None:
            self._end(rule)

        timer = None if action.duration is None else lane.clock.call_later(action.duration, end)
        first = not self._blocks
        self._blocks[rule] = lane, barrier, timer
        rule.effects[self] = end
        lane.peer.pause_reading()
        if first:
            _tell(lane, action.reason)

    def end(self) -> None:
        """The connection is gone: its rules have no more to do with it."""
        for rule, (_, _, timer) in self._blocks.items():
            rule.effects.pop(self, None)
            if timer is not None:
                timer.cancel()
        self._blocks.clear()

    def _end(self, rule: Rule) -> None:
        lane, barrier, timer = self._blocks.pop(rule)
        rule.effects.pop(self, None)
        if timer is not None:
            timer.cancel()
        if not self._blocks:
            _tell(lane, None)
        lane.peer.resume_reading()
        if barrier is not None:
            barrier.due = 0.0
            lane.queue.run()


def _tell(lane: Lane, reason: str | None) -> None:
    lane.connection.notify_blocked(reason)
    if lane.connection.out:
        lane.peer.wake()
