"""The file of a data folder: what was written is read, and what is wrong with it is said."""

import os
import random
import shutil
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from mockforge_brokers.storage.file import FILE, VERSION, DataError, DataFile
from mockforge_brokers.storage.store import Group, row_number
from mockforge_brokers.storage.writer import Writer

ROWS = 400
TRIES = 200


class Told:
    """The store's part for a writer: what it is called back with."""

    def __init__(self):
        self.groups = []
        self.reasons = []
        self.heard = threading.Condition()

    def written(self, number):
        with self.heard:
            self.groups.append(number)
            self.heard.notify_all()

    def failed(self, reason):
        with self.heard:
            self.reasons.append(reason)
            self.heard.notify_all()

    def wait(self, fact):
        with self.heard:
            assert self.heard.wait_for(fact, 20)


def writer(folder):
    file = DataFile(folder)
    file.read()
    made = Writer(file, lambda function, *args: function(*args))
    made.store = Told()
    return made


def group(number, rows=(), gone=(), ranges=(), entities=()):
    return Group(number, dict(rows), list(gone), list(ranges), list(entities))


def value_of(position):
    return b"%08d" % position * 60


def filled(folder):
    """Some groups of two logs, and entities."""
    made = writer(folder)
    made.write(group(1, entities=[("queue", b"q\xff\0", b"one"), ("queue", b"gone", b"x")]))
    for number in range(2, 10):
        positions = range((number - 2) * ROWS // 8, (number - 1) * ROWS // 8)
        rows = [(row_number(1 + at % 2, at), value_of(at)) for at in positions]
        made.write(group(number, rows))
    made.close(group(10, entities=[("queue", b"gone", None), ("empty", b"", b"")]))


def read(folder):
    file = DataFile(folder)
    kept = file.read()
    file.close(clean=True)
    return kept, file.notes


def test_what_was_written_is_read(tmp_path):
    filled(tmp_path)
    kept, notes = read(tmp_path)
    assert kept.entities == {"queue": {b"q\xff\0": b"one"}, "empty": {b"": b""}}
    for log in (1, 2):
        assert kept.log(log) == [(at, value_of(at)) for at in range(ROWS) if 1 + at % 2 == log]
    assert (kept.clean, notes) == (True, [])


def test_rows_are_replaced_removed_one_by_one_and_in_ranges(tmp_path):
    made = writer(tmp_path)
    made.write(group(1, [(row_number(log, at), b"v") for log in (1, 2, 3) for at in range(10)]))
    made.write(
        group(
            2,
            [(row_number(1, 3), b"new")],
            [row_number(1, 0), row_number(1, 5)],
            [(row_number(2, 0), row_number(2, 8)), (row_number(3, 0), row_number(4, 0))],
        )
    )
    made.close(None)
    kept, _ = read(tmp_path)
    assert kept.log(1) == [(at, b"new" if at == 3 else b"v") for at in (1, 2, 3, 4, 6, 7, 8, 9)]
    assert kept.log(2) == [(8, b"v"), (9, b"v")]
    assert kept.logs == {}


def test_a_large_group_is_one_transaction(tmp_path, monkeypatch):
    monkeypatch.setattr("mockforge_brokers.storage.writer._CHUNK", 1000)
    filled(tmp_path)
    kept, _ = read(tmp_path)
    assert sum(len(rows) for rows in kept.logs.values()) == ROWS


def test_a_file_of_smaller_pages_goes_on_with_these(tmp_path):
    """Those from before pages of 16 KB have SQLite's 4 KB; 16 MB of WAL holds for both."""
    assert wal_pages(tmp_path / "new") == (16 * 1024, 1024)
    old = tmp_path / "old"
    old.mkdir()
    connection = sqlite3.connect(old / FILE)
    connection.executescript("pragma page_size=4096; create table t(a); drop table t;")
    connection.close()
    filled(old)
    assert wal_pages(old) == (4096, 4096)
    kept, notes = read(old)
    assert (sum(len(rows) for rows in kept.logs.values()), notes) == (ROWS, [])


def wal_pages(folder):
    file = DataFile(folder)
    found = [
        file.connection.execute(f"pragma {name}").fetchone()[0]
        for name in ("page_size", "wal_autocheckpoint")
    ]
    file.close(clean=True)
    return tuple(found)


def test_the_last_run_ended_or_was_killed(tmp_path):
    code = (
        "import os; from pathlib import Path; from tests.brokers.storage import test_file as t;"
        f"w = t.writer(Path({str(tmp_path)!r})); w.write(t.group(1, [(5, b'x')]));"
        "w.store.wait(lambda: w.store.groups); os._exit(9)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 9
    kept, notes = read(tmp_path)
    assert (kept.logs, kept.clean, notes) == ({0: [(5, b"x")]}, False, [])
    assert read(tmp_path)[0].clean


def test_a_torn_tail_is_cut_and_reported(tmp_path):
    """What a kill of the machine leaves: a log whose last transaction is there in part."""
    source = tmp_path / "source"
    made = writer(source)
    made.write(group(1, [(5, b"kept" * 300)]))
    made.store.wait(lambda: made.store.groups == [1])
    log = source / f"{FILE}-wal"
    whole = log.stat().st_size
    made.write(group(2, [(6, b"torn" * 3000)]))
    made.store.wait(lambda: made.store.groups == [1, 2])
    copy = tmp_path / "copy"
    copy.mkdir()
    for path in (source / FILE, log):
        shutil.copyfile(path, copy / path.name)
    made.close(None)
    with (copy / log.name).open("r+b") as file:
        file.truncate(whole + (log.stat().st_size if log.exists() else whole + 9000 - whole) // 2)
    kept, notes = read(copy)
    assert kept.logs == {0: [(5, b"kept" * 300)]}
    assert len(notes) == 1
    assert "its end is torn" in notes[0]


def test_a_second_program_is_told_who_has_the_folder(tmp_path):
    file = DataFile(tmp_path)
    with pytest.raises(DataError) as error:
        DataFile(tmp_path)
    assert str(error.value) == (
        f"--data-dir {tmp_path} is in use by process {os.getpid()}: end that one, or give "
        "another folder"
    )
    file.close(clean=True)
    DataFile(tmp_path).close(clean=True)


def test_a_newer_format_and_a_foreign_file_are_refused_and_left_alone(tmp_path):
    DataFile(tmp_path).close(clean=True)
    connection = sqlite3.connect(tmp_path / FILE)
    connection.execute(f"pragma user_version={VERSION + 2}")
    connection.close()
    with pytest.raises(DataError, match=f"has format {VERSION + 2}, and this program knows"):
        DataFile(tmp_path)
    other = tmp_path / "other"
    other.mkdir()
    connection = sqlite3.connect(other / FILE)
    connection.executescript("create table t(a); insert into t values(1);")
    connection.close()
    with pytest.raises(DataError, match="is no data file of this program"):
        DataFile(other)
    text = tmp_path / "text"
    text.mkdir()
    (text / FILE).write_text("just some words\n" * 100)
    with pytest.raises(DataError, match="is damaged: file is not a database"):
        DataFile(text)
    assert (text / FILE).read_text().startswith("just some words")


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match=r"--data-dir .*file/data: Not a directory"):
        DataFile(tmp_path / "file" / "data")


def test_a_full_disk_is_said_and_writing_goes_on_when_there_is_room(tmp_path):
    made = writer(tmp_path)
    connection = made._file.connection
    made.write(group(1, [(1, b"first")]))
    made.store.wait(lambda: made.store.groups == [1])
    pages = connection.execute("pragma page_count").fetchone()[0]
    connection.execute(f"pragma max_page_count={pages + 2}")
    made.write(group(2, [(2, b"x" * 100_000)]))
    made.store.wait(lambda: made.store.reasons)
    assert made.store.reasons[0] == (
        f"{tmp_path / FILE}: the disk is full: make room, and it goes on"
    )
    assert made.store.groups == [1]
    connection.execute("pragma max_page_count=1000000")
    made.store.wait(lambda: made.store.groups == [1, 2])
    made.close(None)
    assert [len(value) for _, value in read(tmp_path)[0].log(0)] == [5, 100_000]


def test_at_the_end_what_cannot_be_written_keeps_nobody_waiting(tmp_path):
    made = writer(tmp_path)
    connection = made._file.connection
    pages = connection.execute("pragma page_count").fetchone()[0]
    connection.execute(f"pragma max_page_count={pages}")
    made.close(group(1, [(2, b"x" * 100_000)]))
    kept, _ = read(tmp_path)
    assert (kept.logs, kept.clean) == ({}, False)


@pytest.mark.parametrize("part", range(4))
def test_a_damaged_byte_is_said_and_costs_at_most_its_row(tmp_path, part):
    """The file is refused as it is, or all is there but for the row that the byte belongs to."""
    whole = tmp_path / "whole"
    filled(whole)
    data = (whole / FILE).read_bytes()
    expected, _ = read(whole)
    dice = random.Random(part)
    folder: Path = tmp_path / "damaged"
    for _ in range(TRIES // 4):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        at = dice.randrange(len(data))
        wrong = bytearray(data)
        wrong[at] ^= dice.randrange(1, 256)
        (folder / FILE).write_bytes(wrong)
        try:
            kept, notes = read(folder)
        except DataError as error:
            kept, notes = None, [str(error)]
        if kept is None:
            assert str(folder / FILE) in notes[0]
            assert (folder / FILE).read_bytes() == wrong, f"byte {at}: {notes}"
            continue
        assert kept.entities == expected.entities, at
        lost = 0
        for log, rows in expected.logs.items():
            found = kept.log(log)
            assert set(found) <= set(rows), at
            lost += len(rows) - len(found)
        assert lost <= 1, at
        assert bool(lost) == bool(notes), at
        if lost:
            assert "have a wrong checksum" in notes[0]
            assert (folder / f"{FILE}.damaged-1").read_bytes() == wrong


@pytest.mark.skipif(os.name == "nt", reason="POSIX modes")
def test_new_files_are_for_their_owner_alone(tmp_path):
    before = os.umask(0o022)
    try:
        file = DataFile(tmp_path / "data")
        try:
            file.connection.execute("create table probe (n)")
            modes = {each.name: each.stat().st_mode & 0o777 for each in file.folder.iterdir()}
        finally:
            file.close(clean=True)
    finally:
        os.umask(before)
    assert FILE in modes
    assert set(modes.values()) == {0o600}, modes
    assert (tmp_path / "data").stat().st_mode & 0o777 == 0o700
