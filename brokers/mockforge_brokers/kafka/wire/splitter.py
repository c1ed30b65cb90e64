"""Bursts of bytes to whole frames."""



class Splitter:
    """Cuts a byte stream into frames; each frame handed out begins with its four size bytes."""

    __slots__ = ("_limit", "_rest")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._rest = b""

    @property
    def pending(self) -> int:
        """How many bytes of an incomplete frame wait for the rest of it."""
        return len(self._rest)

    def feed(self, data: bytes) -> list[bytes]:
        """The frames that `data` completes, in order; a size out of bounds is a ProtocolError."""
        raise NotImplementedError
