"""Whether a group that could be written waits for what may be gone from it in a moment.

A message that a consumer was sent is on disk until it is acknowledged. Where very many come, most
are acknowledged some turns of the loop later: a group that waits so long has little or nothing to
write, and what would have been written need not be removed either. RabbitMQ does the same: what was
acknowledged before it was on disk is confirmed at once.

Whoever published them waits as well, so it is worth it only where consumers are quick. A group
waits while any come or are acknowledged, and for `_QUIET` seconds more; it ends when all is gone
that may go, or after `LONGEST` times what others have. Where half of it is still there by then, the
next ones do not wait, and after each try in vain twice as many.
"""

from collections.abc import Callable
from typing import Final

from ..clock import Clock

_MANY: Final = 16
"""Messages of one group that are worth a wait."""
_QUIET: Final = 0.001
LONGEST: Final = 4
"""A thousand messages, as publishers have on their way, take some milliseconds by themselves."""
_HURRIED: Final = 4
"""Groups that do not wait after one that waited in vain."""
_MOST_HURRIED: Final = 256


class Patience:
    """`facts` counts what comes to the store, `close` writes the group; it is `waiting`, or not.

    Where it is `idle` nothing of the present group was sent to anybody: it is not to be asked, nor
    told that the group is written.
    """

    __slots__ = (
        "_came",
        "_clock",
        "_close",
        "_facts",
        "_group",
        "_hurried",
        "_left",
        "_next",
        "idle",
        "waiting",
    )

    def __init__(self, clock: Clock, facts: Callable[[], int], close: Callable[[], object]) -> None:
        self._clock = clock
        self._facts = facts
        self._close = close
        self._group = 0
        self._came = 0
        self._left = 0
        self.waiting = False
        self.idle = True
        self._hurried = 0
        """Groups that are yet to be written without a wait."""
        self._next = _HURRIED

    def sent(self, count: int) -> None:
        """So many messages of this group were sent to consumers."""
        self.idle = False
        self._came += count
        self._left += count

    def done(self, count: int) -> None:
        """So many of them are acknowledged."""
        self.idle = False
        self._left -= count
        if self._left <= 0 and self.waiting:
            # Not in the midst of what acknowledged them.
            self._clock.call_later(0, self._end, self._group)

    def waits(self) -> bool:
        """The group could be written now: whether it is not to be yet."""
        if self._came < _MANY or self._hurried:
            return False
        if not self.waiting:
            self.waiting = True
            self._clock.call_later(0, self._look, self._group, self._facts())
        return True

    def closed(self) -> None:
        """The group is written, whoever asked for it."""
        if self.waiting and self._left * 2 > self._came:
            self._hurried = self._next
            self._next = min(2 * self._next, _MOST_HURRIED)
        elif self.waiting:
            self._next = _HURRIED
        elif self._hurried:
            self._hurried -= 1
        self._group += 1
        self._came = self._left = 0
        self.waiting = False
        self.idle = not self._hurried

    def _look(self, group: int, before: int) -> None:
        """Once in each turn of the loop that brings facts."""
        if group == self._group:
            facts = self._facts()
            if facts != before:
                self._clock.call_later(0, self._look, group, facts)
            else:
                self._clock.call_later(_QUIET, self._listen, group, facts, self._left)

    def _listen(self, group: int, facts: int, left: int) -> None:
        """Once in a while: as long as any come, or are acknowledged, it is worth it."""
        if group == self._group:
            if (facts, left) == (self._facts(), self._left):
                self._close()
            else:
                self._clock.call_later(_QUIET, self._listen, group, self._facts(), self._left)

    def _end(self, group: int) -> None:
        if group == self._group and self._left <= 0:
            self._close()
