"""A run of batches, which leave a log together."""

from typing import Final

BATCH_OVERHEAD: Final = 128
"""Bytes that a stored batch costs beside its data, so that tiny batches are bounded too."""


class Segment:
    """`ends` are the byte positions after each batch; `removed` counts compacted records."""

    __slots__ = ("batches", "cost", "ends", "max_timestamp", "offsets", "removed")

    def __init__(self) -> None:
        self.batches: list[bytes] = []
        self.offsets: list[int] = []
        self.ends: list[int] = []
        self.max_timestamp = -1
        self.cost = 0
        self.removed = 0

    @property
    def size(self) -> int:
        return self.ends[-1] if self.ends else 0

    def add(self, base_offset: int, batch: bytes, max_timestamp: int) -> None:
        size, ends = len(batch), self.ends
        ends.append(ends[-1] + size if ends else size)
        self.offsets.append(base_offset)
        self.batches.append(batch)
        self.cost += size + BATCH_OVERHEAD
        if max_timestamp > self.max_timestamp:
            self.max_timestamp = max_timestamp
