"""The newest rows, numbered from 1, bounded in number and in bytes."""

from collections import deque
from collections.abc import Iterator
from typing import Final

from mockforge_brokers.journal import Row

from .packed import BATCH, Packed

SLOTS: Final = 1 << 19
MOST_BYTES: Final = 128 << 20
_LOOSE: Final = 4096
"""Rows that stay as they came: those that a screen shows and that events still change."""
_LOOSE_BYTES: Final = 8 << 20
_UNPACKED: Final = 8
"""Batches that stay unpacked once somebody looked at them."""


class Ring:
    """Rows by number. Old ones are packed in batches, which takes a tenth of the room.

    Where all weigh too much, the oldest frames leave first and rows keep their own payloads;
    then the oldest payloads leave, and their rows stay.
    """

    def __init__(
        self, slots: int = SLOTS, most_bytes: int = MOST_BYTES, loose: int = _LOOSE
    ) -> None:
        self.newest = 0
        self.slots = slots
        self._most_bytes = most_bytes
        self._most_loose = loose
        self._loose: deque[Row] = deque()
        self._loose_bytes = 0
        self._packed: deque[Packed] = deque()
        self._packed_bytes = 0
        self._with_frames = 0
        """How many of the packed batches, from the newest back, still have their frames."""
        self._with_payloads = 0
        self._unpacked: dict[int, list[Row]] = {}
        self._pinned: dict[int, Row] = {}
        self._samples: deque[tuple[int, int]] = deque()
        """First and last numbers of rows between which, and before which, some are missing."""

    @property
    def oldest(self) -> int:
        """The number of the oldest row that is still here (1 while there is none)."""
        return max(1, self.newest - self.slots + 1)

    @property
    def bytes(self) -> int:
        """What the rows' payloads and frames weigh, each counted once."""
        total = self._loose_bytes + self._packed_bytes
        if self._packed and self._loose:
            frame = self._packed[-1].last_frame
            if frame is not None and frame is self._loose[0].frame:
                total -= len(frame)
        return total

    def add(self, row: Row) -> int:
        """Keep a row under the next number, which becomes its `seq`."""
        self.newest = row.seq = self.newest + 1
        self._loose_bytes += _weight(row, self._loose[-1] if self._loose else None)
        self._loose.append(row)
        while len(self._loose) > self._most_loose + BATCH or (
            self._loose_bytes > min(_LOOSE_BYTES, self._most_bytes // 2) and len(self._loose) > 1
        ):
            self._pack()
        while self._packed and self._packed[0].last < self.oldest:
            self._forget_oldest()
        while len(self._loose) > self.slots:
            self._take_loose()
        while self.bytes > self._most_bytes and self._lighten():
            pass
        return self.newest

    def row(self, number: int) -> Row | None:
        """A row by its number; None once it has left, or has not come yet."""
        if not self.oldest <= number <= self.newest:
            return None
        first = self.newest - len(self._loose) + 1
        if number >= first:
            return self._loose[number - first]
        return self._pinned.get(number) or self._unpack(number)

    def is_sample(self, first: int) -> None:
        """The rows from this number on are those of a sample."""
        samples = self._samples
        if samples and samples[-1][1] == first - 1:
            first = samples.pop()[0]
        samples.append((first, self.newest))
        while samples[0][1] < self.oldest:
            samples.popleft()

    def is_whole(self, after: int, number: int) -> bool:
        """All rows behind the first and up to the second number are those of every frame."""
        return not any(first <= number and after < last for first, last in self._samples)

    def pin(self, row: Row) -> None:
        """Keep changes of this row (its mark, what held it) though it may be packed already."""
        if row.seq <= self.newest - len(self._loose):
            self._pinned[row.seq] = row

    def since(self, number: int) -> Iterator[Row]:
        """Rows after `number`, oldest first."""
        for each in range(max(number + 1, self.oldest), self.newest + 1):
            row = self.row(each)
            if row is not None:
                yield row

    def newest_first(self, most: int) -> Iterator[Row]:
        """At most `most` rows, the newest first."""
        for each in range(self.newest, max(self.oldest - 1, self.newest - most), -1):
            row = self.row(each)
            if row is not None:
                yield row

    # Packing -----------------------------------------------------------------------------

    def _pack(self) -> None:
        """Pack the oldest loose rows; the newest stays as it is, whatever it weighs."""
        rows: list[Row] = []
        size = 0
        while len(self._loose) > 1 and len(rows) < BATCH and size < _LOOSE_BYTES // 8:
            row, weight = self._take_loose()
            size += weight
            rows.append(row)
        # What people marked or hold changes later: such rows stay as they are, beside the batch.
        for row in rows:
            if row.held or row.marked:
                self._pinned[row.seq] = row
        before = self._packed[-1] if self._packed else None
        batch = Packed(rows)
        self._packed_bytes += batch.size - (before.give_up(batch) if before is not None else 0)
        self._packed.append(batch)
        self._with_frames += 1
        self._with_payloads += 1

    def _take_loose(self) -> tuple[Row, int]:
        row = self._loose.popleft()
        following = self._loose[0] if self._loose else None
        # A frame that the next row shares stays, and so does its weight.
        weight = len(row.payload or b"")
        if following is None or following.frame is not row.frame:
            weight += len(row.frame)
        self._loose_bytes -= weight
        return row, weight

    def _unpack(self, number: int) -> Row | None:
        batch = self._batch_of(number)
        if batch is None:
            return None
        rows = self._unpacked.get(batch.first)
        if rows is None:
            rows = self._unpacked[batch.first] = batch.rows()
            if len(self._unpacked) > _UNPACKED:
                del self._unpacked[next(iter(self._unpacked))]
        return rows[number - batch.first]

    def _batch_of(self, number: int) -> Packed | None:
        low, high = 0, len(self._packed)
        while low < high:
            middle = (low + high) // 2
            if self._packed[middle].last < number:
                low = middle + 1
            else:
                high = middle
        return self._packed[low] if low < len(self._packed) else None

    def _forget_oldest(self) -> None:
        batch = self._packed.popleft()
        self._packed_bytes -= batch.size
        self._with_frames = min(self._with_frames, len(self._packed))
        self._with_payloads = min(self._with_payloads, len(self._packed))
        self._unpacked.pop(batch.first, None)
        for number in [number for number in self._pinned if number <= batch.last]:
            del self._pinned[number]

    def _lighten(self) -> bool:
        """Let the oldest frames go, or where none is left the oldest payloads; False: none are."""
        if self._with_frames:
            # The newest so many have theirs: the oldest of those is the next to lose them.
            batch = self._packed[-self._with_frames]
            self._with_frames -= 1
            saved = batch.drop_frames()
        elif self._with_payloads:
            batch = self._packed[-self._with_payloads]
            self._with_payloads -= 1
            saved = batch.drop_payloads()
        else:
            return False
        self._packed_bytes -= saved
        self._unpacked.pop(batch.first, None)
        return True


def _weight(row: Row, before: Row | None) -> int:
    """What a row adds to all: rows of one frame share its bytes."""
    shared = before is not None and before.frame is row.frame
    return len(row.payload or b"") + (0 if shared else len(row.frame))
