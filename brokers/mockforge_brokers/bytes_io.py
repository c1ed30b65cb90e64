"""A reader of bytes that says where it ran out."""

import struct
from typing import Any

from .errors import ProtocolError


class ByteReader:
    """Reads big-endian values one after the other; too few bytes are a ProtocolError.

    `what` names the thing that is read, for the error's text.
    """

    __slots__ = ("data", "end", "position", "what")

    def __init__(
        self, data: bytes, position: int = 0, end: int | None = None, what: str = ""
    ) -> None:
        self.data = data
        self.position = position
        self.end = len(data) if end is None else end
        self.what = what

    @property
    def remaining(self) -> int:
        return self.end - self.position

    def take(self, count: int) -> bytes:
        """The next `count` bytes."""
        start = self.position
        if count < 0 or start + count > self.end:
            raise ProtocolError(
                f"{self.what}: {count} bytes wanted at offset {start}, {self.end - start} left"
            )
        self.position = start + count
        return self.data[start : start + count]

    def unpack(self, layout: struct.Struct) -> tuple[Any, ...]:
        """The values of a compiled struct."""
        return layout.unpack(self.take(layout.size))

    def uint8(self) -> int:
        start = self.position
        if start >= self.end:
            self.take(1)
        self.position = start + 1
        return self.data[start]

    def uint16(self) -> int:
        start = self.position
        if start + 2 > self.end:
            self.take(2)
        self.position = start + 2
        return self.data[start] << 8 | self.data[start + 1]

    def uint32(self) -> int:
        return int.from_bytes(self.take(4), "big")

    def uint64(self) -> int:
        return int.from_bytes(self.take(8), "big")
