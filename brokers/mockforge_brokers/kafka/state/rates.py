"""How fast something goes, and how long to wait until it is slow enough: Kafka's measures.

`Rate` is org.apache.kafka.common.metrics' SampledRate over `quota.window.num` windows of
`quota.window.size.seconds`, `TokenBucket` that of KIP-599.
"""

from collections import deque
from typing import Final

WINDOWS: Final = 11
WINDOW: Final = 1.0
LONGEST: Final = 2_147_483.0
"""Seconds to wait: as many as an answer has room for. Of next to nothing a second it were more."""


class Rate:
    """What was recorded in the last windows, by the second."""

    __slots__ = ("_samples",)

    def __init__(self) -> None:
        self._samples: deque[list[float]] = deque()
        """Windows with when they began and what fell into them, the oldest first."""

    def record(self, amount: float, now: float) -> None:
        self._forget(now)
        if not self._samples or now - self._samples[-1][0] >= WINDOW:
            self._samples.append([now, 0.0])
        self._samples[-1][1] += amount

    def per_second(self, now: float) -> float:
        self._forget(now)
        return sum(amount for _, amount in self._samples) / self._span(now)

    def throttle(self, most: float, now: float) -> float:
        """Seconds until no more than `most` a second went through, if nothing more does."""
        rate = self.per_second(now)
        return 0.0 if rate <= most else min(LONGEST, (rate - most) / most * self._span(now))

    def _span(self, now: float) -> float:
        """The time that the samples stand for: all windows but the present one at least."""
        elapsed = now - self._samples[0][0] if self._samples else 0.0
        missing = WINDOWS - 1 - int(elapsed / WINDOW)
        return elapsed + max(0, missing) * WINDOW

    def _forget(self, now: float) -> None:
        while self._samples and now - self._samples[0][0] >= WINDOWS * WINDOW:
            self._samples.popleft()


class TokenBucket:
    """Lets a burst through at once, and then so many a second."""

    __slots__ = ("_at", "_tokens")

    def __init__(self, per_second: float, now: float) -> None:
        self._tokens = per_second * WINDOWS * WINDOW
        self._at = now

    def tokens(self, per_second: float, now: float) -> float:
        """Below 0 where more was taken than there was."""
        burst = per_second * WINDOWS * WINDOW
        self._tokens = min(burst, self._tokens + (now - self._at) * per_second)
        self._at = now
        return self._tokens

    def take(self, amount: float, per_second: float, now: float) -> None:
        self.tokens(per_second, now)
        self._tokens -= amount

    def throttle(self, per_second: float, now: float) -> float:
        """Seconds until there are tokens again."""
        return min(LONGEST, max(0.0, -self.tokens(per_second, now) / per_second))
