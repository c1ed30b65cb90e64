"""A batch in one piece or in several, and the checksum of either."""

from collections.abc import Callable, Iterable
from functools import cache, lru_cache
from typing import Final

import google_crc32c

crc32c: Callable[[bytes], int] = google_crc32c.value
_CRC_AT: Final = 17
CRC_FROM = 21
"""Where in a batch that begins of which the checksum is."""
_POLYNOMIAL: Final = 0x82F63B78
"""That of CRC-32C; the highest power of a polynomial stands in its lowest bit."""
_ONE: Final = 1 << 31
_BYTE: Final = 1 << 23
"""x to the power of 8."""
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


def _product(one: int, other: int) -> int:
    """Of two polynomials, modulo that of the checksum."""
    product = 0
    while one:
        if one & _ONE:
            product ^= other
        one = one << 1 & 0xFFFFFFFF
        other = other >> 1 ^ _POLYNOMIAL if other & 1 else other >> 1
    return product


@cache
def _bytes_in_powers_of_two(power: int) -> int:
    """x to the power of all bits of 2 ** `power` bytes."""
    if not power:
        return _BYTE
    half = _bytes_in_powers_of_two(power - 1)
    return _product(half, half)


@lru_cache(256)
def _bytes(size: int) -> int:
    """x to the power of all bits of so many bytes: full batches are often as long as each other."""
    product, power = _ONE, 0
    while size:
        if size & 1:
            product = _product(product, _bytes_in_powers_of_two(power))
        size >>= 1
        power += 1
    return product


def crc_together(first: int, second: int, size: int) -> int:
    """The checksum of what has the checksum `first` and of the `size` bytes behind it.

    Those have the checksum `second`. Nothing of either is looked at (as zlib's `crc32_combine`).
    """
    return _product(_bytes(size), first) ^ second


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

    @property
    def pieces(self) -> list[Piece]:
        """All of it, the header first; they stay as they are."""
        return self._pieces[:]

    def whole_crc(self) -> int:
        """The checksum of all of it, by the one that stands in its header, and is right."""
        header = self.header
        behind = int.from_bytes(header[_CRC_AT:CRC_FROM], "big")
        return crc_together(crc32c(header[:CRC_FROM]), behind, self._size - CRC_FROM)

    def crc(self) -> int:
        """As it is to stand in its header."""
        return crc32c_of((self.header[CRC_FROM:], *self.rest))


Buffer = bytes | Scattered
"""A batch that comes, or lies in a log."""
