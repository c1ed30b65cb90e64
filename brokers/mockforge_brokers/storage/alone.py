"""Rows that are written alone, each behind the newest group, and noted many of them at once.

What such a group never needs is not asked there: whoever waits for the row is answered next. (To
copy it into a file that is mapped is no faster: what the system does when a page is written to for
the first time costs as much as the call.)
"""

from collections.abc import Collection
from time import monotonic
from typing import Final, NamedTuple

from .live import Live, Row, Segment, place_of
from .segment_file import SegmentFile
from .segments import (
    CRC,
    NOTHING,
    NUMBER,
    ONE_ROW,
    ROW,
    checksum,
    encode_row,
    extend,
    pack_behind_one,
    pack_row,
)
from .syncer import Syncer

WAITED: Final = 0.01
"""Seconds of a write in which the system made us wait: it has too much to bring to the disk."""
_AGAIN: Final = 0.5
"""Seconds in which it made us wait twice. Once it may be another program that had the processor, or
what the syncer brings to the disk each second."""
_THREADED: Final = 1.0
"""Seconds for which the thread writes after that."""


class Open(NamedTuple):
    """Where rows alone are written: up to `until` there is room, and nobody else is to be asked.

    `place` is that of the segment's beginning.
    """

    file: SegmentFile
    syncer: Syncer
    salt: int
    place: int
    until: int


class RowWriter:
    """The part of a writer that does so; groups and all the rest are in `writer`."""

    def __init__(self, live: Live) -> None:
        self._live = live
        self._newest: Segment
        """Of the last group."""
        self._file: SegmentFile | None = None
        self._size = 0
        """Of that file, without the room made ahead."""
        self._synced = 0
        """The place up to which all is on disk."""
        self._syncer: Syncer | None = None
        self._threaded_until = 0.0
        self._waited = -_AGAIN
        """When it last made us wait."""
        self._open: Open | None = None
        """None where what comes next is a group."""
        self._alone: list[Row] = []
        """Rows that are written behind the newest group, and not noted yet."""
        self._alone_at = 0
        """Where the next one goes."""
        self._alone_rows = self._alone_bytes = 0
        """Those of all that were noted."""

    def write_row(self, group: int, row: int, value: bytes, gone: Collection[int]) -> bool:
        """As `store.Disk` has it: where a segment is open to which the loop writes.

        Whoever waits for the row is answered next, so all but the write itself is left for later.
        """
        opened = self._open
        if opened is None:
            return False
        file, syncer, salt, place, until = opened
        at, size = self._alone_at, len(value)
        end = at + ROW + size
        if gone:
            end += NUMBER * len(gone)
        if end > until:
            return False
        if gone:
            pieces = encode_row(salt, group, row, value, 0, self._synced, gone)
        else:
            # The same, written out.
            index = pack_row(row, size, checksum(value))
            head = pack_behind_one(ONE_ROW, size, group, self._synced, checksum(index), NOTHING)
            pieces = (head, extend(salt, head).to_bytes(CRC, "little"), index, value)
        begun = monotonic()
        try:
            if file.put(pieces, at) != end - at:
                # Whoever writes it now does so at the same place.
                return False
        except OSError:
            return False
        if (now := monotonic()) - begun > WAITED:
            self._made_wait(now)
        self._alone_at = end
        self._alone.append((row, at, size, tuple(gone) if gone else ()))
        if syncer.resting:
            # Where it goes on from there it hears of when the rows are noted: what it brings to
            # the disk is all that the file has by then.
            syncer.reached = file, place + end
            syncer.ask()
        return True

    def alone(self) -> tuple[int, int]:
        self._settle()
        return self._alone_rows, self._alone_bytes

    def _settle(self) -> None:
        """Note the rows that were written alone: before anything else is written, or looked at."""
        rows = self._alone
        if not rows:
            return
        self._alone = []
        newest = self._newest
        self._live.put_rows(newest, rows)
        self._alone_rows += len(rows)
        self._alone_bytes += sum(size for _, _, size, _ in rows)
        newest.size = self._size = self._alone_at
        if self._syncer is not None and self._file is not None:
            self._syncer.written(self._file, place_of(newest.number, newest.size))

    def _made_wait(self, now: float) -> None:
        """The system did that with this write, and maybe with another one just before."""
        if now - self._waited < _AGAIN:
            self._threaded_until = now + _THREADED
            self._open = None
        self._waited = now
