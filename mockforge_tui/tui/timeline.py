"""The last minute in equal steps: what faults did beside traffic, lag and errors."""

from collections import deque
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Final

STEPS: Final = 30
STEP: Final = 2.0
"""Seconds that one cell of a chart stands for."""


@dataclass(frozen=True, slots=True)
class Track:
    """One line of figures, the newest last; `now` is the last one."""

    name: str
    values: tuple[float, ...]
    now: float


class Series:
    """Figures by step. Within a step those of a counter add up, of a level the highest counts."""

    def __init__(self, *, adds_up: bool) -> None:
        self._adds_up = adds_up
        self._steps: deque[float] = deque(maxlen=STEPS)
        self.now = 0.0

    def note(self, figure: float, *, fresh: int) -> None:
        """`fresh` is how many steps have begun since the last figure."""
        # A machine that slept has missed more steps than are shown.
        for _ in range(min(fresh, STEPS)):
            self._steps.append(0.0)
        if not self._steps:
            self._steps.append(0.0)
        last = self._steps[-1]
        self._steps[-1] = last + figure if self._adds_up else max(last, figure)
        self.now = figure

    def values(self) -> tuple[float, ...]:
        return tuple(self._steps)

    def track(self, name: str) -> Track:
        return Track(name, self.values(), self.values()[-1] if self._adds_up else self.now)


class Timeline:
    """Notes a snapshot's figures; charts of all series end at the same moment."""

    def __init__(self) -> None:
        self._step: int | None = None
        self._rate = Series(adds_up=False)
        self._lag = Series(adds_up=False)
        self._errors = Series(adds_up=True)
        self._hits: dict[Hashable, tuple[int, Series]] = {}

    def note(
        self, now: float, rate: float, lag: float, errors: int, hits: Mapping[Hashable, int]
    ) -> None:
        """`hits` are what each rule counted up to now, `errors` those since the last time."""
        step = int(now // STEP)
        fresh = 0 if self._step is None else step - self._step
        self._step = step
        self._rate.note(rate, fresh=fresh)
        self._lag.note(lag, fresh=fresh)
        self._errors.note(errors, fresh=fresh)
        known, self._hits = self._hits, {}
        for rule, count in hits.items():
            # A rule that was just added has fired since then, if at all.
            before, series = known.get(rule, (0, Series(adds_up=True)))
            series.note(count - before, fresh=fresh)
            self._hits[rule] = count, series

    def tracks(self) -> tuple[Track, ...]:
        """What is drawn above the rules, for comparison."""
        return (
            self._rate.track("messages/s"),
            self._lag.track("lag of groups"),
            self._errors.track("errors"),
        )

    def hits_of(self, rule: Hashable) -> tuple[float, ...]:
        """How often it fired in each step since it is there; () for one not noted."""
        found = self._hits.get(rule)
        return found[1].values() if found is not None else ()
