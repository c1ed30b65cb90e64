"""Memory that was let go of for good, which the system is to have back."""

from collections.abc import Callable
from typing import Final

from .clock import Clock

WORTH: Final = 64 * 1024 * 1024
"""Bytes that are worth it: what is given back is looked for in all that malloc has."""
_PAUSE: Final = 1.0
"""Seconds until then: more may follow, or others want it meanwhile."""
_APART: Final = 1_000
"""Times as long as it took until it is done once more: everybody waits meanwhile."""


def _nothing() -> None:
    """Without a server nobody has so much."""


class Freed:
    """Counts what leaves by a person's or a client's wish, or by its age.

    What leaves for others that take its place is not counted: they want the same memory.
    """

    def __init__(self, clock: Clock) -> None:
        self.give_back: Callable[[], object] = _nothing
        self._clock = clock
        self._size = 0
        self._armed = False
        self._earliest = 0.0

    def add(self, size: int) -> None:
        """So many bytes, as far as they are known, are wanted no more."""
        self._size += size
        if self._size >= WORTH and not self._armed:
            self._armed = True
            rest = self._earliest - self._clock.now()
            self._clock.call_later(max(_PAUSE, rest), self._ring)

    def _ring(self) -> None:
        self._armed = False
        self._size = 0
        begun = self._clock.now()
        self.give_back()
        now = self._clock.now()
        self._earliest = now + (now - begun) * _APART
