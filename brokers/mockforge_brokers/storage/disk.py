"""The files of a data folder: who has it, what was found in its segments, and where they go on."""

import os
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from random import SystemRandom
from typing import Final

from . import first_format
from . import segments as form
from .facts import POSITION_BITS, Kept
from .live import Live, Segment, place_of
from .lock import LOCK, locked
from .missing import Missing, missing_in, note, note_oldest, noted, words
from .reading import LIST, Reader, free_name, number_of, path_of, paths_in
from .refused import OURS, DataError, misnamed, must_be_file, newer, unusable
from .segment_file import FLAGS, SEGMENT, SegmentFile, sync_folder, to_disk
from .segments import Entity

_OUR_FOLDER: Final = 0o700
_TRIES: Final = 10
"""Of reading a folder out of which segments go meanwhile."""
RENEWED: Final = ".new"
"""What the name of a file ends in that is to take the place of a segment."""


class Files:
    """The folder, which no other program has while it is open. Raises DataError.

    `notes` are what people should hear of what was found; `live` says what is where.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.notes: list[str] = []
        self.live = Live()
        self.ready = False
        """They were read, and may be written to."""
        self.unsure = False
        """Some may be missing."""
        self._dice = SystemRandom()
        try:
            _make(folder)
            for path in (folder / LOCK, folder / LIST, folder / first_format.FILE):
                must_be_file(path)
            self._lock = locked(folder)
        except OSError as error:
            raise unusable(folder, error) from None
        try:
            self._of_first_format = self._check()
        except OSError as error:
            os.close(self._lock)
            raise unusable(folder, error) from None
        except BaseException:
            os.close(self._lock)
            raise

    def _check(self) -> bool:
        """Whether it is of the first format."""
        first = first_format.is_first(self.folder)
        others: dict[Path, Path] = {}
        for path in paths_in(self.folder):
            must_be_file(path)
            with path.open("rb") as file:
                head = form.read_head(file.read(form.HEAD))
            if head is not None and head.version > form.VERSION:
                raise newer(path, head.version)
            if head is not None and head.number != number_of(path):
                others[path] = path_of(self.folder, head.number)
            if first:
                # Of an attempt to leave the first format that was not ended; or somebody put the
                # old file back.
                aside = _set_aside(path, "left-out").name
                self.notes.append(
                    f"{path} is left out, since data of format {first_format.FIRST} are beside "
                    f"it, which it may have been made from; it is {aside} now"
                )
        if others and not first:
            raise misnamed(others)
        for path in self.folder.glob(f"kept-*.seg{RENEWED}"):
            # The segment itself is there, or nothing is wanted of it.
            path.unlink()
        return first

    def new_segment(self) -> Segment:
        segments = self.live.segments
        last = max(segments, default=0)
        before = segments[last].size if last else 0
        segment = Segment(last + 1, self._dice.getrandbits(32), form.HEAD, before=before)
        self.live.add(segment)
        return segment

    # What is in it.

    def read(self) -> Kept:
        """All of it, checked. Rows that are damaged are cut out; their files are set aside."""
        try:
            kept = self._read()
        except OSError as error:
            self.close()
            raise unusable(self.folder, error) from None
        except BaseException:
            self.close()
            raise
        self.ready = True
        return kept

    def _read(self) -> Kept:
        if self._of_first_format:
            return self._leave_first_format()
        paths, known = paths_in(self.folder), noted(self.folder)
        reader = Reader(self.live, self.notes, there=known[1] if known else 0)
        if missing := missing_in(self.folder, paths):
            raise self._without(missing, paths)
        begun = (self.folder / first_format.FILE).exists()
        if paths and begun and known is None:
            self.unsure = True
            self.notes.append(
                f"{self.folder / LIST} is not there, or damaged: whether a segment is missing "
                f"before {paths[0].name} or behind {paths[-1].name} is not known; it is made anew"
            )
        for index, path in enumerate(paths):
            if not reader.read(path, paths[index + 1 :]):
                # Whenever this ends half done the next start does the rest: no segment is missing
                # before another one, and what is torn says that those behind it are out.
                if paths[index + 1 :]:
                    note(self.folder, number_of(paths[0]), number_of(path))
                for later in reversed(paths[index + 1 :]):
                    aside = _set_aside(later, "torn").name
                    self.notes.append(
                        f"{later} follows what is cut off and is left out; it is {aside} now"
                    )
                reader.copy_torn()
                # Its copy is on disk before anything of it goes.
                sync_folder(self.folder)
                reader.cut()
                break
        kept = reader.kept()
        if reader.damaged:
            self._write_anew(kept)
            self._set_old_aside(Counter(reader.damaged.values()))
        self._begin(kept.clean, reader.unsynced())
        return kept

    def _without(self, missing: Sequence[Path], paths: Sequence[Path]) -> Missing:
        """Why these are not read, and what is in them."""
        reader = Reader(Live(), [], mends=False)
        for path in paths:
            # What else is wrong is said when those are there again.
            with suppress(DataError):
                reader.read(path, ())
        last = not paths or missing[-1] > paths[-1]
        amid = bool(paths) and paths[0] < missing[-1] < paths[-1]
        return Missing(words(missing, amid=amid, last=last), reader.kept(), last=last)

    def look(self) -> Kept | None:
        """All that is in it, while it is in use and nobody writes; None where that fails.

        Nothing is mended: what was written since the start is whole.
        """
        for _ in range(_TRIES):
            reader = Reader(Live(), [], mends=False)
            try:
                for path in paths_in(self.folder):
                    reader.read(path, ())
            except FileNotFoundError:
                # Nothing is wanted of a segment that goes meanwhile; but it may have been the one
                # that says which rows of an older one are gone.
                continue
            except (OSError, DataError):
                return None
            return reader.kept()
        return None

    def _begin(self, clean: bool, unsynced: Iterable[tuple[Segment, int, bytes]]) -> None:
        first_format.mark(self.folder)
        segments = self.live.segments
        if not segments or segments[max(segments)].version != form.VERSION:
            # One of an older format stays as it is, until nothing of it is wanted any more.
            segment = self.new_segment()
            SegmentFile(self.folder, segment, new=True).close(segment.size)
        for segment, at, data in unsynced:
            # To ask for a sync alone would mean nothing.
            file = SegmentFile(self.folder, segment, new=False, through=False)
            try:
                file.write(at, [data])
            finally:
                file.close(segment.size)
        for number, segment in segments.items():
            # A run before this one may have been killed before all of it was on disk.
            path = path_of(self.folder, number)
            try:
                _sync_file(path)
            except OSError as error:
                try:
                    renew(path, segment.size)
                except Lost:
                    raise error from None
        _change_folder(path_of(self.folder, max(segments)))
        sync_folder(self.folder)
        note(self.folder, min(segments), max(segments))
        if clean:
            # From here on it is not: that nothing was written does not mean that nothing happened.
            segment = segments[max(segments)]
            synced = place_of(segment.number, segment.size)
            pieces, _ = form.encode(segment.salt, 0, {}, synced=synced)
            file = SegmentFile(self.folder, segment, new=False)
            file.write(segment.size, pieces)
            segment.size += sum(map(len, pieces))
            file.close(segment.size)

    def _leave_first_format(self) -> Kept:
        kept, damaged = first_format.read(self.folder)
        self._write_anew(kept)
        name = first_format.leave(self.folder)
        # Before anything is confirmed: were the old file there again, these segments would go.
        sync_folder(self.folder)
        self.notes.append(
            f"{self.folder} was of format 1 and is of format {form.VERSION} now; the file as it "
            f"was is {name}"
        )
        if damaged:
            self.notes.append(
                f"{self.folder / name} is damaged: {damaged} rows have a wrong checksum and are "
                "out, all else is there"
            )
        self._begin(clean=False, unsynced=())
        return kept

    def _write_anew(self, kept: Kept) -> None:
        """All of it in new segments, and nothing is wanted of the old ones."""
        old = {number: each.size for number, each in self.live.segments.items()}
        self.live.clear()
        self.live.segments |= {number: Segment(number, 0, size) for number, size in old.items()}
        segment = self.new_segment()
        file = SegmentFile(self.folder, segment, new=True)
        for rows, entities in _parts(kept):
            if segment.size > SEGMENT:
                file.close(segment.size)
                segment = self.new_segment()
                file = SegmentFile(self.folder, segment, new=True)
            synced = place_of(segment.number, segment.size)
            pieces, sizes = form.encode(segment.salt, 0, rows, entities=entities, synced=synced)
            file.write(segment.size, pieces)
            self.live.put(segment, segment.size, array("Q", rows), sizes)
            self.live.put_entities(segment, segment.size, entities)
            segment.size += sum(map(len, pieces))
        file.close(segment.size)
        for number in old:
            del self.live.segments[number]

    def _set_old_aside(self, damaged: Counter[Path]) -> None:
        """All that is there stands in new segments."""
        sync_folder(self.folder)
        note(self.folder, min(self.live.segments), max(self.live.segments))
        for path in paths_in(self.folder):
            if number_of(path) in self.live.segments:
                continue
            if path not in damaged:
                path.unlink()
                sync_folder(self.folder)
                continue
            aside = _set_aside(path, "damaged")
            self.notes.append(
                f"{path} is damaged: {damaged[path]} rows have a wrong checksum and are out, all "
                f"else is there; the file as it was is {aside.name}"
            )

    def close(self) -> None:
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1


def _set_aside(path: Path, why: str) -> Path:
    """It has another name from here on, which is returned."""
    aside = free_name(path, why)
    os.replace(path, aside)
    return aside


def _parts(kept: Kept) -> Iterator[tuple[dict[int, bytes], list[Entity]]]:
    """What goes into one frame each: some MB of rows, and all entities at last."""
    rows: dict[int, bytes] = {}
    size = 0
    for log, found in kept.logs.items():
        for position, value in found:
            rows[log << POSITION_BITS | position] = value
            size += len(value)
            if size > SEGMENT // 4:
                yield rows, []
                rows, size = {}, 0
    yield (
        rows,
        [
            (kind, name, value)
            for kind, names in kept.entities.items()
            for name, value in names.items()
        ],
    )


def _sync_file(path: Path) -> None:
    handle = os.open(path, os.O_RDWR)
    try:
        to_disk(handle)
    finally:
        os.close(handle)


def renew(path: Path, size: int) -> None:
    """Let a segment whose sync failed be another file of the same content. Raises OSError, Lost.

    A system says once that it could not bring something to the disk, and may forget it then: the
    next sync of the same file succeeds, and nothing is there. So it is written again: what the
    system still shows of it, where the checksums are right. (PostgreSQL ends itself, and reads its
    log; Kafka gives up the folder.)
    """
    with path.open("rb") as file:
        data = file.read(size)
    if len(data) < size or not form.is_whole(data):
        raise Lost
    made = path.with_name(path.name + RENEWED)
    # Not one that the disk did not take before, either.
    made.unlink(missing_ok=True)
    handle = os.open(made, os.O_RDWR | os.O_CREAT | FLAGS, OURS)
    try:
        left = memoryview(data)
        while left:
            left = left[os.write(handle, left) :]
        to_disk(handle)
    finally:
        os.close(handle)
    os.replace(made, path)
    sync_folder(path.parent)


def let_go(path: Path) -> None:
    """Take away a segment of which nothing is wanted, on disk, too. Raises OSError.

    It may have gone before, and the sync behind that failed: another one alone would mean nothing.
    So the folder is changed anew; what is left of that by a kill the next start takes away.
    """
    note_oldest(path.parent, number_of(path) + 1)
    try:
        path.unlink()
    except FileNotFoundError:
        _change_folder(path)
    sync_folder(path.parent)


def _change_folder(path: Path) -> None:
    """That of this segment, which stays as it is: so that a sync of it means something."""
    made = path.with_name(path.name + RENEWED)
    made.touch(OURS)
    made.unlink()


class Lost(Exception):
    """What the disk did not take is not in the system's memory any more, either."""


def _make(folder: Path) -> None:
    """The folder, and those around it that are not there. Raises OSError."""
    missing = [each for each in (folder, *folder.parents) if not each.exists()]
    folder.mkdir(mode=_OUR_FOLDER, parents=True, exist_ok=True)
    for each in missing:
        # Or it is gone with all that is in it, where the machine stops soon.
        sync_folder(each.parent)
