"""The thread beside the loop that puts groups on disk; the loop is called back when one is there.

All that takes a step of Python for each row is done in the loop, at once for a whole group: a
second thread that runs Python would take the interpreter from the loop for milliseconds. The thread
writes, waits for the disk and reads pieces for the cleaner, for which it needs no interpreter.
"""

import errno
import threading
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from typing import Any, Final

from msgspec import Struct

from . import segments as form
from .cleaner import Cleaner, Moved, Piece
from .disk import SEGMENT, Files, SegmentFile, sync_folder
from .live import Segment
from .reading import path_of
from .store import Group, Store

_RETRY: Final = 0.5
"""Seconds until what could not be written is tried again."""
_LAST_TRIES: Final = 2
_SMALL: Final = 32 * 1024
"""Bytes of a frame up to which room is made ahead, where the file has to grow."""
_AHEAD: Final = 1024 * 1024


class _Job(Struct):
    """A frame, where it goes, and what else is due once it is there."""

    group: int
    segment: Segment
    at: int
    pieces: list[bytes]
    size: int
    emptied: list[int] = []
    piece: Piece | None = None


class Writer:
    """`store.Disk` on a folder's files; `call` runs a function in the loop's thread."""

    def __init__(self, files: Files, call: Callable[..., Any]) -> None:
        self.store: Store
        self._files = files
        self._live = files.live
        self._cleaner = Cleaner(files.live)
        self._call = call
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._ending = threading.Event()
        self._file: SegmentFile | None = None
        self._size = 0
        """Of that file, without the room made ahead."""
        self._failed: _Job | None = None
        """The program ended and it could not be written."""
        self._thread = threading.Thread(target=self._run, name="data writer", daemon=True)
        self._thread.start()

    # In the loop's thread.

    def write(self, group: Group) -> None:
        self._jobs.put(self._job(group))

    def _job(self, group: Group) -> _Job:
        live = self._live
        newest = live.segments[max(live.segments)]
        if newest.size > SEGMENT:
            newest = self._files.new_segment()
        for number in group.gone:
            live.remove(number)
        for bounds in group.ranges:
            live.remove_range(*bounds)
        for kind, name, _ in group.entities:
            live.remove_entity((kind, name))
        moved = self._cleaner.take()
        rows, entities = group.rows, group.entities
        if moved.rows or moved.entities:
            rows, entities = _together(group, moved)
        at = newest.size
        pieces, sizes = form.encode(
            newest.salt, group.number, rows, group.gone, group.ranges, entities
        )
        live.put(newest, at, list(rows), sizes)
        live.put_entities(newest, at, entities)
        size = sum(map(len, pieces))
        newest.size += size
        return _Job(
            group.number, newest, at, pieces, size, moved.emptied, self._cleaner.piece(size)
        )

    def sizes(self) -> dict[str, int]:
        """Bytes of all segments, and of what is wanted in them."""
        segments = self._live.segments.values()
        return {"segments": sum(each.size for each in segments), "live": self._live.size}

    def close(self, last: Group | None) -> None:
        if last is not None:
            self.write(last)
        self._jobs.put(None)
        self._ending.set()
        self._thread.join()
        self._end()
        self._files.close()

    def _end(self) -> None:
        if not self._files.ready:
            return
        failed = self._failed
        if failed is not None:
            if self._file is not None and self._file.number == failed.segment.number:
                self._file.close(failed.at)
            return
        newest = self._live.segments[max(self._live.segments)]
        pieces, _ = form.encode(newest.salt, 0, {}, flags=form.CLEAN)
        with suppress(OSError):
            file = self._opened(newest, newest.size)
            file.write(newest.size, pieces)
            file.close(newest.size + sum(map(len, pieces)))

    def _done(self, group: int, piece: bytes) -> None:
        if piece:
            self._cleaner.bring(piece)
        self.store.written(group)

    # In its own.

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            # Behind one that is not there nothing can be read.
            if self._failed is None and self._write(job):
                self._notify(self._done, job.group, self._after(job))
            else:
                self._failed = self._failed or job

    def _write(self, job: _Job) -> bool:
        """Until it is there; False where the program ends and it cannot be."""
        tries = 0
        while True:
            try:
                ahead = 0 if job.size > _SMALL else _AHEAD
                self._opened(job.segment, job.at).write(job.at, job.pieces, ahead)
            except OSError as error:
                self._notify(self.store.failed, self._why(error, job))
                if self._ending.is_set():
                    tries += 1
                    if tries >= _LAST_TRIES:
                        return False
                self._ending.wait(_RETRY)
            else:
                self._size = job.at + job.size
                return True

    def _opened(self, segment: Segment, at: int) -> SegmentFile:
        file = self._file
        if file is None or file.number != segment.number:
            if file is not None:
                file.close(self._size)
                self._file = None
            file = SegmentFile(self._files.folder, segment, new=at == form.HEAD)
            self._file = file
        return file

    def _after(self, job: _Job) -> bytes:
        for number in job.emptied:
            with suppress(OSError):
                path_of(self._files.folder, number).unlink()
                # None goes before an older one: it may say which rows of that are gone.
                sync_folder(self._files.folder)
        piece = job.piece
        if piece is None:
            return b""
        try:
            with path_of(self._files.folder, piece.segment.number).open("rb") as file:
                file.seek(piece.at)
                return file.read(piece.size)
        except OSError:
            return b""

    def _notify(self, function: Callable[..., object], *args: object) -> None:
        try:
            self._call(function, *args)
        except RuntimeError:
            """The loop is closed: nobody waits any more."""

    def _why(self, error: OSError, job: _Job) -> str:
        place = path_of(self._files.folder, job.segment.number)
        if error.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)):
            return f"{place}: the disk is full: make room, and it goes on"
        if error.errno == errno.EFBIG:
            return f"{place}: {error.strerror}: is the disk full, or a file too large?"
        return f"{place}: {error.strerror or error}"


def _together(group: Group, moved: Moved) -> tuple[dict[int, bytes], list[form.Entity]]:
    """What moved first: the group may have something newer in its place."""
    return moved.rows | group.rows, moved.entities + group.entities
