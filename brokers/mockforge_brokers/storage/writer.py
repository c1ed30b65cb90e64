"""Puts groups on disk, or in the system's hands, and says when one is there.

`through`: a group is there when it is on disk. A thread beside the loop waits for that, and the
loop is called back. Else it is there as soon as the system has it, which outlives this program; to
hand that to a thread and to be called back takes ten times as long as the write of a small group
itself (3 us, and 0.3 us for each KB), so the loop does it. Large groups, all for a while when the
system makes the loop wait again and again, and what could not be written go to the thread, too.
One row alone, as each message of a client that waits for its confirm, has a way of its own
(`alone`).

All that takes a step of Python for each row is done in the loop, at once for a whole group: a
second thread that runs Python would take the interpreter from the loop for milliseconds. The thread
writes, waits for the disk and reads pieces for the cleaner, for which it needs no interpreter.
"""

import errno
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from queue import SimpleQueue
from typing import Any, Final

from msgspec import Struct

from . import segments as form
from .alone import WAITED, Open, RowWriter
from .cleaner import Cleaner, Moved, Piece
from .disk import Files, Lost, let_go, renew
from .facts import Group, Kept
from .live import Segment, number_in, place_of
from .missing import note_newest
from .parts import Piece as Contents
from .parts import Value
from .reading import path_of
from .refused import NO_ROOM
from .segment_file import SEGMENT, SMALL, SegmentFile
from .store import Store
from .syncer import Syncer

_RETRY: Final = 0.5
"""Seconds until what could not be written is tried again."""
_LAST_TRIES: Final = 2
_LOOK: Final = 0.05
"""Seconds after which who waits for the thread looks again."""
_AHEAD: Final = 1024 * 1024
_AHEAD_HERE: Final = 64 * 1024
"""The same where the loop writes, which is not to wait for much at a time. To write to a page that
is there takes half as long as to grow a file by it."""
_LARGE: Final = 128 * 1024
"""Bytes of a frame from which on the thread writes it, while the loop goes on: it takes longer than
to hand it over, and what comes meanwhile is one group, which costs less than several."""
_LARGE_RUNS: Final = 2 * 1024 * 1024
"""The same of a frame with its runs: who published them has sent all that he may before they are
confirmed, so nothing comes meanwhile, and to hand them over was a tenth of their time."""
_UNSEEN: Final = 64 * 1024
"""Bytes of rows alone behind which the cleaner is asked again; it looks at four times as many."""


class _Job(Struct):
    """A frame, where it goes, and what else is due once it is there.

    `renews`: it is no frame; what the disk did not take of those before is written anew.
    """

    group: int
    segment: Segment
    at: int
    pieces: Sequence[Contents]
    size: int
    emptied: list[int] = []
    piece: Piece | None = None
    renews: bool = False

    @property
    def writes(self) -> bool:
        """It is more than a piece to be read: those behind it are written when it is done."""
        return self.renews or bool(self.pieces)


class Writer(RowWriter):
    """`store.Disk` on a folder's files; `call` runs a function in the loop's thread."""

    def __init__(self, files: Files, call: Callable[..., Any], *, through: bool = True) -> None:
        super().__init__(files.live)
        self.store: Store
        self.through = through
        self._files = files
        self._cleaner = Cleaner(files.live)
        self._call = call
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._ending = threading.Event()
        self._failed: _Job | None = None
        """The program ended and it could not be written."""
        self._going: list[int] = []
        """Segments of which nothing is wanted, where each group is on disk; the thread's."""
        self._threaded = 0
        """Groups that the thread has; while it has one the loop does not write."""
        self._renewals = 0
        """Among them what is to be written anew: until that is done not all is well."""
        self._handed = self._finished = 0
        """Groups that it was given so far, and that it has written."""
        self._noted = 0
        """The newest segment of which the folder says that it is there."""
        self._stuck = False
        """It tries again and again to write one."""
        self._rested = threading.Event()
        if not through:
            self._syncer = Syncer(files.folder, self._brought, self._not_brought)
        self._thread = threading.Thread(target=self._run, name="data writer", daemon=True)
        self._thread.start()

    # In the loop's thread.

    def begin(self) -> None:
        """The files were read: all that stands there is on disk."""
        newest = self._live.segments[max(self._live.segments)]
        self._synced = place_of(newest.number, newest.size)
        self._noted = newest.number
        if self._syncer is not None:
            self._syncer.begin(self._synced)

    def write(self, group: Group) -> None:
        if not self._files.ready:
            # The start was refused, and what brokers begin with is nobody's any more.
            return
        self._settle()
        job = self._job(group)
        runs = sum(sum(map(len, run.pieces)) for run in group.runs)
        large = job.size - runs > _LARGE or job.size > _LARGE_RUNS
        if self.through or large or not self._write_here(job):
            self._threaded += 1
            self._handed += 1
            self._jobs.put(job)

    def _write_here(self, job: _Job) -> bool:
        """False where the thread is to write it."""
        begun = time.monotonic()
        if self._threaded or begun < self._threaded_until:
            return False
        try:
            self._put(job)
        except OSError:
            # It says what is wrong, and tries again until it is there.
            return False
        self._open_behind(job)
        if (now := time.monotonic()) - begun > WAITED:
            self._made_wait(now)
        if job.piece is not None:
            # A read, which may have to wait for the disk.
            self._jobs.put(_Job(0, job.segment, job.at, [], 0, [], job.piece))
        self.store.written(job.group)
        return True

    def _open_behind(self, job: _Job) -> None:
        """Rows alone may follow it."""
        file, syncer, segment = self._file, self._syncer, job.segment
        if file is not None and syncer is not None:
            at = self._alone_at = job.at + job.size
            until = min(file.extent, at + _UNSEEN, SEGMENT)
            self._open = Open(file, syncer, segment.salt, place_of(segment.number, 0), until)

    def _job(self, group: Group) -> _Job:
        live = self._live
        newest = live.segments[max(live.segments)]
        if newest.size > SEGMENT:
            newest = self._files.new_segment()
        self._newest = newest
        self._open = None
        live.remove_all(group.gone)
        for bounds in group.ranges:
            live.remove_range(*bounds)
        for kind, name, _ in group.entities:
            live.remove_entity((kind, name))
        moved = self._cleaner.take()
        rows, entities = group.rows, group.entities
        if moved.rows or moved.entities:
            rows, entities = _together(group, moved)
        at = newest.size
        flags = form.THROUGH if self.through else 0
        synced = place_of(newest.number, at) if self.through else self._synced
        if len(rows) == 1 and not (group.gone or group.ranges or entities or group.runs):
            ((row, value),) = rows.items()
            pieces = form.encode_row(newest.salt, group.number, row, value, flags, synced)
            live.put_row(newest, at, row, len(value))
        else:
            pieces, sizes = form.encode(
                newest.salt,
                group.number,
                rows,
                group.gone,
                group.ranges,
                entities,
                flags,
                synced,
                group.runs,
            )
            live.put(newest, at, list(rows), sizes)
            for run in group.runs:
                live.put_run(newest, at, run.numbers, run.each)
            live.put_entities(newest, at, entities)
        size = sum(map(len, pieces))
        newest.size += size
        return _Job(
            group.number, newest, at, pieces, size, moved.emptied, self._cleaner.piece(size)
        )

    def read(self) -> Kept | None:
        """As `store.Disk` has it. Waits for the thread, and for as long as reading takes."""
        return self._files.look() if self.wait() else None

    def wait(self) -> bool:
        self._settle()
        while self._handed > self._finished:
            if self._stuck:
                return False
            self._rested.wait(_LOOK)
            self._rested.clear()
        return True

    def sizes(self) -> dict[str, int]:
        """Bytes of all segments, and of what is wanted in them."""
        self._settle()
        segments = self._live.segments.values()
        return {"segments": sum(each.size for each in segments), "live": self._live.size}

    def close(self, last: Group | None) -> None:
        self._settle()
        with ExitStack() as steps:
            # The last one first, and each whatever those before it raise.
            steps.callback(self._files.close)
            steps.callback(self._end)
            if self._syncer is not None:
                steps.callback(self._syncer.close)
            steps.callback(self._end_thread)
            if last is not None:
                self.write(last)

    def _end_thread(self) -> None:
        self._jobs.put(None)
        self._ending.set()
        self._thread.join()

    def _end(self) -> None:
        if not self._files.ready:
            return
        failed = self._failed
        if failed is not None:
            if self._file is not None and self._file.number == failed.segment.number:
                self._file.close(failed.at)
            return
        newest = self._live.segments[max(self._live.segments)]
        synced = place_of(newest.number, newest.size)
        pieces, _ = form.encode(newest.salt, 0, {}, flags=form.CLEAN, synced=synced)
        try:
            if self._syncer is not None and self._syncer.failing:
                self._renew(self._syncer)
            file = self._opened(newest, newest.size)
            if not self.through:
                # The frame says so.
                file.sync()
            file.write(newest.size, pieces)
            if not self.through:
                file.sync()
            file.close(newest.size + sum(map(len, pieces)))
        except (OSError, Lost) as error:
            why = self._why(error, newest)
            self.store.warn(f"the end of what was written may not be on disk: {why}")

    def _done(self, job: _Job, data: bytes) -> None:
        if job.piece is not None:
            self._cleaner.bring(job.piece, data)
            # What it moves of that goes with the next group.
            self._open = None
        if job.writes:
            self._threaded -= 1
        if job.renews:
            self._renewals -= 1
        if job.pieces:
            self.store.written(job.group, writable=not self._renewals)
        elif job.renews and not self._renewals:
            self.store.writable()

    def _begin_anew(self, error: OSError) -> None:
        """The disk did not take what was written: nothing more is taken before it has that."""
        if self._ending.is_set():
            return
        self._settle()
        self._open = None
        newest = self._live.segments[max(self._live.segments)]
        self._threaded += 1
        self._handed += 1
        self._renewals += 1
        # Behind those that the thread has.
        self._jobs.put(_Job(0, newest, newest.size, [], 0, renews=True))
        why = self._why(error, newest)
        self.store.failed(f"what was written did not come to the disk, and is written anew: {why}")

    # In its own.

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            # Behind one that is not there nothing can be read.
            if self._failed is None and (not job.writes or self._write(job)):
                self._finished += job.writes
                self._rested.set()
                self._notify(self._done, job, self._after(job))
            else:
                self._failed = self._failed or job

    def _write(self, job: _Job) -> bool:
        """Until it is there; False where the program ends and it cannot be."""
        tries = 0
        while True:
            try:
                if job.renews and self._syncer is not None:
                    self._renew(self._syncer)
                else:
                    self._put(job)
            except Lost as error:
                self._stop(self._why(error, job.segment))
                self._ending.wait()
                return False
            except OSError as error:
                self._stop(self._why(error, job.segment))
                if self._ending.is_set():
                    tries += 1
                    if tries >= _LAST_TRIES:
                        return False
                self._ending.wait(_RETRY)
            else:
                self._stuck = False
                return True

    def _stop(self, reason: str) -> None:
        self._stuck = True
        self._rested.set()
        self._notify(self.store.failed, reason)

    def _renew(self, syncer: Syncer) -> None:
        """Raises OSError, Lost."""
        self._file = None
        for number, (file, size) in sorted(syncer.unsynced().items()):
            # One that is open cannot be replaced everywhere.
            file.close(size)
            renew(path_of(self._files.folder, number), size)
        syncer.renewed()

    # In one of them; never in both at a time.

    def _put(self, job: _Job) -> None:
        """Raises OSError."""
        file = self._opened(job.segment, job.at)
        ahead = _AHEAD if self.through else _AHEAD_HERE
        file.write(job.at, job.pieces, ahead if job.size <= SMALL else 0)
        self._size = job.at + job.size
        if self._syncer is not None:
            self._syncer.written(file, place_of(job.segment.number, self._size))
            for number in job.emptied:
                self._syncer.emptied(path_of(self._files.folder, number))

    def _opened(self, segment: Segment, at: int) -> SegmentFile:
        file = self._file
        if file is None or file.number != segment.number:
            if file is not None:
                if self._syncer is None:
                    file.close(self._size)
                else:
                    self._syncer.full(file, self._size)
                self._file = None
            file = SegmentFile(
                self._files.folder, segment, new=at == form.HEAD, through=self.through
            )
            self._file = file
            if self.through:
                self._note(segment.number)
        return file

    def _after(self, job: _Job) -> bytes:
        if self.through:
            self._going += job.emptied
            self._let_go()
        piece = job.piece
        if piece is None:
            return b""
        try:
            with path_of(self._files.folder, piece.segment.number).open("rb") as file:
                file.seek(piece.at)
                return file.read(piece.size)
        except OSError:
            return b""

    def _let_go(self) -> None:
        """None goes before an older one: it may say which rows of that are gone."""
        # One that somebody has open is tried again behind the next group.
        with suppress(OSError):
            while self._going:
                let_go(path_of(self._files.folder, self._going[0]))
                del self._going[0]

    # In the syncer's.

    def _brought(self, place: int) -> None:
        self._synced = place
        if (number := number_in(place)) != self._noted:
            self._note(number)

    def _note(self, number: int) -> None:
        """This segment is on disk: the next start asks for it."""
        # Where the disk is full the next one has room, or a start.
        with suppress(OSError):
            note_newest(self._files.folder, number)
            self._noted = number

    def _not_brought(self, error: OSError) -> None:
        self._notify(self._begin_anew, error)

    def _notify(self, function: Callable[..., object], *args: object) -> None:
        try:
            self._call(function, *args)
        except RuntimeError:
            """The loop is closed: nobody waits any more."""

    def _why(self, error: OSError | Lost, segment: Segment) -> str:
        place = path_of(self._files.folder, segment.number)
        if isinstance(error, Lost):
            return (
                f"{place}: the disk did not take the end of it, and the system does not have that "
                "any more: it is in memory alone. Export what is needed, end the program, and see "
                "to the disk"
            )
        if error.errno in NO_ROOM:
            return f"{place}: the disk is full: make room, and it goes on"
        if error.errno == errno.EFBIG:
            return f"{place}: {error.strerror}: is the disk full, or a file too large?"
        if error.errno in (errno.EMFILE, errno.ENFILE):
            return f"{place}: {error.strerror}: end some connections or raise the limit (ulimit -n)"
        return f"{place}: {error.strerror or error}: see to the disk, and it goes on"


def _together(group: Group, moved: Moved) -> tuple[dict[int, Value], list[form.Entity]]:
    """What moved first: the group may have something newer in its place."""
    return moved.rows | group.rows, moved.entities + group.entities
