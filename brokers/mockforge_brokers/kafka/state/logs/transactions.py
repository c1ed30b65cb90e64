"""The transactions of one partition: which are open, which were aborted (KIP-98).

A transaction is open in a partition from its first batch to its marker. What a read_committed
consumer may see ends before the first batch of the oldest open one: the last stable offset.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Container, Sequence
from itertools import islice

from msgspec import Struct


class Marker(Struct, frozen=True):
    """The end of a producer's transaction, as its coordinator writes it to each partition.

    `bumped`: its epoch is one more than the transaction's (KIP-890), so the same one is refused.
    """

    producer_id: int
    producer_epoch: int
    committed: bool
    coordinator_epoch: int = 0
    bumped: bool = False


class AbortedTransaction(Struct, frozen=True):
    """`last_offset` is its marker's; `last_stable_offset` is the one after that marker."""

    producer_id: int
    first_offset: int
    last_offset: int
    last_stable_offset: int


class LogTransactions:
    """`open` are the first offsets by producer id; offsets only grow, so the oldest is first."""

    __slots__ = ("aborted", "open")

    def __init__(self) -> None:
        self.open: dict[int, int] = {}
        self.aborted: list[AbortedTransaction] = []
        """In the order of their markers."""

    def is_open(self, producer_id: int) -> bool:
        return producer_id in self.open

    @property
    def first_offset(self) -> int | None:
        """Where the oldest open transaction begins."""
        return next(iter(self.open.values()), None)

    def end(self, producer_id: int, marker_offset: int, *, committed: bool) -> None:
        """A marker came; without an open transaction it says nothing."""
        first = self.open.pop(producer_id, None)
        if first is None or committed:
            return
        oldest = self.first_offset
        # Aborted ones are found by their markers, in whose order they stand; this offset says from
        # where on a reader has met them all.
        stable = marker_offset + 1 if oldest is None else oldest
        self.aborted.append(AbortedTransaction(producer_id, first, marker_offset, stable))

    def aborted_in(self, offset: int, end: int) -> list[AbortedTransaction]:
        """Those with records in the batches from `offset` up to `end`."""
        found = []
        for one in islice(self.aborted, self._from(offset), None):
            if one.first_offset < end:
                found.append(one)
            if one.last_stable_offset >= end:
                break
        return found

    def forget_aborted(self, markers: Container[int]) -> None:
        """Of these markers (by offset) nothing is left, nor of the records that they aborted.

        A consumer that was told of one would wait for its marker, and drop all that the same
        producer committed since.
        """
        self.aborted = [one for one in self.aborted if one.last_offset not in markers]

    def truncate_before(self, offset: int) -> None:
        """What was aborted below the log's start is of no more use."""
        del self.aborted[: self._from(offset)]

    def restore(self, opened: dict[int, int], aborted: Sequence[AbortedTransaction]) -> None:
        self.open = dict(opened)
        self.aborted = list(aborted)

    def _from(self, offset: int) -> int:
        return bisect_left(self.aborted, offset, key=lambda one: one.last_offset)
