"""What is looked at from time to time: late deliveries, and how fast queues grow."""

from collections.abc import Callable, Sequence
from math import inf
from typing import Final, Protocol

from ..clock import Clock
from .sampling import Sampling

_EVERY: Final = 1.0
_AT_ONCE: Final = 1000
"""Queues, exchanges and connections of one look a second: for more the looks are rarer."""
_LOOKS: Final = 10
"""At least so many looks within the consumer timeout."""
_ASKED: Final = 60.0
"""Seconds that it goes on for who asked for rates."""


class Side(Protocol):
    """The connections of one version of AMQP."""

    def look(self, now: float, timeout: float) -> None:
        """See to what was delivered longer ago than the timeout."""


class Periodic:
    """Goes on as long as somebody is connected, or asks what it saw."""

    def __init__(
        self,
        clock: Clock,
        timeout: float,
        sides: Sequence[Side],
        sampling: Sampling,
        connections: Callable[[], int],
    ) -> None:
        """A timeout of 0 is none."""
        self._clock = clock
        self._timeout = timeout or inf
        self._sides = sides
        self._sampling = sampling
        self._connections = connections
        self._armed = False
        self._asked_until = -inf

    def asked(self) -> None:
        self._asked_until = self._clock.now() + _ASKED
        self.watch()

    def watch(self) -> None:
        """A connection came, or somebody asked."""
        if self._armed:
            return
        self._armed = True
        size = self._sampling.size + self._connections()
        every = min(max(_EVERY, size / _AT_ONCE), self._timeout / _LOOKS)
        self._clock.call_later(every, self._look)

    def _look(self) -> None:
        self._armed = False
        now = self._clock.now()
        self._sampling.look(now)
        for side in self._sides:
            side.look(now, self._timeout)
        if self._connections() or now < self._asked_until:
            self.watch()
