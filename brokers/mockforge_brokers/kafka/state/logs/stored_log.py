"""A partition's log that is on disk as well: each batch is a row at its base offset."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from ....errors import RequestRefused
from ....storage.parts import Parts, Value
from ....storage.store import Store
from ...codes import ErrorCode
from ...scattered import Buffer
from .log import Appended, Begin, KeptLog, PartitionLog
from .segment import Segment

_OWNER: Final = "kafka"
_LARGE: Final = 256 * 1024
"""Bytes of a batch whose pieces are written as they are, with a checksum of what is known of it: to
join it and go through it once more would take longer."""


class StoredLog(PartitionLog):
    """`bounds_changed` is called when where it begins or ends is not to be seen from its rows."""

    __slots__ = ("_bounds_changed", "_disk", "_number")

    def __init__(
        self,
        topic: str,
        partition: int,
        store: Store,
        bounds_changed: Callable[[StoredLog], object],
    ) -> None:
        super().__init__(topic, partition)
        self._disk = store
        self._number = 0
        self._bounds_changed = bounds_changed

    @property
    def number(self) -> int:
        # Not before it is asked for: one that comes from disk brings its own.
        if not self._number:
            self._number = self._disk.new_log(_OWNER)
        return self._number

    def append(self, batch: Buffer, begin: Begin | None = None, *, look_at: int = 0) -> Appended:
        if self._disk.failing:
            raise RequestRefused(ErrorCode.KAFKA_STORAGE_ERROR, self._disk.failing)
        return super().append(batch, begin, look_at=look_at)

    def append_plain(self, batch: Buffer, begin: Begin | None = None) -> int:
        # Who cannot keep it refuses it, with the reason.
        return -1 if self._disk.failing else PartitionLog.append_plain(self, batch, begin)

    def _keep(
        self, base_offset: int, batch: Buffer, last_offset_delta: int, max_timestamp: int
    ) -> None:
        row: Value
        if isinstance(batch, bytes):
            row = batch
        elif len(batch) < _LARGE:
            batch = row = bytes(batch)
        else:
            row = Parts(batch.pieces, len(batch), batch.whole_crc())
        PartitionLog._keep(self, base_offset, batch, last_offset_delta, max_timestamp)
        self._disk.append(self._number or self.number, base_offset, row)

    def truncate_before(self, offset: int) -> int:
        before = self.log_start_offset
        left = super().truncate_before(offset)
        if self.log_start_offset != before:
            first = self._bases[0] if self._bases else self.high_watermark
            self._disk.trim(self.number, first)
            self._bounds_changed(self)
        return left

    def replace_segment(self, segment: Segment, other: Segment) -> bool:
        if not super().replace_segment(segment, other):
            return False
        before = dict(zip(segment.offsets, segment.whole(), strict=True))
        now = dict(zip(other.offsets, other.whole(), strict=True))
        for offset in before.keys() - now.keys():
            self._disk.remove(self.number, offset)
        for offset, batch in now.items():
            if before.get(offset) is not batch:
                # In place of the one that stands there, or that would be there again without it.
                self._disk.remove(self.number, offset)
                self._disk.append(self.number, offset, batch)
        return True

    def compacted(self, end: int) -> None:
        super().compacted(end)
        self._bounds_changed(self)

    def begin_epoch(self) -> None:
        super().begin_epoch()
        self._bounds_changed(self)

    def restore(self, kept: KeptLog) -> None:
        if kept.number:
            self._number = kept.number
            self._disk.known_log(kept.number, _OWNER)
        super().restore(kept)
        self._bounds_changed(self)
