"""How often the screen may paint: so that it takes at most a set share of the loop."""

from typing import Final

FASTEST: Final = 1 / 12
SLOWEST: Final = 1.0
SHARE: Final = 0.06
_MEMORY: Final = 0.2
"""Weight of the newest frame: one slow frame must not slow down the next ten."""


class Pace:
    """Seconds between frames, from what frames have cost.

    Costs are the thread's own seconds: that other processes had the processor meanwhile is no
    reason to paint less.
    """

    def __init__(self, fastest: float = FASTEST) -> None:
        self.fastest = fastest
        self.cost = 0.0
        self._frame = 0.0
        self._due = 0.0
        self._frames = 0
        self._since = 0.0
        self.rate = 0.0

    @property
    def interval(self) -> float:
        return min(SLOWEST, max(self.fastest, self.cost / SHARE))

    def spent(self, seconds: float) -> None:
        """Time that the screen took of the loop, for decoding or for painting."""
        self._frame += seconds

    def is_due(self, now: float) -> bool:
        """Whether a frame may begin; if so, the last one's cost is settled."""
        if now < self._due:
            return False
        self.cost += (self._frame - self.cost) * _MEMORY
        self._frame = 0.0
        # From now, not from when it was due: after a pause no frames are made up for.
        self._due = now + self.interval
        self._count(now)
        return True

    def _count(self, now: float) -> None:
        self._frames += 1
        elapsed = now - self._since
        if elapsed >= 1.0:
            self.rate = self._frames / elapsed
            self._frames, self._since = 0, now
