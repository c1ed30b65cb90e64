"""The rows of a feed that a filter shows, found in slices of time."""

from bisect import bisect_left, bisect_right
from collections.abc import Callable
from time import perf_counter

from mockforge_brokers.journal import Row

from .ring import Ring

_ROWS_BETWEEN_LOOKS = 64


class Selection:
    """Numbers of matching rows. New rows are looked at first, then old ones, newest first.

    So the newest page is full after the first slice, however large the ring is.
    """

    def __init__(
        self,
        ring: Ring,
        matches: Callable[[Row], bool] | None = None,
        timer: Callable[[], float] = perf_counter,
    ) -> None:
        self._ring = ring
        self._matches = matches
        self._timer = timer
        self._newer: list[int] = []
        self._older: list[int] = []
        """Newest first, so that it grows at its end."""
        self.found = 0
        """How many matched so far, those that have left among them."""
        self._up_to = ring.newest
        self._down_to = ring.newest + 1

    @property
    def count(self) -> int:
        """Rows that match, as far as they were looked at."""
        self._trim()
        return len(self._newer) + len(self._older)

    @property
    def progress(self) -> float:
        """The share of the ring that was looked at."""
        ring = self._ring
        total = ring.newest - ring.oldest + 1
        left = max(0, self._down_to - ring.oldest) + ring.newest - self._up_to
        return 1.0 if total <= 0 or not left else max(0.0, 1 - left / total)

    def tick(self, budget: float = 0.002) -> bool:
        """Look at rows for about `budget` seconds; says whether anything new matched."""
        deadline = self._timer() + budget
        before = self.found
        if self._look_at_new(deadline):
            self._look_at_old(deadline)
        return self.found != before

    def last(self, count: int) -> list[int]:
        """The newest `count` numbers, ascending."""
        return self.before(self._ring.newest + 1, count)

    def at_or_after(self, number: int, count: int) -> list[int]:
        """Up to `count` numbers from `number` on, ascending."""
        self._trim()
        found = self._older_between(number, count)
        if len(found) < count:
            start = bisect_left(self._newer, number)
            found += self._newer[start : start + count - len(found)]
        return found

    def before(self, number: int, count: int) -> list[int]:
        """Up to `count` numbers below `number`, the nearest ones, ascending."""
        self._trim()
        end = bisect_left(self._newer, number)
        found = self._newer[max(0, end - count) : end]
        missing = count - len(found)
        if missing > 0:
            start = bisect_right(self._older, -number, key=lambda each: -each)
            found = self._older[start : start + missing][::-1] + found
        return found

    def after(self, number: int) -> int:
        """How many shown rows are newer than `number`."""
        newer = len(self._newer) - bisect_right(self._newer, number)
        return newer + bisect_left(self._older, -number, key=lambda each: -each)

    def _look_at_new(self, deadline: float) -> bool:
        ring, matches = self._ring, self._matches
        self._up_to = max(self._up_to, ring.oldest - 1)
        while self._up_to < ring.newest:
            stop = min(self._up_to + _ROWS_BETWEEN_LOOKS, ring.newest)
            for number in range(self._up_to + 1, stop + 1):
                row = ring.row(number)
                if row is not None and (matches is None or matches(row)):
                    self._newer.append(number)
                    self.found += 1
            self._up_to = stop
            if self._timer() >= deadline:
                return False
        return True

    def _look_at_old(self, deadline: float) -> None:
        ring, matches = self._ring, self._matches
        while self._down_to > ring.oldest:
            stop = max(self._down_to - _ROWS_BETWEEN_LOOKS, ring.oldest)
            for number in range(self._down_to - 1, stop - 1, -1):
                row = ring.row(number)
                if row is not None and (matches is None or matches(row)):
                    self._older.append(number)
                    self.found += 1
            self._down_to = stop
            if self._timer() >= deadline:
                return

    def _older_between(self, number: int, count: int) -> list[int]:
        end = bisect_right(self._older, -number, key=lambda each: -each)
        return self._older[max(0, end - count) : end][::-1]

    def _trim(self) -> None:
        """Forget numbers whose rows have left the ring."""
        oldest = self._ring.oldest
        while self._older and self._older[-1] < oldest:
            self._older.pop()
        if self._newer and self._newer[0] < oldest:
            del self._newer[: bisect_left(self._newer, oldest)]
