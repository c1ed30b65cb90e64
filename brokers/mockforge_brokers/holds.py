"""Frames that wait for a person to let them go."""

from collections.abc import Callable

from msgspec import Struct

from .clock import Clock, Timer
from .events import FrameHeld, HeldFrameLeft
from .journal import Row
from .spine import Spine
from .usage import Usage


class HoldRule(Struct, eq=False):
    """What is held: frames of one filter, in one direction or both, for `timeout` s at most."""

    scope: str
    matches: Callable[[Row], bool]
    direction: int | None = None
    most: int | None = None
    timeout: float | None = None
    id: int = 0
    hits: int = 0


class HeldFrame(Struct, eq=False):
    """One frame that waits, and with it whatever its connection sent behind it."""

    id: int
    rule: int
    rows: list[Row]
    since: float
    settle: Callable[[bool], None]
    timer: Timer | None = None


class Holds:
    """The hold rules in force and the frames that wait; `active` is the one test of a frame."""

    def __init__(self, clock: Clock, spine: Spine, usage: Usage) -> None:
        self.active = False
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
        self.rules[rule.id] = rule
        self.active = True
        return rule

    def remove(self, number: int) -> bool:
        """End one rule; what it held is released."""
        rule = self.rules.pop(number, None)
        self.active = bool(self.rules)
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

    def ask(self, rows: list[Row]) -> HoldRule | None:
        """The rule that holds a frame of these rows, if any."""
        for rule in self.rules.values():
            if rule.most is not None and rule.hits >= rule.most:
                continue
            for row in rows:
                if rule.direction in (None, row.direction) and rule.matches(row):
                    return rule if self._has_room(row) else None
        return None

    def hold(self, rule: HoldRule, rows: list[Row], settle: Callable[[bool], None]) -> HeldFrame:
        """Keep a frame; `settle(True)` lets it go on, `settle(False)` makes it vanish."""
        rule.hits += 1
        self._last_held += 1
        frame = HeldFrame(self._last_held, rule.id, rows, self._clock.now(), settle)
        for row in rows:
            row.held = frame.id
        self.held[frame.id] = frame
        if rule.timeout is not None:
            frame.timer = self._clock.call_later(rule.timeout, self.release, frame.id)
        first = rows[0]
        self._spine.emit(
            FrameHeld(first.protocol, frame.id, first.connection, first.client, first.operation)
        )
        return frame

    def release(self, number: int) -> bool:
        return self._end(number, "released", forward=True)

    def drop(self, number: int) -> bool:
        return self._end(number, "dropped", forward=False)

    def forget(self, number: int) -> None:
        """The connection of a held frame is gone."""
        frame = self.held.pop(number, None)
        if frame is not None:
            if frame.timer is not None:
                frame.timer.cancel()
            self._spine.emit(
                HeldFrameLeft(frame.rows[0].protocol, number, "gone with its connection")
            )

    def _end(self, number: int, outcome: str, *, forward: bool) -> bool:
        frame = self.held.pop(number, None)
        if frame is None:
            return False
        if frame.timer is not None:
            frame.timer.cancel()
        self._spine.emit(HeldFrameLeft(frame.rows[0].protocol, number, outcome))
        frame.settle(forward)
        return True

    def _has_room(self, row: Row) -> bool:
        if len(self.held) < self._usage.limits.held_frames:
            return True
        self._usage.met(row.protocol, "held_frames", row.client, "frames passed unheld: {lost:,}")
        return False
