"""Bursts of bytes to whole frames."""

from typing import Final

from ...errors import ProtocolError, TooLarge

LARGE: Final = 32 * 1024
"""Bytes of a frame that are worth no copy more than there must be."""

Frame = bytes | list[bytes]
"""A whole frame, or a large one in the pieces in which it was read."""


def whole(frame: Frame) -> bytes:
    return frame if isinstance(frame, bytes) else b"".join(frame)


class Splitter:
    """Cuts a byte stream into frames; each frame handed out begins with its four size bytes."""

    __slots__ = ("_last", "_limit", "_pieces", "_wanted", "expected", "pending")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        # A large frame comes in many reads: they are joined once, when it is whole.
        self._pieces: list[bytes] = []
        self.pending = 0
        """How many bytes of an incomplete frame wait for the rest of it."""
        self._wanted = 0
        self._last = 0
        self.expected = 0
        """Bytes of the next frame, where the last two were large and as long as each other."""

    @property
    def missing(self) -> int:
        """How many bytes that frame lacks; 0 where it does not say yet, or is impossible."""
        return max(0, self._wanted - self.pending)

    def take(self) -> bytes:
        """Hand back the incomplete bytes and forget them."""
        rest = b"".join(self._pieces)
        self._pieces.clear()
        self.pending = self._wanted = 0
        return rest

    def feed(self, data: bytes) -> list[bytes]:
        """The frames that are whole now, in order.

        A size below zero or over the limit is a ProtocolError, and the bytes stay pending. Frames
        that stand before it in one burst are handed out first: then the next call raises, even
        `feed(b"")`.
        """
        return [whole(frame) for frame in self.cut(data)]

    def cut(self, data: bytes) -> list[Frame]:
        """The same, with large frames that came in several reads as these."""
        frames: list[Frame] = []
        at = 0
        if self._pieces:
            missing = self._wanted - self.pending
            if missing > len(data):
                self._keep(data)
                return frames
            if missing > 0:
                # What it ends with may be the beginning of the next one's read.
                frames.append(self._completed(data[:missing]))
                at = missing
            else:
                # Not even its size was there, or it is an impossible one.
                self._keep(data)
                data = self.take()
        end = len(data)
        while end - at >= 4:
            size = int.from_bytes(data[at : at + 4], "big", signed=True)
            if not 0 <= size <= self._limit:
                self._keep(data[at:])
                if frames:
                    return frames
                kind = ProtocolError if size < 0 else TooLarge
                raise kind(f"a frame of {size} bytes; 0 to {self._limit} are taken")
            stop = at + 4 + size
            if stop > end:
                self._wanted = stop - at
                break
            frames.append(data[at:stop])
            at = stop
        # Behind a large one, or a flood of small ones.
        if at > LARGE and isinstance(last := frames[-1], bytes):
            self._note(len(last))
        if at < end:
            self._keep(data[at:])
        return frames

    def _completed(self, data: bytes) -> Frame:
        """The frame of which that is the end."""
        pieces, size = self._pieces, self._wanted
        pieces.append(data)
        self._pieces, self.pending, self._wanted = [], 0, 0
        if size <= LARGE:
            return b"".join(pieces)
        self._note(size)
        return pieces

    def _note(self, size: int) -> None:
        self.expected = size if size == self._last and size > LARGE else 0
        self._last = size

    def _keep(self, data: bytes) -> None:
        if data:
            self._pieces.append(data)
            self.pending += len(data)
