"""Gives back the room of what is not wanted any more: what is, moves out of the oldest segment.

With each group goes a piece of that, while more than half of all segments is not wanted. The oldest
it must be: what says that a row is gone stands behind the row, so in no other segment may that be
forgotten.
"""

from typing import Final

from msgspec import Struct

from .live import Live, Segment, place_of
from .segments import HEAD, Entity, Frame, crc_of, frame_at, size_at

_FLOOR: Final = 64 * 1024 * 1024
"""Bytes that may be unwanted before anything is moved."""
_PIECE: Final = 256 * 1024
"""Bytes of the oldest segment that are looked at with a group, at least."""
_TIMES: Final = 4
"""As many times the bytes of the group: half of these may be wanted, and are written again."""


class Piece(Struct):
    """What the writer reads of a segment: so many bytes from there on."""

    segment: Segment
    at: int
    size: int


class Moved(Struct):
    """What goes with a group; and segments which may go when it is on disk."""

    rows: dict[int, bytes]
    entities: list[Entity]
    emptied: list[int]


class Cleaner:
    """The loop's part of it: `piece` is asked for with one group, and brought for the next."""

    def __init__(self, live: Live) -> None:
        self._live = live
        self._at = HEAD
        self._size = _PIECE
        self._data = b""
        self._asked: Piece | None = None
        """It is being read."""
        self._stuck = False
        """It met what it cannot read: the next start finds that, and says so."""

    def piece(self, group_size: int) -> Piece | None:
        """What to read now; None where there is no need."""
        oldest = next(iter(self._live.segments.values()))
        if self._stuck or self._data or self._asked or len(self._live.segments) < 2:
            return None
        if self._at == HEAD:
            size = sum(each.size for each in self._live.segments.values())
            wanted = self._live.size
            if size - wanted <= wanted + _FLOOR:
                return None
        most = max(self._size, _TIMES * group_size)
        self._asked = Piece(oldest, self._at, min(most, oldest.size - self._at))
        return self._asked

    def bring(self, piece: Piece, data: bytes) -> None:
        """It was read; nothing where it could not be, which is tried again."""
        self._asked = None
        # Meanwhile its segment may have become empty, and another one is the oldest.
        if piece.segment.number in self._live.segments and piece.at == self._at:
            self._data = data

    def take(self) -> Moved:
        """What moves with the next group; what it says is gone must not be wanted any more."""
        moved = Moved({}, [], [])
        data, self._data = self._data, b""
        if data:
            self._look(data, moved)
        segments = self._live.segments
        # Of queues and after a reset nothing is left in whole segments: these need no reading.
        while len(segments) > 1 and not (oldest := next(iter(segments.values()))).live:
            self._empty(oldest, moved)
        return moved

    def _empty(self, oldest: Segment, moved: Moved) -> None:
        del self._live.segments[oldest.number]
        moved.emptied.append(oldest.number)
        self._at, self._size, self._stuck = HEAD, _PIECE, False

    def _look(self, data: bytes, moved: Moved) -> None:
        oldest = next(iter(self._live.segments.values()))
        at = 0
        self._size = _PIECE
        while at < len(data):
            frame = frame_at(data, oldest.salt, at, oldest.version)
            if frame is None:
                # A group may be larger than the piece; all of it is asked for then.
                size = size_at(data, oldest.salt, at, oldest.version)
                self._size = max(_PIECE, size)
                self._stuck = at == 0 and size <= len(data)
                break
            if not self._move(data, frame, oldest, self._at + at, moved):
                self._stuck = True
                break
            at = frame.end
        self._at += at
        if self._at >= oldest.size:
            self._empty(oldest, moved)

    def _move(self, data: bytes, frame: Frame, segment: Segment, at: int, moved: Moved) -> bool:
        """False where a value is not what was written: to move it would make it look right."""
        found = {}
        crc, place = crc_of(segment.version), place_of(segment.number, at)
        for index in self._live.rows_in(place, frame.numbers):
            offset = frame.offsets[index]
            value = data[offset : offset + frame.sizes[index]]
            if crc(value) != frame.crcs[index]:
                return False
            found[frame.numbers[index]] = value
        for piece in frame.pieces:
            if wanted := list(self._live.rows_in(place, piece.numbers)):
                if crc(data[piece.at : piece.end]) != piece.crc:
                    return False
                values = piece.values(data)
                found |= {piece.first + index: values[index] for index in wanted}
        moved.rows |= found
        moved.entities += [
            each for each in frame.entities if self._live.has_entity(place, each[:2])
        ]
        return True
