"""A large row in the pieces in which it came: to join them, only to write them, is a copy more."""

from collections.abc import Iterable, Iterator, Sequence

from msgspec import Struct

Piece = bytes | memoryview
"""A view is of what was read, which stays until it is written."""


class Parts(Struct, eq=False):
    """The value of a row, of `size` bytes, and its checksum (CRC-32C), which its owner knows."""

    pieces: Sequence[Piece]
    size: int
    checksum: int

    def __len__(self) -> int:
        return self.size

    def __bytes__(self) -> bytes:
        return b"".join(self.pieces)


Value = bytes | Parts


def pieces_of(values: Iterable[Value]) -> Iterator[Piece]:
    """All of them, one behind the other."""
    for value in values:
        if isinstance(value, bytes):
            yield value
        else:
            yield from value.pieces
