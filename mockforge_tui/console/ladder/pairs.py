"""Which frame of a connection answers which, for who meets its frames one after the other.

`feed.exchange` finds the same for one row, and looks for it back and ahead.
"""

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any, Final

from mockforge_brokers.journal import IN, OUT, Row
from mockforge_brokers.protocols import protocol_of

from ...feed.tags import has_tag, settles

_MOST: Final = 4_096
"""Frames of a kind that may wait for an answer; the oldest are forgotten."""


@dataclass(slots=True, eq=False)
class Frame:
    """One frame, or a fact between frames, as it was when it passed.

    `number` is that of its first row and `rows` how many it has. `asked` is what it answers and
    `answered` what answered it first; `awaited`: an answer has to come.
    """

    number: int
    connection: int
    time: float
    direction: int
    operation: str
    kind: str
    place: Hashable
    rows: int = 1
    asked: "Frame | None" = None
    answered: "Frame | None" = None
    awaited: bool = False
    held: int = 0
    fault: int = 0
    error: bool = False

    @property
    def is_event(self) -> bool:
        return self.kind == "event"

    @property
    def is_noise(self) -> bool:
        """A ping or an empty poll, with what answers it; a poll that brings something is none."""
        if self.kind != "noise" or self.held or self.fault or self.error:
            return False
        other = self.asked or self.answered
        return other is None or other.kind == "noise"


class Pairs:
    """`meet` is told each frame of one connection, in order."""

    def __init__(self) -> None:
        self._open: dict[Hashable, Frame] = {}
        """The last frame of each exchange that goes on, by its correlation."""
        self._tagged: dict[tuple[int, Any], dict[int, Frame]] = {}
        """AMQP's messages by direction, channel and delivery tag."""
        self._published: dict[Any, int] = {}
        """How many a channel has published since it wants confirms."""

    @property
    def waiting(self) -> list[Frame]:
        """Requests of the client without an answer, oldest first."""
        return [each for each in self._open.values() if each.awaited and each.direction == IN]

    def meet(self, row: Row, frame: Frame) -> None:
        """Find what a frame answers, and note that it is answered."""
        if frame.is_event:
            return
        if row.operation == "confirm.select":
            self._published.setdefault(row.detail.get("channel"), 0)
        if settles(row):
            self._settle(row, frame)
        elif has_tag(row):
            self._tag(row, frame)
        if row.correlation is not None:
            self._correlate(row, frame)

    def _correlate(self, row: Row, frame: Frame) -> None:
        protocol, correlation = protocol_of(row.protocol), row.correlation
        before = self._open.get(correlation)
        is_answer = protocol.is_answer(row.operation)
        mirrors = before is not None and (
            (row.direction, before.direction, row.operation) == (OUT, IN, before.operation)
        )
        if before is not None and (is_answer or mirrors):
            _answers(frame, before)
            del self._open[correlation]
        if mirrors or protocol.is_last(row.operation):
            return
        frame.awaited = not has_tag(row)
        self._open.pop(correlation, None)
        _keep(self._open, correlation, frame)

    def _tag(self, row: Row, frame: Frame) -> None:
        channel = row.detail.get("channel")
        tag = row.detail.get("delivery_tag")
        if row.direction == IN:
            if channel not in self._published:
                return
            self._published[channel] = tag = self._published[channel] + 1
        if isinstance(tag, int):
            _keep(self._tagged.setdefault((row.direction, channel), {}), tag, frame)

    def _settle(self, row: Row, frame: Frame) -> None:
        """An acknowledgement, of one or of all up to its tag."""
        tagged = self._tagged.get((1 - row.direction, row.detail.get("channel")), {})
        tag = row.detail.get("delivery_tag", 0)
        settled = [tag]
        if row.detail.get("multiple"):
            settled = [each for each in tagged if each <= tag or not tag]
        for each in settled:
            message = tagged.pop(each, None)
            if message is not None:
                # The oldest comes first: it is the one that waited longest.
                _answers(frame, message)


def _answers(frame: Frame, asked: Frame) -> None:
    frame.asked = frame.asked or asked
    asked.answered = asked.answered or frame


def _keep(kept: dict[Any, Frame], key: Hashable, frame: Frame) -> None:
    kept[key] = frame
    if len(kept) > _MOST:
        del kept[next(iter(kept))]
