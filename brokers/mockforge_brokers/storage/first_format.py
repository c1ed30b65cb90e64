"""The first format, a file of SQLite: it is read once, and its folder goes on in segments.

Its name stays taken by a small file which says that the folder is of a later format, so that an
older program refuses it instead of beginning anew beside it.
"""

import os
import sqlite3
from pathlib import Path
from typing import Final
from zlib import crc32

from .facts import POSITION_BITS, Kept
from .refused import OURS, DataError, newer
from .segments import VERSION

FILE: Final = "mockforge.db"
_APPLICATION: Final = 0x4D46_4447
"""SQLite's application id of our files: the letters MFDG."""
FIRST: Final = 1


def is_first(folder: Path) -> bool:
    """Whether the folder has data of the first format. Raises OSError, DataError."""
    path = folder / FILE
    if not path.exists() or not path.stat().st_size:
        return False
    # SQLite does not say what the system has against it.
    path.open("rb").close()
    connection = _opened(path)
    try:
        execute = connection.execute
        if execute("pragma application_id").fetchone()[0] != _APPLICATION:
            raise DataError(f"{path} is no data file of this program: give another --data-dir")
        version = execute("pragma user_version").fetchone()[0]
    except (sqlite3.Error, UnicodeError) as error:
        raise _unusable(path, error) from None
    finally:
        connection.close()
    if version > VERSION:
        raise newer(path, version)
    return bool(version == FIRST)


def read(folder: Path) -> tuple[Kept, int]:
    """All of it, checked, and how many rows were damaged and are left out. Raises DataError."""
    path = folder / FILE
    connection = _opened(path)
    try:
        # What stands in its WAL goes to the file itself, or to set that aside would lose it.
        connection.execute("pragma wal_checkpoint(truncate)")
        problems = connection.execute("pragma quick_check(1)").fetchone()[0]
        if problems != "ok":
            raise sqlite3.DatabaseError(problems)
        kept = Kept(clean=bool(connection.execute("select clean from state").fetchone()[0]))
        for kind, name, crc, value in connection.execute(
            "select kind, name, crc, value from entity order by kind, name"
        ):
            if crc32(name + value) != crc:
                raise sqlite3.DatabaseError(f"what it says of a {kind} has a wrong checksum")
            kept.entities.setdefault(kind, {})[name] = value
        return kept, _read_rows(connection, kept)
    except (sqlite3.Error, UnicodeError) as error:
        raise _unusable(path, error) from None
    finally:
        connection.close()


def _read_rows(connection: sqlite3.Connection, kept: Kept) -> int:
    damaged = 0
    mask = (1 << POSITION_BITS) - 1
    for number, crc, value in connection.execute("select id, crc, value from item order by id"):
        if crc32(value, number & 0xFFFF_FFFF) == crc:
            kept.logs.setdefault(number >> POSITION_BITS, []).append((number & mask, value))
        else:
            damaged += 1
    return damaged


def leave(folder: Path) -> str:
    """The folder is of the present format from here on; returns the name of the old file."""
    aside = folder / f"{FILE}.format-{FIRST}"
    os.replace(folder / FILE, aside)
    return aside.name


def mark(folder: Path) -> None:
    """Tell programs that know the first format alone which one it is. Raises OSError, DataError."""
    path, made = folder / FILE, folder / f"{FILE}.new"
    if path.exists() and path.stat().st_size:
        return
    made.unlink(missing_ok=True)
    os.close(os.open(made, os.O_RDWR | os.O_CREAT, OURS))
    connection = _opened(made)
    try:
        # It has nothing to lose: where it is not whole, the next start makes it again.
        connection.execute("pragma synchronous=off")
        connection.execute(f"pragma application_id={_APPLICATION}")
        connection.execute(f"pragma user_version={VERSION}")
        connection.execute("create table see_segments(name text)")
    except sqlite3.Error as error:
        raise DataError(
            f"{made} cannot be written: {error}; make room, or give another --data-dir"
        ) from None
    finally:
        connection.close()
    os.replace(made, path)


def _opened(path: Path) -> sqlite3.Connection:
    try:
        connection = sqlite3.connect(path, isolation_level=None, timeout=1)
    except (sqlite3.Error, OSError) as error:
        raise _unusable(path, error) from None
    return connection


def _unusable(path: Path, error: Exception) -> DataError:
    # SQLite's words may hold bytes of the file.
    why = "a text cannot be read" if isinstance(error, UnicodeError) else error
    return DataError(
        f"{path} is damaged: {why}. It is left as it is: take it from a backup, try "
        f"`sqlite3 {path} .recover`, or give another --data-dir"
    )
