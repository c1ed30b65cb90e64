"""Rows that differ in their midst alone, as the messages of a burst do: on disk they are as one."""

from collections.abc import Iterable, Iterator, Sequence
from struct import Struct as Layout
from typing import Final

import google_crc32c
from msgspec import Struct

from .parts import Piece

_ENTRY: Final = Layout("<QIIIIII")
ENTRY: Final = _ENTRY.size
"""Bytes of each piece of a run in its frame's index."""
_PIECE: Final = 32 * 1024
"""Bytes of contents that have one checksum, about: where one of them is damaged all of these are
lost, and to ask for a checksum takes longer than that of a KB itself."""


class Run(Struct):
    """New rows of one log, one behind the other.

    Each value is `before`, a content of `length` bytes, at least one, and `after`. The contents lie
    in `pieces`, each `stride` bytes behind the one before: as they came, with what stood between
    them, or next to each other. Nobody takes them out but who looks for one of them.
    """

    numbers: range
    before: bytes
    after: bytes
    length: int
    stride: int
    pieces: list[Piece]

    @property
    def each(self) -> int:
        """Bytes of each value."""
        return len(self.before) + self.length + len(self.after)

    @property
    def size(self) -> int:
        return self.each * len(self.numbers)

    def rows(self) -> dict[int, bytes]:
        before, after, length = self.before, self.after, self.length
        values = [
            b"".join((before, piece[at : at + length], after))
            for piece in self.pieces
            for at in range(0, len(piece), self.stride)
        ]
        return dict(zip(self.numbers, values, strict=True))


class StoredPiece(Struct):
    """One as it stands in a frame: rows from `first` on, their contents with what is around them.

    `at` is where that begins in the segment: `before`, then `after`, then the contents.
    """

    first: int
    count: int
    before: int
    after: int
    length: int
    stride: int
    crc: int
    at: int

    @property
    def numbers(self) -> range:
        return range(self.first, self.first + self.count)

    @property
    def each(self) -> int:
        """Bytes of each value."""
        return self.before + self.length + self.after

    @property
    def end(self) -> int:
        return self.at + self.before + self.after + self.stride * (self.count - 1) + self.length

    def values(self, data: bytes) -> list[bytes]:
        """Of its rows, out of the segment."""
        at, contents = self.at + self.before, self.at + self.before + self.after
        before, after = data[self.at : at], data[at:contents]
        return [
            b"%b%b%b" % (before, data[at : at + self.length], after)
            for at in range(contents, self.end, self.stride)
        ]


def run_of(numbers: range, contents: Sequence[bytes], before: bytes, after: bytes) -> Run:
    """Of contents of one length, which are copied next to each other."""
    length = len(contents[0])
    some = max(1, _PIECE // length)
    pieces: list[Piece] = [
        b"".join(contents[at : at + some]) for at in range(0, len(contents), some)
    ]
    return Run(numbers, before, after, length, length, pieces)


def encode(runs: Iterable[Run]) -> tuple[bytes, list[Piece]]:
    """Their part of an index, and what stands behind the values of a frame."""
    extend, pack = google_crc32c.extend, _ENTRY.pack
    index: list[bytes] = []
    stored: list[Piece] = []
    for run in runs:
        before, after, length, stride = len(run.before), len(run.after), run.length, run.stride
        around, first = run.before + run.after, run.numbers.start
        crc = google_crc32c.value(around)
        for piece in _parts(run):
            count = (len(piece) - length) // stride + 1
            # Who makes the checksum takes no views; what is copied for that is the same small piece
            # of memory each time, and never written to the file.
            checksum = extend(crc, bytes(piece))
            index.append(pack(first, count, before, after, length, stride, checksum))
            stored += (around, piece)
            first += count
    return b"".join(index), stored


def _parts(run: Run) -> Iterator[Piece]:
    """Its pieces, of which those that are longer than a checksum is to be of are cut."""
    step = max(1, _PIECE // run.stride) * run.stride
    size = step - run.stride + run.length
    for piece in run.pieces:
        if len(piece) <= size:
            yield piece
        else:
            for at in range(0, len(piece), step):
                yield piece[at : at + size]


def decode(index: bytes, at: int) -> list[StoredPiece]:
    """What stands in this part of an index; its first piece begins at `at`."""
    found = []
    for entry in _ENTRY.iter_unpack(index):
        first, count, before, after, length, stride, crc = entry
        piece = StoredPiece(first, count, before, after, length, stride, crc, at)
        found.append(piece)
        at = piece.end
    return found
