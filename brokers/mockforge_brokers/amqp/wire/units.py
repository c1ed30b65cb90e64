"""Cuts bytes into units: single frames, and methods together with their content."""

import struct
from typing import Final

from ...errors import ProtocolError
from ..codes import ReplyCode
from .frames import (
    BODY,
    END,
    HEAD_SIZE,
    HEADER,
    METHOD,
    OVERHEAD,
    PROTOCOL_HEADER,
    content_head,
    head,
)
from .methods import WITH_CONTENT

_LARGEST_FRAME: Final = 16 * 1024 * 1024
"""More than any frame-max we agree to: such a size is noise, not a frame to wait for."""


class _Open:
    """A method whose content is not whole; `missing` bytes of body, -1 before the header."""

    __slots__ = ("frames", "missing")

    def __init__(self, method: bytes) -> None:
        self.frames = [method]
        self.missing = -1


class UnitSplitter:
    """A `Splitter` for one direction. Channels may interleave: a unit is out when it is whole.

    Content whose method it never saw comes out frame by frame, so it may start anywhere.
    """

    __slots__ = ("_data", "_open")

    def __init__(self) -> None:
        self._data = b""
        self._open: dict[int, _Open] = {}

    @property
    def pending(self) -> int:
        waiting = sum(len(raw) for unit in self._open.values() for raw in unit.frames)
        return len(self._data) + waiting

    def take(self) -> bytes:
        waiting = [raw for unit in self._open.values() for raw in unit.frames]
        data = b"".join((*waiting, self._data))
        self._open.clear()
        self._data = b""
        return data

    def feed(self, data: bytes) -> list[bytes]:
        """The units that are whole now, in the order of their last frames.

        Bytes that are no frame are a ProtocolError and stay pending; units that stand before
        them are handed out first, and the next call raises.
        """
        if self._data:
            data = self._data + data
        units: list[bytes] = []
        at = 0
        while (end := _frame_end(data, at)) > 0:
            self._add(units, data[at:end])
            at = end
        self._data = data[at:]
        if end < 0 and not units:
            raise ProtocolError("bytes that are no frame", ReplyCode.FRAME_ERROR)
        return units

    def _add(self, units: list[bytes], raw: bytes) -> None:
        kind, channel, size = head.unpack_from(raw)
        unit = self._open.get(channel)
        if kind == METHOD:
            if unit is not None:
                units.extend(self._open.pop(channel).frames)
            if raw[HEAD_SIZE : HEAD_SIZE + 4] in WITH_CONTENT:
                self._open[channel] = _Open(raw)
                return
        elif unit is not None and kind in (HEADER, BODY):
            unit.frames.append(raw)
            if kind == BODY:
                unit.missing -= size
            elif size >= 12:
                unit.missing = int.from_bytes(raw[HEAD_SIZE + 4 : HEAD_SIZE + 12], "big")
            if unit.missing <= 0:
                units.append(b"".join(self._open.pop(channel).frames))
            return
        units.append(raw)


def unit_end(data: bytes, at: int) -> int:
    """Where the unit at `at` ends; 0 where it is not whole in one piece, or begins otherwise."""
    try:
        kind, channel, size = head.unpack_from(data, at)
        stop = at + size + OVERHEAD
        if kind != METHOD or data[stop - 1] != END:
            return 0
        if data[at + HEAD_SIZE : at + HEAD_SIZE + 4] not in WITH_CONTENT:
            return int(stop)
        kind, its, size, _, _, missing, _ = content_head.unpack_from(data, stop)
        stop += size + OVERHEAD
        if kind != HEADER or its != channel or data[stop - 1] != END:
            return 0
        while missing > 0:
            kind, its, size = head.unpack_from(data, stop)
            stop += size + OVERHEAD
            if kind != BODY or its != channel or data[stop - 1] != END:
                return 0
            missing -= size
    except (IndexError, struct.error):
        return 0
    return 0 if missing else int(stop)


def _frame_end(data: bytes, at: int) -> int:
    """Where the frame at `at` ends; 0 when it is not whole, -1 when it is none."""
    if data.startswith(b"AMQP", at):
        end = at + len(PROTOCOL_HEADER)
        return end if end <= len(data) else 0
    if len(data) - at < HEAD_SIZE:
        return 0
    size = head.unpack_from(data, at)[2]
    if size > _LARGEST_FRAME:
        return -1
    end = at + size + OVERHEAD
    if end > len(data):
        return 0
    return end if data[end - 1] == END else -1
