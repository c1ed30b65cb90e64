"""A batch in one piece or in several, and the checksum of either."""

from collections.abc import Callable

import google_crc32c

crc32c: Callable[[bytes], int] = google_crc32c.value
_extend: Callable[[int, bytes], int] = google_crc32c.extend
CRC_FROM = 21
"""Where in a batch that begins of which the checksum is."""


class Scattered:
    """A large batch in the pieces in which it was read; the first one is its header.

    To join them is to copy them: most are sent as they are, or leave their log unread.
    """

    __slots__ = ("_size", "pieces")

    def __init__(self, pieces: list[bytes]) -> None:
        self.pieces = pieces
        self._size = sum(map(len, pieces))

    def __len__(self) -> int:
        return self._size

    def __bytes__(self) -> bytes:
        return b"".join(self.pieces)

    def crc(self) -> int:
        header, *rest = self.pieces
        crc = crc32c(header[CRC_FROM:])
        for piece in rest:
            crc = _extend(crc, piece)
        return crc


Buffer = bytes | Scattered
"""A batch that comes, or lies in a log."""
