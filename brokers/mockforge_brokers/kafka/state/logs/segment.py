"""A run of batches, which leave a log together."""

from typing import Final

from ...scattered import Buffer

BATCH_OVERHEAD: Final = 128
"""Bytes that a stored batch costs beside its data, so that tiny batches are bounded too."""


class Segment:
    """`ends` are the byte positions after each batch; `removed` counts compacted records.

    A large batch may lie in the pieces in which it came, until somebody looks into it.
    """

    __slots__ = ("batches", "cost", "ends", "max_timestamp", "offsets", "removed")

    def __init__(self) -> None:
        self.batches: list[Buffer] = []
        self.offsets: list[int] = []
        self.ends: list[int] = []
        self.max_timestamp = -1
        self.cost = 0
        self.removed = 0

    @property
    def size(self) -> int:
        return self.ends[-1] if self.ends else 0

    def add(self, base_offset: int, batch: Buffer, max_timestamp: int) -> None:
        size, ends = len(batch), self.ends
        ends.append(ends[-1] + size if ends else size)
        self.offsets.append(base_offset)
        self.batches.append(batch)
        self.cost += size + BATCH_OVERHEAD
        if max_timestamp > self.max_timestamp:
            self.max_timestamp = max_timestamp

    def whole(self, first: int = 0, last: int | None = None) -> list[bytes]:
        """The batches from number `first` to before `last`, each in one piece from now on."""
        batches = self.batches
        found = []
        for at, batch in enumerate(batches[first:last], first):
            if not isinstance(batch, bytes):
                batches[at] = batch = bytes(batch)
            found.append(batch)
        return found
