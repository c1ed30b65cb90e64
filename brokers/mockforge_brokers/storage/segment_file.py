"""One segment's file, which is written to at its end; and the names in its folder."""

import errno
import mmap
import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from . import segments as form
from .live import Segment
from .parts import Piece
from .reading import path_of
from .refused import OURS

SEGMENT: Final = 64 * 1024 * 1024
"""Bytes after which the next group begins a new one."""
_VECTORS: Final = hasattr(os, "pwritev")
_SYNCED: Final = getattr(os, "O_DSYNC", 0) if _VECTORS else 0
"""A write returns when it is on disk. The writer lets go of the interpreter for each call
into the system, and has to wait to have it back: so one is better than two."""
FLAGS: Final = getattr(os, "O_BINARY", 0)
to_disk: Final = getattr(os, "fdatasync", os.fsync)
SMALL: Final = 32 * 1024
"""Bytes of a frame up to which zeros are written ahead, where the file has to grow."""
_MOST_PIECES: Final = 1000
"""Of one call; Linux takes 1024."""
_ROOM: Final = 8 * 1024 * 1024
"""Bytes that are set aside for what is to come, at most: as many as there are already. To write
there takes a fifth less than to grow a file with each write."""
_SOME: Final = 1024 * 1024
"""Bytes of a file up to which nothing is set aside."""
_TRIAL: Final = 16 * 1024
_NO_SYNC: Final = {errno.EINVAL, errno.EBADF, getattr(errno, "ENOTSUP", errno.EINVAL)}
"""What file systems answer that cannot sync a folder."""


class SegmentFile:
    """One segment, open to be written to. Raises OSError.

    `through`: what is written is on disk; else the system has it, until `sync`.
    """

    def __init__(self, folder: Path, segment: Segment, *, new: bool, through: bool = True) -> None:
        self.number = segment.number
        self.open = True
        self._through = through
        flags = os.O_RDWR | FLAGS | (os.O_CREAT | os.O_TRUNC if new else 0)
        if through:
            flags |= _SYNCED
        self._handle = os.open(path_of(folder, segment.number), flags, OURS)
        self.extent = os.fstat(self._handle).st_size
        """How much of the file is there, with the zeros that were written ahead."""
        self._room = 0
        """How much of it is there with what was set aside, once that was tried."""
        self._takes_room = hasattr(os, "posix_fallocate")
        if new:
            try:
                self.write(0, [form.head_of(segment.number, segment.salt, segment.before)])
                if through:
                    sync_folder(folder)
            except OSError:
                os.close(self._handle)
                # Or the folder would not change with the next try: its sync would mean nothing.
                path_of(folder, segment.number).unlink(missing_ok=True)
                raise

    def write(self, at: int, pieces: Sequence[Piece], ahead: int = 0) -> None:
        """Put them there, and with the same write so many zeros behind them.

        To grow a file that is written through costs the file system a transaction of its own each
        time; to write to what is there already does not.
        """
        size = sum(map(len, pieces))
        there = at + size <= self.extent
        if size > SMALL and at + size > self._room:
            self._make_room(at, at + size)
        if (there or not ahead) and len(pieces) <= _MOST_PIECES and self.put(pieces, at) == size:
            if not there:
                self.extent = at + size
            return
        left: list[Piece] = [*pieces]
        if ahead and at + size > self.extent:
            left.append(bytes(ahead))
        done = 0
        # Where the disk has room for the pieces alone, that is enough.
        while done < size:
            some, left = left[:_MOST_PIECES], left[_MOST_PIECES:]
            count = self.put(some, at + done)
            done += count
            if count < sum(map(len, some)):
                left = [memoryview(b"".join(some))[count:], *left]
        self.extent = max(self.extent, at + done)

    def _make_room(self, at: int, end: int) -> None:
        """Set some aside for what is to be written from `at` up to `end`, and as much behind it."""
        room = min(end + min(at, _ROOM), SEGMENT)
        if not self._takes_room or at < _SOME or room <= end:
            return
        try:
            if self._room == 0:
                self._takes_room = _sets_aside(self._handle, end)
            if self._takes_room:
                os.posix_fallocate(self._handle, at, room - at)
            self._room = room
        except OSError:
            # What is wrong the write says, if it is.
            self._takes_room = False

    def put(self, pieces: Sequence[Piece], at: int) -> int:
        """Write what the system takes at once: so many bytes of them are there."""
        if _VECTORS:
            return os.pwritev(self._handle, pieces, at)
        os.lseek(self._handle, at, os.SEEK_SET)
        done = os.write(self._handle, b"".join(pieces))
        if self._through:
            os.fsync(self._handle)
        return done

    def sync(self) -> None:
        """What was written before this began is on disk when it returns."""
        to_disk(self._handle)

    def forget(self, before: int) -> None:
        """Let the system use the memory of what is on disk, up to there, for what comes next.

        Nobody reads that soon. Memory that was not used yet is dear: on a virtual machine a page
        that its host has to give takes ten times as long as the copy of what is written to it. A
        page that is written to in part stays: else it has to be read again for the next part.
        """
        if hasattr(os, "posix_fadvise"):
            whole = before - before % mmap.PAGESIZE
            if whole:
                # A length of 0 would be all of the file.
                os.posix_fadvise(self._handle, 0, whole, os.POSIX_FADV_DONTNEED)

    def close(self, size: int) -> None:
        """`size` is what was written; the room behind it is given back."""
        if not self.open:
            return
        self.open = False
        if max(self.extent, self._room) > size:
            with suppress(OSError):
                os.truncate(self._handle, size)
        with suppress(OSError):
            os.close(self._handle)


def _sets_aside(handle: int, at: int) -> bool:
    """Whether the file system can, behind the end of a file. Raises OSError.

    Where it cannot, the C library writes a byte to each block, which may take long, and is seen by
    the first few of them: they hold data.
    """
    os.posix_fallocate(handle, at, _TRIAL)
    try:
        os.lseek(handle, at, os.SEEK_DATA)
    except OSError as error:
        if error.errno == errno.ENXIO:
            return True
        raise
    return False


def sync_folder(folder: Path) -> None:
    """The names in it; only POSIX has that. Raises OSError."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except PermissionError:
        # Windows' folders cannot be opened, nor one that may only be passed.
        return
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in _NO_SYNC:
            raise
    finally:
        os.close(handle)
