"""Cuts bytes into units: protocol headers and frames. A frame of no body is a heartbeat."""

from typing import Final

from ....errors import ProtocolError
from .frames import HEAD_SIZE, head

LARGEST: Final = 16 * 1024 * 1024
"""More than any frame that we take: such a size is noise, not a frame to wait for."""
_HEADER_SIZE: Final = 8


def unit_end(data: bytes, at: int) -> int:
    """Where the unit at `at` ends; 0 when it is not whole, -1 when it is none."""
    if len(data) - at < HEAD_SIZE:
        return 0
    if data.startswith(b"AMQP", at):
        return at + _HEADER_SIZE
    size, offset, _, _ = head.unpack_from(data, at)
    if size < HEAD_SIZE or size > LARGEST or offset < 2 or offset * 4 > size:
        return -1
    return at + size if at + size <= len(data) else 0


class FrameSplitter:
    """A `Splitter` for one direction of AMQP 1.0."""

    __slots__ = ("_data",)

    def __init__(self) -> None:
        self._data = b""

    @property
    def pending(self) -> int:
        return len(self._data)

    def take(self) -> bytes:
        data, self._data = self._data, b""
        return data

    def feed(self, data: bytes) -> list[bytes]:
        """Bytes that are no frame are a ProtocolError, by the next call if frames stand before."""
        if self._data:
            data = self._data + data
        units: list[bytes] = []
        at = 0
        while (end := unit_end(data, at)) > 0:
            units.append(data[at:end])
            at = end
        self._data = data[at:]
        if end < 0 and not units:
            raise ProtocolError("bytes that are no frame of AMQP 1.0")
        return units
