"""Bursts of bytes to whole frames."""

from ...errors import ProtocolError, TooLarge


class Splitter:
    """Cuts a byte stream into frames; each frame handed out begins with its four size bytes."""

    __slots__ = ("_limit", "_pending", "_pieces", "_wanted")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        # A large frame comes in many reads: they are joined once, when it is whole.
        self._pieces: list[bytes] = []
        self._pending = 0
        self._wanted = 0

    @property
    def pending(self) -> int:
        """How many bytes of an incomplete frame wait for the rest of it."""
        return self._pending

    def take(self) -> bytes:
        """Hand back the incomplete bytes and forget them."""
        rest = b"".join(self._pieces)
        self._pieces.clear()
        self._pending = self._wanted = 0
        return rest

    def feed(self, data: bytes) -> list[bytes]:
        """The frames that are whole now, in order.

        A size below zero or over the limit is a ProtocolError, and the bytes stay pending. Frames
        that stand before it in one burst are handed out first: then the next call raises, even
        `feed(b"")`.
        """
        if self._pieces:
            self._keep(data)
            if self._pending < self._wanted:
                return []
            data = self.take()
        frames: list[bytes] = []
        at, end = 0, len(data)
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
        if at < end:
            self._keep(data[at:])
        return frames

    def _keep(self, data: bytes) -> None:
        if data:
            self._pieces.append(data)
            self._pending += len(data)
