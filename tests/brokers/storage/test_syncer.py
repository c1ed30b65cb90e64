"""What the system has and the disk not yet: written by the loop, synced later, cut where lost."""

import os
import threading
from contextlib import suppress
from types import SimpleNamespace

import pytest
from mockforge_brokers.storage import alone, segment_file, syncer
from mockforge_brokers.storage import writer as writer_module
from mockforge_brokers.storage.facts import Group
from mockforge_brokers.storage.live import place_of
from mockforge_brokers.storage.reading import Reader, paths_in
from mockforge_brokers.storage.refused import DataError
from mockforge_brokers.storage.runs import run_of
from mockforge_brokers.storage.segments import HEAD, NUMBER, ROW, read_head, walk

from .test_disk import FIRST, full, group, killed, read, write, writer

SECOND = "kept-00000002.seg"


@pytest.fixture(autouse=True)
def patient(monkeypatch):
    """However slow the machine is, the loop writes."""
    for module in (alone, writer_module):
        monkeypatch.setattr(module, "WAITED", 60.0)


@pytest.fixture
def at_once(monkeypatch):
    """What is written is synced without a wait."""
    monkeypatch.setattr(syncer, "INTERVAL", 0)


@pytest.fixture
def never(monkeypatch):
    """Nothing is synced before the end."""
    monkeypatch.setattr(syncer, "INTERVAL", 60)


def frames(path):
    data = path.read_bytes()
    return list(walk(data, read_head(data)[1]))


@pytest.mark.usefixtures("never")
def test_the_loop_writes_a_group_itself_and_says_so_before_it_returns(tmp_path):
    made = writer(tmp_path, through=False)
    made.write(group(1, [(5, b"x")]))
    assert made.store.groups == [1]
    assert read_while_open(tmp_path) == {5: b"x"}
    made.close(None)
    kept, notes = read(tmp_path)
    assert (kept.logs, kept.clean, notes) == ({0: [(5, b"x")]}, True, [])


def read_while_open(folder):
    """What a kill would leave."""
    data = (folder / FIRST).read_bytes()
    return {
        number: data[at : at + size]
        for each in walk(data, read_head(data)[1])
        for number, at, size in zip(each.numbers, each.offsets, each.sizes, strict=True)
    }


@pytest.mark.usefixtures("never")
def test_a_large_group_is_written_by_the_thread_and_those_behind_it_too(tmp_path, monkeypatch):
    monkeypatch.setattr(writer_module, "_LARGE", 1_000)
    by, go = [], threading.Event()
    inner = segment_file.SegmentFile.write

    def write_noted(self, at, pieces, ahead=0):
        by.append(threading.current_thread().name)
        if by[-1] == "data writer":
            assert go.wait(20)
        inner(self, at, pieces, ahead)

    monkeypatch.setattr(segment_file.SegmentFile, "write", write_noted)
    made = writer(tmp_path, through=False)
    by.clear()
    made.write(group(1, [(1, b"small")]))
    made.write(group(2, [(2, b"l" * 2_000)]))
    made.write(group(3, [(3, b"small")]))
    assert made.store.groups == [1]
    go.set()
    made.store.wait(lambda: made.store.groups == [1, 2, 3])
    made.write(group(4, [(4, b"small")]))
    assert made.store.groups == [1, 2, 3, 4]
    main = threading.current_thread().name
    assert by == [main, "data writer", "data writer", main]
    made.close(None)
    assert [at for at, _ in read(tmp_path)[0].log(0)] == [1, 2, 3, 4]


@pytest.mark.usefixtures("never")
@pytest.mark.parametrize(
    ("count", "each", "others", "at_once"),
    [
        (3, 1_000, 0, True),
        (5, 1_000, 0, False),
        (100, 1, 0, True),
        (3, 1_000, 500, True),
        (1, 1_000, 2_000, False),
    ],
)
def test_the_loop_writes_also_large_groups_of_runs_up_to_a_size(
    tmp_path, monkeypatch, count, each, others, at_once
):
    monkeypatch.setattr(writer_module, "_LARGE", 1_000)
    monkeypatch.setattr(writer_module, "_LARGE_RUNS", 4_000)
    made = writer(tmp_path, through=False)
    run = run_of(range(1, 1 + count), [b"l" * each] * count, b"<", b">")
    rows = {999: b"o" * others} if others else {}
    made.write(Group(1, rows, runs=[run]))
    assert made._handed == (not at_once)
    made.store.wait(lambda: made.store.groups == [1])
    made.close(None)
    assert read(tmp_path)[0].log(0) == [*run.rows().items(), *rows.items()]


@pytest.mark.usefixtures("never")
def test_a_system_that_makes_the_loop_wait_twice_gets_the_next_from_the_thread(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(writer_module, "WAITED", -1.0)
    monkeypatch.setattr(alone, "_AGAIN", 60.0)
    made = writer(tmp_path, through=False)
    made._waited = -60.0
    made.write(group(1, [(1, b"x")]))
    assert made._threaded_until == 0, "once it may be anything"
    made.write(group(2, [(2, b"x")]))
    assert made._threaded_until > 0
    made.write(group(3, [(3, b"x")]))
    assert not made.write_row(4, 4, b"x", ())
    made.store.wait(lambda: made.store.groups == [1, 2, 3])
    made._threaded_until = 0
    made.write(group(4, [(4, b"x")]))
    assert made.store.groups == [1, 2, 3, 4]
    made.close(None)


@pytest.mark.usefixtures("never")
@pytest.mark.parametrize("who", ["disk", "answer"])
def test_only_the_time_that_the_system_takes_for_a_row_says_that_it_makes_us_wait(
    tmp_path, monkeypatch, who
):
    """Those who waited for it are answered before it is noted, however long that takes."""
    monkeypatch.setattr(alone, "WAITED", 0.01)
    now, put = [1.0], segment_file.SegmentFile.put

    def slow_put(*given):
        now[0] += 0.02 * (who == "disk")
        return put(*given)

    made = writer(tmp_path, through=False)
    monkeypatch.setattr(alone, "monotonic", lambda: now[0])
    made.write(group(1, [(1, b"x")]))
    monkeypatch.setattr(segment_file.SegmentFile, "put", slow_put)
    for number in (2, 3):
        assert made.write_row(number, number, b"x", ())
        now[0] += 0.02 * (who == "answer")
        made.alone()
    assert made.write_row(4, 4, b"x", ()) == (who == "answer")
    made.close(None)


@pytest.mark.usefixtures("never")
def test_the_first_rows_behind_those_of_before_are_no_reason_to_hurry(tmp_path, monkeypatch):
    made = writer(tmp_path, through=False)
    hurried = []
    with monkeypatch.context() as patched:
        patched.setattr(made._syncer._hurry, "set", lambda: hurried.append(True))
        made.write(group(1, [(1, b"x")]))
        assert made.write_row(2, 2, b"x", ())
        assert not hurried
        made.write(group(3, [(3, b"x" * (syncer.STEP + 1))]))
        made.wait()
    assert hurried == [True]
    made.close(None)


@pytest.mark.usefixtures("never")
@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="Linux's device")
def test_what_the_loop_cannot_write_the_thread_tries_again(tmp_path, monkeypatch):
    monkeypatch.setattr(writer_module, "_RETRY", 0.01)
    made = writer(tmp_path, through=False)
    made.write(group(1, [(1, b"first")]))
    with full(made):
        made.write(group(2, [(2, b"x" * 100_000)]))
        made.store.wait(lambda: made.store.reasons)
        assert made.store.groups == [1]
        assert "the disk is full: make room, and it goes on" in made.store.reasons[0]
    made.store.wait(lambda: made.store.groups == [1, 2])
    made.close(group(3, [(3, b"third")]))
    assert [at for at, _ in read(tmp_path)[0].log(0)] == [1, 2, 3]


@pytest.mark.usefixtures("at_once")
def test_frames_say_up_to_where_all_was_on_disk_before_them(tmp_path):
    made = writer(tmp_path, through=False)
    made.write(group(1, [(1, b"x")]))
    wait_until_synced(made)
    reached = place_of(1, made._live.segments[1].size)
    made.write(group(2, [(2, b"x")]))
    made.close(None)
    _, second, end = list(frames(tmp_path / FIRST))[-3:]
    assert (second.group, second.synced) == (2, reached)
    assert end.synced == place_of(1, end.at), "what ends by itself has all on disk"


def wait_until_synced(made, place=0):
    """Up to there; without a place all that is noted."""
    newest = made._live.segments[max(made._live.segments)]
    place = place or place_of(newest.number, newest.size)
    woken = threading.Event()
    for _ in range(2_000):
        if made._synced >= place:
            return
        woken.wait(0.01)
    raise AssertionError("never synced")


@pytest.mark.usefixtures("at_once")
def test_rows_that_nothing_follows_are_brought_to_the_disk(tmp_path):
    """Each of them tells the thread; to note them may wait for the next group."""
    made = writer(tmp_path, through=False)
    made.write(group(1, [(1, b"x")]))
    for number in range(2, 5):
        wait_until_synced(made)
        assert made.write_row(number, number, b"x", ())
        wait_until_synced(made, place_of(1, made._alone_at))
    assert made._alone, "none of them is noted yet"
    made.close(None)


def test_whoever_looks_at_rows_that_were_written_alone_finds_all_noted(tmp_path):
    made = writer(tmp_path, through=False)
    made.write(group(1, [(1, b"x" * 10), (2, b"x" * 10)]))
    before = made.sizes()
    for number in (3, 4):
        assert made.write_row(number, number, b"x" * 30, (number - 2,))
    assert made.alone() == (2, 60)
    assert made.write_row(5, 5, b"x" * 30, ())
    after = made.sizes()
    assert after["live"] - before["live"] == 3 * (30 + 16) - 2 * (10 + 16)
    assert after["segments"] - before["segments"] == 3 * (ROW + 30) + 2 * NUMBER
    assert [at for at, _ in made.read().log(0)] == [3, 4, 5]
    assert made.alone() == (3, 90)
    made.close(None)
    assert [at for at, _ in read(tmp_path)[0].log(0)] == [3, 4, 5]


def test_rows_alone_go_where_room_was_made_and_a_group_makes_more(tmp_path, monkeypatch):
    monkeypatch.setattr(writer_module, "_UNSEEN", 1_000)
    monkeypatch.setattr(writer_module, "_AHEAD_HERE", 500)
    made = writer(tmp_path, through=False)
    alone = []
    for number in range(1, 20):
        alone.append(made.write_row(number, number, b"x" * 100, ()))
        extent = (tmp_path / FIRST).stat().st_size
        if not alone[-1]:
            made.write(group(number, [(number, b"x" * 100)]))
        else:
            assert extent == (tmp_path / FIRST).stat().st_size, "it never grows the file"
    assert alone[:5] == [False, True, True, False, True]
    made.close(None)
    assert [at for at, _ in read(tmp_path)[0].log(0)] == list(range(1, 20))


def sets_aside(handle, at, size):
    os.ftruncate(handle, max(os.fstat(handle).st_size, at + size))


def writes_to_each_block(handle, at, size):
    """As the C library does it where the file system cannot."""
    for block in range(at, at + size, 4096):
        os.pwrite(handle, b"\0", block)


def has_none(handle, at, size):
    raise OSError(28, "No space left on device")


@pytest.mark.skipif(not hasattr(os, "SEEK_DATA"), reason="files with holes")
@pytest.mark.parametrize("disk", [sets_aside, writes_to_each_block, has_none])
@pytest.mark.parametrize("through", [True, False])
def test_room_for_large_groups_is_set_aside_where_that_costs_little(
    tmp_path, monkeypatch, disk, through
):
    for name, value in (("SMALL", 1_000), ("_SOME", 10_000), ("_ROOM", 50_000)):
        monkeypatch.setattr(segment_file, name, value)
    monkeypatch.setattr(writer_module, "SMALL", 1_000)
    asked = []

    def set_aside(handle, at, size):
        asked.append(size)
        disk(handle, at, size)

    monkeypatch.setattr(os, "posix_fallocate", set_aside, raising=False)
    made = writer(tmp_path, through=through)
    path = tmp_path / FIRST
    rows = {number: b"%04d" % number * 5_000 for number in range(1, 11)}
    for number, value in rows.items():
        write(made, group(number, [(number, value)]))
    # The first few blocks say whether it is worth it; as many as are there, or some, then.
    assert asked[0] == segment_file._TRIAL
    assert 1 < len(asked) < 8 if disk is sets_aside else len(asked) == 1
    assert (path.stat().st_size > made._live.segments[1].size + 20_000) == (disk is sets_aside)
    (tmp_path / "killed").mkdir()
    (tmp_path / "killed" / FIRST).write_bytes(path.read_bytes())
    write(made, group(11, [(11, b"small")]))
    made.close(None)
    kept, notes = read(tmp_path)
    assert (dict(kept.log(0)), notes) == (rows | {11: b"small"}, [])
    kept, notes = read(tmp_path / "killed")
    assert (dict(kept.log(0)), kept.clean, notes) == (rows, False, [])


def unsynced(folder, monkeypatch, *, segment=None):
    """A folder of five groups of which a machine that stops may have lost any but the first."""
    monkeypatch.setattr(syncer, "INTERVAL", 0)
    if segment is not None:
        monkeypatch.setattr(writer_module, "SEGMENT", segment)
    made = writer(folder, through=False)
    made.write(group(1, [(1, b"1" * 300)]))
    wait_until_synced(made)
    monkeypatch.setattr(made._syncer, "written", lambda file, place: None)
    monkeypatch.setattr(made._syncer, "full", lambda file, size: None)
    for number in range(2, 6):
        made.write(group(number, [(number, b"%d" % number * 300)]))
    killed(made)


@pytest.mark.parametrize("lost", range(2, 5))
@pytest.mark.parametrize("what", ["all", "head", "value"])
def test_a_group_that_did_not_come_to_the_disk_is_cut_with_all_behind_it(
    tmp_path, monkeypatch, lost, what
):
    """Pages come to the disk in any order: later groups may be there."""
    unsynced(tmp_path, monkeypatch)
    path = tmp_path / FIRST
    data = bytearray(path.read_bytes())
    gone = next(each for each in frames(path) if each.group == lost)
    begin, end = {
        "all": (gone.at, gone.end),
        "head": (gone.at, gone.at + 20),
        "value": (gone.end - 9, gone.end - 5),
    }[what]
    data[begin:end] = bytes(end - begin)
    path.write_bytes(data)
    kept, notes = read(tmp_path)
    assert [at for at, _ in kept.log(0)] == list(range(1, lost))
    (note,) = notes
    assert f"{path}: its end is torn: {len(data) - gone.at} bytes" in note
    assert "`--data-sync os` can lose" in note
    assert read(tmp_path)[1] == [], "it is cut once"


@pytest.mark.parametrize("steps", range(4))
def test_a_start_that_is_killed_while_it_cuts_is_ended_by_the_next_one(
    tmp_path, monkeypatch, steps
):
    """Whatever it has done by then, what is behind the torn group never counts again."""
    unsynced(tmp_path, monkeypatch, segment=300)
    assert len(paths_in(tmp_path)) == 5
    os.truncate(tmp_path / SECOND, HEAD + 70)
    left = iter(range(steps))

    def counted(inner):
        def step(*args):
            if next(left, None) is None:
                raise KeyboardInterrupt
            return inner(*args)

        return step

    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", counted(os.replace))
        patched.setattr(Reader, "cut", counted(Reader.cut))
        with suppress(KeyboardInterrupt):
            read(tmp_path)
    assert [at for at, _ in read(tmp_path)[0].log(0)] == [1]
    assert paths_in(tmp_path) == [tmp_path / FIRST, tmp_path / SECOND]


def test_segments_behind_what_is_cut_are_set_aside(tmp_path, monkeypatch):
    unsynced(tmp_path, monkeypatch, segment=800)
    assert (tmp_path / SECOND).exists()
    path = tmp_path / FIRST
    gone = next(each for each in frames(path) if each.group == 2)
    os.truncate(path, gone.at + 70)
    kept, notes = read(tmp_path)
    assert [at for at, _ in kept.log(0)] == [1]
    assert f"{SECOND} follows what is cut off and is left out" in notes[1]
    assert not (tmp_path / SECOND).exists()
    assert (tmp_path / f"{SECOND}.torn-1").exists()
    made = writer(tmp_path, through=False)
    made.write(group(6, [(6, b"x")]))
    made.close(None)
    assert [at for at, _ in read(tmp_path)[0].log(0)] == [1, 6]


def test_damage_to_what_was_on_disk_is_refused_and_not_cut(tmp_path, monkeypatch):
    unsynced(tmp_path, monkeypatch)
    path = tmp_path / FIRST
    data = bytearray(path.read_bytes())
    first = next(each for each in frames(path) if each.group == 1)
    data[first.at + 8] ^= 1
    path.write_bytes(data)
    with pytest.raises(DataError, match=f"{FIRST} is damaged at byte {first.at}"):
        read(tmp_path)
    assert path.read_bytes() == data


@pytest.mark.usefixtures("at_once")
def test_a_segment_that_is_full_is_synced_and_closed(tmp_path, monkeypatch):
    monkeypatch.setattr(writer_module, "SEGMENT", 1_000)
    made = writer(tmp_path, through=False)
    files = []
    for number in range(1, 20):
        made.write(group(number, [(number, b"x" * 400)]))
        if made._file not in files:
            files.append(made._file)
    assert len(files) > 4
    made.close(None)
    assert not any(each.open for each in files)
    assert len(read(tmp_path)[0].log(0)) == 19


def test_an_emptied_segment_goes_when_what_took_its_place_is_on_disk(tmp_path, monkeypatch):
    monkeypatch.setattr(syncer, "INTERVAL", 60)
    monkeypatch.setattr(writer_module, "SEGMENT", 1_000)
    made = writer(tmp_path, through=False)
    for number in range(1, 9):
        made.write(group(number, [(number, b"x" * 600)], [number - 1]))
    assert next(iter(made._live.segments)) != 1, "nothing is wanted of the first one"
    made.close(None)
    assert not (tmp_path / FIRST).exists()
    assert [at for at, _ in read(tmp_path)[0].log(0)] == [8]


def test_an_end_that_comes_as_the_thread_begins_anew_is_seen(tmp_path, monkeypatch):
    comes = threading.Semaphore(1)

    class Event(threading.Event):
        def clear(self):
            # As `close` does it, at the worst moment.
            if comes.acquire(blocking=False):
                made._ending = True
                made._hurry.set()
                made._asked.set()
            super().clear()

    monkeypatch.setattr(syncer, "INTERVAL", 0)
    monkeypatch.setattr(syncer, "threading", SimpleNamespace(Event=Event, Thread=threading.Thread))
    made = syncer.Syncer(tmp_path, lambda place: None, lambda error: None)
    made.emptied(tmp_path / "kept-00000001.seg")
    made._thread.join(20)
    assert not made._thread.is_alive()


@pytest.mark.usefixtures("never")
def test_a_new_segment_is_said_to_be_on_disk_when_its_name_is_there_too(tmp_path, monkeypatch):
    said = []
    made = writer(tmp_path, through=False)
    monkeypatch.setattr(syncer, "sync_folder", lambda folder: said.append("folder"))
    brought = made._syncer._synced
    made._syncer._synced = lambda place: (said.append(place), brought(place))
    monkeypatch.setattr(writer_module, "SEGMENT", 0)
    for number in (1, 2):
        made.write(group(number, [(number, b"x")]))
    newest = place_of(max(made._live.segments), 0)
    made.close(None)
    there = next(at for at, one in enumerate(said) if one != "folder" and one > newest)
    # That of the one before, which is full and closed, says nothing of the newest.
    assert said[:there].count("folder") >= 2
