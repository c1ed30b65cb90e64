"""How the loop's time is shared: nobody's bytes keep the others waiting for more than moments.

A connection that used its slice stops between two of its frames and goes on in a later turn of the
loop, after those that wait already. So a burst that costs much (a publish to a thousand queues, a
thousand times in one read) is taken in many slices, between which everybody else is served. What
one frame, or the end of a connection, asks for can be much too: it is done in steps (`Steps`), as
many as there is time for.
"""

from collections import deque
from collections.abc import Callable, Generator, Iterator
from math import inf
from time import perf_counter
from typing import Final, Protocol, TypeVar

SLICE: Final = 0.002
"""Seconds that one connection's bytes may be handled at a stretch."""
TURN: Final = 0.004
"""Seconds of one turn of the loop, after which large reads wait for the next one."""
Steps = Iterator[None]
"""Work that may stop after each step, and goes on with the next one."""
T = TypeVar("T")
Stepped = Generator[None, None, T]
"""What steps come to."""
SMALL: Final = 8192
"""Bytes of a read that never waits for its turn: those who send little are answered at once. A
message of 4 KB with its header is such a read."""
FULL: Final = 250_000
"""Bytes of a read that filled the loop's buffer (uvloop's has 256,000): more is there."""


class Turn:
    """The time of whoever is at work: `now() > until` says that it is up.

    Connections ask between two frames. Without sockets it never is, so that what a test sees does
    not depend on how fast it runs; a server sets `length`.
    """

    __slots__ = ("length", "now", "until")

    def __init__(self, now: Callable[[], float] = perf_counter) -> None:
        self.now = now
        self.length = inf
        self.until = inf

    def begin(self) -> None:
        self.until = self.now() + self.length

    def look(self) -> int:
        """0 as long as there is time, then -1: for loops that count down to their next look."""
        return -1 if self.now() > self.until else 0

    def work(self, steps: Steps) -> bool:
        """Do steps until the time is up; True when there may be more of them."""
        now = self.now
        for _ in steps:  # noqa: SIM110
            if now() > self.until:
                return True
        return False


def finished(steps: Stepped[T]) -> T:
    """All the steps at once, and what they come to."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            made: T = end.value
            return made


class Waiter(Protocol):
    """A connection with bytes that are not handled yet."""

    def go_on(self) -> bool:
        """Work for one slice; True when there is more to do."""
        ...


class Backlog:
    """Those who wait for another slice, in the order in which they came."""

    def __init__(
        self,
        turn: Turn,
        call_soon: Callable[[Callable[[], None]], object],
        full: Callable[[], bool] = lambda: False,
    ) -> None:
        """`full` says that what was made of the bytes so far is yet to be written."""
        self._now = turn.now
        self._call_soon = call_soon
        self._full = full
        self._waiting: deque[Waiter] = deque()
        self._end = 0.0
        self._armed = False

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    def crowded(self) -> bool:
        """Whether this turn has used its time; the first who asks begins it."""
        # Nobody has asked in this turn of the loop, so its time begins now.
        if not self._armed:
            self._arm()
            return self._full()
        return self._now() > self._end or self._full()

    def wait(self, waiter: Waiter) -> None:
        self._waiting.append(waiter)
        if not self._armed:
            self._arm()

    def _arm(self) -> None:
        self._armed = True
        self._end = self._now() + TURN
        self._call_soon(self._next)

    def _next(self) -> None:
        """The loop's next turn: those who wait come first, as long as its time lasts."""
        self._armed = False
        waiting = self._waiting
        if not waiting:
            return
        self._arm()
        # What is made of the bytes waits to be written: to read more would only grow it.
        if self._full():
            return
        # Those that are there now: who is appended below has had its slice of this turn.
        for _ in range(len(waiting)):
            waiter = waiting.popleft()
            # To the end again: each gets one slice, then all others.
            if waiter.go_on():
                waiting.append(waiter)
            if self._now() > self._end:
                return


class _Call(Steps):
    """A call as the only step of its own."""

    __slots__ = ("_call",)

    def __init__(self, call: Callable[[], object]) -> None:
        self._call: Callable[[], object] | None = call

    def __next__(self) -> None:
        call, self._call = self._call, None
        if call is None:
            raise StopIteration
        call()


class Chores:
    """Work that belongs to no bytes of a connection: done at once as far as a slice goes, then in
    later turns, a slice for each in the order in which they came.
    """

    def __init__(
        self, turn: Turn, call_later: Callable[[float, Callable[[], None]], object]
    ) -> None:
        self._turn = turn
        self._call_later = call_later
        self._waiting: deque[Steps] = deque()
        self._armed = False

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    def do(self, steps: Steps) -> None:
        """Begin with these steps now."""
        turn = self._turn
        until = turn.until
        if self._some(steps):
            self.later(steps)
        # Who asks may be in the midst of steps of its own: its time is not prolonged by these, or
        # a request that asks for thousands of chores would never come to its end.
        turn.until = until

    def soon(self, call: Callable[[], object]) -> None:
        """Call it in the loop's next turn, or in a later one where others take the time."""
        self.later(_Call(call))

    def later(self, steps: Steps) -> None:
        """Begin with these steps in the loop's next turn: whoever asks has used its own time."""
        self._waiting.append(steps)
        if not self._armed:
            self._armed = True
            self._call_later(0, self._next)

    def finish(self) -> None:
        """Do all that waits, and what this begins: somebody has to see the end of it.

        What it asks for `soon` waits for its turn, as the next requests of a client do that has
        to take its answers first.
        """
        waiting, self._waiting = self._waiting, deque()
        while waiting:
            for steps in waiting:
                for _ in steps:
                    """Each is done by asking for it."""
            waiting = deque(steps for steps in self._waiting if not isinstance(steps, _Call))
            self._waiting = deque(steps for steps in self._waiting if isinstance(steps, _Call))

    def _some(self, steps: Steps) -> bool:
        turn = self._turn
        turn.begin()
        return turn.work(steps)

    def _next(self) -> None:
        self._armed = False
        waiting, turn = self._waiting, self._turn
        end = turn.now() + 2 * turn.length
        try:
            for _ in range(len(waiting)):
                steps = waiting.popleft()
                if self._some(steps):
                    waiting.append(steps)
                if turn.now() > end:
                    break
        finally:
            if waiting and not self._armed:
                self._armed = True
                self._call_later(0, self._next)


def to_their_end(steps: Steps, chores: Chores) -> Steps:
    """The same steps; where whoever does them gives up before, the rest are chores."""
    try:
        for _ in steps:
            yield
    except GeneratorExit:
        chores.do(steps)
        raise
