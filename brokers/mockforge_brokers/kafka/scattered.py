"""A batch in one piece or in several, and the checksum of either."""

from collections.abc import Callable, Iterable
from functools import cache
from typing import Final

import google_crc32c

crc32c: Callable[[bytes], int] = google_crc32c.value
CRC_FROM = 21
"""Where in a batch that begins of which the checksum is."""
_PART: Final = 16 * 1024
"""Bytes that the processor's nearest cache has room for."""

Piece = bytes | memoryview


def in_parts(piece: Piece, crc: int) -> int:
    """The checksum of a large piece behind those whose checksum is `crc`.

    google-crc32c is three times as fast on bytes of the nearest cache as on those of the next one,
    which is worth a copy of each part; and it takes no views.
    """
    for at in range(0, len(piece), _PART):
        crc = google_crc32c.extend(crc, bytes(piece[at : at + _PART]))
    return crc


@cache
def best() -> Callable[[Piece, int], int]:
    """What does the same as `in_parts`, and faster where that is installed: with views, too."""
    # With the first large batch: to load it takes longer than a broker has until it is ready.
    try:
        import crc32c
    except ImportError:
        return in_parts
    return crc32c.crc32c if crc32c.hardware_based else in_parts


def crc32c_of(pieces: Iterable[Piece]) -> int:
    """The checksum of large pieces, one behind the other."""
    extend = best()
    crc = 0
    for piece in pieces:
        crc = extend(piece, crc)
    return crc


class Scattered:
    """A large batch in the pieces in which it was read; the first one is its header, of bytes.

    To join them is to copy them: most are sent as they are, or leave their log unread.
    """

    __slots__ = ("_pieces", "_size")

    def __init__(self, pieces: list[Piece], size: int | None = None) -> None:
        """`size` is that of all, where it is known."""
        self._pieces = pieces
        self._size = sum(map(len, pieces)) if size is None else size

    def __len__(self) -> int:
        return self._size

    def __bytes__(self) -> bytes:
        return b"".join(self._pieces)

    @property
    def header(self) -> bytes:
        """Its first piece."""
        header = self._pieces[0]
        assert isinstance(header, bytes)
        return header

    @property
    def rest(self) -> list[Piece]:
        """What stands behind the header."""
        return self._pieces[1:]

    def sent(self) -> list[bytes]:
        """All pieces for who keeps what is sent: none is a view of something else from now on."""
        pieces = self._pieces
        found = []
        for at, piece in enumerate(pieces):
            if not isinstance(piece, bytes):
                pieces[at] = piece = bytes(piece)
            found.append(piece)
        return found

    def crc(self) -> int:
        return crc32c_of((self.header[CRC_FROM:], *self.rest))


Buffer = bytes | Scattered
"""A batch that comes, or lies in a log."""
