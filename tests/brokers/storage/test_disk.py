"""The files of a data folder: what was written is read, and what is wrong with them is said."""

import os
import random
import shutil
import sqlite3
import subprocess
import sys
import threading
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from mockforge_brokers.storage.disk import Files
from mockforge_brokers.storage.facts import POSITION_BITS, Group, row_number
from mockforge_brokers.storage.live import place_of
from mockforge_brokers.storage.reading import LIST, Reader, number_of, paths_in
from mockforge_brokers.storage.refused import DataError
from mockforge_brokers.storage.runs import run_of
from mockforge_brokers.storage.segment_file import SegmentFile
from mockforge_brokers.storage.segments import CLEAN, HEAD, VERSION, head_of, read_head, walk
from mockforge_brokers.storage.writer import Writer

from . import first_format, older_formats
from .first_format import FILE

FIRST = "kept-00000001.seg"
ROWS = 400
TRIES = 200


class Store:
    """The store's part for a writer: what it is called back with."""

    def __init__(self):
        self.groups = []
        self.reasons = []
        self.heard = threading.Condition()

    def written(self, number, *, writable=True):
        with self.heard:
            self.groups.append(number)
            self.heard.notify_all()

    def failed(self, reason):
        with self.heard:
            self.reasons.append(reason)
            self.heard.notify_all()

    def writable(self):
        with self.heard:
            self.reasons.append("")
            self.heard.notify_all()

    def warn(self, text):
        self.reasons.append(text)

    def wait(self, fact):
        with self.heard:
            assert self.heard.wait_for(fact, 20)


def writer(folder, *, through=True):
    files = Files(folder)
    files.read()
    made = Writer(files, lambda function, *args: function(*args), through=through)
    made.store = Store()
    made.begin()
    return made


def group(number, rows=(), gone=(), ranges=(), entities=()):
    return Group(number, dict(rows), list(gone), list(ranges), list(entities))


def value_of(position):
    return b"%08d" % position * 60


def filled(folder):
    """Some groups of two logs, and entities."""
    made = writer(folder)
    for each in groups():
        write(made, each)
    made.close(group(10, entities=[("queue", b"gone", None), ("empty", b"", b"")]))


def write(made, each):
    """As the store does it: the next one when this one is on disk."""
    made.write(each)
    made.store.wait(lambda: made.store.groups[-1:] == [each.number])


def killed(made):
    """It ends amid its work, but for its threads and handles, which this process has."""
    made._end_thread()
    if made._syncer is not None:
        made._syncer.close()
    if made._file is not None and made._file.open:
        made._file.open = False
        os.close(made._file._handle)
    made._files.close()


def groups():
    yield group(1, entities=[("queue", b"q\xff\0", b"one"), ("queue", b"gone", b"x")])
    for number in range(2, 10):
        positions = range((number - 2) * ROWS // 8, (number - 1) * ROWS // 8)
        rows = [(row_number(1 + at % 2, at), value_of(at)) for at in positions]
        yield group(number, rows)


def read(folder):
    files = Files(folder)
    kept = files.read()
    files.close()
    return kept, files.notes


def test_what_was_written_is_read(tmp_path):
    filled(tmp_path)
    kept, notes = read(tmp_path)
    assert kept.entities == {"queue": {b"q\xff\0": b"one"}, "empty": {b"": b""}}
    for log in (1, 2):
        assert kept.log(log) == [(at, value_of(at)) for at in range(ROWS) if 1 + at % 2 == log]
    assert (kept.clean, notes) == (True, [])
    assert not read(tmp_path)[0].clean, "what was opened and not closed may have gone on"


def test_rows_are_replaced_removed_one_by_one_and_in_ranges(tmp_path):
    made = writer(tmp_path)
    write(made, group(1, [(row_number(log, at), b"v") for log in (1, 2, 3) for at in range(10)]))
    write(
        made,
        group(
            2,
            [(row_number(1, 3), b"new")],
            [row_number(1, 0), row_number(1, 5)],
            [(row_number(2, 0), row_number(2, 8)), (row_number(3, 0), row_number(4, 0))],
        ),
    )
    made.close(None)
    kept, _ = read(tmp_path)
    assert kept.log(1) == [(at, b"new" if at == 3 else b"v") for at in (1, 2, 3, 4, 6, 7, 8, 9)]
    assert kept.log(2) == [(8, b"v"), (9, b"v")]
    assert kept.logs == {}


def test_the_last_run_ended_or_was_killed(tmp_path):
    code = (
        "import os; from pathlib import Path; from tests.brokers.storage import test_disk as t;"
        f"w = t.writer(Path({str(tmp_path)!r})); w.write(t.group(1, [(5, b'x')]));"
        "w.store.wait(lambda: w.store.groups); os._exit(9)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 9
    kept, notes = read(tmp_path)
    assert (kept.logs, kept.clean, notes) == ({0: [(5, b"x")]}, False, [])
    made = writer(tmp_path)
    made.close(None)
    assert read(tmp_path)[0].clean


@pytest.mark.usefixtures("unsynced")
def test_a_torn_tail_is_cut_at_whatever_byte_and_reported(tmp_path):
    """What a kill of the machine leaves: a segment whose last group is there in part."""
    made = writer(tmp_path / "source")
    write(made, group(1, [(5, b"kept" * 300)]))
    whole = made._live.segments[1].size
    write(made, group(2, [(6, b"torn" * 30), (7, b"x")], entities=[("queue", b"q", b"v")]))
    data = (tmp_path / "source" / FIRST).read_bytes()[: made._live.segments[1].size]
    made.close(None)
    copy = tmp_path / "copy"
    for end in range(whole + 1, len(data), 9):
        for torn in (data[:end], data[:end] + bytes(len(data) - end + 500)):
            (copy / FIRST).parent.mkdir(exist_ok=True)
            (copy / FIRST).write_bytes(torn)
            kept, notes = read(copy)
            assert (kept.logs, kept.entities) == ({0: [(5, b"kept" * 300)]}, {})
            assert [f"{copy / FIRST}: its end is torn" in each for each in notes] == [True]
            assert (copy / FIRST).stat().st_size == whole
            assert read(copy)[1] == [], "it is cut once"


def test_a_tail_whose_pages_came_to_the_disk_in_another_order_is_cut_whole(tmp_path):
    made = writer(tmp_path)
    write(made, group(1, [(5, b"kept")]))
    write(made, group(2, [(number, b"%08d" % number * 600) for number in range(6, 12)]))
    killed(made)
    data = bytearray((tmp_path / FIRST).read_bytes())
    # A page in the midst of it is as it was before: the values of some rows are not there.
    at = data.index(b"%08d" % 8) // 4096 * 4096 + 4096
    data[at : at + 4096] = bytes(4096)
    (tmp_path / FIRST).write_bytes(data)
    kept, notes = read(tmp_path)
    assert kept.logs == {0: [(5, b"kept")]}
    assert len(notes) == 1
    assert "its end is torn" in notes[0]


@pytest.mark.parametrize("part", ["head", "value"])
def test_where_whole_groups_follow_what_is_torn_the_file_as_it_was_is_kept(
    tmp_path, monkeypatch, part
):
    """Of groups that were not on disk yet nobody knows whether that is damage."""
    cut = Reader.cut
    made = writer(tmp_path, through=False)
    for number in (5, 6, 7):
        write(made, group(number, [(number, b"%08d" % number)]))
    killed(made)
    data = bytearray((tmp_path / FIRST).read_bytes())
    at = data.index(b"%08d" % 6)
    data[at - (60 if part == "head" else 0)] ^= 1
    (tmp_path / FIRST).write_bytes(data)
    synced = []
    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", lambda handle: synced.append(os.fstat(handle).st_ino))
        patched.setattr(Reader, "cut", lambda reader: (synced.append("cut"), cut(reader)))
        kept, notes = read(tmp_path)
    assert kept.logs == {0: [(5, b"%08d" % 5)]}
    (note,) = notes
    assert "its end is torn" in note
    assert f"are cut off, and the file as it was is {FIRST}.torn-1; " in note
    aside = tmp_path / f"{FIRST}.torn-1"
    assert aside.read_bytes() == data
    before = [aside.stat().st_ino, tmp_path.stat().st_ino, "cut"]
    assert synced[:3] == before, "it is on disk before anything of it goes"
    assert read(tmp_path)[1] == []


def test_what_follows_a_torn_tail_is_read(tmp_path):
    made = writer(tmp_path)
    write(made, group(1, [(5, b"kept")]))
    killed(made)
    with (tmp_path / FIRST).open("r+b") as file:
        file.truncate(made._live.segments[1].size)
        file.seek(0, os.SEEK_END)
        file.write(b"MFgr of which nothing came but this")
    made = writer(tmp_path)
    write(made, group(2, [(6, b"more")]))
    made.close(None)
    assert read(tmp_path)[0].logs == {0: [(5, b"kept"), (6, b"more")]}


def test_a_second_program_is_told_who_has_the_folder(tmp_path):
    files = Files(tmp_path)
    with pytest.raises(DataError) as error:
        Files(tmp_path)
    assert str(error.value) == (
        f"--data-dir {tmp_path} is in use by process {os.getpid()}: end that one, or give "
        "another folder"
    )
    files.close()
    Files(tmp_path).close()


def test_a_newer_format_and_a_foreign_file_are_refused_and_left_alone(tmp_path):
    newer = tmp_path / "newer"
    first_format.write(newer, {}, {}, version=VERSION + 2)
    with pytest.raises(DataError, match=f"has format {VERSION + 2}, and this program knows"):
        Files(newer)
    segment = tmp_path / "segment"
    filled(segment)
    data = bytearray((segment / FIRST).read_bytes())
    data[:HEAD] = head_of(1, 5, 0, VERSION + 1)
    (segment / FIRST).write_bytes(data)
    with pytest.raises(DataError, match=f"{FIRST} has format {VERSION + 1}, and this program"):
        Files(segment)
    assert (segment / FIRST).read_bytes() == data
    other = tmp_path / "other"
    other.mkdir()
    connection = sqlite3.connect(other / FILE)
    connection.executescript("create table t(a); insert into t values(1);")
    connection.close()
    with pytest.raises(DataError, match="is no data file of this program"):
        Files(other)
    text = tmp_path / "text"
    text.mkdir()
    (text / FILE).write_text("just some words\n" * 100)
    with pytest.raises(DataError, match="is damaged: file is not a database"):
        Files(text)
    assert (text / FILE).read_text().startswith("just some words")


def test_a_program_that_knows_the_first_format_alone_refuses_the_folder(tmp_path):
    filled(tmp_path)
    connection = sqlite3.connect(tmp_path / FILE)
    found = [connection.execute(f"pragma {each}").fetchone()[0] for each in
             ("application_id", "user_version")]  # fmt: skip
    connection.close()
    assert found == [0x4D464447, VERSION]


def test_a_folder_of_the_second_format_goes_on_in_segments_of_this_one(tmp_path):
    salt, old = 77, tmp_path / FIRST
    frames = [
        older_formats.frame(2, salt, 1, {5: b"one", 6: b"two"}, entities=[("queue", b"q", b"v")]),
        older_formats.frame(2, salt, 2, {7: b"three"}, [5]),
    ]
    old.write_bytes(older_formats.segment(2, 1, salt, *frames))
    before = old.read_bytes()
    made = writer(tmp_path)
    write(made, group(3, [(8, b"four")], [6]))
    made.close(None)
    assert old.read_bytes() == before
    kept, notes = read(tmp_path)
    assert kept.logs == {0: [(7, b"three"), (8, b"four")]}
    assert (kept.entities, notes) == ({"queue": {b"q": b"v"}}, [])
    for at in (HEAD + 9, len(before) - len(frames[1]) + 9):
        damaged = bytearray(before)
        damaged[at] ^= 1
        old.write_bytes(damaged)
        with pytest.raises(DataError, match="a group has a wrong checksum"):
            read(tmp_path)


def test_the_tail_of_a_folder_of_the_second_format_is_cut(tmp_path):
    whole = older_formats.segment(2, 1, 77, older_formats.frame(2, 77, 1, {5: b"one"}))
    (tmp_path / FIRST).write_bytes(whole + older_formats.frame(2, 77, 2, {6: b"two"})[:-1])
    kept, notes = read(tmp_path)
    assert kept.logs == {0: [(5, b"one")]}
    assert "nobody was told that these are kept" in notes[0]


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(
        DataError, match=r"--data-dir .*file/data: a file is where a folder is to be"
    ):
        Files(tmp_path / "file" / "data")


@contextmanager
def full(made):
    """The segment's file is on a disk without room."""
    handle = made._file._handle
    kept, device = os.dup(handle), os.open("/dev/full", os.O_WRONLY)
    os.dup2(device, handle)
    try:
        yield
    finally:
        os.dup2(kept, handle)
        os.close(kept)
        os.close(device)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux's device")
def test_a_full_disk_is_said_and_writing_goes_on_when_there_is_room(tmp_path, monkeypatch):
    monkeypatch.setattr("mockforge_brokers.storage.writer._RETRY", 0.01)
    made = writer(tmp_path)
    write(made, group(1, [(1, b"first")]))
    with full(made):
        made.write(group(2, [(2, b"x" * 100_000)]))
        made.store.wait(lambda: made.store.reasons)
        assert made.store.groups == [1]
    assert made.store.reasons[0] == (
        f"{tmp_path / FIRST}: the disk is full: make room, and it goes on"
    )
    made.store.wait(lambda: made.store.groups == [1, 2])
    made.close(None)
    kept, notes = read(tmp_path)
    assert [len(value) for _, value in kept.log(0)] == [5, 100_000]
    assert (kept.clean, notes) == (True, [])


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux's device")
def test_at_the_end_what_cannot_be_written_keeps_nobody_waiting(tmp_path, monkeypatch):
    monkeypatch.setattr("mockforge_brokers.storage.writer._RETRY", 0.01)
    made = writer(tmp_path)
    write(made, group(1, [(1, b"first")]))
    with full(made):
        made.write(group(2, [(2, b"second")]))
        made.close(group(3, [(3, b"third")]))
    assert made.store.groups == [1]
    kept, _ = read(tmp_path)
    assert (kept.logs, kept.clean) == ({0: [(1, b"first")]}, False)


@pytest.mark.parametrize("part", range(4))
@pytest.mark.usefixtures("unsynced")
def test_a_damaged_byte_is_said_and_costs_at_most_its_row(tmp_path, part):
    """The files are refused as they are, or all is there but for the row that the byte is of."""
    whole = tmp_path / "whole"
    filled(whole)
    data = (whole / FIRST).read_bytes()
    expected, _ = read(whole)
    dice = random.Random(part)
    folder: Path = tmp_path / "damaged"
    refused = 0
    for _ in range(TRIES // 4):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        at = dice.randrange(len(data))
        wrong = bytearray(data)
        wrong[at] ^= dice.randrange(1, 256)
        (folder / FIRST).write_bytes(wrong)
        try:
            kept, notes = read(folder)
        except DataError as error:
            kept, notes = None, [str(error)]
        if kept is None:
            refused += 1
            assert str(folder / FIRST) in notes[0]
            assert (folder / FIRST).read_bytes() == wrong, f"byte {at}: {notes}"
            continue
        assert kept.entities == expected.entities, at
        lost = 0
        for log, rows in expected.logs.items():
            found = kept.log(log)
            assert set(found) <= set(rows), at
            lost += len(rows) - len(found)
        assert lost <= 1, at
        assert len(notes) == 1, at
        if lost:
            assert "1 rows have a wrong checksum and are out" in notes[0]
            assert (folder / f"{FIRST}.damaged-1").read_bytes() == wrong
            again, notes = read(folder)
            assert sum(map(len, again.logs.values())) == ROWS - 1
            assert notes == [], "it is said once"
        else:
            # Of the note that the run ended by itself.
            assert "its end is torn" in notes[0]
            assert not kept.clean
    assert refused <= TRIES // 8


def test_a_refused_file_says_where_to_cut_it_and_is_whole_after_that(tmp_path):
    filled(tmp_path)
    data = bytearray((tmp_path / FIRST).read_bytes())
    frames = [each for each in walk(bytes(data), read_head(bytes(data))[1]) if each.numbers]
    broken = frames[3]
    data[broken.at + 40] ^= 1
    (tmp_path / FIRST).write_bytes(data)
    with pytest.raises(DataError) as error:
        read(tmp_path)
    path = tmp_path / FIRST
    assert str(error.value) == (
        f"{path} is damaged at byte {broken.at}: a group has a wrong checksum. It is left as it "
        f"is: take it from a backup, cut it there (`truncate -s {broken.at} {path}`), which loses "
        "what follows, or give another --data-dir"
    )
    os.truncate(path, broken.at)
    kept, notes = read(tmp_path)
    there = sum(len(each.numbers) for each in frames[:3])
    assert (sum(map(len, kept.logs.values())), notes) == (there, [])


def test_a_damaged_row_that_is_gone_is_no_news(tmp_path):
    made = writer(tmp_path)
    write(made, group(1, [(1, b"first"), (2, b"second"), (row_number(1, 0), b"third")]))
    write(made, group(2, [(2, b"newer")], [1], [(row_number(1, 0), row_number(2, 0))]))
    made.close(None)
    data = (tmp_path / FIRST).read_bytes()
    for each in (b"first", b"second", b"third"):
        data = data.replace(each, each.upper())
    (tmp_path / FIRST).write_bytes(data)
    kept, notes = read(tmp_path)
    assert (kept.logs, notes) == ({0: [(2, b"newer")]}, [])


@pytest.mark.parametrize("most", [1, 7, 100])
def test_what_the_system_takes_in_part_is_written_whole(tmp_path, monkeypatch, most):
    """A disk that is nearly full takes a part; so does one call of more than 2 GB."""
    write_of = os.pwritev

    def in_part(handle, pieces, at):
        return write_of(handle, [b"".join(pieces)[: most * 100]], at)

    monkeypatch.setattr("mockforge_brokers.storage.segment_file._MOST_PIECES", 3)
    rows = {at: b"%08d" % at * 1000 for at in range(10)}
    files = Files(tmp_path)
    files.read()
    made = Writer(files, lambda function, *args: function(*args))
    made.store = Store()
    with monkeypatch.context() as patch:
        patch.setattr(os, "pwritev", in_part)
        write(made, group(1, rows))
    made.close(group(2, [(99, b"behind")]))
    assert dict(read(tmp_path)[0].log(0)) == rows | {99: b"behind"}


# Many segments.


def test_a_full_segment_is_followed_by_another_and_all_are_read_in_order(tmp_path, monkeypatch):
    monkeypatch.setattr("mockforge_brokers.storage.writer.SEGMENT", 5_000)
    filled(tmp_path)
    assert len(list(tmp_path.glob("kept-*.seg"))) > 3
    kept, notes = read(tmp_path)
    assert sum(len(rows) for rows in kept.logs.values()) == ROWS
    assert (kept.entities, notes) == ({"queue": {b"q\xff\0": b"one"}, "empty": {b"": b""}}, [])


def test_a_kill_while_a_segment_begins_loses_nothing(tmp_path):
    filled(tmp_path)
    second = tmp_path / "kept-00000002.seg"
    for version in (2, VERSION):
        head = head_of(2, 0x12345678, 0x1234, version)
        for begun in (*(head[:end] for end in range(28)), head[:13] + bytes(40), bytes(500)):
            second.write_bytes(begun)
            kept, notes = read(tmp_path)
            assert sum(len(rows) for rows in kept.logs.values()) == ROWS
            assert [str(second) in each for each in notes] == [True], "whoever cut it is told"
            assert not second.exists()


@pytest.mark.parametrize("number", [1, 2])
@pytest.mark.parametrize(
    "wrong",
    [
        b"scribble",
        b"MFDGseg!",
        b"MFDGseg\n" + bytes([VERSION + 200]),
        head_of(3, 5, 6)[:20],
        head_of(2, 5, 6)[:25] + b"\x01\x02\x03" + bytes(500),
        bytes(HEAD) + b"x",
        b"x",
    ],
)
def test_a_last_segment_whose_head_nothing_of_ours_began_is_damage(
    tmp_path, monkeypatch, number, wrong
):
    monkeypatch.setattr("mockforge_brokers.storage.writer.SEGMENT", 20_000)
    filled(tmp_path)
    for each in (*paths_in(tmp_path)[number:], tmp_path / LIST):
        each.unlink()
    *_, path = paths_in(tmp_path)
    whole = path.read_bytes()
    for data in (wrong, wrong + whole[len(wrong) :]):
        path.write_bytes(data)
        with pytest.raises(DataError) as error:
            read(tmp_path)
        assert str(error.value) == (
            f"{path} is damaged at byte 0: its head has a wrong checksum. It is left as it is: "
            f"take it from a backup, take it and {tmp_path / LIST} away, which loses what is in "
            "there, or give another --data-dir"
        )
        assert path.read_bytes() == data
    path.unlink()
    assert all(f"{tmp_path / LIST} is not there" in each for each in read(tmp_path)[1])


def test_a_torn_group_in_a_segment_that_others_follow_is_damage(tmp_path, monkeypatch):
    monkeypatch.setattr("mockforge_brokers.storage.writer.SEGMENT", 5_000)
    filled(tmp_path)
    with (tmp_path / FIRST).open("r+b") as file:
        file.truncate((tmp_path / FIRST).stat().st_size - 1)
    with pytest.raises(DataError, match=f"{FIRST} is damaged at byte"):
        read(tmp_path)


def test_the_end_of_a_segment_that_is_missing_just_behind_a_group_is_damage(tmp_path, monkeypatch):
    """What follows may say of rows that are not there that they are gone."""
    monkeypatch.setattr("mockforge_brokers.storage.writer.SEGMENT", 5_000)
    filled(tmp_path)
    path = tmp_path / FIRST
    data = path.read_bytes()
    *_, last = walk(data, read_head(data).salt)
    os.truncate(path, last.at)
    with pytest.raises(DataError) as error:
        read(tmp_path)
    assert str(error.value) == (
        f"{path} is damaged at byte {last.at}: {last.end - last.at} bytes are missing that were "
        "there when kept-00000002.seg began. It is left as it is: take it from a backup, cut it "
        f"there (`truncate -s {last.at} {path}`), take away the segments behind it and "
        f"{tmp_path / LIST}, which loses what follows, or give another --data-dir"
    )
    for each in (*paths_in(tmp_path)[1:], tmp_path / LIST):
        each.unlink()
    assert [str(tmp_path / LIST) in each for each in read(tmp_path)[1]] == [True]
    assert read(tmp_path)[1] == []


@pytest.mark.parametrize("version", [3, 4])
def test_a_folder_of_a_format_since_goes_on_in_segments_of_this_one(tmp_path, version):
    salt, old = 77, tmp_path / FIRST
    frames = [
        older_formats.frame(version, salt, 1, {5: b"one", 6: b"two"}),
        older_formats.frame(version, salt, 2, {}, flags=CLEAN, synced=place_of(1, HEAD)),
    ]
    old.write_bytes(older_formats.segment(version, 1, salt, *frames))
    before = old.read_bytes()
    made = writer(tmp_path)
    write(made, group(2, [(7, b"three")], [5]))
    made.close(None)
    assert old.read_bytes() == before
    second = (tmp_path / "kept-00000002.seg").read_bytes()
    assert read_head(second)[::2] == (VERSION, len(before))
    kept, notes = read(tmp_path)
    assert (kept.logs, notes) == ({0: [(6, b"two"), (7, b"three")]}, [])


def test_a_segment_that_is_missing_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr("mockforge_brokers.storage.writer.SEGMENT", 5_000)
    filled(tmp_path)
    paths = paths_in(tmp_path)
    for gone, place in ((0, "the oldest"), (1, "and others follow"), (-1, "the newest")):
        before = paths[gone].read_bytes()
        paths[gone].unlink()
        left = {each: each.read_bytes() for each in tmp_path.iterdir() if each.name != "lock"}
        with pytest.raises(DataError) as error:
            read(tmp_path)
        assert f"{paths[gone]} is missing, {place}" in str(error.value)
        assert left == {each: each.read_bytes() for each in left}
        paths[gone].write_bytes(before)
    assert sum(len(rows) for rows in read(tmp_path)[0].logs.values()) == ROWS


def test_a_folder_goes_on_without_its_oldest_and_newest_where_that_is_asked_for(
    tmp_path, monkeypatch
):
    monkeypatch.setattr("mockforge_brokers.storage.writer.SEGMENT", 5_000)
    filled(tmp_path)
    paths = paths_in(tmp_path)
    for each in (paths[0], paths[-1], tmp_path / LIST):
        each.unlink()
    kept, [note] = read(tmp_path)
    assert 0 < sum(len(rows) for rows in kept.logs.values()) < ROWS
    assert f"before {paths[1].name} or behind {paths[-2].name}" in note
    assert read(tmp_path)[1] == [], "it is said once"
    (tmp_path / LIST).write_bytes(b"00000001 00000000\n")
    assert "is not there, or damaged" in read(tmp_path)[1][0]


@pytest.mark.parametrize("through", [True, False])
def test_whenever_a_program_is_killed_no_segment_seems_missing(tmp_path, monkeypatch, through):
    """Segments come and go; the folder is copied as it is while that happens."""
    monkeypatch.setattr("mockforge_brokers.storage.writer.SEGMENT", 5_000)
    monkeypatch.setattr("mockforge_brokers.storage.syncer.INTERVAL", 0.001)
    data = tmp_path / "data"
    made = writer(data, through=through)
    for number in range(1, 60):
        rows = {number: b"x" * 1_000}
        write(made, group(number, rows, [number - 10] if number > 10 else []))
        if number % 6 == 0:
            copy = tmp_path / f"copy-{number}"
            before = None
            while before != (before := (paths_in(data), (data / LIST).read_bytes())):
                # None came or went meanwhile.
                with suppress(FileNotFoundError, shutil.Error):
                    shutil.rmtree(copy, ignore_errors=True)
                    shutil.copytree(data, copy)
            assert set(dict(read(copy)[0].log(0))) >= set(range(max(1, number - 9), number + 1))
    made.close(None)
    oldest = int((data / LIST).read_bytes()[:8])
    assert oldest > 1
    assert number_of(paths_in(data)[0]) <= oldest


def test_damage_in_one_of_many_segments_costs_its_row(tmp_path, monkeypatch):
    monkeypatch.setattr("mockforge_brokers.storage.writer.SEGMENT", 5_000)
    monkeypatch.setattr("mockforge_brokers.storage.disk.SEGMENT", 20_000)
    filled(tmp_path)
    second = tmp_path / "kept-00000002.seg"
    data = second.read_bytes()
    second.write_bytes(data.replace(value_of(60), value_of(60).replace(b"6", b"7", 1)))
    kept, notes = read(tmp_path)
    assert sum(len(rows) for rows in kept.logs.values()) == ROWS - 1
    assert len(notes) == 1
    assert (tmp_path / "kept-00000002.seg.damaged-1").exists()
    assert sum(len(rows) for rows in read(tmp_path)[0].logs.values()) == ROWS - 1


def test_damage_in_rows_that_were_written_together_costs_those_of_its_piece(tmp_path):
    contents = [b"%04d" % number * 1_000 for number in range(20)]
    made = writer(tmp_path)
    write(made, Group(1, runs=[run_of(range(20), contents, b"<", b">")]))
    write(made, group(2, [(20, b"behind")]))
    made.close(None)
    path = tmp_path / FIRST
    wrong = path.read_bytes().replace(contents[9], contents[9].replace(b"9", b"8", 1))
    path.write_bytes(wrong)
    kept, notes = read(tmp_path)
    # 32 KB have one checksum.
    there = [(at, b"<%b>" % contents[at]) for at in range(20) if at not in range(8, 16)]
    assert kept.logs == {0: [*there, (20, b"behind")]}
    assert len(notes) == 1
    assert "8 rows have a wrong checksum and are out" in notes[0]
    assert (tmp_path / f"{FIRST}.damaged-1").read_bytes() == wrong
    again, notes = read(tmp_path)
    assert (again.logs, notes) == (kept.logs, []), "it is said once"


# The room of what is gone.


@pytest.mark.usefixtures("unsynced")
def test_the_room_of_what_is_gone_is_given_back_while_others_are_written(tmp_path, monkeypatch):
    """Groups of rows that come and go, beside some old rows and entities that stay."""
    monkeypatch.setattr("mockforge_brokers.storage.writer.SEGMENT", 20_000)
    monkeypatch.setattr("mockforge_brokers.storage.cleaner._FLOOR", 50_000)
    monkeypatch.setattr("mockforge_brokers.storage.cleaner._PIECE", 2_000)
    made = writer(tmp_path)
    stays = {row_number(9, at): value_of(at) for at in range(20)}
    write(made, group(1, stays, entities=[("queue", b"old", b"o" * 300)]))
    largest = 0
    for number in range(2, 400):
        rows = {row_number(1, number * 10 + at): value_of(at) for at in range(10)}
        gone = [row_number(1, number * 10 - 10 + at) for at in range(10)] if number > 2 else []
        if number % 50 == 0:
            # Newer ones of what is being moved.
            changed = row_number(9, number // 50)
            rows[changed] = stays[changed] = b"newer %d" % number
        write(made, group(number, rows, gone, entities=[("queue", b"q", b"%d" % number)]))
        sizes = made.sizes()
        largest = max(largest, sizes["segments"])
    made.close(None)
    assert largest < 250_000, "of 2 MB that were written"
    assert len(list(tmp_path.glob("kept-*.seg"))) < 12
    kept, notes = read(tmp_path)
    expected = dict(stays) | {row_number(1, 3990 + at): value_of(at) for at in range(10)}
    found = {row_number(log, at): value for log, rows in kept.logs.items() for at, value in rows}
    assert (found, notes) == (expected, [])
    assert kept.entities == {"queue": {b"old": b"o" * 300, b"q": b"399"}}


def test_after_a_reset_the_room_is_there_again_with_the_next_group(tmp_path, monkeypatch):
    monkeypatch.setattr("mockforge_brokers.storage.writer.SEGMENT", 5_000)
    made = writer(tmp_path)
    for each in groups():
        write(made, each)
    before = made.sizes()["segments"]
    everything = [(row_number(log, 0), row_number(log + 1, 0)) for log in (1, 2)]
    gone = [("queue", name, None) for name in (b"q\xff\0", b"gone")]
    write(made, group(10, {}, [], everything, gone))
    made.close(None)
    assert made.sizes()["segments"] < before / 3
    assert len(list(tmp_path.glob("kept-*.seg"))) <= 2
    kept, notes = read(tmp_path)
    assert (kept.logs, kept.entities, notes) == ({}, {}, [])


def test_no_segment_goes_before_an_older_one_that_cannot(tmp_path, monkeypatch):
    """Else one would be missing before those that are there, and the next start refuses that."""
    monkeypatch.setattr("mockforge_brokers.storage.writer.SEGMENT", 5_000)
    made = writer(tmp_path)
    for each in groups():
        write(made, each)
    assert len(paths_in(tmp_path)) > 2
    kept, inner = [tmp_path / FIRST], Path.unlink

    def unlink(path, *args, **options):
        if path in kept:
            raise PermissionError("somebody has it open")
        inner(path, *args, **options)

    monkeypatch.setattr(Path, "unlink", unlink)
    everything = [(row_number(log, 0), row_number(log + 1, 0)) for log in (1, 2)]
    entities = [("queue", name, None) for name in (b"q\xff\0", b"gone")]
    write(made, group(10, {}, [], everything, entities))
    before = paths_in(tmp_path)
    assert before[0] == tmp_path / FIRST
    assert number_of(before[-1]) == len(before)
    kept.clear()
    write(made, group(11, [(1, b"x")]))
    made.close(None)
    assert len(paths_in(tmp_path)) <= 2
    assert read(tmp_path)[0].logs == {0: [(1, b"x")]}


# The first format.


OLD_ROWS = {row_number(log, at): value_of(at) for log in (1, 7) for at in range(50)}
OLD_ENTITIES = {("queue", b"q\xff"): b"one", ("empty", b""): b""}


@pytest.mark.parametrize("clean", [True, False])
def test_a_folder_of_the_first_format_goes_on_in_segments(tmp_path, clean):
    first_format.write(tmp_path, OLD_ROWS, OLD_ENTITIES, clean=clean)
    kept, notes = read(tmp_path)
    assert kept.clean is clean
    assert_old(kept)
    assert notes == [
        f"{tmp_path} was of format 1 and is of format {VERSION} now; the file as it was is "
        f"{FILE}.format-1"
    ]
    made = writer(tmp_path)
    write(made, group(1, [(row_number(8, 1), b"new")]))
    made.close(None)
    kept, notes = read(tmp_path)
    assert kept.log(8) == [(1, b"new")]
    assert_old(kept)
    assert (tmp_path / f"{FILE}.format-1").exists()


def assert_old(kept):
    assert kept.entities == {"queue": {b"q\xff": b"one"}, "empty": {b"": b""}}
    found = {log << POSITION_BITS | at: value for log in (1, 7) for at, value in kept.logs[log]}
    assert found == OLD_ROWS


def test_an_attempt_to_leave_the_first_format_that_was_killed_is_made_again(tmp_path):
    first_format.write(tmp_path, OLD_ROWS, OLD_ENTITIES)
    filled(tmp_path / "other")
    shutil.copyfile(tmp_path / "other" / FIRST, tmp_path / FIRST)
    before = (tmp_path / FIRST).read_bytes()
    kept, notes = read(tmp_path)
    assert_old(kept)
    assert sorted(kept.logs) == [1, 7]
    assert "is left out, since data of format 1 are beside it" in notes[0]
    aside = tmp_path / f"{FIRST}.left-out-1"
    assert aside.read_bytes() == before, "or the old file was put back by hand"


def test_a_damaged_row_of_the_first_format_is_out_and_its_entity_refused(tmp_path):
    first_format.write(tmp_path, OLD_ROWS, OLD_ENTITIES)
    connection = sqlite3.connect(tmp_path / FILE, isolation_level=None)
    connection.execute("update item set crc=crc+1 where id=?", (row_number(7, 3),))
    connection.close()
    kept, notes = read(tmp_path)
    assert len(kept.logs[7]) == 49
    assert "1 rows have a wrong checksum and are out" in notes[1]
    other = tmp_path / "other"
    first_format.write(other, OLD_ROWS, OLD_ENTITIES)
    connection = sqlite3.connect(other / FILE, isolation_level=None)
    connection.execute("update entity set crc=crc+1 where kind='queue'")
    connection.close()
    with pytest.raises(DataError, match="what it says of a queue has a wrong checksum"):
        read(other)
    assert not list(other.glob("kept-*.seg"))


@pytest.mark.skipif(os.name == "nt", reason="POSIX modes")
def test_new_files_are_for_their_owner_alone(tmp_path):
    before = os.umask(0o022)
    try:
        made = writer(tmp_path / "data")
        made.close(group(1, [(1, b"x")]))
        modes = {each.name: each.stat().st_mode & 0o777 for each in (tmp_path / "data").iterdir()}
    finally:
        os.umask(before)
    assert FIRST in modes
    assert set(modes.values()) == {0o600}, modes
    assert (tmp_path / "data").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("through", [False, True])
def test_what_is_there_is_read_while_it_is_in_use_and_left_as_it_is(tmp_path, through):
    made = writer(tmp_path, through=through)
    for each in groups():
        write(made, each)
    # Not waited for: `read` does that.
    made.write(group(10, [(row_number(3, 0), bytes(2_000_000))], [row_number(1, 0)]))
    before = (tmp_path / FIRST).stat().st_size
    found = made.read()
    assert (tmp_path / FIRST).stat().st_size >= before
    assert found.of_kind("queue")[b"q\xff\0"] == b"one"
    assert found.log(1) == [(at, value_of(at)) for at in range(2, ROWS, 2)]
    assert found.log(3) == [(0, bytes(2_000_000))]
    assert not found.clean
    made.store.wait(lambda: made.store.groups[-1:] == [10])
    write(made, group(11, [(row_number(3, 1), b"goes on")]))
    made.close(None)
    kept, notes = read(tmp_path)
    assert (kept.log(3)[1], notes) == ((1, b"goes on"), [])


def test_of_a_disk_that_takes_nothing_nothing_is_read(tmp_path, monkeypatch):
    made = writer(tmp_path)
    write(made, group(1, [(row_number(1, 0), b"a")]))
    full = OSError(28, "No space left on device")
    with monkeypatch.context() as patched:
        patched.setattr(SegmentFile, "write", lambda *args: _raise(full))
        made.write(group(2, [(row_number(1, 1), b"b")]))
        assert made.read() is None
    made.store.wait(lambda: made.store.groups[-1:] == [2])
    assert made.read().log(1) == [(0, b"a"), (1, b"b")]
    made.close(None)


def test_a_segment_that_goes_while_all_are_read_begins_the_reading_anew(tmp_path, monkeypatch):
    made = writer(tmp_path)
    write(made, group(1, [(row_number(1, 0), b"a")]))
    found = paths_in(tmp_path)
    looks = iter([[tmp_path / "kept-00000000.seg", *found], found])
    monkeypatch.setattr("mockforge_brokers.storage.disk.paths_in", lambda folder: next(looks))
    assert made.read().log(1) == [(0, b"a")]
    monkeypatch.undo()
    (tmp_path / FIRST).write_bytes(b"not ours" * 9)
    assert made.read() is None
    made.close(None)


def _raise(error):
    raise error
