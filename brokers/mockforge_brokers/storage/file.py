"""The file of a data folder: its format, who has it, and what was found in it.

One SQLite file in WAL mode. `item` has the rows of all logs, `entity` what there is (topics,
queues, sessions), both with a checksum of their own, since SQLite checks only the frames of its
WAL. A group is one INSERT into `groups`, a view whose trigger takes it apart: so a transaction is
a single call into SQLite, which holds Python's lock for none of its time. Row by row the writer
would have to get that lock back from a busy loop for each of them.
"""

import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final
from zlib import crc32

from ..errors import InvalidInput
from .store import POSITION_BITS, Kept

VERSION: Final = 1
FILE: Final = "mockforge.db"
_OURS: Final = 0o600
"""New files are for who runs us alone: messages and passwords are in them."""
_OUR_FOLDER: Final = 0o700
_LOCK: Final = "lock"
_APPLICATION: Final = 0x4D46_4447
"""SQLite's application id of our files: the letters MFDG."""

_SCHEMA: Final = """
create table item(id integer primary key, crc integer not null, value blob not null);
create table entity(
  kind text not null, name blob not null, crc integer not null, value blob not null,
  primary key(kind, name)
) without rowid;
create table state(clean integer not null);
insert into state values(1);
create view groups as select null as data, null as rows, null as gone, null as ranges,
  null as entities;
create trigger write_group instead of insert on groups begin
  insert or replace into item
    select value->>0, value->>3, substr(new.data, value->>1, value->>2) from json_each(new.rows);
  delete from item where id in (select value from json_each(new.gone));
  delete from item where id in (
    select item.id from json_each(new.ranges) as r
    join item on item.id >= r.value->>0 and item.id < r.value->>1);
  delete from entity where (kind, name) in (
    select value->>0, substr(new.data, value->>1, value->>2)
    from json_each(new.entities) where value->>3 = 0);
  insert or replace into entity
    select value->>0, substr(new.data, value->>1, value->>2), value->>5,
      substr(new.data, value->>3, value->>4)
    from json_each(new.entities) where value->>3 > 0;
end;
"""
_MIGRATIONS: Final[dict[int, str]] = {}
"""By the version that a file has: what makes it one of the next."""
_PAGE: Final = 16 * 1024
"""Bytes of a page of new files. SQLite makes two system calls for each page of its WAL, and three
records of 1 KB leave a quarter of one of its usual 4 KB unused. Older files keep theirs."""
_WAL: Final = 16 * 1024 * 1024
"""Bytes of WAL until they go to the file itself: two fsyncs for which all confirms wait. A larger
one makes that rarer, and each time longer."""


class DataError(InvalidInput):
    """A data folder cannot be used; the text names it, says why, and what to do."""


def checksum(number: int, value: bytes) -> int:
    """Of a row, which stands nowhere else."""
    return crc32(value, number & 0xFFFF_FFFF)


class DataFile:
    """The open file of a folder, which no other program has. Raises DataError.

    `notes` are what people should hear of what was found.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / FILE
        self.notes: list[str] = []
        try:
            folder.mkdir(mode=_OUR_FOLDER, parents=True, exist_ok=True)
            self._lock = _locked(folder)
        except OSError as error:
            raise DataError(f"--data-dir {folder}: {error.strerror or error}") from None
        try:
            self.connection = self._open()
        except BaseException:
            os.close(self._lock)
            raise

    def _open(self) -> sqlite3.Connection:
        claimed = _frames_claimed(self.path)
        try:
            # SQLite gives its other files the mode of this one.
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT, _OURS))
            connection = sqlite3.connect(
                self.path, isolation_level=None, check_same_thread=False, timeout=1
            )
        except (sqlite3.Error, OSError) as error:
            raise DataError(f"--data-dir {self.folder}: {error}") from None
        try:
            self._prepare(connection, claimed)
        except (sqlite3.Error, UnicodeError) as error:
            # SQLite's words may hold bytes of the file.
            connection.close()
            raise self._unusable(error) from None
        except BaseException:
            connection.close()
            raise
        return connection

    def _prepare(self, connection: sqlite3.Connection, claimed: int) -> None:
        execute = connection.execute
        # Before the WAL is there: from then on the size of pages is settled.
        execute(f"pragma page_size={_PAGE}")
        execute("pragma locking_mode=exclusive")
        execute("pragma journal_mode=wal")
        execute("pragma synchronous=full")
        page = execute("pragma page_size").fetchone()[0]
        execute(f"pragma wal_autocheckpoint={_WAL // page}")
        found = execute("pragma wal_checkpoint(passive)").fetchone()
        lost = claimed - max(0, found[1])
        if claimed and lost > 0:
            self.notes.append(
                f"{self.path}: its end is torn: {lost} pages that were being written when the "
                "program ended are cut off; nobody was told that these are kept"
            )
        if not execute("select count(*) from sqlite_schema").fetchone()[0]:
            execute(f"pragma application_id={_APPLICATION}")
            execute(f"pragma user_version={VERSION}")
            connection.executescript(f"begin; {_SCHEMA} commit;")
        self._check_version(connection)

    def _check_version(self, connection: sqlite3.Connection) -> None:
        execute = connection.execute
        if execute("pragma application_id").fetchone()[0] != _APPLICATION:
            raise DataError(f"{self.path} is no data file of this program: give another --data-dir")
        version = execute("pragma user_version").fetchone()[0]
        if version > VERSION:
            raise DataError(
                f"{self.path} has format {version}, and this program knows those up to {VERSION}: "
                "run the newer program that wrote it, or give another --data-dir"
            )
        while version < VERSION:
            step = _MIGRATIONS.get(version)
            if step is None:
                raise DataError(
                    f"{self.path} has format {version}, which this program does not read any "
                    "more: give another --data-dir"
                )
            version += 1
            connection.executescript(f"begin; {step}; pragma user_version={version}; commit;")

    def _unusable(self, error: Exception) -> DataError:
        why = "a text cannot be read" if isinstance(error, UnicodeError) else error
        return DataError(
            f"{self.path} is damaged: {why}. It is left as it is: take it from a backup, try "
            f"`sqlite3 {self.path} .recover`, or give another --data-dir"
        )

    # What is in it.

    def read(self) -> Kept:
        """All of it, checked. Rows that are damaged are cut out; the file is set aside before."""
        try:
            problems = self.connection.execute("pragma quick_check(1)").fetchone()[0]
            if problems != "ok":
                raise sqlite3.DatabaseError(problems)
            clean = bool(self.connection.execute("select clean from state").fetchone()[0])
            kept = Kept(clean=clean)
            self._read_entities(kept)
            damaged = self._read_rows(kept)
            if damaged:
                self._cut(damaged)
            self.connection.execute("update state set clean=0")
        except (sqlite3.Error, UnicodeError) as error:
            self.close(clean=False)
            raise self._unusable(error) from None
        return kept

    def _read_entities(self, kept: Kept) -> None:
        for kind, name, crc, value in self.connection.execute(
            "select kind, name, crc, value from entity order by kind, name"
        ):
            if crc32(name + value) != crc:
                raise sqlite3.DatabaseError(f"what it says of a {kind} has a wrong checksum")
            kept.entities.setdefault(kind, {})[name] = value

    def _read_rows(self, kept: Kept) -> list[int]:
        """The damaged ones."""
        damaged = []
        mask = (1 << POSITION_BITS) - 1
        present, rows = -1, list[tuple[int, bytes]]()
        for number, crc, value in self.connection.execute(
            "select id, crc, value from item order by id"
        ):
            if crc32(value, number & 0xFFFF_FFFF) != crc:
                damaged.append(number)
                continue
            if number >> POSITION_BITS != present:
                present, rows = number >> POSITION_BITS, []
                kept.logs[present] = rows
            rows.append((number & mask, value))
        return damaged

    def _cut(self, damaged: list[int]) -> None:
        aside = next(
            path
            for number in range(1, 1_000_000)
            if not (path := self.folder / f"{FILE}.damaged-{number}").exists()
        )
        self.connection.execute("pragma wal_checkpoint(truncate)")
        shutil.copyfile(self.path, aside)
        self.connection.executemany("delete from item where id=?", ((each,) for each in damaged))
        self.notes.append(
            f"{self.path} is damaged: {len(damaged)} rows have a wrong checksum and are out, all "
            f"else is there; the file as it was is {aside.name}"
        )

    def forget(self, logs: list[int]) -> None:
        """Rows that belong to nothing."""
        for log in logs:
            bounds = log << POSITION_BITS, log + 1 << POSITION_BITS
            self.connection.execute("delete from item where id >= ? and id < ?", bounds)

    def sizes(self) -> dict[str, int]:
        found = {}
        for name, path in (("file", self.path), ("wal", self.path.with_name(FILE + "-wal"))):
            with suppress(OSError):
                found[name] = path.stat().st_size
        return found

    def close(self, *, clean: bool) -> None:
        if self._lock < 0:
            return
        with suppress(sqlite3.Error):
            if clean:
                self.connection.execute("update state set clean=1")
            self.connection.close()
        os.close(self._lock)
        self._lock = -1


def _locked(folder: Path) -> int:
    """The folder's lock, for as long as this process lives. Raises OSError, DataError."""
    lock = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT, _OURS)
    try:
        import fcntl

        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except ImportError:
        # Where there is no flock SQLite's own exclusive lock keeps others out.
        return lock
    except OSError:
        who = os.read(lock, 20).decode("ascii", "replace").strip()
        os.close(lock)
        raise DataError(
            f"--data-dir {folder} is in use by process {who or '?'}: end that one, or give "
            "another folder"
        ) from None
    os.truncate(lock, 0)
    os.write(lock, f"{os.getpid()}\n".encode())
    return lock


def _frames_claimed(path: Path) -> int:
    """How many frames of its last generation a WAL has, whole or not (SQLite's file format, 4.1).

    SQLite itself reads them up to the last commit whose checksums are right, and says how many
    these were.
    """
    try:
        with path.with_name(path.name + "-wal").open("rb") as file:
            head = file.read(32)
            size = int.from_bytes(head[8:12], "big") + 24
            return sum(1 for _ in _frames(file, head[16:24], size)) if len(head) == 32 else 0
    except OSError:
        return 0


def _frames(file: object, salts: bytes, size: int) -> Iterator[None]:
    read, seek = file.read, file.seek  # type: ignore[attr-defined]
    at = 32
    while True:
        head = read(24)
        # A frame of an older generation has other salts: what stands there is no loss.
        if len(head) < 16 or head[8:16] != salts:
            return
        yield
        at += size
        seek(at)
