"""What waits in a lane, and in which order it goes on."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from functools import partial
from math import inf
from typing import Protocol

from ..clock import Clock, Timer
from .actions import Join, Reorder
from .decisions import Release
from .waiting import Aside, Held, Together, Waiting


class Owner(Protocol):
    """The lane, as its queue knows it."""

    forward: Callable[[bytes], object]

    def work(self, call: Callable[[], object]) -> None:
        """Do what waited until now in its connection's name."""
        ...

    def waits_more(self, size: int) -> None:
        """Something waits now that did not; `size` bytes do in all."""
        ...

    def waits_less(self, size: int) -> None:
        """Something went on."""
        ...


class Queue:
    """First in, first out: each waits until it is due and nothing is before it.

    Only what is put aside leaves this order, behind so many others or after some time.
    """

    def __init__(self, clock: Clock, owner: Owner) -> None:
        self.size = 0
        """Bytes of the frames that wait."""
        self.ended = False
        """Nothing goes on any more."""
        self._clock = clock
        self._owner = owner
        self._waiting: deque[Waiting] = deque()
        self._passed = 0
        """Frames that went on in their turn, or will."""
        self._aside: defaultdict[int, dict[Aside, None]] = defaultdict(dict)
        """By the number of the frame that they go behind: one that passes looks for no others."""
        self._timer: Timer | None = None

    def __bool__(self) -> bool:
        """Whether anything waits, in turn or aside."""
        return bool(self._waiting or self._aside)

    def __iter__(self) -> Iterator[Waiting]:
        return iter(self._waiting)

    def pass_on(self, frame: bytes, delay: float = 0.0, rule: int = 0) -> None:
        """The frame goes on in its turn, and those after it that were put behind it."""
        last = self._waiting[-1] if self._waiting and delay <= 0 else None
        if isinstance(last, Together) and last.open:
            self._join(last, frame)
        else:
            self.in_turn(partial(self._owner.forward, frame), len(frame), delay, rule)
        self._count()

    def join(self, frame: bytes, action: Join, rule: int = 0) -> None:
        """The frame waits for others, or goes with those that wait for others already."""
        last = self._waiting[-1] if self._waiting else None
        if not (isinstance(last, Together) and last.open):
            due = self._clock.now() + action.wait
            last = Together(self._owner.forward, action.frames, due, rule)
            self.add(last)
        self._join(last, frame)
        self._count()

    def _join(self, together: Together, frame: bytes) -> None:
        together.take(frame)
        self.size += len(frame)
        self._owner.waits_more(self.size)
        if not together.open:
            together.due = 0.0
            self.run()

    def _count(self) -> None:
        """One more frame went on in its turn, or will."""
        self._passed += 1
        if self._aside:
            for aside in tuple(self._aside.get(self._passed, ())):
                self._return(aside)

    def in_turn(
        self, action: Callable[[], object], size: int, delay: float = 0.0, rule: int = 0
    ) -> None:
        # Nothing is before it and nothing delays it: no timer, no queue.
        if delay <= 0 and not self._waiting:
            action()
        else:
            self.add(Waiting(action, size, self._clock.now() + delay, rule))

    def hurry(self, rule: int) -> None:
        """What this fault delays waits no longer than for those before it."""
        for waiting in self._waiting:
            if waiting.rule == rule:
                waiting.due = 0.0
        for aside in self._set_aside():
            if aside.rule == rule:
                self._return(aside)
        self.run()

    def add(self, waiting: Waiting) -> None:
        self._waiting.append(waiting)
        self.size += waiting.size
        self._owner.waits_more(self.size)
        if len(self._waiting) == 1:
            self._arm()

    def add_first(self, waiting: Waiting) -> None:
        """In front of all that waits."""
        self._waiting.appendleft(waiting)
        self.size += waiting.size
        self._owner.waits_more(self.size)
        self._arm()

    def put_aside(self, frame: bytes, action: Reorder, rule: int = 0) -> None:
        aside = Aside(frame, self._passed + action.behind, rule)
        self._aside[aside.behind][aside] = None
        self.size += len(frame)
        aside.timer = self._clock.call_later(action.wait, self._return, aside)
        self._owner.waits_more(self.size)

    def step_back(self, held: Held, frame: bytes, how: Release) -> None:
        """A held frame lets the next ones go first: those that wait here already, then others."""
        waiting = self._waiting
        place = waiting.index(held)
        waiting.remove(held)
        self.size -= held.size
        # Frames that are delayed themselves count too: behind is an order, and not a time.
        ready = len(waiting) - place
        if ready < how.behind:
            self.put_aside(frame, Reorder(how.behind - ready, how.wait))
        else:
            action = partial(self._owner.forward, frame)
            waiting.insert(place + how.behind, Waiting(action, len(frame), 0.0))
            self.size += len(frame)
        self.run()

    def run(self) -> None:
        """Let go what no longer waits, up to the first that does."""
        self._owner.work(self._run)

    def _run(self) -> None:
        now = self._clock.now()
        waiting = self._waiting
        # The head is looked at anew each time: an action may end the connection, or bring frames.
        while waiting and waiting[0].due <= now and not self.ended:
            first = waiting.popleft()
            self.size -= first.size
            first.action()
        self._arm()
        self._owner.waits_less(self.size)

    def end(self) -> None:
        """The connection is gone: what waits goes with it."""
        self.ended = True
        for timer in (self._timer, *(aside.timer for aside in self._set_aside())):
            if timer is not None:
                timer.cancel()
        self._aside.clear()
        self._waiting.clear()

    def _return(self, aside: Aside) -> None:
        """What was put aside goes on."""
        if self.ended:
            # One before it ended the connection as it went on: the rest went with it.
            return
        together = self._aside[aside.behind]
        del together[aside]
        if not together:
            del self._aside[aside.behind]
        if aside.timer is not None:
            aside.timer.cancel()
        self.size -= len(aside.frame)
        forward = partial(self._owner.forward, aside.frame)
        self._owner.work(partial(self.in_turn, forward, len(aside.frame)))
        self._owner.waits_less(self.size)

    def _set_aside(self) -> list[Aside]:
        return [aside for together in self._aside.values() for aside in together]

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        # One timer is enough, since nothing goes before the head; what a person holds has none.
        if self._waiting and self._waiting[0].due != inf and not self.ended:
            due = self._waiting[0].due
            self._timer = self._clock.call_later(due - self._clock.now(), self.run)
