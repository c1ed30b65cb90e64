"""The largest of very many logs, without a look at all of them each time that room is made."""

from collections.abc import Callable, Iterable
from heapq import heapify, heappop, heappush
from itertools import count

from .log import PartitionLog


class LargestLogs:
    """As of the last look at all of them, but for those that are named since.

    After so many bytes of `growth`, of whichever logs, all are looked at anew.
    """

    __slots__ = ("_all", "_came", "_deleted", "_growth", "_heap", "_number", "_unknown", "_until")

    def __init__(self, all_logs: Callable[[], Iterable[PartitionLog]], growth: int) -> None:
        self._all = all_logs
        self._growth = growth
        self._until = -1
        self._came = 0
        self._unknown = 0
        """Bytes since the last look at all that came to logs of which nothing was said here."""
        self._deleted = 0
        self._number = count()
        self._heap: list[tuple[int, int, PartitionLog]] = []

    def look(self, log: PartitionLog, came: int, cost: int) -> None:
        """`log` has grown by `cost`; `came` are all bytes that came to any so far."""
        self._unknown += came - self._came - cost
        self._came = came
        if came <= self._until:
            self.put(log)
        else:
            self._look_at_all()

    def deleted(self, logs: int) -> None:
        """So many logs are no more: their producers and transactions are not held for long."""
        self._deleted += logs
        # All are gone through for an eighth of them.
        if 8 * self._deleted > len(self._heap):
            self._fill([each for each in self._heap if not each[2].deleted])

    def _look_at_all(self) -> None:
        number = self._number
        self._fill([(-one.cost, next(number), one) for one in self._all() if one.can_shrink])
        self._until = self._came + self._growth
        self._unknown = 0

    def _fill(self, heap: list[tuple[int, int, PartitionLog]]) -> None:
        heapify(heap)
        self._heap = heap
        self._deleted = 0

    def put(self, log: PartitionLog) -> None:
        heappush(self._heap, (-log.cost, next(self._number), log))

    def take(self) -> PartitionLog | None:
        """The largest that can give something: it is put back as what it is then."""
        found = self._take()
        # Where none is left and all that grew are known, another look would find none either.
        if found is None and self._unknown:
            self._look_at_all()
            found = self._take()
        return found

    def _take(self) -> PartitionLog | None:
        heap = self._heap
        while heap:
            cost, _, log = heappop(heap)
            if log.deleted or not log.can_shrink:
                continue
            if -cost <= log.cost:
                return log
            # It has shrunk since.
            self.put(log)
        return None
