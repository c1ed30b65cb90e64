"""Reads the segments of a folder at the start: all that is checked, and what is wrong is said."""

from pathlib import Path
from typing import Final
from zlib import crc32

from . import segments as form
from .live import Live, Segment
from .refused import DataError
from .segments import Broken, Frame
from .store import POSITION_BITS, Kept

_MASK: Final = (1 << POSITION_BITS) - 1


def path_of(folder: Path, number: int) -> Path:
    return folder / f"kept-{number:08}.seg"


def paths_in(folder: Path) -> list[Path]:
    """The segments, oldest first."""
    return sorted(folder.glob(f"kept-{'[0-9]' * 8}.seg"))


def number_of(path: Path) -> int:
    return int(path.stem[5:])


class Reader:
    """Reads segments in their order; `damaged` has the rows that are out, and their files."""

    def __init__(self, live: Live, notes: list[str]) -> None:
        self.damaged: dict[int, Path] = {}
        self._live = live
        self._notes = notes
        self._clean = True
        self._logs: dict[int, dict[int, bytes]] = {}
        self._entities: dict[tuple[str, bytes], bytes] = {}

    def read(self, path: Path, *, last: bool) -> None:
        data = path.read_bytes()
        head = form.read_head(data)
        if head is None:
            if last and not data.strip(b"\0")[form.HEAD :]:
                # Its head was being written when the program ended.
                path.unlink()
                return
            raise _broken(path, 0, "its head has a wrong checksum")
        segment = Segment(number_of(path), head[1], form.HEAD)
        self._live.add(segment)
        frames = list(form.walk(data, head[1]))
        for index, frame in enumerate(frames):
            at_end = last and index == len(frames) - 1
            if isinstance(frame, Broken):
                if not at_end:
                    raise _broken(path, frame.at, "a group has a wrong checksum")
                self._torn(path, segment, frame.at, frame.end)
                return
            good = self._values(data, frame)
            if at_end and None in good:
                # The head of a group may come to the disk before the rest of it.
                self._torn(path, segment, frame.at, len(data))
                return
            self._apply(path, segment, frame, good)
            segment.size = frame.end
        if len(data) > segment.size:
            with path.open("r+b") as file:
                file.truncate(segment.size)

    def _values(self, data: bytes, frame: Frame) -> list[bytes | None]:
        found: list[bytes | None] = []
        for offset, size, crc in zip(frame.offsets, frame.sizes, frame.crcs, strict=True):
            value = data[offset : offset + size]
            found.append(value if crc32(value) == crc else None)
        return found

    def _torn(self, path: Path, segment: Segment, at: int, end: int) -> None:
        self._clean = False
        segment.size = at
        with path.open("r+b") as file:
            file.truncate(at)
        self._notes.append(
            f"{path}: its end is torn: {end - at} bytes that were being written when the program "
            "ended are cut off; nobody was told that these are kept"
        )

    def _apply(
        self, path: Path, segment: Segment, frame: Frame, values: list[bytes | None]
    ) -> None:
        live, logs = self._live, self._logs
        self._clean = bool(frame.flags & form.CLEAN)
        live.put(segment, frame.at, frame.numbers, frame.sizes)
        for number, value in zip(frame.numbers, values, strict=True):
            rows = logs.setdefault(number >> POSITION_BITS, {})
            if value is None:
                self.damaged[number] = path
                rows.pop(number & _MASK, None)
            else:
                rows[number & _MASK] = value
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
            return
        rows = self._logs.get(log, {})
        for position in [each for each in rows if first & _MASK <= each < end & _MASK]:
            del rows[position]

    def kept(self) -> Kept:
        found = Kept(clean=self._clean)
        for log in sorted(self._logs):
            if rows := self._logs[log]:
                found.logs[log] = sorted(rows.items())
        for kind, name in sorted(self._entities):
            found.entities.setdefault(kind, {})[name] = self._entities[kind, name]
        return found


def _broken(path: Path, at: int, why: str) -> DataError:
    remedy = f"cut it there (`truncate -s {at} {path}`), which loses what follows, " if at else ""
    return DataError(
        f"{path} is damaged at byte {at}: {why}. It is left as it is: take it from a backup, "
        f"{remedy}or give another --data-dir"
    )
