"""Frames that wait in a lane: their turn, behind others, or a person's decision."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from math import inf
from typing import TYPE_CHECKING

from msgspec import Struct

from ..clock import Timer
from ..errors import InvalidInput
from ..journal import Row
from .decisions import Changes, Release

if TYPE_CHECKING:
    from .lane import Lane


class Waiting:
    """What must wait its turn: until `due` (monotonic s; inf while a person holds it).

    `rule` is the number of the fault that delays it, whose end lets it go.
    """

    __slots__ = ("action", "due", "held", "rule", "size")

    def __init__(self, action: Callable[[], object], size: int, due: float, rule: int = 0) -> None:
        self.action = action
        self.size = size
        self.due = due
        self.held = 0
        self.rule = rule


class Together(Waiting):
    """Frames that go on in one piece, once there are `most` of them."""

    __slots__ = ("frames", "most")

    def __init__(
        self, forward: Callable[[bytes], object], most: int, due: float, rule: int
    ) -> None:
        super().__init__(lambda: forward(b"".join(self.frames)), 0, due, rule)
        self.frames: list[bytes] = []
        self.most = most

    @property
    def open(self) -> bool:
        """Another one may come."""
        return len(self.frames) < self.most

    def take(self, frame: bytes) -> None:
        self.frames.append(frame)
        self.size += len(frame)


class Aside(Struct, eq=False):
    """A frame that goes behind the one of this number; `rule` is the fault that put it there."""

    frame: bytes
    behind: int
    rule: int = 0
    timer: Timer | None = None


class Held(Waiting):
    """A frame that a person holds: the `Waiting` of holds.py."""

    __slots__ = ("_frame", "_lane")

    def __init__(self, lane: Lane, frame: bytes) -> None:
        super().__init__(partial(lane.forward, frame), len(frame), inf)
        self._lane = lane
        self._frame = frame

    def release(self, how: Release) -> None:
        if how.behind:
            self.held = 0
            self._lane.queue.step_back(self, self._frame, how)
        else:
            self._settle(partial(self._lane.forward, self._frame), how.delay)

    def drop(self) -> None:
        self._settle(nothing)

    def refuse(self, code: int, text: str, match: Callable[[Row], bool] | None = None) -> None:
        lane, frame = self._lane, self._frame
        parts = lane.connection.parts(lane.rows(frame))
        if match is not None:
            # After an edit perhaps none of them does any more.
            parts = [part for part in parts if match(part)] or parts
        self._settle(partial(lane.refuse, frame, parts, code, text))

    def edit(self, changes: Mapping[int, Changes]) -> list[Row]:
        if all(each.empty for each in changes.values()):
            raise InvalidInput("nothing to change: give a payload, key, header, property or field")
        lane, frame = self._lane, self._frame
        messages = {number: each for number, each in changes.items() if each.of_message}
        if messages:
            frame = lane.connection.edit(lane.direction, frame, messages)
        # Behind the messages: what is set here may be illegal, and could not be read again.
        # Specifications write their names with hyphens too: frame-max is frame_max.
        fields = {
            name.replace("-", "_"): text
            for each in changes.values()
            for name, text in each.fields.items()
        }
        if fields:
            frame = lane.connection.set_fields(lane.direction, frame, fields)
        # Counted at its first size in the lane: what it grows by is little.
        lane.changed(lane.rows(self._frame), frame)
        self._frame = frame
        return lane.rows(frame)

    def _settle(self, action: Callable[[], object], delay: float = 0.0) -> None:
        self.held = 0
        self.due = self._lane.clock.now() + delay if delay else 0.0
        self.action = action
        self._lane.queue.run()


def nothing() -> None:
    """What is left of a frame that was dropped."""
