"""Frames that wait for a person to decide about them, or for their rule to do it."""

from collections.abc import Callable, Mapping
from typing import Protocol, assert_never

from msgspec import Struct

from ..clock import Clock, Timer
from ..errors import BrokerError, InvalidInput
from ..events import FrameHeld, HeldFrameEdited, HeldFrameLeft, Warned
from ..journal import IN, Row
from ..spine import Spine
from ..usage import Usage
from .actions import Refuse
from .decisions import AT_ONCE, Changes, Decision, Edit, Release
from .in_force import InForce
from .possible import applicable, check_possible
from .rules import Match, matching


class HoldRule(Struct, eq=False):
    """What is held: at most `most` frames of one match, each for `timeout` s at most.

    Then `decision` is taken: after the time-out, at once where there is none. With a `lifetime`
    (seconds) the rule leaves by itself, and what it holds goes on.
    """

    match: Match
    most: int | None = None
    timeout: float | None = None
    decision: Decision | None = None
    name: str = ""
    lifetime: float | None = None
    id: int = 0
    hits: int = 0
    added: float = 0.0
    timer: Timer | None = None

    def __post_init__(self) -> None:
        check_possible(self.match, self.decision)

    @property
    def scope(self) -> str:
        return self.match.scope

    @property
    def expires(self) -> float | None:
        """On the clock's monotonic time."""
        return None if self.lifetime is None else self.added + self.lifetime


class Waiting(Protocol):
    """The frame where it waits; each of the first three verbs ends the wait."""

    def release(self, how: Release) -> None: ...

    def drop(self) -> None: ...

    def refuse(self, code: int, text: str, match: Callable[[Row], bool] | None = None) -> None:
        """Answer it with an error code of its protocol, without its effect.

        Of a request for several things only those that `match` are refused (None: all).
        """
        ...

    def edit(self, changes: Mapping[int, Changes]) -> list[Row]:
        """Change its messages of these numbers (from 0) and its fields; returns the new rows.

        Raises InvalidInput.
        """
        ...


class HeldFrame(Struct, eq=False):
    """One frame that waits, and with it whatever its connection sent behind it."""

    id: int
    rule: int
    rows: list[Row]
    since: float
    waiting: Waiting
    timer: Timer | None = None
    edited: bool = False


class Holds:
    """The hold rules in force and the frames that wait."""

    def __init__(self, clock: Clock, spine: Spine, usage: Usage, in_force: InForce) -> None:
        self.active = False
        self.in_force = in_force
        self.rules: dict[int, HoldRule] = {}
        self.held: dict[int, HeldFrame] = {}
        self._clock = clock
        self._spine = spine
        self._usage = usage
        self._last_rule = 0
        self._last_held = 0

    def add(self, rule: HoldRule) -> HoldRule:
        self._last_rule += 1
        rule.id = self._last_rule
        rule.added = self._clock.now()
        if rule.lifetime is not None:
            rule.timer = self._clock.call_later(rule.lifetime, self.remove, rule.id)
        self.rules[rule.id] = rule
        self._refresh()
        return rule

    def remove(self, number: int) -> bool:
        """End one rule; what it held is released."""
        rule = self.rules.pop(number, None)
        if rule is not None and rule.timer is not None:
            rule.timer.cancel()
        self._refresh()
        # After the rule is out, or what a released frame brings about would be held by it again.
        for frame in tuple(self.held.values()):
            if frame.rule == number:
                self.release(frame.id)
        return rule is not None

    def clear(self) -> int:
        """End all rules and release all frames; returns how many frames waited."""
        count = len(self.held)
        for number in tuple(self.rules):
            self.remove(number)
        return count

    def may_concern(self, row: Row) -> bool:
        """Whether rules can be about a connection of this protocol, number and client."""
        origins = (rule.match.origin for rule in self.rules.values())
        return any(origin is None or origin(row) for origin in origins)

    def may_match(self, parts: list[Row], *, placed: bool) -> bool:
        """See `Match.may_match`."""
        return any(
            rule.match.may_match(part, placed=placed)
            for rule in self.rules.values()
            for part in parts
        )

    def ask(self, parts: list[Row], exchange: tuple[set[object], bool]) -> HoldRule | None:
        """The rule that holds a frame of these parts, if any.

        Those behind it remember that they matched: for the answer's sake.
        """
        holding: tuple[HoldRule, Row] | None = None
        for rule in self.rules.values():
            # It has held all that it was to hold, and lets the rest go by.
            if rule.most is not None and rule.hits >= rule.most:
                continue
            found = matching(rule.match, rule, applicable(rule.decision, parts), exchange)
            if found and holding is None:
                holding = rule, found[0]
        if holding is None:
            return None
        rule, first = holding
        return rule if self._has_room(first) else None

    def pass_by(self, parts: list[Row], exchange: tuple[set[object], bool]) -> None:
        """A fault took this frame: the rules that match it leave its answer alone all the same."""
        for rule in self.rules.values():
            matching(rule.match, rule, applicable(rule.decision, parts), exchange)

    def hold(self, rule: HoldRule, rows: list[Row], waiting: Waiting) -> HeldFrame:
        """Keep a frame until somebody decides about it; see `decide`."""
        rule.hits += 1
        self._last_held += 1
        frame = HeldFrame(self._last_held, rule.id, rows, self._clock.now(), waiting)
        # All rows of the frame carry its number: on the screen any of them may be chosen.
        for row in rows:
            row.held = frame.id
        self.held[frame.id] = frame
        if rule.timeout is not None:
            frame.timer = self._clock.call_later(rule.timeout, self._decide, frame, rule)
        first = rows[0]
        self._spine.emit(
            FrameHeld(first.protocol, frame.id, first.connection, first.client, first.operation)
        )
        return frame

    def settle(self, frame: HeldFrame) -> None:
        """Take the decision of its rule about a frame that need not wait for it."""
        rule = self.rules.get(frame.rule)
        if rule is not None and rule.decision is not None and rule.timeout is None:
            self._decide(frame, rule)

    def _decide(self, frame: HeldFrame, rule: HoldRule) -> None:
        match rule.decision:
            case None:
                self.release(frame.id)
            case Edit() as edit:
                self._edit_and_release(frame, rule, edit)
            case Refuse(code, codes, text):
                # Gone from the list before it is answered: what the answer brings about may look.
                self._leave(frame.id, f"refused with code {code}")
                number = codes[frame.rows[0].protocol]
                frame.waiting.refuse(number, text or f"hold {rule.id}", rule.match.matches)
            case other:
                assert_never(other)

    def _edit_and_release(self, frame: HeldFrame, rule: HoldRule, edit: Edit) -> None:
        if edit.number is None:
            matches = rule.match.matches
            numbers = [at for at, row in enumerate(frame.rows) if matches(row)] or [0]
        else:
            numbers = [edit.number]
        try:
            self._edit(frame, {number: edit.changes() for number in numbers})
        except BrokerError as error:
            text = f"h{frame.id} goes on unchanged: {error}"
            self._spine.emit(Warned(frame.rows[0].protocol, f"hold {rule.name or rule.id}", text))
        self.release(frame.id)

    def release(self, number: int, how: Release = AT_ONCE) -> bool:
        frame = self._leave(number, how.outcome)
        if frame is not None:
            frame.waiting.release(how)
        return frame is not None

    def drop(self, number: int) -> bool:
        frame = self._leave(number, "dropped")
        if frame is not None:
            frame.waiting.drop()
        return frame is not None

    def refuse(self, number: int, code: int, text: str = "") -> bool:
        """Answer a held request with an error code. Raises InvalidInput for what is no request."""
        frame = self.held.get(number)
        if frame is None:
            return False
        if frame.rows[0].direction != IN:
            raise InvalidInput(
                f"held frame {number} is on its way to the client: drop or release it"
            )
        self._leave(number, f"refused with code {code}")
        frame.waiting.refuse(code, text)
        return True

    def edit(self, number: int, changes: Changes, message: int = 0) -> HeldFrame:
        """Change a message of a held frame, which goes on waiting. Raises InvalidInput.

        `message` counts from 0 where a frame carries several (records of a Kafka batch).
        """
        frame = self.held.get(number)
        if frame is None:
            raise InvalidInput(f"no frame {number} is held; held lists what is")
        self._edit(frame, {message: changes})
        return frame

    def _edit(self, frame: HeldFrame, changes: Mapping[int, Changes]) -> None:
        rows = frame.waiting.edit(changes)
        for row in rows:
            row.held = frame.id
        frame.rows = rows
        frame.edited = True
        first = rows[0]
        self._spine.emit(
            HeldFrameEdited(
                first.protocol, frame.id, first.connection, first.client, first.operation
            )
        )

    def forget(self, number: int) -> None:
        """The connection of a held frame is gone."""
        self._leave(number, "gone with its connection")

    def _leave(self, number: int, outcome: str) -> HeldFrame | None:
        frame = self.held.pop(number, None)
        if frame is not None:
            if frame.timer is not None:
                frame.timer.cancel()
            self._spine.emit(HeldFrameLeft(frame.rows[0].protocol, number, outcome))
        return frame

    def _refresh(self) -> None:
        self.active = bool(self.rules)
        self.in_force.changed(self, active=self.active)

    def _has_room(self, row: Row) -> bool:
        if len(self.held) < self._usage.limits.held_frames:
            return True
        self._usage.met(row.protocol, "held_frames", row.client, "frames passed unheld: {lost:,}")
        return False
