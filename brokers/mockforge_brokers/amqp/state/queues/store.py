"""Where a governed queue keeps its ready messages: in lanes of one priority each."""

from collections import deque
from collections.abc import Iterator
from heapq import merge
from itertools import chain
from math import inf
from operator import attrgetter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .governed import GovernedMessage

_by_position = attrgetter("position")


class Lanes:
    """Oldest first in each lane, the highest lane first. A queue without priorities has one.

    What a plain queue's deque can do where both are used, and more: `size` counts the bytes.
    """

    __slots__ = ("_lanes", "count", "size")

    def __init__(self, max_priority: int = 0) -> None:
        self._lanes: list[deque[GovernedMessage]] = [deque() for _ in range(max_priority + 1)]
        self.count = 0
        self.size = 0

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> "Iterator[GovernedMessage]":
        return chain.from_iterable(reversed(self._lanes))

    def append(self, message: "GovernedMessage") -> None:
        self._lanes[min(message.priority, len(self._lanes) - 1)].append(message)
        self.count += 1
        self.size += message.size

    def popleft(self) -> "GovernedMessage":
        """The message whose turn it is; raises IndexError if there is none."""
        return self._pop(next(lane for lane in reversed(self._lanes) if lane))

    def expired(self, now: float) -> "list[GovernedMessage]":
        """Take out what is over at the head of a lane; what stands behind a living one waits."""
        found = []
        for lane in self._lanes:
            while lane and lane[0].expires <= now:
                found.append(self._pop(lane))
        return found

    @property
    def next_expiry(self) -> float:
        """When the first head is over; inf for never."""
        return min((lane[0].expires for lane in self._lanes if lane), default=inf)

    def put_back(self, back: "list[GovernedMessage]") -> None:
        """Messages return to their old places."""
        last = len(self._lanes) - 1
        for priority, lane in enumerate(self._lanes):
            mine = [message for message in back if min(message.priority, last) == priority]
            if mine:
                self._lanes[priority] = deque(merge(mine, lane, key=_by_position))
        self.count += len(back)
        self.size += sum(message.size for message in back)

    def clear(self) -> None:
        for lane in self._lanes:
            lane.clear()
        self.count = self.size = 0

    def _pop(self, lane: "deque[GovernedMessage]") -> "GovernedMessage":
        message = lane.popleft()
        self.count -= 1
        self.size -= message.size
        return message
