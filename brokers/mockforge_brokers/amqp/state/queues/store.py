"""Where messages are kept: in lanes of one priority each, or in a log by their offsets."""

from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from math import inf
from operator import attrgetter
from typing import TYPE_CHECKING, Final, TypeVar

from ....fairness import Stepped, Steps

if TYPE_CHECKING:
    from ..message import Message
    from .stream import StreamMessage

_by_position = attrgetter("position")
_priority_of = attrgetter("priority")
_size_of = attrgetter("size")
_AT_ONCE: Final = 1024
"""Messages that are put in order in one step."""


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


class Returning:
    """Very many messages that come back to their places: merged in steps, and `put` in at once.

    Nobody sees any of them before. Meanwhile what is ready goes from the front, and more comes
    behind it; after any other change (a purge, others that came back) all is merged anew.
    """

    __slots__ = ("_back", "_merged", "_older", "_ready")

    def __init__(self, ready: "deque[Message]", back: "list[Message]") -> None:
        self._ready = ready
        self._back = back
        self._older: list[Message] = []
        """What was ready and belongs between them."""
        self._merged: list[Message] = []

    def prepare(self) -> Steps:
        back = self._back
        yield from _ordering(back)
        if not self._ready or back[-1].position < self._ready[0].position:
            return
        older = self._older = list(islice(self._ready, _place(self._ready, back[-1].position)))
        merged, done = self._merged, 0
        for at in range(0, len(back), _AT_ONCE):
            for some in self._close_together(back[at : at + _AT_ONCE], done):
                until = bisect_left(older, some[0].position, done, key=_by_position)
                merged += older[done:until]
                done = bisect_left(older, some[-1].position, until, key=_by_position)
                merged += sorted((*older[until:done], *some), key=_by_position)
            yield

    def _close_together(self, back: "list[Message]", done: int) -> "Iterable[Sequence[Message]]":
        """In one part, or, where very much stands between them, each alone."""
        end = bisect_left(self._older, back[-1].position, done, key=_by_position)
        return (back,) if end - done <= 4 * _AT_ONCE else ((each,) for each in back)

    def put(self, ready: "deque[Message]") -> "deque[Message]":
        """What is ready from now on, of what was until now."""
        back, older = self._back, self._older
        if not ready or back[-1].position < ready[0].position:
            return _joined(back, ready)
        first = ready[0].position
        gone = bisect_left(older, first, key=_by_position)
        left = len(older) - gone
        known = ready is self._ready and 0 < left <= len(ready)
        if not known or ready[0] is not older[gone] or ready[left - 1] is not older[-1]:
            return_to(ready, back)
            return ready
        found = deque(back[: bisect_left(back, first, key=_by_position)])
        merged = self._merged
        found += merged[bisect_left(merged, first, key=_by_position) :]
        found.extend(islice(ready, left, None))
        return found


def _ordering(messages: "list[Message]") -> Steps:
    """They mostly are in order: a look at each tells, and little is moved."""
    last, ordered = 0, True
    for at in range(0, len(messages), _AT_ONCE):
        some = sorted(messages[at : at + _AT_ONCE], key=_by_position)
        messages[at : at + _AT_ONCE] = some
        ordered = ordered and last < some[0].position
        last = some[-1].position
        yield
    if not ordered:
        messages.sort(key=_by_position)


def _joined(before: "list[Message]", behind: "deque[Message]") -> "deque[Message]":
    """The shorter one is put to the longer one."""
    if len(before) < len(behind):
        behind.extendleft(reversed(before))
        return behind
    found = deque(before)
    found += behind
    return found


class Lanes:
    """Oldest first in each lane, the highest lane first. A queue without priorities has one.

    What a plain queue's deque can do where both are used, and more: `size` counts the bytes. A lane
    is made with its first message, and stays: most priorities are never used.

    What a plain queue held when it became one with rules stands before all else, as it is: there
    may be a million. None of it ends by time. `weigh` counts its bytes, which nothing did before.

    `each_expires`: what is over at the head of any lane goes, not only where it is next.
    """

    __slots__ = ("_before", "_each_expires", "_lanes", "_last", "_order", "count", "size")

    def __init__(self, max_priority: int = 0, *, each_expires: bool = False) -> None:
        self._each_expires = each_expires
        self._last = max_priority
        self._lanes: dict[int, deque[Message]] = {}
        self._order: list[deque[Message]] = []
        """The highest first."""
        self._before: deque[Message] = deque()
        self.count = 0
        self.size = 0

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> "Iterator[Message]":
        return chain(self._before, chain.from_iterable(self._order))

    def take_over(self, messages: "deque[Message]") -> None:
        """These were in the queue before there were lanes."""
        self._before = messages
        self.count += len(messages)

    def weigh(self, most: int) -> bool:
        """Count the bytes of some of those; False when those of all are counted."""
        before, lane = self._before, self._lane(0)
        # From behind: what goes meanwhile goes from the front, and was never counted.
        for _ in range(min(most, len(before))):
            message = before.pop()
            self.size += message.size
            lane.appendleft(message)
        return bool(before)

    def append(self, message: "Message") -> None:
        self._lane(message.priority).append(message)
        self.count += 1
        self.size += message.size

    def popleft(self) -> "Message":
        """The message whose turn it is; raises StopIteration if there is none."""
        if self._before:
            self.count -= 1
            return self._before.popleft()
        return self._pop(next(lane for lane in self._order if lane))

    def expired(self, now: float, most: int) -> "list[Message]":
        """Take out what is over at the head; what stands behind a living one, or in a lower lane,
        waits, as in RabbitMQ.

        No more than `most` of them.
        """
        found: list[Message] = []
        if self._before:
            return found
        for lane in self._order:
            while lane and lane[0].expires <= now and len(found) < most:
                found.append(self._pop(lane))
            if lane and not self._each_expires:
                break
        return found

    @property
    def next_expiry(self) -> float:
        """When the head is over; inf for never."""
        if self._before:
            return inf
        heads = (lane[0].expires for lane in self._order if lane)
        return min(heads, default=inf) if self._each_expires else next(heads, inf)

    def parting(self, messages: "Sequence[Message]") -> "Stepped[dict[int, list[Message]]]":
        """By lane, in steps, very many messages."""
        parted: dict[int, list[Message]] = {}
        for at in range(0, len(messages), _AT_ONCE):
            for priority, mine in self._by_lane(messages[at : at + _AT_ONCE]):
                parted.setdefault(min(priority, self._last), []).extend(mine)
            yield
        return parted

    @property
    def has_former(self) -> bool:
        """Whether it holds what a plain queue held: among that nothing comes back in steps."""
        return bool(self._before)

    def returning(self, messages: "Sequence[Message]") -> "Stepped[Returned]":
        """Let very many messages come back in steps, up to `put_all_back`."""
        found: Returned = {}
        for priority, mine in (yield from self.parting(messages)).items():
            found[priority] = Returning(self._lane(priority), mine)
            yield from found[priority].prepare()
        return found

    def put_all_back(self, returned: "Returned", count: int, size: int) -> None:
        """So many messages of so many bytes."""
        for priority, returning in returned.items():
            self._lanes[priority] = returning.put(self._lane(priority))
        self._set_order()
        self.count += count
        self.size += size

    def append_all(self, parted: "dict[int, list[Message]]", count: int, size: int) -> None:
        """`append`, of very many that are parted already."""
        for priority, mine in parted.items():
            self._lane(priority).extend(mine)
        self.count += count
        self.size += size

    def put_back(self, back: "Sequence[Message]") -> None:
        """Messages return to their old places; they are in order."""
        self.count += len(back)
        if self._before and back:
            end = bisect_right(back, self._before[-1].position, key=_by_position)
            older, back = back[:end], back[end:]
            if older:
                return_to(self._before, older)
        for priority, mine in self._by_lane(back):
            return_to(self._lane(priority), mine)
        self.size += sum(map(_size_of, back))

    def extend(self, messages: "Sequence[Message]") -> None:
        """`append`, of many."""
        for priority, mine in self._by_lane(messages):
            self._lane(priority).extend(mine)
        self.count += len(messages)
        self.size += sum(map(_size_of, messages))

    def _by_lane(self, messages: "Sequence[Message]") -> "Iterable[tuple[int, Sequence[Message]]]":
        if len(priorities := set(map(_priority_of, messages))) == 1:
            return ((priorities.pop(), messages),)
        by_lane: dict[int, list[Message]] = {}
        for message in messages:
            by_lane.setdefault(min(message.priority, self._last), []).append(message)
        return by_lane.items()

    def clear(self) -> None:
        for lane in self._order:
            lane.clear()
        self._before.clear()
        self.count = self.size = 0

    def _lane(self, priority: int) -> "deque[Message]":
        """Its own, or the highest one."""
        lane = self._lanes.get(priority)
        if lane is not None:
            return lane
        at = min(priority, self._last)
        if at not in self._lanes:
            self._lanes[at] = deque()
            self._set_order()
        return self._lanes[at]

    def _set_order(self) -> None:
        self._order = [self._lanes[each] for each in sorted(self._lanes, reverse=True)]

    def _pop(self, lane: "deque[Message]") -> "Message":
        message = lane.popleft()
        self.count -= 1
        self.size -= message.size
        return message


Returned = dict[int, Returning]
"""Those that come back to each lane."""


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
