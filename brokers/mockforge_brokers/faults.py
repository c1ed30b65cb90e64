"""Rules that make the brokers misbehave on purpose, as data."""

from collections.abc import Callable
from random import Random
from typing import Literal

from msgspec import Struct, field

from .clock import Clock, Timer
from .errors import InvalidInput
from .events import FaultFired
from .journal import Row
from .spine import Spine

FaultKind = Literal["delay", "disconnect", "drop"]
KINDS: tuple[FaultKind, ...] = ("delay", "disconnect", "drop")


class Trigger(Struct, frozen=True):
    """When a matching rule fires. All conditions that are set must hold.

    `first`: matches to let pass before; `every`: each n-th match from there on; `times`: at most
    so often; `probability`: by the seeded dice, asked last.
    """

    first: int = 0
    every: int = 1
    times: int | None = None
    probability: float = 1.0


class Rule(Struct, eq=False):
    """One fault. `scope` is the filter's text for people, `matches` is what decides.

    `delay` and `jitter` are seconds; `direction` None means both ways. `hits` counts how often
    it fired, `seen` how often it matched.
    """

    kind: FaultKind
    scope: str
    matches: Callable[[Row], bool]
    direction: int | None = None
    delay: float = 0.0
    jitter: float = 0.0
    reset: bool = False
    after: bool = False
    trigger: Trigger = field(default_factory=Trigger)
    lifetime: float | None = None
    id: int = 0
    enabled: bool = True
    hits: int = 0
    seen: int = 0
    expires: float | None = None
    timer: Timer | None = None

    def __post_init__(self) -> None:
        if self.delay < 0 or self.jitter < 0:
            raise InvalidInput(f"fault {self.kind}: a delay is 0 or more, not {self.delay:g}")
        if not 0 <= self.trigger.probability <= 1:
            raise InvalidInput(
                f"fault {self.kind}: probability is 0 to 1, not {self.trigger.probability:g}"
            )


class Faults:
    """The rules in force. `active` is the one test that a frame costs while there are none."""

    def __init__(self, clock: Clock, spine: Spine, random: Random) -> None:
        self.active = False
        self.rules: dict[int, Rule] = {}
        self._clock = clock
        self._spine = spine
        self._random = random
        self._last = 0

    def add(self, rule: Rule) -> Rule:
        """Put a rule into force and number it; with a lifetime (seconds) it leaves by itself."""
        self._last += 1
        rule.id = self._last
        self.rules[rule.id] = rule
        if rule.lifetime is not None:
            rule.expires = self._clock.now() + rule.lifetime
            rule.timer = self._clock.call_later(rule.lifetime, self.remove, rule.id)
        self._refresh()
        return rule

    def remove(self, number: int) -> bool:
        rule = self.rules.pop(number, None)
        if rule is not None and rule.timer is not None:
            rule.timer.cancel()
        self._refresh()
        return rule is not None

    def enable(self, number: int, enabled: bool) -> bool:
        rule = self.rules.get(number)
        if rule is not None:
            rule.enabled = enabled
        self._refresh()
        return rule is not None

    def clear(self) -> int:
        """Remove all rules; returns how many there were."""
        count = len(self.rules)
        for number in tuple(self.rules):
            self.remove(number)
        return count

    def ask(self, rows: list[Row]) -> Rule | None:
        """The first rule that fires for a frame of these rows; told on the spine."""
        for rule in tuple(self.rules.values()):
            if rule.enabled:
                for row in rows:
                    if rule.direction in (None, row.direction) and rule.matches(row):
                        if self._fires(rule):
                            self._tell(rule, row)
                            return rule
                        break
        return None

    def seconds(self, rule: Rule) -> float:
        """How long this firing of a delay lasts."""
        spread = self._random.uniform(-rule.jitter, rule.jitter) if rule.jitter else 0.0
        return max(0.0, rule.delay + spread)

    def _fires(self, rule: Rule) -> bool:
        rule.seen += 1
        trigger = rule.trigger
        if rule.seen <= trigger.first or (rule.seen - trigger.first - 1) % trigger.every:
            return False
        if trigger.times is not None and rule.hits >= trigger.times:
            return False
        return trigger.probability >= 1 or self._random.random() < trigger.probability

    def _tell(self, rule: Rule, row: Row) -> None:
        rule.hits += 1
        row.fault = rule.id
        self._spine.emit(
            FaultFired(row.protocol, rule.id, rule.kind, row.connection, row.client, row.operation)
        )

    def _refresh(self) -> None:
        self.active = any(rule.enabled for rule in self.rules.values())
