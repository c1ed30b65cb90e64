"""Bursts of frames that no rule is about: what repeats from frame to frame is compared, not read.

Beside rules for other destinations each frame is looked at, though nobody is about it. What a
client sends again and again differs in its payload and in a number or two: a `Shape` is all the
rest of it, so that a frame like the last one costs two comparisons.
"""

from collections.abc import Callable, Hashable
from typing import Final, NamedTuple

Look = tuple[Hashable, bool]
"""What `Connection.glance` says of a frame."""
UNSETTLED: Final = -1
_NO_SIZE: Final = -1
"""Of no burst."""


class Skimmer:
    """Says of a burst whether no rule is about any of it, all being whole frames.

    One for each lane. `looks` are those that no rule can be about, as long as the rules have this
    `version` (see `InForce`); while it is UNSETTLED something waits in the lane or is about to, and
    nothing may go past, whatever it looks like.

    Most bursts of a client that waits for each answer are one frame like the last one: bytes of
    this `size` that start with `head` and have `tail` at `tail_at` are a frame of one of `looks`.
    (If AMQP's last byte is none that ends a frame, it is for the connection to say so, as it is
    when a lane finds out.)

    This one knows no frame: each is read, in a protocol where none can be told without that.
    """

    __slots__ = ("head", "looks", "size", "tail", "tail_at", "version")

    def __init__(self) -> None:
        self.looks: set[Look] = set()
        self.version = UNSETTLED
        self.size = _NO_SIZE
        self.head = self.tail = b""
        self.tail_at = 0

    def passes(self, data: bytes, version: int) -> bool:
        """Whether no rule of this version is about a burst, and none waits that it overtakes."""
        return self.version == version and (
            (
                len(data) == self.size
                and data.startswith(self.head)
                and (not self.tail or data.startswith(self.tail, self.tail_at))
            )
            or self.skim(data)
        )

    def skim(self, data: bytes) -> bool:
        return False

    def forget(self) -> None:
        """The rules are others."""
        self.looks.clear()
        self.version = UNSETTLED
        self.size = _NO_SIZE


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
    look: Look

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
    look: Look | None
    shape: Shape | None


_NEVER = Shape(b"", 0, b"", 1 << 62, None, ("", False))
"""Longer than any burst."""


class ShapeSkimmer(Skimmer):
    """By shapes. `find` reads the frame at a place; None: there is no whole one."""

    __slots__ = ("_before", "_find", "_last")

    def __init__(self, find: Callable[[bytes, int], Found | None]) -> None:
        super().__init__()
        self._find = find
        # Only shapes of these looks, so that to fit is enough. Two, since a client that publishes
        # and acknowledges does both by turns.
        self._last = self._before = _NEVER

    def forget(self) -> None:
        super().forget()
        self._last = self._before = _NEVER

    def skim(self, data: bytes) -> bool:
        at, end = 0, len(data)
        while True:
            head, tail_at, tail, size, last, _ = self._last
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
            at = self._other(data, at)
            if not at:
                return False

    def _other(self, data: bytes, at: int) -> int:
        """Where a frame ends that is not like the last one; 0 where it has none of these looks."""
        before = self._before
        if before.fits(data, at):
            self._expect(before)
            return at + before.size
        found = self._find(data, at)
        if found is None or found.look not in self.looks:
            return 0
        if found.shape is not None:
            self._expect(found.shape)
        return found.stop

    def _expect(self, shape: Shape) -> None:
        self._last, self._before = shape, self._last
        self.head, self.tail_at, self.tail, self.size, _, _ = shape
