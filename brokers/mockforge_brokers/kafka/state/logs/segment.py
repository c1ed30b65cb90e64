"""A run of batches, which leave a log together."""

from typing import Final

from ...records import Buffer, Scattered

BATCH_OVERHEAD: Final = 128
"""Bytes that a stored batch costs beside its data, so that tiny batches are bounded too."""


class Segment:
    """`ends` are the byte positions after each batch; `removed` counts compacted records.

    `scattered`: some batches are in pieces.
    """

    __slots__ = ("batches", "cost", "ends", "max_timestamp", "offsets", "removed", "scattered")

    def __init__(self) -> None:
        self.batches: list[Buffer] = []
        self.scattered = False
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
        if batch.__class__ is Scattered:
            self.scattered = True
        ends.append(ends[-1] + size if ends else size)
        self.offsets.append(base_offset)
        self.batches.append(batch)
        self.cost += size + BATCH_OVERHEAD
        if max_timestamp > self.max_timestamp:
            self.max_timestamp = max_timestamp
