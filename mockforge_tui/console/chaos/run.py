"""A run of presets: which lines ran when, and how it ends."""

import re
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Final

from mockforge_brokers.clock import MovableClock, Timer
from mockforge_brokers.errors import InvalidInput
from mockforge_brokers.misbehaviour.rules import Faults

from ...units import parse_duration
from ..results import Result
from .presets import NEWEST, Preset, lines_of
from .verdict import Observer

Pair = tuple[str, str]
_MOST: Final = 2_000
"""Lines of a run, and of its faults, that are kept."""


@dataclass(frozen=True, slots=True)
class Done:
    """A line that ran, so many seconds after the start, and what it answered."""

    at: float
    preset: str
    line: str
    answer: str
    ok: bool


@dataclass(slots=True)
class InForce:
    """A fault of a run: when it came, and when it went (None: it is there)."""

    number: int
    line: str
    begun: float
    gone: float | None = None


@dataclass(frozen=True, slots=True)
class _Later:
    """What is to be called at a moment of the clock."""

    at: float
    call: Callable[..., object]
    args: tuple[object, ...]


@dataclass(slots=True, eq=False)
class Run:
    """Starts one preset after the other, and takes its faults away when it ends.

    With a `period` another preset is chosen from the list each time, by dice of the `seed`; the
    same seed chooses and fires the same. Of presets only the lines about `served` protocols run.
    A line that moves the brokers' clock moves neither what is due later nor the run's own times.
    """

    presets: Sequence[Preset]
    given: Sequence[Pair]
    seed: int
    clock: MovableClock
    faults: Faults
    execute: Callable[[str], Result]
    observer: Observer
    served: Collection[str]
    nodes: Callable[[str], Sequence[int]]
    """Those of a protocol's cluster that are there."""
    period: float | None = None
    lifetime: float | None = None
    ended: float | None = None
    done: list[Done] = field(default_factory=list)
    _due: dict[Timer, "_Later"] = field(default_factory=dict)
    rules: list[InForce] = field(default_factory=list)
    _dice: Random = field(default_factory=Random)

    @property
    def names(self) -> str:
        """Its presets, for people."""
        return ", ".join(preset.name for preset in self.presets)

    def begin(self) -> None:
        """Raises InvalidInput for a parameter, before anything happens."""
        self._check()
        self._dice.seed(self.seed)
        self.faults.reseed(self.seed)
        self.observer.begin()
        if self.lifetime is not None:
            self._later(self.lifetime, self.end)
        self._next()

    def end(self) -> None:
        """No more lines; the faults that it added go, where they have not gone themselves."""
        if self.ended is not None:
            return
        self.ended = self.observer.lasted
        self._put_off()
        self._take_away()
        self.observer.end()

    def _check(self) -> None:
        for preset in self.presets:
            self._lines(preset)
        known = dict.fromkeys(name for preset in self.presets for name in preset.parameters)
        for name, _ in self.given:
            if name not in known:
                raise InvalidInput(
                    f"{self.names}: none has a parameter {name!r} of {', '.join(known)}"
                )

    def _next(self) -> None:
        if self.period is None:
            chosen: Iterable[Preset] = self.presets
        else:
            self._take_away()
            chosen = (self._dice.choice(self.presets),)
            self._later(self.period, self._next)
        for preset in chosen:
            for after, line in self._lines(preset):
                if after:
                    self._later(after, self._execute, preset, line)
                else:
                    self._execute(preset, line)

    def _execute(self, preset: Preset, line: str) -> None:
        if NEWEST in line:
            line = line.replace(NEWEST, str(self.observer.newest()))
        at = self.observer.lasted
        # Perhaps an hour passes by this line: what comes after it is due as long after as before.
        waiting = self._put_off()
        result = self.execute(line)
        if self.ended is None:
            for seconds, later in waiting:
                self._later(seconds, later.call, *later.args)
        self.done.append(Done(at, preset.name, line, result.as_text(None), result.ok))
        if result.ok and line.startswith("fault add"):
            self.rules.append(InForce((result.data or {})["id"], line, at))
        # The newest are there: a run that chooses anew all day long does thousands of them.
        del self.done[:-_MOST], self.rules[:-_MOST]

    def _take_away(self) -> None:
        now = self.observer.lasted
        for rule in self.rules:
            if rule.gone is None and not self.faults.remove(rule.number):
                rule.gone = self._expired(rule)
            elif rule.gone is None:
                rule.gone = now

    def _expired(self, rule: InForce) -> float:
        """When a rule went that left by itself, or by hand."""
        found = re.search(r" --for (\S+)", rule.line)
        now = self.observer.lasted
        return now if found is None else min(now, rule.begun + parse_duration(found[1]))

    def in_force(self) -> list[InForce]:
        """Its faults with their ends, of those that left by themselves too."""
        for rule in self.rules:
            if rule.gone is None and rule.number not in self.faults.rules:
                rule.gone = self._expired(rule)
        return self.rules

    def _lines(self, preset: Preset) -> list[tuple[float, str]]:
        """With the parameters that this preset has; with one preset all must be its."""
        given = self.given
        if len(self.presets) > 1:
            given = [pair for pair in given if pair[0] in preset.parameters]
        return lines_of(preset, given, self.served, self.nodes)

    def _later(self, seconds: float, call: Callable[..., object], *args: object) -> None:
        def due() -> None:
            del self._due[timer]
            call(*args)

        timer = self.clock.call_later(seconds, due)
        self._due[timer] = _Later(self.clock.now() + seconds, call, args)

    def _put_off(self) -> list[tuple[float, _Later]]:
        """Nothing is due any more; returns what was, and in how many seconds."""
        now, waiting = self.clock.now(), self._due
        self._due = {}
        for timer in waiting:
            timer.cancel()
        return [(max(0.0, each.at - now), each) for each in waiting.values()]
