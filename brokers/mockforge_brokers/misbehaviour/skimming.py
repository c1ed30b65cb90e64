"""Bursts of frames that no rule is about: what repeats from frame to frame is compared, not read.

Beside rules for other destinations each frame is looked at, though nobody is about it. What a
client sends again and again differs in its payload and in a number or two: a `Shape` is all the
rest of it, so that a frame like the last one costs two comparisons.
"""

from collections.abc import Callable, Container, Hashable
from typing import NamedTuple

Skim = Callable[[bytes, Container[object]], bool]
"""Whether all of these bytes are whole frames, each with one of these looks."""


class Shape(NamedTuple):
    """Whole frames of `size` bytes that have `head` in front and `tail` at `tail_at`.

    `last` is their last byte (None: any). Bytes of this shape have this `look`, whatever stands in
    the rest of them (see `Connection.glance`).
    """

    head: bytes
    tail_at: int
    tail: bytes
    size: int
    last: int | None
    look: tuple[Hashable, bool]

    def fits(self, data: bytes, at: int) -> bool:
        stop = at + self.size
        return (
            stop <= len(data)
            and data.startswith(self.head, at)
            and data.startswith(self.tail, at + self.tail_at)
            and (self.last is None or data[stop - 1] == self.last)
        )


class Found(NamedTuple):
    """A whole frame: where it ends, how it looks, and its shape where others may have the same."""

    stop: int
    look: tuple[Hashable, bool] | None
    shape: Shape | None


_NEVER = Shape(b"", 0, b"", 1 << 62, None, ("", False))
"""Longer than any burst."""


class Skimmer:
    """A `Skim` of one direction. `find` reads the frame at a place; None: there is no whole one."""

    __slots__ = ("_before", "_find", "_last")

    def __init__(self, find: Callable[[bytes, int], Found | None]) -> None:
        self._find = find
        # Two, since a client that publishes and acknowledges does both by turns.
        self._last = self._before = _NEVER

    def __call__(self, data: bytes, looks: Container[object]) -> bool:
        at, end = 0, len(data)
        while at < end:
            head, tail_at, tail, size, last, look = self._last
            if look in looks:
                stop = at + size
                while (
                    stop <= end
                    and data.startswith(head, at)
                    and (not tail or data.startswith(tail, at + tail_at))
                    and (last is None or data[stop - 1] == last)
                ):
                    at = stop
                    stop += size
                if at == end:
                    return True
            at = self._other(data, at, looks)
            if not at:
                return False
        return True

    def _other(self, data: bytes, at: int, looks: Container[object]) -> int:
        """Where a frame ends that is not like the last one; 0 where it has none of these looks."""
        before = self._before
        if before.fits(data, at):
            self._last, self._before = before, self._last
            return at + before.size if before.look in looks else 0
        found = self._find(data, at)
        if found is None or found.look not in looks:
            return 0
        if found.shape is not None:
            self._last, self._before = found.shape, self._last
        return found.stop
