"""Where messages are kept: in lanes of one priority each, or in a log by their offsets."""

from bisect import bisect_left
from collections import deque
from collections.abc import Iterator, Sequence
from itertools import chain, islice
from math import inf
from operator import attrgetter
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from ..message import Message
    from .governed import GovernedMessage
    from .stream import StreamMessage

_by_position = attrgetter("position")


_Stored = TypeVar("_Stored", bound="Message")


def return_to(ready: deque[_Stored], back: Sequence[_Stored]) -> None:
    """Messages come back to their places; both are in order, and `back` is not empty.

    They were taken from the front and belong there: what waits behind the newest of them is not
    looked at, however much it is. One that is given back alone costs no more than it finds before
    it of those that came back earlier.
    """
    newest = back[-1].position
    if not ready or newest < ready[0].position:
        ready.extendleft(reversed(back))
        return
    place = _place(ready, newest)
    if len(back) == 1:
        ready.insert(place, back[0])
        return
    older = [ready.popleft() for _ in range(place)]
    ready.extendleft(sorted((*older, *back), key=_by_position, reverse=True))


def _place(ready: deque[_Stored], position: int) -> int:
    """How many stand before it; a deque is slow to look into its middle, so not from there."""
    behind = 1
    while behind < len(ready) and ready[behind].position < position:
        behind *= 2
    end = min(behind, len(ready))
    return bisect_left(ready, position, behind // 2, end, key=_by_position)


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

    def expired(self, now: float, most: int) -> "list[GovernedMessage]":
        """Take out what is over at the head of a lane; what stands behind a living one waits.

        No more than `most` of them.
        """
        found: list[GovernedMessage] = []
        for lane in self._lanes:
            while lane and lane[0].expires <= now and len(found) < most:
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
                return_to(lane, mine)
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


class Log:
    """Messages by their offsets, of which the oldest ones may be gone: from `start` up to `end`."""

    __slots__ = ("_first", "_gone", "_messages")

    def __init__(self) -> None:
        self._messages: list[StreamMessage | None] = []
        self._first = 0
        self._gone = 0
        """How many places at the front are empty: they are cut off when they are the most."""

    @property
    def start(self) -> int:
        return self._first + self._gone

    @property
    def end(self) -> int:
        """The offset of what comes next."""
        return self._first + len(self._messages)

    def __len__(self) -> int:
        return len(self._messages) - self._gone

    def __iter__(self) -> "Iterator[StreamMessage]":
        return (each for each in islice(self._messages, self._gone, None) if each is not None)

    def __getitem__(self, offset: int) -> "StreamMessage":
        found = self._messages[offset - self._first]
        if found is None:
            raise IndexError(offset)
        return found

    def begin(self, offset: int) -> None:
        """An empty log goes on there."""
        self._first = offset

    def append(self, message: "StreamMessage") -> None:
        self._messages.append(message)

    def drop_before(self, offset: int) -> "list[StreamMessage]":
        """Returns what is gone by it."""
        at = offset - self._first
        dropped = [each for each in self._messages[self._gone : at] if each is not None]
        self._messages[self._gone : at] = [None] * len(dropped)
        self._gone += len(dropped)
        if self._gone * 2 > len(self._messages):
            del self._messages[: self._gone]
            self._first += self._gone
            self._gone = 0
        return dropped

    def first_since(self, moment: float) -> int:
        """The offset of the first message that came then or later; `end` if there is none."""
        return bisect_left(
            range(self.end), moment, self.start, self.end, key=lambda offset: self[offset].moment
        )
