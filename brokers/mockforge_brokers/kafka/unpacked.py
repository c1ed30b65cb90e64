"""Large batches that people page through: decompressed once, and not for each page."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from typing import Final

from ..clock import Clock
from .compression import decompress
from .records import (
    HEADER_SIZE,
    Record,
    decoded_records,
    offset_and_end,
    read_batch_header,
)

_LARGE: Final = 16 * 1024
"""Bytes of a batch, as it is stored and decompressed, that are worth to be remembered."""
_MOST: Final = 32 * 1024 * 1024
"""Bytes of all that are remembered; the newest one stays, whatever its size."""
_LONGEST: Final = 30.0
"""Seconds after which what was not looked at is forgotten."""
_EVERY: Final = 100
"""Records from one place that is known to the next."""


class Unpacked:
    """Those that were looked at last. A page costs what its records take, wherever it begins."""

    __slots__ = ("_armed", "_clock", "_found", "_looks", "size")

    def __init__(self, clock: Clock) -> None:
        self.size = 0
        """Bytes of all."""
        self._clock = clock
        self._found: dict[int, _Batch] = {}
        """By identity of the stored batch, which is kept as long; the newest is the last."""
        self._looks = 0
        self._armed = False

    def records(self, stored: bytes, first: int) -> Iterator[Record]:
        """As `read_records`, but that it may raise at once."""
        batch = self._found.pop(id(stored), None)
        if batch is None:
            batch = _Batch(stored)
            if batch.size < _LARGE:
                return batch.records(first)
            self.size += batch.size
        self._looks += 1
        self._found[id(stored)] = batch
        while self.size > _MOST and len(self._found) > 1:
            self.size -= self._found.pop(next(iter(self._found))).size
        if not self._armed:
            self._armed = True
            self._clock.call_later(_LONGEST, self._look_again, self._looks)
        return batch.records(first)

    def _look_again(self, looks: int) -> None:
        if self._looks != looks:
            self._clock.call_later(_LONGEST, self._look_again, self._looks)
            return
        self._armed = False
        self._found.clear()
        self.size = 0


class _Batch:
    """One batch decompressed, with the places of some of its records. Raises ProtocolError."""

    __slots__ = ("_data", "_header", "_offsets", "_places", "size", "stored")

    def __init__(self, stored: bytes) -> None:
        self.stored = stored
        self._header = header = read_batch_header(stored)
        self._data = decompress(header.compression, stored[HEADER_SIZE : header.size])
        self.size = len(stored) + len(self._data)
        self._offsets = [0]
        """Of the records at the places, counted from the batch's first."""
        self._places = [(0, 0)]
        """Number of the record, and where it begins."""

    def records(self, first: int) -> Iterator[Record]:
        least = first - self._header.base_offset
        self._reach(least)
        place = self._places[max(0, bisect_right(self._offsets, least) - 1)]
        return decoded_records(self._header, self._data, first=first, begin=place)

    def _reach(self, least: int) -> None:
        """Know the places up to this offset."""
        number, at = self._places[-1]
        while self._offsets[-1] < least and number + _EVERY < self._header.record_count:
            try:
                for _ in range(_EVERY):
                    _, at = offset_and_end(self._data, at)
                offset, _ = offset_and_end(self._data, at)
            except (IndexError, ValueError):
                # Whoever reads up to there is told what is wrong.
                return
            if offset < self._offsets[-1]:
                # Nobody looks at the numbers of what comes uncompressed.
                return
            number += _EVERY
            self._offsets.append(offset)
            self._places.append((number, at))
