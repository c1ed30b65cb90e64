"""The rules in force: what each matches, when it fires, and what it counted."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from math import exp, log
from random import Random
from typing import TYPE_CHECKING

from msgspec import Struct, field
from msgspec.structs import replace

from ..clock import Clock, Timer
from ..errors import InvalidInput
from ..events import FaultFired, Warned, mark_of
from ..journal import OUT, Row
from ..spine import Spine
from .actions import Action, Blackhole, Delay, Drop, Inject, Truncate, Watch, name_of
from .in_force import InForce
from .possible import FrameKind, applicable, check_possible
from .sieve import Sieve

if TYPE_CHECKING:
    from .queue import Queue

COMPARED = 1_000
"""So many frames are looked at closely for the one that comes nearest to a rule."""


class Match(Struct, frozen=True):
    """Which frames: `scope` is the filter's text for people, `matches` is what decides.

    `direction` None: a message is matched once, on the way where it first shows; what answers a
    matched request is then left alone. `terms` are the conditions of which all must hold, each
    with its text. Some say sooner that nothing matches (None: that cannot be known): `origin` by
    protocol, connection and client alone; `operation` by these, operation and direction; `place`
    by all of these and the destination. `common_operation` and `common_place` are the same without
    connection and client, so that what they say of a frame holds for everybody's.

    `kinds`: the kinds of frames that it can be about, by protocol, operation and direction alone;
    None: that is not known.

    `contents`: some of the terms are about more than `place`, so that of two frames alike in all
    this one may come nearer to a match than the other; `common`: none is about more than
    `common_place`. `ends`: it may be about a connection's beginning or end.
    """

    scope: str
    matches: Callable[[Row], bool]
    direction: int | None = None
    terms: tuple[tuple[str, Callable[[Row], bool]], ...] = ()
    origin: Callable[[Row], bool] | None = None
    operation: Callable[[Row], bool] | None = None
    place: Callable[[Row], bool] | None = None
    common_operation: Callable[[Row], bool] | None = None
    common_place: Callable[[Row], bool] | None = None
    kinds: Callable[[], Iterable[FrameKind]] | None = None
    contents: bool = True
    common: bool = False
    ends: bool = True

    def may_match(self, part: Row, *, placed: bool) -> bool:
        """Whether frames with this operation (`placed`: and destination) can match."""
        early = self.place if placed else self.operation
        way = self.direction in (None, part.direction)
        return way and (early is None or early(part))

    def may_match_of_all(self, part: Row, *, placed: bool) -> bool:
        """As `may_match`, of whatever connection such a frame is."""
        early = self.common_place if placed else self.common_operation
        way = self.direction in (None, part.direction)
        return way and (early is None or early(part))


class Trigger(Struct, frozen=True):
    """When a matching rule fires. All conditions that are set must hold.

    `first`: matches to let pass before; `last`: the number of the last one for which it may;
    `every`: each n-th match from the first on; `times`: at most so often; `after`: not before so
    many seconds since it was added; `window`: for so many seconds from then on; `until`: no longer
    so many seconds after it was added; `probability`: by the seeded dice, asked last. `lasts`: once
    it fired, it fires for each match for a while, from so many seconds to so many.
    """

    first: int = 0
    every: int = 1
    times: int | None = None
    probability: float = 1.0
    after: float = 0.0
    window: float | None = None
    until: float | None = None
    lasts: tuple[float, float] | None = None
    last: int | None = None

    def __post_init__(self) -> None:
        if not 0 < self.probability <= 1:
            text = "fault: probability is above 0, or it would never fire, and 1 at most"
            raise InvalidInput(f"{text}, not {self.probability:g}")
        if self.every < 1:
            raise InvalidInput(f"fault: every is 1 or more, not {self.every}")
        if self.window == 0:
            raise InvalidInput("fault: window is above 0, or it would never fire")
        if self.until is not None and self.until <= self.after:
            raise InvalidInput(_too_short("until", self.until, self.after))


def _too_short(name: str, end: float, begin: float) -> str:
    return f"fault: {name} is {end:g} s, and it begins after {begin:g} s: it would never fire"


class Near(Struct, frozen=True):
    """A frame that a rule almost matched: `failed` are the terms that it did not fulfil."""

    row: Row
    failed: tuple[str, ...]


class Rule(Struct, eq=False):
    """One fault; with a `lifetime` (seconds) it leaves by itself.

    `hits` counts how often it fired, `seen` how often it matched, `missed` how often it was asked
    and did not; while it never matched, `near` is the closest thing that it saw, and `looking` says
    that others may come closer. `effects` go on after the frame that it fired for: each is called
    when the rule ends. Until `lasting` (monotonic s) it fires for each match (`Trigger.lasts`).
    `warned`: it was said that it could not do what it is to do.
    """

    match: Match
    action: Action
    trigger: Trigger = field(default_factory=Trigger)
    lifetime: float | None = None
    name: str = ""
    id: int = 0
    enabled: bool = True
    hits: int = 0
    seen: int = 0
    missed: int = 0
    near: Near | None = None
    looking: bool = True
    effects: dict[object, Callable[[], object]] = field(default_factory=dict)
    added: float = 0.0
    timer: Timer | None = None
    lasting: float = 0.0
    warned: bool = False

    def __post_init__(self) -> None:
        check_possible(self.match, self.action)
        if self.lifetime is not None and self.lifetime <= self.trigger.after:
            raise InvalidInput(_too_short("for", self.lifetime, self.trigger.after))

    @property
    def kind(self) -> str:
        return name_of(self.action)

    @property
    def scope(self) -> str:
        return self.match.scope

    @property
    def expires(self) -> float | None:
        """On the clock's monotonic time."""
        return None if self.lifetime is None else self.added + self.lifetime


class Fired(Struct, frozen=True):
    """A rule that fires for one frame, and the parts of the frame that it matched."""

    rule: Rule
    parts: list[Row]


def matching(
    match: Match, identity: object, parts: list[Row], exchange: tuple[set[object], bool]
) -> list[Row]:
    """The parts of one frame that a match is about; the exchange remembers it."""
    matched, answers = exchange
    # Without `--dir` a rule about a request would fire for its answer too, which looks the same.
    if match.direction is None and answers and identity in matched:
        return []
    found = [
        part for part in parts if match.direction in (None, part.direction) and match.matches(part)
    ]
    # An answer is not remembered: the next request may go past unread, and its answer be matched.
    if found and not answers:
        matched.add(identity)
    return found


class Faults:
    """The rules in force."""

    def __init__(self, clock: Clock, spine: Spine, random: Random, in_force: InForce) -> None:
        self.active = False
        self.in_force = in_force
        self.rules: dict[int, Rule] = {}
        self.kept_back: Callable[[list[Row], Queue], object] | None = None
        """Told of what a client sent that does not go in at once, or not at all."""
        self.changed: Callable[[list[Row], list[Row]], object] | None = None
        """Told of what was kept back and what goes in instead: nothing where nobody can say."""
        self._clock = clock
        self._spine = spine
        self._random = random
        self._last = 0
        self._sieve: Sieve[Rule] | None = None

    def add(self, rule: Rule) -> Rule:
        """Put a rule into force and number it."""
        self._last += 1
        rule.id = self._last
        rule.added = self._clock.now()
        rule.looking = _may_come_nearer(rule)
        self.rules[rule.id] = rule
        if rule.lifetime is not None:
            rule.timer = self._clock.call_later(rule.lifetime, self.remove, rule.id)
        self._refresh()
        return rule

    def remove(self, number: int) -> bool:
        rule = self.rules.pop(number, None)
        if rule is not None:
            if rule.timer is not None:
                rule.timer.cancel()
            _end_effects(rule)
        self._refresh()
        return rule is not None

    def enable(self, number: int, enabled: bool) -> bool:
        rule = self.rules.get(number)
        if rule is not None:
            rule.enabled = enabled
            if not enabled:
                rule.lasting = 0.0
                _end_effects(rule)
        self._refresh()
        return rule is not None

    def clear(self) -> int:
        """Remove all rules; returns how many there were."""
        count = len(self.rules)
        for number in tuple(self.rules):
            self.remove(number)
        return count

    def may_concern(self, row: Row) -> bool:
        """Whether rules can be about a connection of this protocol, number and client.

        A rule looks for what comes nearest to it among all at first.
        """
        return self._sifted().may_concern(row)

    def candidates(self, parts: list[Row], *, placed: bool) -> tuple[Rule, ...]:
        """The rules that have to be asked about frames of one connection that look as the one with
        these parts does: they have the same operation (`placed`: and destination).

        Those that can be about such frames, and those to which the next of them may come nearer
        than this one does. All others have seen this one, or one like it.
        """
        found = []
        for rule in self._sifted().of(parts, placed=placed):
            match = rule.match
            for part in parts:
                if match.may_match(part, placed=placed):
                    found.append(rule)
                    break
            else:
                if rule.looking:
                    if match.contents or not placed:
                        found.append(rule)
                    else:
                        self._miss(rule, parts)
        return tuple(found)

    def ask(
        self,
        parts: list[Row],
        exchange: tuple[set[object], bool],
        rules: tuple[Rule, ...] | None = None,
    ) -> Fired | None:
        """The first rule that fires for a frame of these parts; emitted on the spine.

        `rules`: those that can be about it, where that is known. Those behind it are not asked,
        but remember that they matched: for the answer's sake.
        """
        fired: Fired | None = None
        for rule in tuple(self.rules.values()) if rules is None else rules:
            if rule.enabled:
                found = matching(rule.match, rule, applicable(rule.action, parts), exchange)
                if not found:
                    self._miss(rule, parts)
                elif isinstance(rule.action, Watch):
                    # Who only looks takes no frame from the rules behind it, nor they from it.
                    if self._fires(rule):
                        self._report(rule, found[0])
                elif fired is None and self._fires(rule):
                    self._report(rule, found[0])
                    fired = Fired(rule, found)
        return fired

    def ask_at_an_end(self, row: Row, actions: tuple[type[Action], ...]) -> Rule | None:
        """The rule with one of these actions that fires for a connection's beginning or end.

        Only one that names `op:open` or `op:close` can.
        """
        other = replace(row, operation="")
        for rule in self._sifted().ends:
            match = rule.match
            if not isinstance(rule.action, actions) or match.direction not in (None, row.direction):
                continue
            # A rule for all frames is not about the beginning, nor about the end.
            named = match.matches(row) and not match.matches(other)
            if rule.enabled and named and self._fires(rule):
                self._report(rule, row)
                return rule
        return None

    def seconds(self, delay: Delay) -> float:
        """How long this firing of a delay lasts."""
        if delay.log_normal:
            # The median is the duration, and one standard deviation above it is the jitter.
            sigma = log((delay.duration + delay.jitter) / delay.duration)
            return delay.duration * exp(self._random.gauss(0.0, sigma))
        spread = self._random.uniform(-delay.jitter, delay.jitter) if delay.jitter else 0.0
        return max(0.0, delay.duration + spread)

    def warn(self, rule: Rule, protocol: str, text: str) -> None:
        """A rule could not do what it is to do; said once, as it may fire for each frame."""
        if rule.warned:
            return
        rule.warned = True
        self._spine.emit(Warned(protocol, f"fault {rule.name or rule.id}", text))

    def reseed(self, seed: int) -> None:
        """The dice of all triggers and delays begin anew."""
        self._random.seed(seed)

    @property
    def random(self) -> Random:
        """The seeded dice."""
        return self._random

    def _sifted(self) -> Sieve[Rule]:
        sieve = self._sieve
        if sieve is None:
            rules = (rule for rule in self.rules.values() if rule.enabled)
            sieve = self._sieve = Sieve(rules, _looks_at_others, self._miss)
        return sieve

    def _miss(self, rule: Rule, parts: list[Row]) -> None:
        """A frame of these parts is none of a rule's."""
        rule.missed += 1
        if rule.looking:
            _compare(rule, parts)
            rule.looking = _may_come_nearer(rule)
            if not rule.looking:
                # From here on frames may go past it.
                self._refresh()

    def _fires(self, rule: Rule) -> bool:
        # Each test narrows what the next one counts: `every` and `first` count frames within the
        # window, `times` counts hits, and the dice roll last, so that a seed repeats the same hits
        # whatever else goes by.
        trigger, now = rule.trigger, self._clock.now()
        age = now - rule.added
        if trigger.until is not None and age >= trigger.until:
            return False
        age -= trigger.after
        if age < 0 or (trigger.window is not None and age >= trigger.window):
            return False
        rule.seen += 1
        if rule.seen == 1:
            rule.looking = False
            self._refresh()
        if now < rule.lasting:
            return True
        if rule.seen <= trigger.first or (rule.seen - trigger.first - 1) % trigger.every:
            return False
        if trigger.last is not None and rule.seen > trigger.last:
            return False
        if trigger.times is not None and rule.hits >= trigger.times:
            return False
        if trigger.probability < 1 and self._random.random() >= trigger.probability:
            return False
        if trigger.lasts is not None:
            rule.lasting = now + self._random.uniform(*trigger.lasts)
        return True

    def _report(self, rule: Rule, row: Row) -> None:
        rule.hits += 1
        row.fault = rule.id
        who = row.connection, row.client, row.operation
        # What a client sent is journaled as it came, and what it gets as it goes.
        gone = row.direction == OUT and _takes_away(rule.action)
        mark = 0 if gone else mark_of(row.frame)
        self._spine.emit(FaultFired(row.protocol, rule.id, rule.kind, *who, mark, row.direction))

    def _refresh(self) -> None:
        self.active = any(rule.enabled for rule in self.rules.values())
        self._sieve = None
        self.in_force.changed(self, active=self.active)


def _end_effects(rule: Rule) -> None:
    # An effect may take others out as it ends, so none is iterated over.
    while rule.effects:
        rule.effects.popitem()[1]()


def _takes_away(action: Action) -> bool:
    """Whether the frame itself never goes on."""
    match action:
        case Drop() | Blackhole() | Inject(instead=True) | Truncate(keep=0):
            return True
        case _:
            return False


def _may_come_nearer(rule: Rule) -> bool:
    """Whether a frame may come nearer to a rule than all before, though it cannot match."""
    if rule.seen or rule.missed >= COMPARED:
        return False
    if rule.near is not None:
        return len(rule.near.failed) > 1
    # Who fails the only term does not come near: one frame shows that there are others.
    return not rule.missed or len(rule.match.terms) > 1


def _looks_at_others(rule: Rule) -> bool:
    """Whether of frames alike in operation and destination one may come nearer than the other."""
    return rule.looking and not rule.match.common


def _compare(rule: Rule, parts: list[Row]) -> None:
    """Remember the frame that fails the fewest of a rule's terms, the first of such."""
    match, near = rule.match, rule.near
    for part in parts:
        failed = [text for text, matches in match.terms if not matches(part)]
        if match.direction not in (None, part.direction):
            failed.append(f"--dir {'out' if match.direction else 'in'}")
        if len(failed) < len(match.terms) and (near is None or len(failed) < len(near.failed)):
            # All may be as it says, and its action for others: with a code of another protocol.
            rule.near = near = Near(part, tuple(failed) or (f"what {rule.kind} is for",))
