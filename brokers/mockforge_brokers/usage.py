"""How far the limits are used, how often each was met, and the warnings that count it."""

from collections.abc import Callable
from typing import Final

from msgspec import Struct

from .clock import Clock
from .events import LimitReached
from .limits import LIMITS, Limits
from .spine import Spine

REPORT_EVERY: Final = 10.0
"""Seconds between two events about the same limit at the same place; the first comes at once."""

_MOST_PLACES: Final = 1_000
"""Places of one limit that are reported apart; what is met at others is reported as one."""
_ELSEWHERE: Final = "elsewhere"


class LimitView(Struct, frozen=True):
    """One limit as people see it.

    `used` is None where nothing is counted; of a limit for one connection, session or packet it
    is the largest one's. `met` counts how often it was met, `lost` what went by it: records,
    messages, connections. `last` is the wall time of the last time.
    """

    name: str
    value: int
    unit: str
    what: str
    effect: str
    used: int | None
    met: int
    lost: int
    last: float | None


class _Tally:
    __slots__ = ("last", "lost", "met")

    def __init__(self) -> None:
        self.met = 0
        self.lost = 0
        self.last: float | None = None


class _Place:
    """What was met at one place since its last report."""

    __slots__ = ("event", "lost", "met")

    def __init__(self) -> None:
        self.event: Callable[[int, int], LimitReached] | None = None
        self.met = 0
        self.lost = 0


class Usage:
    """One for a process; owners of limits register what they use and say when a limit was met."""

    def __init__(self, clock: Clock, spine: Spine, limits: Limits) -> None:
        self.limits = limits
        self._clock = clock
        self._spine = spine
        self._gauges: dict[str, list[Callable[[], int]]] = {}
        self._counters: dict[str, list[Callable[[], int]]] = {}
        self._tallies: dict[str, _Tally] = {name: _Tally() for name in LIMITS}
        self._places: dict[tuple[str, str, str], _Place] = {}

    def gauge(
        self, limit: str, read: Callable[[], int], met: Callable[[], int] | None = None
    ) -> None:
        """`read` says how much of a limit is in use; of several the largest is shown.

        `met` counts how often it was met, where that is nothing to report.
        """
        assert limit in LIMITS, limit
        self._gauges.setdefault(limit, []).append(read)
        if met is not None:
            self._counters.setdefault(limit, []).append(met)

    def count(self, limit: str, lost: int = 1) -> None:
        """A limit was met in a way that has an event of its own, or needs none."""
        tally = self._tallies[limit]
        tally.met += 1
        tally.lost += lost
        tally.last = self._clock.wall()

    def met(
        self, protocol: str, limit: str, where: str, effect: str, *, lost: int = 1, last: str = ""
    ) -> None:
        """A limit was met at `where`: count it, and report it now or with what follows.

        `effect` is a text for people with `{lost:,}` for what went and `{last}` for the last of
        it, such as "messages not retained: {lost:,}, the last to {last}".
        """
        self.count(limit, lost)

        def event(times: int, lost: int) -> LimitReached:
            return LimitReached(
                protocol, limit, where, effect.format(lost=lost, last=last), times, lost
            )

        key = (protocol, limit, where)
        place = self._places.get(key)
        if place is None:
            if len(self._places) < _MOST_PLACES:
                self._places[key] = _Place()
                self._clock.call_later(REPORT_EVERY, self._report, key)
                self._spine.emit(event(1, lost))
                return
            where = _ELSEWHERE
            key = (protocol, limit, where)
            place = self._places.get(key)
            if place is None:
                place = self._places[key] = _Place()
                self._clock.call_later(REPORT_EVERY, self._report, key)
        place.event = event
        place.met += 1
        place.lost += lost

    def report(self) -> None:
        """Report at once what would be reported later: the program ends."""
        for key in tuple(self._places):
            self._report(key)

    def views(self) -> list[LimitView]:
        """Every limit, in the table's order."""
        found = []
        for row in LIMITS.values():
            tally = self._tallies[row.name]
            gauges = self._gauges.get(row.name)
            counted = sum(read() for read in self._counters.get(row.name, ()))
            found.append(
                LimitView(
                    row.name,
                    getattr(self.limits, row.name),
                    row.bound.unit,
                    row.bound.what,
                    row.bound.effect,
                    max(read() for read in gauges) if gauges else None,
                    tally.met + counted,
                    tally.lost + counted,
                    tally.last,
                )
            )
        return found

    def _report(self, key: tuple[str, str, str]) -> None:
        """What was met since the last report; a place where nothing more happened is forgotten."""
        place = self._places.pop(key, None)
        if place is None or place.event is None:
            return
        event = place.event(place.met, place.lost)
        self._places[key] = _Place()
        self._clock.call_later(REPORT_EVERY, self._report, key)
        self._spine.emit(event)
