"""A Fetch that found too little: it looks again when enough came, or when its time is up."""

from __future__ import annotations

from functools import partial

from ....clock import Timer
from ....fairness import Stepped
from ...codes import IsolationLevel
from ...snapshots import FetchWait
from ...state.logs.log import PartitionLog
from ...state.purgatory import Parked
from ...wire.messages.logs import FetchResponse
from ..stepping import LIGHT, worked
from .asking import Asking
from .fetched import Reading, readable_end


class Waiting:
    """One such request.

    What came counts for a read_committed consumer when it is below the last stable offset: a
    marker may bring much at once, be it from before the wait, and a batch of an open transaction
    nothing.
    """

    __slots__ = (
        "_again",
        "_asking",
        "_committed",
        "_ends",
        "_looking",
        "_missing",
        "_over",
        "_timer",
        "parked",
    )

    def __init__(self, asking: Asking, reading: Reading) -> None:
        self.parked: Parked[FetchResponse] = Parked()
        self._asking = asking
        self._committed = asking.request.isolation_level == IsolationLevel.READ_COMMITTED
        self._missing = asking.min_bytes - reading.size
        self._ends: dict[PartitionLog, int] = {}
        """Where each that is watched ended when it was counted last."""
        self._timer: Timer | None = None
        self._looking = self._again = self._over = False

    def begin(self, reading: Reading) -> Stepped[FetchResponse | Parked[FetchResponse]]:
        """Watch what was read. It may be answered at once: more came since it was looked at."""
        committed, left = self._committed, LIGHT
        try:
            for log, _, _, end in reading.spans:
                self._ends[log] = end
                log.watchlist.add(self, partial(self._came, log))
                # As `readable_end`, written out.
                if (log.last_stable_offset if committed else log.high_watermark) != end:
                    self._count(log)
                left -= 1
                if not left:
                    yield
                    left = LIGHT
        except GeneratorExit:
            # Its client is gone already.
            self._stop()
            raise
        if self._missing <= 0:
            self._stop()
            return (yield from self._answered())
        caller, request = self._asking.caller, self._asking.request
        self._timer = caller.environment.clock.call_later(request.max_wait_ms / 1000, self._answer)
        self.parked.on_abandon(self._stop)
        caller.parked_fetch = self
        return self.parked

    @property
    def wait(self) -> FetchWait:
        """For people."""
        least = self._asking.min_bytes
        found = max(0, least - self._missing)
        return FetchWait(least, found, self._asking.request.max_wait_ms / 1000)

    def _came(self, log: PartitionLog, size: int) -> None:
        if size < 0:
            self._missing = 0
        elif self._committed:
            if log.last_stable_offset == self._ends[log]:
                # In an open transaction, or behind one: nobody is to look at it yet.
                return
            self._count(log)
        else:
            self._missing -= size
        if self._missing > 0 or self._timer is None:
            return
        if size >= 0 and self._committed:
            self._look()
        else:
            self._answer()

    def _count(self, log: PartitionLog) -> None:
        """What came since it was counted last."""
        before, end = self._ends[log], readable_end(log, self._committed)
        self._ends[log] = end
        if end < before:
            self._missing = 0
            return
        # A marker may free gigabytes at once: more than what is missing is not looked through.
        came = log.read(before, self._missing, end=end)
        self._missing -= came.size if came.next_offset >= end else self._missing

    def _look(self) -> None:
        """Whether it is as much as it seems: what it reads of a partition is bounded."""
        # What comes while it looks may be where it has looked already.
        self._again = True
        if not self._looking:
            self._looking = True
            worked(self._asking.caller, self._looked())

    def _looked(self) -> Stepped[None]:
        while self._again and not self._over:
            self._again = False
            reading = yield from Reading.of(self._asking)
            if reading.answers_now and not self._over:
                self._stop()
                self.parked.complete((yield from reading.response()))
        self._looking = False

    def _answer(self) -> None:
        self._stop()
        self.parked.settle(worked(self._asking.caller, self._answered()))

    def _answered(self) -> Stepped[FetchResponse]:
        reading = yield from Reading.of(self._asking)
        return (yield from reading.response())

    def _stop(self) -> None:
        self._over = True
        if self._timer is not None:
            self._timer.cancel()
            self._asking.caller.parked_fetch = None
        for log in self._ends:
            log.watchlist.discard(self)
