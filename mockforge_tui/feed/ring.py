"""The newest rows, numbered from 1, bounded in number and in bytes."""

from collections.abc import Iterator

from mockforge_brokers.journal import Row

SLOTS = 1 << 14
MOST_BYTES = 32 * 1024 * 1024


class Ring:
    """Rows by number; when bodies weigh too much the oldest bodies go, their rows stay."""

    def __init__(self, slots: int = SLOTS, most_bytes: int = MOST_BYTES) -> None:
        if slots & (slots - 1):
            raise ValueError(f"slots must be a power of two, not {slots}")
        self.newest = 0
        self._slots: list[Row | None] = [None] * slots
        self._mask = slots - 1
        self._most_bytes = most_bytes
        self._bytes = 0
        self._whole_from = 1

    @property
    def slots(self) -> int:
        return self._mask + 1

    @property
    def oldest(self) -> int:
        """The number of the oldest row that is still here (1 while there is none)."""
        return max(1, self.newest - self._mask)

    def add(self, row: Row) -> int:
        """Keep a row under the next number, which becomes its `seq`."""
        number = self.newest + 1
        at = number & self._mask
        leaving = self._slots[at]
        if leaving is not None and self._whole_from < number - self._mask:
            self._bytes -= _weight(leaving)
            self._whole_from = number - self._mask
        row.seq = number
        self._slots[at] = row
        self.newest = number
        self._bytes += _weight(row)
        while self._bytes > self._most_bytes and self._whole_from < number:
            self._lighten(self._whole_from)
        return number

    def row(self, number: int) -> Row | None:
        """A row by its number; None once it has left, or has not come yet."""
        if not self.oldest <= number <= self.newest:
            return None
        return self._slots[number & self._mask]

    def since(self, number: int) -> Iterator[Row]:
        """Rows after `number`, oldest first."""
        for each in range(max(number + 1, self.oldest), self.newest + 1):
            row = self._slots[each & self._mask]
            if row is not None:
                yield row

    def newest_first(self, most: int) -> Iterator[Row]:
        """At most `most` rows, the newest first."""
        for each in range(self.newest, max(self.oldest - 1, self.newest - most), -1):
            row = self._slots[each & self._mask]
            if row is not None:
                yield row

    def _lighten(self, number: int) -> None:
        self._whole_from = number + 1
        row = self._slots[number & self._mask]
        if row is None:
            return
        self._bytes -= _weight(row)
        if row.payload is not None or row.frame:
            row.payload = None
            row.frame = b""
            row.detail = {**row.detail, "body": "let go: too many bytes came after it"}


def _weight(row: Row) -> int:
    # A payload is a copy out of its frame, or the frame's own bytes; counted as if a copy.
    return len(row.frame) + len(row.payload or b"")
