"""Failures of fixture files that last for a while once they began."""

from random import Random

from mockforge_brokers.clock import Clock, Timer
from mockforge_brokers.events import FaultFired
from mockforge_brokers.misbehaviour.rules import Rule, Trigger
from mockforge_brokers.spine import Spine

from .fixtures.rates import Range


class Outages:
    """Rules that, once fired, hit every frame they match for a while."""

    def __init__(self, clock: Clock, spine: Spine, random: Random) -> None:
        self._clock = clock
        self._random = random
        self._rules: dict[int, tuple[Rule, Range]] = {}
        self._under_way: dict[int, Timer] = {}
        self._unwatch = spine.watch(self._fired, FaultFired)

    def add(self, rule: Rule, lasts: Range) -> None:
        self._rules[rule.id] = rule, lasts

    def stop(self) -> None:
        self._unwatch()
        for timer in self._under_way.values():
            timer.cancel()

    def _fired(self, event: FaultFired) -> None:
        found = self._rules.get(event.rule)
        if found is None or event.rule in self._under_way:
            return
        rule, lasts = found
        by_chance, rule.trigger = rule.trigger, Trigger()

        def over() -> None:
            del self._under_way[rule.id]
            rule.trigger = by_chance

        self._under_way[rule.id] = self._clock.call_later(lasts.pick(self._random), over)
