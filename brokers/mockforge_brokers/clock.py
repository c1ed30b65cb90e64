"""Time as the brokers see it: handed in, so that tests and people can move it."""

import heapq
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Final, Protocol

from .errors import InvalidInput

_DAY: Final = 86_400
_MOST_AT_ONCE: Final = 366 * _DAY
_MOST_CANCELLED: Final = 100
"""Cancelled calls that may wait for their time among the others."""
_AT_ONCE: Final = 500
"""Calls that fall due on a way and are made in one turn of the loop."""


class Timer(Protocol):
    """A call that is due later."""

    def cancel(self) -> None: ...


class Clock(Protocol):
    """Seconds, in two kinds, and calls at a later time."""

    def now(self) -> float:
        """Monotonic seconds; only differences mean anything."""
        ...

    def wall(self) -> float:
        """Seconds since 1970 (UTC)."""
        ...

    def steady(self) -> float:
        """Monotonic seconds that pass by themselves, however far a person moves the time on."""
        ...

    def call_later(self, delay: float, callback: Callable[..., object], *args: Any) -> Timer:
        """Call `callback(*args)` once, `delay` seconds from now."""
        ...


class MovableClock(Clock, Protocol):
    """A clock that people may move on; `offset` is by how many seconds they did."""

    @property
    def offset(self) -> float: ...

    def walk(self, seconds: float, ended: "Callable[[Way], object]") -> "Way":
        """Move on, in turns of the loop where much falls due; see AdjustableClock."""
        ...


class _Loop(Protocol):
    def time(self) -> float: ...

    def call_later(self, delay: float, callback: Callable[..., object], *args: Any) -> Timer: ...


class LoopClock:
    """An event loop's own time."""

    def __init__(self, loop: _Loop) -> None:
        self.now = self.steady = loop.time
        self.wall = time.time
        self._loop = loop

    def call_later(self, delay: float, callback: Callable[..., object], *args: Any) -> Timer:
        return self._loop.call_later(delay, callback, *args)


class _Call:
    __slots__ = ("_agenda", "args", "callback", "cancelled")

    def __init__(
        self, agenda: "_Agenda", callback: Callable[..., object], args: tuple[Any, ...]
    ) -> None:
        self._agenda = agenda
        self.callback = callback
        self.args = args
        self.cancelled = False

    def cancel(self) -> None:
        if not self.cancelled:
            self.cancelled = True
            # Its due time may be far, and what it would have called is often over by then.
            self.callback = _nothing
            self.args = ()
            self._agenda.call_cancelled()


def _nothing() -> None:
    """What is left of a call that was cancelled."""


def _nothing_of(way: "Way") -> None:
    """Whoever asked for it sees that it is over."""


class _Agenda:
    """Calls by due time; calls of one time run in the order in which they were made."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, _Call]] = []
        self.made = 0
        """How many calls were asked for so far."""
        self._cancelled = 0

    def __len__(self) -> int:
        return len(self._heap)

    def add(self, due: float, callback: Callable[..., object], args: tuple[Any, ...]) -> _Call:
        call = _Call(self, callback, args)
        self.made += 1
        heapq.heappush(self._heap, (due, self.made, call))
        return call

    def next_due(self, made: int | None = None) -> float | None:
        """When the next call is due; None also where it is none of the first `made`."""
        heap = self._heap
        while heap and heap[0][2].cancelled:
            heapq.heappop(heap)
            self._cancelled -= 1
        if not heap or (made is not None and heap[0][1] > made):
            return None
        return heap[0][0]

    def pop(self) -> _Call:
        call = heapq.heappop(self._heap)[2]
        # Nothing is left to be cancelled: a call that runs may still be asked to.
        call.cancelled = True
        return call

    def call_cancelled(self) -> None:
        self._cancelled += 1
        if self._cancelled > _MOST_CANCELLED and self._cancelled > len(self._heap) // 2:
            self._heap = [entry for entry in self._heap if not entry[2].cancelled]
            heapq.heapify(self._heap)
            self._cancelled = 0


class ManualClock:
    """Time that stands still until a test moves it."""

    def __init__(self, wall: float = 1_700_000_000.0) -> None:
        self._now = 0.0
        self._wall = wall
        self._agenda = _Agenda()

    def now(self) -> float:
        return self._now

    def wall(self) -> float:
        return self._wall + self._now

    def steady(self) -> float:
        return self._now

    def call_later(self, delay: float, callback: Callable[..., object], *args: Any) -> Timer:
        return self._agenda.add(self._now + max(0.0, delay), callback, args)

    def advance(self, seconds: float) -> None:
        """Move on by `seconds`, running what falls due at its own time, in order."""
        target = self._now + seconds
        while (due := self._agenda.next_due()) is not None and due <= target:
            call = self._agenda.pop()
            self._now = max(self._now, due)
            call.callback(*call.args)
        self._now = target


def _check_way(seconds: float) -> None:
    if seconds < 0:
        raise ValueError("time only moves forward")
    if seconds > _MOST_AT_ONCE:
        days = f"{seconds / _DAY:,.0f} days are too far"
        raise InvalidInput(f"{days}: time moves on by {_MOST_AT_ONCE // _DAY} at once")


class Way:
    """So much time that a clock is moved on by; whoever asked for it may cancel what is left."""

    __slots__ = ("_clock", "_end", "_rest", "ended", "failure", "over", "seconds")

    def __init__(
        self, clock: "AdjustableClock", seconds: float, ended: Callable[["Way"], object]
    ) -> None:
        self.seconds = seconds
        self.over = False
        self.failure: BaseException | None = None
        """What a call that fell due raised: the way ended there."""
        self.ended = ended
        self._clock = clock
        self._end: float | None = None
        self._rest = seconds

    @property
    def left(self) -> float:
        """Seconds that are still to pass, or were when it ended."""
        if self.over or self._end is None:
            return self._rest
        return self._end - self._clock.offset

    def towards(self) -> float:
        """The offset at which it ends; it begins where the clock is now."""
        if self._end is None:
            self._end = self._clock.offset + self.seconds
        return self._end

    def begin_later(self, seconds: float) -> None:
        """Somebody moved the clock on by so much that is no part of it."""
        if self._end is not None:
            self._end += seconds

    def end(self) -> None:
        """It is over, wherever it came to."""
        self._rest = self.left
        self.over = True

    def cancel(self) -> None:
        """Without effect where it is over."""
        if not self.over:
            self.end()
            self._clock.leave(self)


class AdjustableClock:
    """Another clock's time, which a person may move forward (`clock advance 90s`)."""

    def __init__(self, inner: Clock) -> None:
        self._inner = inner
        self._offset = 0.0
        self._agenda = _Agenda()
        self._armed: Timer | None = None
        self._armed_due = 0.0
        self._ways: deque[Way] = deque()
        self._walking: Timer | None = None

    @property
    def offset(self) -> float:
        """Seconds by which this clock was moved ahead so far."""
        return self._offset

    def now(self) -> float:
        return self._inner.now() + self._offset

    def wall(self) -> float:
        return self._inner.wall() + self._offset

    def steady(self) -> float:
        return self._inner.steady()

    def call_later(self, delay: float, callback: Callable[..., object], *args: Any) -> Timer:
        due = self.now() + max(0.0, delay)
        call = self._agenda.add(due, callback, args)
        if self._armed is None or due < self._armed_due:
            self._arm()
        return call

    def advance(self, seconds: float) -> None:
        """Move on by `seconds` at once; what falls due on the way runs at its own time.

        Raises InvalidInput for more than a year: until all of it has run nothing else does.
        """
        _check_way(seconds)
        target = self.now() + seconds
        before = self._offset
        try:
            while (due := self._agenda.next_due()) is not None and due <= target:
                self._run_next(due)
        finally:
            self._offset += max(0.0, target - self.now())
            if self._ways:
                self._ways[0].begin_later(self._offset - before)
            self._arm()

    def walk(self, seconds: float, ended: Callable[[Way], object]) -> Way:
        """Move on as `advance` does, in turns of the loop: all others get theirs in between.

        A way on which little falls due is over when this returns, and what a call raises on it is
        raised. Of a longer one `ended` is told, unless it is cancelled. None overtakes another:
        each begins where the one before it came to. Time goes on meanwhile, and what it makes due
        is run as ever. Raises InvalidInput as `advance` does.
        """
        _check_way(seconds)
        way = Way(self, seconds, _nothing_of)
        self._ways.append(way)
        if len(self._ways) == 1:
            self._go_on()
        if way.failure is not None:
            raise way.failure
        way.ended = ended
        return way

    def leave(self, way: Way) -> None:
        """Forget a way that was cancelled."""
        self._ways.remove(way)
        if not self._ways and self._walking is not None:
            self._walking.cancel()
            self._walking = None

    def _go_on(self) -> None:
        """The first way's share of a turn."""
        self._walking = None
        way = self._ways[0]
        arrived = True
        try:
            arrived = self._step(way)
        except BaseException as failure:
            way.failure = failure
        cancelled = way.over
        if arrived and not cancelled:
            way.end()
            self._ways.remove(way)
        if self._ways and self._walking is None:
            self._walking = self._inner.call_later(0.0, self._go_on)
        if arrived and not cancelled:
            way.ended(way)

    def _step(self, way: Way) -> bool:
        """Returns whether it came to the way's end."""
        try:
            for _ in range(_AT_ONCE):
                due, end = self._agenda.next_due(), way.towards()
                if due is None or due > self._inner.now() + end:
                    self._offset = max(self._offset, end)
                    return True
                self._run_next(due)
                if way.over:
                    return True
        finally:
            self._arm()
        return False

    def _run_next(self, due: float) -> None:
        call = self._agenda.pop()
        self._offset += max(0.0, due - self.now())
        call.callback(*call.args)

    def _arm(self) -> None:
        if self._armed is not None:
            self._armed.cancel()
            self._armed = None
        due = self._agenda.next_due()
        if due is not None:
            self._armed_due = due
            self._armed = self._inner.call_later(max(0.0, due - self.now()), self._run_due)

    def _run_due(self) -> None:
        self._armed = None
        # A loop may call a hair early: what is due within its resolution runs now.
        limit = max(self.now(), self._armed_due)
        # What these calls ask for in turn has another turn of the loop, also where its time stands
        # still within one (uvloop's does): work in slices would hold up all others until its end.
        made = self._agenda.made
        try:
            while (due := self._agenda.next_due(made)) is not None and due <= limit:
                call = self._agenda.pop()
                call.callback(*call.args)
        finally:
            self._arm()
