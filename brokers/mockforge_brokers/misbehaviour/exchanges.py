"""What the two lanes of a connection share: what answers what, and what holds for both of them."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING

from ..clock import Clock, Timer
from ..journal import IN, Row
from ..protocols import protocol_of
from .actions import Block, Partition
from .blocking import Blocks
from .partition import Cut
from .skimming import UNSETTLED

if TYPE_CHECKING:
    from .lane import Lane
    from .rules import Rule

_MOST_EXCHANGES = 1_000


class Exchanges:
    """What the two lanes of a connection share: which rules matched which of its requests, so
    that answers are left alone; whose answers are surplus; in which directions it is dark, or cut
    for a while.

    A request and what answers it share `Row.correlation`; the first of the two opens the exchange.
    """

    __slots__ = ("_blackout", "_open", "blocks", "cut", "dark", "lanes", "surplus")

    def __init__(self) -> None:
        self._open: dict[Hashable, tuple[int, set[object]]] = {}
        self.surplus: dict[Hashable, list[int]] = {}
        """Of requests that went in several times: answers that nobody got yet and must not get."""
        self.dark: set[int] = set()
        """The directions in which nothing passes any more."""
        self.cut = Cut()
        self.blocks = Blocks()
        self._blackout: list[tuple[Rule, Timer | None]] = []
        self.lanes: dict[int, Lane] = {}
        """By direction, while there is one."""

    def unsettle(self) -> None:
        """What concerns both lanes changes: nothing goes past either of them unread."""
        for lane in self.lanes.values():
            lane.skimmer.version = UNSETTLED

    def part(self, ways: set[int], rule: Rule, action: Partition, clock: Clock) -> None:
        """See `Cut.part`."""
        self.cut.part(ways, rule, action, clock)
        self.unsettle()

    def block(self, lane: Lane, rule: Rule, action: Block) -> None:
        """See `Blocks.block`."""
        self.blocks.block(lane, self.lanes.get(IN), rule, action)
        self.unsettle()

    def stopped(self, direction: int) -> bool:
        """Whether what comes this way waits, whatever it is."""
        return direction in self.cut.ways or (direction == IN and bool(self.blocks))

    def stop(self, lane: Lane) -> None:
        """What comes to this lane waits, as long as its way is cut or blocked."""
        if lane.direction in self.cut.ways:
            self.cut.stop(lane)
        if lane.direction == IN:
            self.blocks.stop(lane)

    def darken(
        self, ways: set[int], rule: Rule, end: Callable[[], object], timer: Timer | None
    ) -> None:
        """Let nothing pass; `end` is called when the rule ends, unless `lighten` was before."""
        self.dark |= ways
        self.unsettle()
        rule.effects[self] = end
        self._blackout.append((rule, timer))

    def lighten(self) -> None:
        """The connection is gone."""
        for rule, timer in self._blackout:
            rule.effects.pop(self, None)
            if timer is not None:
                timer.cancel()
        self._blackout.clear()
        self.cut.end()
        self.blocks.end()
        self.lanes.clear()

    def repeated(self, row: Row, copies: int) -> None:
        """A request goes in so many times more: but one of its answers are surplus."""
        token = row.correlation
        if token is not None and not protocol_of(row.protocol).is_last(row.operation):
            self.surplus[token] = [1, copies]
            # As of open exchanges: what is never answered must not pile up.
            if len(self.surplus) > _MOST_EXCHANGES:
                del self.surplus[next(iter(self.surplus))]
            self.unsettle()

    def is_surplus(self, token: Hashable) -> bool:
        """Whether this answer is to a repetition; counts it."""
        left = self.surplus.get(token)
        if left is None:
            return False
        if left[0]:
            # The first answer is the one that the client waits for, whichever repetition it is to.
            left[0] = 0
            return False
        left[1] -= 1
        if not left[1]:
            del self.surplus[token]
        return True

    def of(self, row: Row) -> tuple[set[object], bool]:
        """The matches so far, and whether this row answers an earlier one."""
        token = row.correlation
        if token is None:
            return set(), False
        known = self._open.get(token)
        if known is not None and known[0] != row.direction:
            return known[1], True
        matched: set[object] = set()
        protocol = protocol_of(row.protocol)
        if protocol.is_last(row.operation):
            # What it answers went past unread: no exchange begins.
            return matched, False
        # Tokens come again: MQTT has 65,535 packet ids, and a channel counts its requests anew.
        # Whatever was left of the exchange before is no answer to this one.
        self._open.pop(token, None)
        if not protocol.is_answer(row.operation):
            self.surplus.pop(token, None)
        self._open[token] = (row.direction, matched)
        # Requests that are never answered must not pile up: the oldest goes.
        if len(self._open) > _MOST_EXCHANGES:
            del self._open[next(iter(self._open))]
        return matched, False
