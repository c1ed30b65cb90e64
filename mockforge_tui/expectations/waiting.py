"""Waits for one expectation on the brokers' clock, and says how it ended."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from mockforge_brokers.clock import Timer
from mockforge_brokers.journal import Row

from ..fixtures.expected.model import Came, Expectation, Frames, InOrder, Settled
from .check import Check, State
from .checks import check_of
from .failure import Failure, failure_of
from .message import Message
from .observed import Observed

_LOOK: Final = 0.01
"""Seconds between looks at what nothing wakes us for: lags, depths, connections."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How it ended; `took` is seconds."""

    expectation: Expectation
    messages: tuple[Message, ...]
    took: float
    failure: Failure | None = None
    frames: tuple[Row, ...] = ()
    """Of an expectation of frames: the first row of each that was found."""

    @property
    def ok(self) -> bool:
        return self.failure is None


class Waiting:
    """One expectation under way. `done` is called once with its outcome, unless it is cancelled.

    It looks at once, then whenever a message came, until its time is over. Raises InvalidInput
    for what can never be (a fault that there is not).
    """

    def __init__(
        self,
        expectation: Expectation,
        observed: Observed,
        done: Callable[[Outcome], object],
        since: int | None = None,
    ) -> None:
        observed.record.start()
        self._expectation = expectation
        self._observed = observed
        self._done = done
        self._since = observed.record.begin if since is None else since
        self._check: Check = check_of(expectation, observed, self._since)
        self._began = observed.clock.now()
        self._met: float | None = None
        self._ended = False
        self._timer: Timer | None = None
        self._due = -1.0
        """The delay of the look that is to come; below 0 while there is none."""
        self._unwatch: Callable[[], None] | None = None
        if isinstance(expectation, Came | InOrder):
            self._unwatch = observed.record.watch(self._wake)
        self._look()

    @property
    def seen(self) -> str:
        """How far it is."""
        return self._check.seen

    def cancel(self) -> None:
        """Wait no more; nobody is called."""
        self._ended = True
        if self._timer is not None:
            self._timer.cancel()
        if self._unwatch is not None:
            self._unwatch()

    def _wake(self) -> None:
        # A watcher must not act while a message enters; and one look is enough for a burst.
        if not self._ended and self._due != 0.0:
            self._again(0.0)

    def _again(self, delay: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._due = delay
        self._timer = self._observed.clock.call_later(delay, self._look)

    def _look(self) -> None:
        self._due = -1.0
        if self._ended:
            return
        check = self._check
        state = check.look()
        left = self._began + self._expectation.within - self._observed.clock.now()
        met = state is State.MET
        wait = self._settling(left) if met else left
        over = wait <= 1e-9
        if over:
            check.close()
        if state is State.BROKEN:
            self._end(met=False)
        elif check.behind and not (met and check.certain):
            # What came in time counts, however long it takes to look at it.
            self._again(0.0)
        elif over:
            self._end(met=met)
        else:
            self._again(wait if self._unwatch is not None else min(wait, _LOOK))

    def _settling(self, left: float) -> float:
        """It is met for now: for so long it must stay so."""
        expected, now = self._expectation, self._observed.clock.now()
        if not isinstance(expected, Came | Frames | Settled):
            return 0.0
        if expected.most == 0:
            return left
        self._met = now if self._met is None else self._met
        return self._met + expected.settle - now

    def _end(self, *, met: bool) -> None:
        self.cancel()
        took = self._observed.clock.now() - self._began
        failure = None
        if not met:
            failure = failure_of(self._expectation, self._check, self._observed, self._since)
        found, frames = tuple(self._check.found), tuple(self._check.frames)
        self._done(Outcome(self._expectation, found, took, failure, frames))
