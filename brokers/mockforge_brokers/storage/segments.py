"""The format of segments: a file is written at its end alone, a frame for each group.

A segment begins with a head that has a salt of its own. A frame is what one group changed, in the
order in which it is applied: rows that are new, rows and ranges of them that are gone, entities.

    head      the counts and sizes of what follows, and checksums of index and entities; and up to
              which place all that stands before was known to be on disk
    index     of each row its number, size and checksum; numbers that are gone; ranges; pieces of
              rows that were written together (`runs`)
    entities  msgpack: (kind, name, value or nil)
    values    of the rows, one behind the other, and the pieces

All numbers are little-endian. The checksum of a frame's head begins with the salt, so that what a
client sends never reads as one. SQLite, which the first format was, writes each byte twice and
took six times the processor time for a record of 1 KB. The second one was as this one, but for the
checksum (zlib's CRC-32, which takes four to seven times as long as CRC-32C by the processor's own
instruction) and the place: each frame was on disk before the next one was written. In the third one
no head of a segment said how long the one before was: where a machine stops, the end of that may be
missing just behind a frame, while the next one is there. In the fourth one each row stood by
itself.
"""

import sys
from array import array
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from itertools import accumulate, chain
from struct import Struct as Layout
from typing import Final, NamedTuple
from zlib import crc32

import google_crc32c
from msgspec import MsgspecError, Struct, msgpack

from . import runs as together
from .parts import Parts, Piece, Value, pieces_of
from .runs import Run, StoredPiece

VERSION: Final = 5
"""The first was a file of SQLite."""
CLEAN: Final = 1
"""Flag of the frame with which a run ended by itself."""
THROUGH: Final = 2
"""Flag of a frame that was on disk before anybody was told of it."""
HEAD: Final = 32

_HEAD: Final = Layout("<8sHxxIII")
"""Of the same size in all formats, so that an older program reads the version, and refuses it."""
_MAGIC: Final = b"MFDGseg\n"
_FRAME_MAGIC: Final = b"MFgr"
CRC: Final = 4
_LARGE: Final = 512
"""Bytes of values, on average, that are not copied into one piece."""


class _Format(Struct):
    """What differs between formats of frames; `salted` is the checksum of a head."""

    head: Layout
    crc: Callable[[bytes], int]
    salted: Callable[[bytes, int], int]

    @property
    def size(self) -> int:
        return self.head.size + CRC


def _crc32c_from(data: bytes, salt: int) -> int:
    crc: int = google_crc32c.extend(salt, data)
    return crc


_SECOND: Final = 2
_THIRD: Final = 3
_FOURTH: Final = 4
_THIRD_FORMAT: Final = _Format(Layout("<4sIIIIIQQQII"), google_crc32c.value, _crc32c_from)
_FORMATS: Final = {
    _SECOND: _Format(Layout("<4sIIIIIQQII"), crc32, crc32),
    _THIRD: _THIRD_FORMAT,
    _FOURTH: _THIRD_FORMAT,
    VERSION: _Format(Layout("<4sIIIIIIQQQII"), google_crc32c.value, _crc32c_from),
}
_NOW: Final = _FORMATS[VERSION]
_ROW: Final = Layout("<QII")
ENTRY: Final = _ROW.size
"""Bytes of each row of a frame, beside its value."""
ROW: Final = _NOW.size + ENTRY
"""Bytes of a frame of one row, beside its value and what is gone."""
NUMBER: Final = 8
"""Bytes of one that is gone."""
NOTHING: Final = _NOW.crc(b"")
ONE_ROW: Final = _NOW.head.pack(_FRAME_MAGIC, 0, 1, *(0,) * 9)[:28]
"""What the head of a frame of one row and nothing else begins with."""
_BEHIND_ONE: Final = Layout("<28sQQQII")
"""The same head, of which so much is known."""
_pack_head, pack_row, pack_behind_one, checksum, extend = (
    _NOW.head.pack,
    _ROW.pack,
    _BEHIND_ONE.pack,
    google_crc32c.value,
    google_crc32c.extend,
)

Entity = tuple[str, bytes, bytes | None]
"""(kind, name, value); None: it is gone."""


class Frame(Struct):
    """One as it stands at `at`; `crcs` and `offsets` (in the segment) are of the rows' values.

    `synced` is the place (`live.place_of`) up to which all was on disk when it was written; None is
    all before it.
    """

    at: int
    end: int
    flags: int
    group: int
    synced: int | None
    numbers: Sequence[int]
    sizes: Sequence[int]
    crcs: Sequence[int]
    offsets: Sequence[int]
    gone: Sequence[int]
    ranges: Sequence[tuple[int, int]]
    entities: list[Entity]
    pieces: list[StoredPiece]
    """More rows, of other numbers."""


class _FrameHead(NamedTuple):
    """Of a frame of any format: how many of each there are, and sizes in bytes."""

    flags: int
    rows: int
    gone: int
    ranges: int
    pieces: int
    entities: int
    values: int
    group: int
    synced: int | None
    index_crc: int
    entities_crc: int

    @property
    def index_size(self) -> int:
        """Bytes of it."""
        return (
            ENTRY * self.rows
            + NUMBER * (self.gone + 2 * self.ranges)
            + together.ENTRY * self.pieces
        )


class Broken(Struct):
    """From `at` to `end` nothing can be read; `last` where no frame follows."""

    at: int
    end: int
    last: bool


# Heads of segments.


class Head(NamedTuple):
    """What a segment begins with; `before` is the size of the one before it, None: not known."""

    version: int
    salt: int
    before: int | None
    number: int


def head_of(number: int, salt: int, before: int = 0, version: int = VERSION) -> bytes:
    head = _HEAD.pack(_MAGIC, version, number, before, salt)
    return (head + crc32(head).to_bytes(CRC, "little")).ljust(HEAD, b"\0")


def read_head(data: bytes) -> Head | None:
    """Of a segment that begins so; None where that is damaged."""
    head, crc = data[: _HEAD.size], data[_HEAD.size : _HEAD.size + CRC]
    if len(data) < HEAD or crc32(head) != int.from_bytes(crc, "little"):
        return None
    magic, version, number, before, salt = _HEAD.unpack(head)
    if magic != _MAGIC:
        return None
    return Head(version, salt, before if version > _THIRD else None, number)


def is_begun(data: bytes, number: int) -> bool:
    """Whether it is no more than the beginning of a head of this segment, and zeros behind it.

    So it is where a program, or the machine, ended while it was being written.
    """
    begun = data.rstrip(b"\0")
    _, _, _, before, salt = _HEAD.unpack(begun[: _HEAD.size].ljust(_HEAD.size, b"\0"))
    # As far as they are there: what is behind them is not compared then.
    return any(head_of(number, salt, before, each).startswith(begun) for each in _FORMATS)


# Frames.


def encode(
    salt: int,
    group: int,
    rows: Mapping[int, Value],
    gone: Collection[int] = (),
    ranges: Collection[tuple[int, int]] = (),
    entities: Collection[Entity] = (),
    flags: int = 0,
    synced: int = 0,
    runs: Collection[Run] = (),
) -> tuple[list[Piece], Sequence[int]]:
    """A frame, in pieces where its values are large; and the sizes of those of `rows`."""
    values = rows.values()
    # The loop's thread does this for each group: what is done for each row is done in C.
    sizes = array("I", map(len, values))
    entries, pieces = together.encode(runs) if runs else (b"", [])
    in_parts = Parts in {*map(type, values)}
    crcs = map(_checksum if in_parts else _NOW.crc, values)  # type: ignore[arg-type]
    index = b"".join(
        (
            _packed("Q", array("Q", rows)),
            _packed("I", sizes),
            _packed("I", array("I", crcs)),
            _packed("Q", array("Q", gone)),
            _packed("Q", array("Q", chain.from_iterable(ranges))),
            entries,
        )
    )
    kept = msgpack.encode(list(entities)) if entities else b""
    size = sum(sizes) + sum(map(len, pieces))
    head = _NOW.head.pack(
        _FRAME_MAGIC,
        flags,
        len(rows),
        len(gone),
        len(ranges),
        len(entries) // together.ENTRY,
        len(kept),
        size,
        group,
        synced,
        _NOW.crc(index),
        _NOW.crc(kept),
    )
    crc = _NOW.salted(head, salt).to_bytes(CRC, "little")
    stored: Iterable[Piece] = pieces_of(values) if in_parts else values  # type: ignore[assignment]
    if size > _LARGE * (len(rows) + len(pieces)):
        # A copy costs more than to name each to the system, and most where its memory is new.
        return [b"".join((head, crc, index, kept)), *stored, *pieces], sizes
    return [b"".join((head, crc, index, kept, *stored, *pieces))], sizes


def encode_row(
    salt: int,
    group: int,
    number: int,
    value: Value,
    flags: int = 0,
    synced: int = 0,
    gone: Collection[int] = (),
) -> Sequence[Piece]:
    """As `encode`, of one row and what is gone, as who waits for each confirm causes: in pieces."""
    size = len(value)
    index = pack_row(number, size, _checksum(value))
    if gone or flags:
        index += _packed("Q", array("Q", gone))
        head = _pack_head(
            _FRAME_MAGIC,
            flags,
            1,
            len(gone),
            0,
            0,
            0,
            size,
            group,
            synced,
            checksum(index),
            NOTHING,
        )
    else:
        head = pack_behind_one(ONE_ROW, size, group, synced, checksum(index), NOTHING)
    crc = extend(salt, head).to_bytes(CRC, "little")
    if isinstance(value, bytes):
        return head, crc, index, value
    return head, crc, index, *value.pieces


def _checksum(value: Value) -> int:
    crc: int = checksum(value) if isinstance(value, bytes) else value.checksum
    return crc


def crc_of(version: int) -> Callable[[bytes], int]:
    """The checksum that values have in segments of this format."""
    return _FORMATS[version].crc


def walk(
    data: bytes, salt: int, at: int = HEAD, version: int = VERSION
) -> Iterator[Frame | Broken]:
    """What stands in a segment from there on; zeros at its end are room that was made ahead."""
    while at < len(data):
        frame = frame_at(data, salt, at, version)
        if frame is None:
            following = _following(data, salt, at + 1, version)
            end = len(data) if following is None else following
            if following is not None or data.count(0, at) < end - at:
                yield Broken(at, end, following is None)
            at = end
        else:
            yield frame
            at = frame.end


def frame_at(data: bytes, salt: int, at: int, version: int = VERSION) -> Frame | None:
    """The frame there; None where it is not whole, or its checksums are wrong.

    Those of the values are not looked at.
    """
    head = _frame_head(data, salt, at, version)
    if head is None:
        return None
    rows, gone = head.rows, head.gone
    form = _FORMATS[version]
    index_at = at + form.size
    kept_at = index_at + head.index_size
    values_at = kept_at + head.entities
    end = values_at + head.values
    index, kept = data[index_at:kept_at], data[kept_at:values_at]
    if end > len(data) or form.crc(index) != head.index_crc or form.crc(kept) != head.entities_crc:
        return None
    sizes = _unpacked("I", index[8 * rows : 12 * rows])
    entries = head.index_size - together.ENTRY * head.pieces
    bounds = _unpacked("Q", index[16 * rows + 8 * gone : entries])
    return Frame(
        at,
        end,
        head.flags,
        head.group,
        head.synced,
        _unpacked("Q", index[: 8 * rows]),
        sizes,
        _unpacked("I", index[12 * rows : 16 * rows]),
        list(accumulate(sizes, initial=values_at))[:-1],
        _unpacked("Q", index[16 * rows : 16 * rows + 8 * gone]),
        list(zip(bounds[::2], bounds[1::2], strict=True)),
        _entities(kept),
        together.decode(index[entries:], values_at + sum(sizes)),
    )


def is_whole(data: bytes) -> bool:
    """Whether a segment is all that it was: each frame follows the one before, with its values."""
    head = read_head(data)
    if head is None:
        return False
    crc, at = crc_of(head.version), HEAD
    for frame in walk(data, head.salt, version=head.version):
        if isinstance(frame, Broken):
            return False
        values = zip(frame.offsets, frame.sizes, frame.crcs, strict=True)
        if any(crc(data[offset : offset + size]) != wanted for offset, size, wanted in values):
            return False
        if any(crc(data[piece.at : piece.end]) != piece.crc for piece in frame.pieces):
            return False
        at = frame.end
    return at == len(data)


def size_at(data: bytes, salt: int, at: int = 0, version: int = VERSION) -> int:
    """Bytes of the frame that begins there; 0 where none does."""
    head = _frame_head(data, salt, at, version)
    if head is None:
        return 0
    return _FORMATS[version].size + head.index_size + head.entities + head.values


def _entities(kept: bytes) -> list[Entity]:
    try:
        return msgpack.decode(kept, type=list[Entity]) if kept else []
    except MsgspecError as error:
        # Their checksum is right: it was we who wrote this.
        raise ValueError(f"entities of another kind: {error}") from None


def _frame_head(data: bytes, salt: int, at: int, version: int) -> _FrameHead | None:
    form = _FORMATS[version]
    head = data[at : at + form.head.size]
    if len(data) < at + form.size or not head.startswith(_FRAME_MAGIC):
        return None
    crc = int.from_bytes(data[at + form.head.size : at + form.size], "little")
    if form.salted(head, salt) != crc:
        return None
    _, flags, rows, gone, ranges, *others = form.head.unpack(head)
    if version <= _FOURTH:
        others.insert(0, 0)
    if version == _SECOND:
        others.insert(4, None)
    return _FrameHead(flags, rows, gone, ranges, *others)


def _following(data: bytes, salt: int, at: int, version: int) -> int | None:
    """Where the next frame begins, by its head alone."""
    while (at := data.find(_FRAME_MAGIC, at)) >= 0:
        if _frame_head(data, salt, at, version) is not None:
            return at
        at += 1
    return None


def _packed(kind: str, values: "array[int]") -> bytes:
    if sys.byteorder == "big":
        values = array(kind, values)
        values.byteswap()
    return values.tobytes()


def _unpacked(kind: str, data: bytes) -> "array[int]":
    values = array(kind, data)
    if sys.byteorder == "big":
        values.byteswap()
    return values
