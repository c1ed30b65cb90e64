"""The thread beside the loop that writes groups; the loop is called back when one is on disk."""

import sqlite3
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, Final
from zlib import crc32

from msgspec import json

from .file import DataFile
from .store import Group, Store

_CHUNK: Final = 32 * 1024 * 1024
"""Bytes of rows of one call; SQLite takes up to 1 GB."""
_RETRY: Final = 0.5
"""Seconds until what could not be written is tried again."""
_LAST_TRIES: Final = 2
_INSERT: Final = "insert into groups values(?, ?, ?, ?, ?)"

Call = tuple[bytes, str, str, str, str]


class Writer:
    """`store.Disk` on a data file; `call` runs a function in the loop's thread."""

    def __init__(self, file: DataFile, call: Callable[..., Any]) -> None:
        self.store: Store
        self._file = file
        self._call = call
        self._groups: SimpleQueue[Group | None] = SimpleQueue()
        self._ending = threading.Event()
        self._unwritten = False
        self._thread = threading.Thread(target=self._run, name="data writer", daemon=True)
        self._thread.start()

    def write(self, group: Group) -> None:
        self._groups.put(group)

    def sizes(self) -> dict[str, int]:
        return self._file.sizes()

    def close(self, last: Group | None) -> None:
        if last is not None:
            self._groups.put(last)
        self._groups.put(None)
        self._ending.set()
        self._thread.join()
        self._file.close(clean=not self._unwritten)

    def _run(self) -> None:
        while (group := self._groups.get()) is not None:
            if self._write(group):
                self._notify(self.store.written, group.number)
            else:
                self._unwritten = True

    def _write(self, group: Group) -> bool:
        """Until it is there; False where the program ends and it cannot be."""
        calls = list(_calls(group))
        tries = 0
        while True:
            try:
                self._transact(calls)
            except sqlite3.Error as error:
                self._notify(self.store.failed, _why(error, self._file))
                if self._ending.is_set():
                    tries += 1
                    if tries >= _LAST_TRIES:
                        return False
                self._ending.wait(_RETRY)
            else:
                return True

    def _transact(self, calls: list[Call]) -> None:
        execute = self._file.connection.execute
        if len(calls) == 1:
            execute(_INSERT, calls[0])
            return
        execute("begin immediate")
        try:
            for call in calls:
                execute(_INSERT, call)
            execute("commit")
        except sqlite3.Error:
            if self._file.connection.in_transaction:
                execute("rollback")
            raise

    def _notify(self, function: Callable[..., object], *args: object) -> None:
        try:
            self._call(function, *args)
        except RuntimeError:
            """The loop is closed: nobody waits any more."""


def _calls(group: Group) -> list[Call]:
    """The arguments of the calls that write a group: data, and as JSON what stands where in it."""
    calls: list[Call] = []
    pieces: list[bytes] = []
    rows: list[tuple[int, int, int, int]] = []
    at = 1
    for number, value in group.rows.items():
        size = len(value)
        rows.append((number, at, size, crc32(value, number & 0xFFFF_FFFF)))
        pieces.append(value)
        at += size
        if at > _CHUNK:
            calls.append((b"".join(pieces), _text(rows), "[]", "[]", "[]"))
            pieces, rows, at = [], [], 1
    entities: list[tuple[str, int, int, int, int, int]] = []
    for kind, name, kept in group.entities:
        value = b"" if kept is None else kept
        value_at = 0 if kept is None else at + len(name)
        entities.append((kind, at, len(name), value_at, len(value), crc32(name + value)))
        pieces += (name, value)
        at += len(name) + len(value)
    gone, ranges = _text(group.gone), _text(group.ranges)
    calls.append((b"".join(pieces), _text(rows), gone, ranges, _text(entities)))
    return calls


def _text(value: object) -> str:
    # Not as bytes, in which newer versions of SQLite expect a JSON of their own.
    return json.encode(value).decode()


def _why(error: sqlite3.Error, file: DataFile) -> str:
    name = getattr(error, "sqlite_errorname", "")
    place = file.path
    if name == "SQLITE_FULL":
        return f"{place}: the disk is full: make room, and it goes on"
    if name.startswith("SQLITE_IOERR"):
        return f"{place}: {error} ({name}): is the disk full, or a file too large?"
    return f"{place}: {error}"
