"""What came of frames that are not whole yet."""


class Unread:
    """Bytes that wait for those behind them: kept as views, joined once.

    `size` is how many they are. `missing` is how many more are worth to be waited for before
    anybody looks again (0: look at the next read): a large message is not copied for each read.
    """

    __slots__ = ("_pieces", "missing", "size")

    def __init__(self) -> None:
        self.size = 0
        self.missing = 0
        self._pieces: list[memoryview] = []

    def keep(self, data: bytes, at: int, missing: int) -> None:
        """Keep what stands in `data` from `at` on."""
        self._pieces.append(memoryview(data)[at:])
        self.size += len(data) - at
        self.missing = missing

    def complete(self, data: bytes) -> tuple[bytes, int]:
        """What was kept, with as much of `data` as it lacked; and how much of it that was.

        Where it was not known how much it lacks, that is all of `data`.
        """
        at = self.missing or len(data)
        self._pieces.append(memoryview(data)[:at])
        return self.take(), at

    def pieces(self, data: bytes) -> list[memoryview]:
        """As `complete`, but not joined, and what was kept is kept."""
        return [*self._pieces, memoryview(data)[: self.missing]]

    def take(self) -> bytes:
        """All of it, which is forgotten here."""
        joined = b"".join(self._pieces)
        self.clear()
        return joined

    def clear(self) -> None:
        self._pieces.clear()
        self.size = self.missing = 0
