"""Reads the segments of a folder at the start: all that is checked, and what is wrong is said."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from shutil import copyfile
from typing import Final

from . import segments as form
from .facts import POSITION_BITS, Kept
from .live import Live, Segment, number_in, offset_in, place_of
from .refused import OURS, DataError
from .segments import Broken, Frame

_MASK: Final = (1 << POSITION_BITS) - 1


LIST: Final = "segments"
"""The file that says which there are to be (see `missing`)."""


def path_of(folder: Path, number: int) -> Path:
    return folder / f"kept-{number:08}.seg"


def paths_in(folder: Path) -> list[Path]:
    """The segments, oldest first."""
    return sorted(folder.glob(f"kept-{'[0-9]' * 8}.seg"))


def number_of(path: Path) -> int:
    return int(path.stem[5:])


def free_name(path: Path, why: str) -> Path:
    """One beside a segment, for what is not to be read any more."""
    return next(
        free
        for number in range(1, 1_000_000)
        if not (free := path.with_name(f"{path.name}.{why}-{number}")).exists()
    )


class Reader:
    """Reads segments in their order; `damaged` has the rows that are out, and their files.

    `mends`: the room that was made ahead is given back, and a segment that has only that. What is
    torn is `cut` by who has set aside what follows it, and a copy of it. Segments up to the number
    `there` had their heads on disk.
    """

    def __init__(self, live: Live, notes: list[str], *, mends: bool = True, there: int = 0) -> None:
        self._mends = mends
        self._there = there
        self.damaged: dict[int, Path] = {}
        self._live = live
        self._notes = notes
        self._torn: tuple[Path, int] | None = None
        self._aside: Path | None = None
        """Where that file is kept as it was."""
        self._clean = True
        self._through = False
        """The last frame was on disk before anybody was told of it."""
        self._synced = 0
        """Up to this place all was on disk when the last frame was written."""
        self._newest: dict[int, bytes] = {}
        """Segments that go further than that, as they were read."""
        self._logs: dict[int, dict[int, bytes]] = {}
        self._lows: dict[int, int] = {}
        """No row of a log is below this position."""
        self._entities: dict[tuple[str, bytes], bytes] = {}

    def read(self, path: Path, following: Sequence[Path]) -> bool:
        """False where what follows is left out: it was not on disk when the machine stopped."""
        data = path.read_bytes()
        head = form.read_head(data)
        if head is None:
            number = number_of(path)
            begun = number > self._there and form.is_begun(data, number)
            if self._mends and not following and begun:
                path.unlink()
                self._notes.append(
                    f"{path}: its {len(data)} bytes are no more than a part of its head, as where "
                    "the program or the machine ended while it was begun; it is taken away"
                )
                return True
            raise _broken(path, 0, "its head has a wrong checksum", following)
        version, salt = head.version, head.salt
        segment = Segment(number_of(path), salt, form.HEAD, version=version)
        self._live.add(segment)
        if self._mends:
            on_disk = number_in(self._synced)
            self._newest = {at: old for at, old in self._newest.items() if at >= on_disk}
            self._newest[segment.number] = data
        frames = list(form.walk(data, salt, version=version))
        for index, frame in enumerate(frames):
            place = place_of(segment.number, frame.at)
            # Not a slice for each frame: a segment may have hundreds of thousands.
            later = islice(frames, index + 1, None)
            if isinstance(frame, Broken):
                if self._was_synced(place, later, following):
                    raise _broken(path, frame.at, "a group has a wrong checksum", following)
                self._keep_aside(path, amid=not frame.last)
                self._tear(path, segment, frame.at, _cut(len(data) - frame.at))
                return False
            good = _values(data, frame, form.crc_of(version))
            # The head of a group may come to the disk before the rest of it.
            if None in good.values() and not self._was_synced(place, later, following):
                self._keep_aside(path, amid=index + 1 < len(frames))
                self._tear(path, segment, frame.at, _cut(len(data) - frame.at))
                return False
            self._apply(path, segment, frame, good)
            self._synced = place if frame.synced is None else frame.synced
            self._through = frame.synced is None or bool(frame.flags & form.THROUGH)
            segment.size = frame.end
        if len(data) > segment.size and self._mends:
            with path.open("r+b") as file:
                file.truncate(segment.size)
        return not following or self._is_followed(path, segment, following)

    def _is_followed(self, path: Path, segment: Segment, following: Sequence[Path]) -> bool:
        """False where what stood between it and the next one was not on disk, and is not there."""
        with following[0].open("rb") as file:
            head = form.read_head(file.read(form.HEAD))
        if head is not None and (head.before is None or head.before <= segment.size):
            return True
        last = len(following) == 1
        if head is None and (self._through or (last and _is_begun(following[0]))):
            # Who reads that one says what is wrong with it.
            return True
        synced = self._was_synced(place_of(segment.number, segment.size), (), following)
        if head is None or head.before is None:
            if synced:
                return True
            lost = f"the head of {following[0].name}"
        else:
            lost = f"{head.before - segment.size} bytes"
            if synced:
                why = f"{lost} are missing that were there when {following[0].name} began"
                raise _broken(path, segment.size, why, following)
        lost = f"{lost}, which was being written when the machine stopped, did not come to the disk"
        self._tear(path, segment, segment.size, lost)
        return False

    def _was_synced(
        self, place: int, later: Iterable[Frame | Broken], following: Sequence[Path]
    ) -> bool:
        """Whether a frame behind it says that what stood at this place was on disk."""
        if _says(later, place):
            return True
        for path in following:
            data = path.read_bytes()
            head = form.read_head(data)
            if head is not None and _says(form.walk(data, head.salt, version=head.version), place):
                return True
        return False

    def copy_torn(self) -> None:
        """Keep the file with what is torn as it was, if it is to be. Raises OSError."""
        if self._torn is not None and self._aside is not None:
            copyfile(self._torn[0], self._aside)
            self._aside.chmod(OURS)
            with self._aside.open("r+b") as file:
                os.fsync(file.fileno())

    def cut(self) -> None:
        """What is torn is there no more. Raises OSError."""
        if self._torn is not None:
            path, at = self._torn
            with path.open("r+b") as file:
                file.truncate(at)

    def _keep_aside(self, path: Path, *, amid: bool) -> None:
        """`amid`: whole groups follow what is torn, so that it may be damage."""
        self._aside = free_name(path, "torn") if amid else None

    def _tear(self, path: Path, segment: Segment, at: int, lost: str) -> None:
        self._clean = False
        segment.size = at
        self._torn = path, at
        why = (
            "nobody was told that these are kept"
            if self._through
            else "`--data-sync os` can lose what was confirmed in the last second before the "
            "machine stops, `commit` cannot"
        )
        aside = "" if self._aside is None else f", and the file as it was is {self._aside.name}"
        self._notes.append(f"{path}: its end is torn: {lost}{aside}; {why}")

    def _apply(
        self, path: Path, segment: Segment, frame: Frame, values: dict[int, bytes | None]
    ) -> None:
        live, logs = self._live, self._logs
        self._clean = bool(frame.flags & form.CLEAN)
        live.put(segment, frame.at, frame.numbers, frame.sizes)
        for piece in frame.pieces:
            live.put_run(segment, frame.at, piece.numbers, piece.each)
        for number, value in values.items():
            log, position = number >> POSITION_BITS, number & _MASK
            rows = logs.setdefault(log, {})
            if position < self._lows.get(log, 0):
                self._lows[log] = position
            if value is None:
                self.damaged[number] = path
                rows.pop(position, None)
            else:
                rows[position] = value
                self.damaged.pop(number, None)
        for number in frame.gone:
            live.remove(number)
            self.damaged.pop(number, None)
            logs.get(number >> POSITION_BITS, {}).pop(number & _MASK, None)
        for first, end in frame.ranges:
            live.remove_range(first, end)
            self._remove_range(first, end)
        live.put_entities(segment, frame.at, frame.entities)
        for kind, name, value in frame.entities:
            if value is None:
                self._entities.pop((kind, name), None)
            else:
                self._entities[kind, name] = value

    def _remove_range(self, first: int, end: int) -> None:
        for number in [each for each in self.damaged if first <= each < end]:
            del self.damaged[number]
        log = first >> POSITION_BITS
        if end >> POSITION_BITS != log:
            self._logs.pop(log, None)
            self._lows.pop(log, None)
            return
        rows, known = self._logs.get(log), self._lows.get(log, 0)
        low, stop = max(first & _MASK, known), end & _MASK
        if not rows or stop <= low:
            return
        # Logs lose their beginnings, thousands of times: none of that may cost what is left.
        near = stop - low <= len(rows)
        for position in range(low, stop) if near else [each for each in rows if low <= each < stop]:
            rows.pop(position, None)
        if first & _MASK <= known:
            self._lows[log] = stop

    def unsynced(self) -> Iterator[tuple[Segment, int, bytes]]:
        """What the disk may not have of segments that are still there, and where it stands.

        The system shows it, and may have said to who was killed that the disk did not take it; it
        says so once.
        """
        on_disk = number_in(self._synced)
        for number, data in self._newest.items():
            segment = self._live.segments.get(number)
            if segment is not None and number >= on_disk:
                at = offset_in(self._synced) if number == on_disk else 0
                yield segment, at, data[at : segment.size]

    def kept(self) -> Kept:
        found = Kept(clean=self._clean)
        for log in sorted(self._logs):
            if rows := self._logs[log]:
                found.logs[log] = sorted(rows.items())
        for kind, name in sorted(self._entities):
            found.entities.setdefault(kind, {})[name] = self._entities[kind, name]
        return found


def _values(data: bytes, frame: Frame, crc_of: Callable[[bytes], int]) -> dict[int, bytes | None]:
    """Those of all its rows; None where one is not what was written."""
    found: dict[int, bytes | None] = {}
    rows = zip(frame.numbers, frame.offsets, frame.sizes, frame.crcs, strict=True)
    for number, offset, size, crc in rows:
        value = data[offset : offset + size]
        found[number] = value if crc_of(value) == crc else None
    for piece in frame.pieces:
        if crc_of(data[piece.at : piece.end]) == piece.crc:
            found.update(zip(piece.numbers, piece.values(data), strict=True))
        else:
            found.update(dict.fromkeys(piece.numbers))
    return found


def _says(frames: Iterable[Frame | Broken], place: int) -> bool:
    """One of them was written when what stands there was on disk."""
    return any(
        frame.synced is None or frame.synced > place for frame in frames if isinstance(frame, Frame)
    )


def _cut(count: int) -> str:
    return f"{count} bytes that were being written when the program ended are cut off"


def _is_begun(path: Path) -> bool:
    return form.is_begun(path.read_bytes(), number_of(path))


def _broken(path: Path, at: int, why: str, following: Sequence[Path]) -> DataError:
    listed = path.with_name(LIST)
    if at:
        others = f", take away the segments behind it and {listed}" if following else ""
        remedy = f"cut it there (`truncate -s {at} {path}`){others}, which loses what follows, "
    else:
        others = ", the segments behind it" if following else ""
        remedy = f"take it{others} and {listed} away, which loses what is in there, "
    return DataError(
        f"{path} is damaged at byte {at}: {why}. It is left as it is: take it from a backup, "
        f"{remedy}or give another --data-dir"
    )
