"""Which segments there are to be, and what is said of those that somebody took away.

A small file beside them has the numbers of the oldest and of the newest one. Each comes into it
when it holds on disk, so that a kill or a machine that stops never makes one seem missing that was
not there: the newest one after it came to the disk, the oldest one before those in front of it go.
"""

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import islice, pairwise
from pathlib import Path
from typing import Final
from zlib import crc32

from .facts import Kept, LogRows
from .reading import LIST, number_of, path_of
from .refused import OURS, DataError
from .segment_file import FLAGS

_LINE: Final = re.compile(rb"([0-9]{8}) ([0-9a-f]{8})\n")
"""A number and its checksum."""
_NEWEST_AT: Final = 18
_SIZE: Final = 2 * _NEWEST_AT
_NAMED: Final = 5
"""Logs of which something is missing that are named; the rest is counted."""


class Missing(DataError):
    """Segments are missing; `kept` is what is in the others, `last` says that none follows."""

    def __init__(self, text: str, kept: Kept, *, last: bool) -> None:
        super().__init__(text)
        self.kept = kept
        self.last = last


def note(folder: Path, oldest: int, newest: int) -> None:
    """All of them are on disk. Raises OSError."""
    _put(folder, 0, _line(oldest) + _line(newest), os.O_CREAT | os.O_TRUNC)


def note_oldest(folder: Path, number: int) -> None:
    """Those before it go now. Raises OSError."""
    with suppress(FileNotFoundError):
        _put(folder, 0, _line(number))


def note_newest(folder: Path, number: int) -> None:
    """It is on disk. Raises OSError."""
    with suppress(FileNotFoundError):
        _put(folder, _NEWEST_AT, _line(number))


def _line(number: int) -> bytes:
    digits = b"%08d" % number
    return b"%s %08x\n" % (digits, crc32(digits))


def _put(folder: Path, at: int, data: bytes, flags: int = 0) -> None:
    handle = os.open(folder / LIST, os.O_RDWR | FLAGS | flags, OURS)
    try:
        os.lseek(handle, at, os.SEEK_SET)
        os.write(handle, data)
        os.fsync(handle)
    finally:
        os.close(handle)


def noted(folder: Path) -> tuple[int, int] | None:
    """The oldest and the newest; None where the file is not there, or not as it was."""
    try:
        with (folder / LIST).open("rb") as file:
            data = file.read(_SIZE + 1)
    except FileNotFoundError:
        return None
    found = _LINE.findall(data)
    if data != b"".join(_line(int(digits)) for digits, _ in found) or len(found) != 2:
        return None
    return int(found[0][0]), int(found[1][0])


def missing_in(folder: Path, paths: Sequence[Path]) -> list[Path]:
    """The segments that are to be there and are not, oldest first."""
    numbers = [number_of(path) for path in paths]
    gaps = [range(before + 1, number) for before, number in pairwise(numbers)]
    known = noted(folder)
    if known is not None:
        oldest, newest = known
        first, last = (numbers[0], numbers[-1]) if numbers else (newest + 1, newest)
        gaps = [range(oldest, first), *gaps, range(last + 1, newest + 1)]
    return [path_of(folder, number) for gap in gaps for number in gap]


def words(missing: Sequence[Path], *, amid: bool, last: bool) -> str:
    """What is missing and what can be done; `amid`: others stand on both sides of it."""
    noted_in = missing[0].parent / LIST
    several = len(missing) > 1
    names = f"{missing[0]} to {missing[-1].name} are" if several else f"{missing[0]} is"
    if amid:
        place = "and others follow"
        without = f"or take away those that follow, which loses what is in them, and {noted_in}"
    else:
        place = "the newest of the folder" if last else "the oldest of the folder"
        without = f"or go on without: take {noted_in} away"
    return (
        f"{names} missing, {place}; all else is left as it is: take it from a backup, {without}, "
        "or give another --data-dir"
    )


def described(error: Missing, logs: Iterable[LogRows]) -> str:
    """What the brokers know of that, where they know something."""
    known = {log.number: log for log in logs}
    if error.last:
        title = "Without it"
        shown = [f"{log.what} ends at {log.rows[-1][1]:,}" for log in known.values() if log.rows]
    else:
        title = "It had"
        shown = [
            f"up to {log.lacking:,} {log.unit} of {log.what}"
            for log in known.values()
            if log.lacking
        ]
    if others := [rows for number, rows in error.kept.logs.items() if number not in known]:
        shown.append(f"the name of what has {sum(map(len, others)):,} rows in the others")
    return f". {title}: {', '.join(_first(shown))}" if shown else ""


def _first(shown: list[str]) -> Iterator[str]:
    yield from islice(shown, _NAMED)
    if len(shown) > _NAMED:
        yield f"and {len(shown) - _NAMED:,} more"
