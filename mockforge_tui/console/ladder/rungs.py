"""The frames of connections as rungs: what is alike and follows at once is one of them."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Final

from mockforge_brokers.journal import Row

from .pairs import Frame, Pairs

MOST: Final = 2_000
"""Frames that a ladder has; the oldest leave."""
_STILL_MARKED: Final = 256
"""Of the newest frames: a fault or a hold may show itself a little after the frame did."""
_APART: Final = ("partition", "channel", "qos")
"""Facts in which frames that are alike do not differ."""
_AT_ONCE: Final = 0.2
"""Seconds between two frames that may still be one rung."""

Rows = Callable[[int], Row | None]


@dataclass(frozen=True, slots=True)
class Rung:
    """One arrow, for `count` frames that are alike; `after` is how long nothing had been shown."""

    first: Frame
    last: Frame
    count: int
    after: float | None

    @property
    def messages(self) -> int:
        """Rows of its first frame: a batch has several."""
        return self.first.rows


class Ladder:
    """Meets rows in order, and keeps those of its connections; `rows` gives one by its number."""

    def __init__(self, connections: Iterable[int], rows: Rows) -> None:
        self._pairs = {each: Pairs() for each in connections}
        self.left = 0
        """Frames that were met and are not here any more."""
        self._rows = rows
        self._frames: deque[Frame] = deque(maxlen=MOST)

    def __len__(self) -> int:
        return len(self._frames)

    @property
    def connections(self) -> list[int]:
        return list(self._pairs)

    @property
    def waiting(self) -> list[Frame]:
        """Requests of clients that were not answered yet."""
        return [frame for pairs in self._pairs.values() for frame in pairs.waiting]

    def meet(self, row: Row) -> bool:
        """Whether it is of one of these connections."""
        pairs = self._pairs.get(row.connection)
        if pairs is None:
            return False
        frames = self._frames
        if row.part and frames and row.seq - row.part == frames[-1].number:
            frames[-1].rows += 1
            return True
        place = row.destination, *map(row.detail.get, _APART)
        frame = Frame(
            row.seq, row.connection, row.time, row.direction, row.operation, row.kind, place,
            held=row.held, fault=row.fault, error=bool(row.error),
        )  # fmt: skip
        pairs.meet(row, frame)
        self.left += len(frames) == MOST
        frames.append(frame)
        return True

    def rungs(self, *, noise: bool = False, folded: bool = True) -> list[Rung]:
        """What is to be drawn, oldest first."""
        self._look_at_marks()
        found: list[Rung] = []
        for frame in self._frames:
            if not noise and frame.is_noise:
                continue
            before = found[-1] if found else None
            if before is not None and folded and _are_alike(before.last, frame):
                found[-1] = Rung(before.first, frame, before.count + 1, before.after)
                continue
            after = None if before is None else max(0.0, frame.time - before.last.time)
            found.append(Rung(frame, frame, 1, after))
        return found

    def _look_at_marks(self) -> None:
        for frame in self._newest():
            row = self._rows(frame.number)
            if row is not None:
                frame.held, frame.fault = row.held, row.fault

    def _newest(self) -> Iterator[Frame]:
        return islice(reversed(self._frames), _STILL_MARKED)


def _are_alike(one: Frame, other: Frame) -> bool:
    """Of one kind and place, at once, and nothing is remarkable about either."""
    same = (one.connection, one.direction, one.operation, one.place, one.rows) == (
        other.connection, other.direction, other.operation, other.place, other.rows,
    )  # fmt: skip
    plain = not any((each.held or each.fault or each.error or each.is_event)
                    for each in (one, other))  # fmt: skip
    return same and plain and other.time - one.time <= _AT_ONCE
