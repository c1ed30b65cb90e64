"""A sync that fails is not tried again and believed: what the disk did not take is written anew."""

import os
import random
import threading
from pathlib import Path
from queue import SimpleQueue

import pytest
from mockforge_brokers.clock import ManualClock
from mockforge_brokers.environment import Environment
from mockforge_brokers.events import DataWritable, DataWriteFailed
from mockforge_brokers.storage import alone, disk, syncer
from mockforge_brokers.storage import writer as writer_module
from mockforge_brokers.storage.disk import Files
from mockforge_brokers.storage.live import place_of
from mockforge_brokers.storage.reading import paths_in
from mockforge_brokers.storage.refused import DataError
from mockforge_brokers.storage.segments import HEAD, is_whole
from mockforge_brokers.storage.store import Store
from mockforge_brokers.storage.writer import Writer

from .forgetful_disk import ForgetfulDisk, sync_by
from .memory_disk import MemoryDisk
from .test_disk import FIRST, group, killed, read, write, writer
from .test_disk import Store as Told
from .test_kills import Dice, contents, one_row
from .test_syncer import wait_until_synced


@pytest.fixture(autouse=True)
def patient(monkeypatch):
    """The loop writes however slow the machine is, and no try waits for its time."""
    for module in (alone, writer_module):
        monkeypatch.setattr(module, "WAITED", 60.0)
    monkeypatch.setattr(writer_module, "_RETRY", 0.001)
    monkeypatch.setattr(syncer, "INTERVAL", 0)


class Loop:
    """Runs what threads ask of the loop in the test's own, while it waits."""

    def __init__(self, folder, *, through):
        self.calls = SimpleQueue()
        files = Files(folder)
        files.read()
        self.writer = Writer(files, lambda *call: self.calls.put(call), through=through)
        self.writer.store = Told()
        self.writer.begin()

    def keep_in(self, store):
        self.writer.store = store
        return store

    def until(self, fact):
        while not fact():
            function, *args = self.calls.get(timeout=20)
            function(*args)

    def until_synced(self, place):
        tick = threading.Event()
        for _ in range(2_000):
            if self.writer._synced >= place:
                return
            tick.wait(0.01)
            while not self.calls.empty():
                function, *args = self.calls.get()
                function(*args)
        raise AssertionError("never synced")

    def keep(self, group):
        """As a store does it: the next one when this one is there."""
        store = self.writer.store
        if not one_row(self.writer, group):
            self.writer.write(group)
            self.until(lambda: store.groups[-1:] == [group.number])


def end_thread(made):
    """Of the writer; and let somebody else have the folder."""
    made._jobs.put(None)
    made._thread.join()
    left = {made._file}
    if made._syncer is not None:
        left |= {file for file, _ in made._syncer.unsynced().values()}
    for file in left:
        if file is not None and file.open:
            # As a kill does, with the room behind what was written.
            file.open = False
            os.close(file._handle)
    made._files.close()


@pytest.mark.parametrize("through", [False, True])
@pytest.mark.parametrize("seed", range(30))
def test_what_is_said_to_be_on_disk_is_there_when_the_power_is_lost_however_often_a_sync_failed(
    tmp_path, monkeypatch, seed, through
):
    monkeypatch.setattr(writer_module, "SEGMENT", 700)
    for name in ("_AHEAD", "_AHEAD_HERE"):
        monkeypatch.setattr(writer_module, name, 100)
    dice, model, luck = Dice(seed), MemoryDisk(), random.Random(seed)
    fails = threading.Event()

    def once_or_more() -> bool:
        # How often a sync is asked for is the threads' affair.
        return fails.is_set() and (not forgetful.failed or luck.random() < 0.1)

    forgetful = ForgetfulDisk(tmp_path, monkeypatch, once_or_more)
    loop = Loop(tmp_path, through=through)
    made = loop.writer
    fails.set()
    for _ in range(30):
        group = dice.group()
        model._apply(group)
        loop.keep(group)
    if not through:
        made.alone()
        newest = made._live.segments[max(made._live.segments)]
        loop.until_synced(place_of(newest.number, newest.size))
    fails.clear()
    after = forgetful.stop()
    # In the old folder, for the power is lost: so that no other test has its threads.
    if made._syncer is not None:
        made._syncer.close()
    end_thread(made)
    assert forgetful.failed
    assert contents(read(after)[0]) == contents(model.kept())


@pytest.mark.parametrize("what", ["file", "folder"])
@pytest.mark.parametrize("next_through", [False, True])
@pytest.mark.parametrize("seed", range(20))
def test_a_start_does_not_believe_what_a_kill_left_of_a_failed_sync(
    tmp_path, monkeypatch, seed, next_through, what
):
    """The system shows it, and takes a sync of it for done; the next run confirms more behind."""
    monkeypatch.setattr(writer_module, "SEGMENT", 700)
    dice, model, fails = Dice(seed), MemoryDisk(), threading.Event()
    forgetful = ForgetfulDisk(tmp_path, monkeypatch, fails.is_set)
    forgetful.failing = (what,)
    for through in (False, next_through):
        loop = Loop(tmp_path, through=through)
        made = loop.writer
        if not through:
            # It is killed before what failed is written anew.
            monkeypatch.setattr(made._syncer, "_failed", lambda error: None)
        for number in range(12):
            if number == 6 and not through:
                fails.set()
            group = dice.group()
            model._apply(group)
            loop.keep(group)
        if made._syncer is not None:
            made._syncer.close()
        fails.clear()
        end_thread(made)
        if what == "folder":
            # A segment that is begun changes it anew.
            monkeypatch.setattr(writer_module, "SEGMENT", 1 << 20)
    read(tmp_path)
    after = forgetful.stop()
    assert forgetful.failed
    assert contents(read(after)[0]) == contents(model.kept())


def failing_once(monkeypatch, error=None):
    """The next sync of a file fails; those behind it do not, whatever that means."""
    inner, left = disk.to_disk, iter([error or OSError(5, "Input/output error")])

    def to_disk(handle):
        if (wrong := next(left, None)) is not None:
            raise wrong
        inner(handle)

    sync_by(monkeypatch, to_disk)


def test_nothing_is_confirmed_from_a_failed_sync_until_all_is_written_anew(tmp_path, monkeypatch):
    made = writer(tmp_path, through=False)
    before = os.stat(tmp_path / FIRST).st_ino
    go = threading.Event()
    inner = writer_module.renew

    def renew(path, size):
        assert go.wait(20)
        inner(path, size)

    monkeypatch.setattr(writer_module, "renew", renew)
    failing_once(monkeypatch)
    made.write(group(1, [(1, b"first")]))
    made.store.wait(lambda: made.store.reasons)
    assert made.store.reasons[0] == (
        "what was written did not come to the disk, and is written anew: "
        f"{tmp_path / FIRST}: Input/output error: see to the disk, and it goes on"
    )
    made.write(group(2, [(2, b"second")]))
    assert not made.write_row(3, 3, b"third", ())
    assert made.store.groups == [1]
    assert made._synced < place_of(1, made._live.segments[1].size)
    go.set()
    made.store.wait(lambda: made.store.groups == [1, 2])
    assert made.store.reasons[1:] == [""], "it can be written again"
    wait_until_synced(made)
    assert os.stat(tmp_path / FIRST).st_ino != before
    made.close(None)
    kept, notes = read(tmp_path)
    assert (kept.logs, kept.clean, notes) == ({0: [(1, b"first"), (2, b"second")]}, True, [])
    assert not list(tmp_path.glob("*.new"))


def test_what_the_system_has_forgotten_too_is_said_and_nothing_more_is_taken(tmp_path, monkeypatch):
    made = writer(tmp_path, through=False)
    inner = writer_module.renew

    def renew(path, size):
        with path.open("r+b") as file:
            file.seek(size - 3)
            file.write(b"\0\0\0")
        inner(path, size)

    monkeypatch.setattr(writer_module, "renew", renew)
    failing_once(monkeypatch)
    made.write(group(1, [(1, b"first")]))
    made.store.wait(lambda: len(made.store.reasons) == 2)
    assert "the system does not have that any more" in made.store.reasons[1]
    made.write(group(2, [(2, b"second")]))
    assert made.read() is None
    made.close(None)
    assert made.store.groups == [1]
    assert "its end is torn" in read(tmp_path)[1][0]


def test_what_is_in_memory_alone_is_told_to_whoever_looks_at_the_log_and_the_state(
    tmp_path, monkeypatch
):
    """With the store itself, which says first that all is written anew."""
    environment = Environment.create(ManualClock(1.0), seed=1)
    told = []
    environment.spine.watch(told.append, DataWriteFailed)
    made = Loop(tmp_path, through=False)
    kept = made.keep_in(Store(environment.clock, environment.spine, made.writer, 0.005))
    monkeypatch.setattr(disk.form, "is_whole", lambda data: False)
    failing_once(monkeypatch)
    kept.append(kept.new_log(), 0, b"first")
    environment.clock.advance(0.005)
    made.until(lambda: "in memory alone" in kept.failing)
    assert "is written anew" in told[0].reason
    assert [each.reason for each in told[1:]] == [kept.failing]
    made.writer.close(None)


def test_a_group_that_is_there_before_all_is_written_anew_does_not_say_that_all_is_well(
    tmp_path, monkeypatch
):
    environment = Environment.create(ManualClock(1.0), seed=1)
    told = []
    environment.spine.watch(told.append, DataWriteFailed, DataWritable)
    made = Loop(tmp_path, through=False)
    kept = made.keep_in(
        Store(environment.clock, environment.spine, made.writer, 0.005, prompt=True)
    )
    may_sync, may_write, may_renew = (threading.Event() for _ in range(3))
    write, renew = disk.SegmentFile.write, writer_module.renew
    failing_once(monkeypatch)
    failing = disk.to_disk
    sync_by(monkeypatch, lambda handle: (may_sync.wait(20), failing(handle)))
    log = kept.new_log()
    kept.append(log, 0, b"by the loop")
    kept.commit()
    monkeypatch.setattr(writer_module, "_LARGE", 0)
    monkeypatch.setattr(
        disk.SegmentFile, "write", lambda *given: (may_write.wait(20), write(*given))
    )
    monkeypatch.setattr(writer_module, "renew", lambda *given: (may_renew.wait(20), renew(*given)))
    kept.append(log, 1, bytes(100_000))
    kept.commit()
    may_sync.set()
    made.until(lambda: kept.failing)
    may_write.set()
    made.until(lambda: kept.committed == 2)
    assert "is written anew" in kept.failing
    may_renew.set()
    made.until(lambda: not kept.failing)
    assert [type(each) for each in told] == [DataWriteFailed, DataWritable]
    kept.close()


def failing_to_open(monkeypatch, folder, errors):
    """The folder cannot be opened so often; its files can."""
    inner, left = os.open, iter(errors)

    def opened(path, *given, **options):
        if path == folder and (wrong := next(left, None)) is not None:
            raise wrong
        return inner(path, *given, **options)

    monkeypatch.setattr(os, "open", opened)


def test_a_name_is_not_on_disk_where_its_folder_cannot_be_opened(tmp_path, monkeypatch):
    made = writer(tmp_path, through=False)
    failing_to_open(monkeypatch, tmp_path, [OSError(24, "Too many open files")] * 2)
    made.write(group(1, [(1, b"first")]))
    made.store.wait(lambda: made.store.reasons[-1:] == [""])
    remedy = "end some connections or raise the limit (ulimit -n)"
    why = f"{tmp_path / FIRST}: Too many open files: {remedy}"
    first = f"what was written did not come to the disk, and is written anew: {why}"
    assert made.store.reasons == [first, why, ""]
    wait_until_synced(made)
    made.close(None)
    assert read(tmp_path)[0].log(0) == [(1, b"first")]


def test_a_folder_that_may_only_be_passed_is_not_asked(tmp_path, monkeypatch):
    made = writer(tmp_path, through=False)
    failing_to_open(monkeypatch, tmp_path, [PermissionError(13, "Permission denied")])
    made.write(group(1, [(1, b"first")]))
    wait_until_synced(made)
    made.close(None)
    assert made.store.reasons == []


@pytest.mark.parametrize("through", [False, True])
def test_a_segment_whose_going_did_not_come_to_the_disk_goes_anew_before_the_next_one_does(
    tmp_path, monkeypatch, through
):
    """Else the next one is gone after a loss of power, and it is there: the start is refused."""
    monkeypatch.setattr(writer_module, "SEGMENT", 1_000)
    made = writer(tmp_path, through=through)
    told, sync_folder, touch = [], disk.sync_folder, Path.touch
    failed = threading.Event()

    def synced(folder):
        oldest = paths_in(folder)[0].name
        if oldest != FIRST:
            told.append(oldest)
            if len(told) == 1:
                failed.set()
                raise OSError(5, "Input/output error")
        sync_folder(folder)

    def touched(path, *given):
        told.append(path.name)
        touch(path, *given)

    monkeypatch.setattr(disk, "sync_folder", synced)
    monkeypatch.setattr(Path, "touch", touched)
    for number in range(1, 9):
        write(made, group(number, [(number, b"x" * 600)], [number - 1]))
    assert failed.wait(20)
    write(made, group(9, [(9, b"x" * 600)], [8]))
    made.close(None)
    second = "kept-00000002.seg"
    assert told[:3] == [second, f"{FIRST}.new", second], "the folder changed before it was asked"
    assert not list(tmp_path.glob("*.new"))
    assert [at for at, _ in read(tmp_path)[0].log(0)] == [9]


def test_what_was_full_when_the_sync_failed_is_written_anew_too(tmp_path, monkeypatch):
    monkeypatch.setattr(writer_module, "SEGMENT", 500)
    loop = Loop(tmp_path, through=False)
    made, store = loop.writer, loop.writer.store
    go, renewed, inner = threading.Event(), [], writer_module.renew

    def renew(path, size):
        renewed.append(path.name)
        inner(path, size)

    monkeypatch.setattr(writer_module, "renew", renew)
    failing_once(monkeypatch)
    failing = disk.to_disk
    sync_by(monkeypatch, lambda handle: (go.wait(20), failing(handle)))
    for number in range(1, 6):
        loop.keep(group(number, [(number, b"x" * 600)]))
    go.set()
    loop.until(lambda: store.reasons[-1:] == [""])
    assert renewed == [f"kept-0000000{number}.seg" for number in range(1, 6)]
    made.close(None)
    assert [at for at, _ in read(tmp_path)[0].log(0)] == [1, 2, 3, 4, 5]


def test_a_disk_that_takes_nothing_is_asked_until_it_does(tmp_path, monkeypatch):
    loop = Loop(tmp_path, through=False)
    store, inner = loop.writer.store, disk.to_disk
    full = OSError(28, "No space left on device")

    def to_disk(handle):
        if len(store.reasons) < 4:
            raise full
        inner(handle)

    sync_by(monkeypatch, to_disk)
    loop.keep(group(1, [(1, b"x")]))
    loop.until(lambda: store.reasons[-1:] == [""])
    why = f"{tmp_path / FIRST}: the disk is full: make room, and it goes on"
    first = f"what was written did not come to the disk, and is written anew: {why}"
    assert store.reasons[:4] == [first, why, why, why]
    loop.keep(group(2, [(2, b"x")]))
    loop.writer.close(None)
    assert [at for at, _ in read(tmp_path)[0].log(0)] == [1, 2]


def test_a_sync_that_fails_at_the_end_is_no_clean_end_unless_all_is_written_anew(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(syncer, "INTERVAL", 60)
    for folder, fails, clean in ((tmp_path / "once", 1, True), (tmp_path / "twice", 2, False)):
        with monkeypatch.context() as patched:
            made = writer(folder, through=False)
            made.write(group(1, [(1, b"first")]))
            for _ in range(fails):
                failing_once(patched)
            made.close(None)
        kept, _ = read(folder)
        assert (kept.log(0), kept.clean) == ([(1, b"first")], clean)
    assert "may not be on disk" in made.store.reasons[0]


def test_a_start_whose_sync_fails_writes_the_segment_anew(tmp_path, monkeypatch):
    made = writer(tmp_path, through=False)
    made.write(group(1, [(1, b"first")]))
    killed(made)
    before = os.stat(tmp_path / FIRST).st_ino
    failing_once(monkeypatch)
    files = Files(tmp_path)
    assert files.read().log(0) == [(1, b"first")]
    files.close()
    assert os.stat(tmp_path / FIRST).st_ino != before


def test_a_start_that_cannot_write_a_segment_anew_is_refused_by_name(tmp_path, monkeypatch):
    made = writer(tmp_path)
    write(made, group(1, [(1, b"damaged"), (2, b"kept")]))
    made.close(group(2, [], [1]))
    data = (tmp_path / FIRST).read_bytes()
    # Of a row that is gone: it is read, and not copied as if it were whole.
    (tmp_path / FIRST).write_bytes(data.replace(b"damaged", b"DAMAGED"))
    failing_once(monkeypatch)
    with pytest.raises(DataError, match=f"--data-dir {tmp_path}: Input/output error"):
        read(tmp_path)
    assert read(tmp_path)[0].log(0) == [(2, b"kept")]


def test_what_is_left_of_a_segment_that_was_written_anew_and_killed_is_taken_away(tmp_path):
    made = writer(tmp_path)
    made.close(group(1, [(1, b"first")]))
    (tmp_path / f"{FIRST}.new").write_bytes(b"half of it")
    assert read(tmp_path)[0].log(0) == [(1, b"first")]
    assert not (tmp_path / f"{FIRST}.new").exists()


def test_a_segment_is_whole_where_all_of_its_frames_and_values_are(tmp_path):
    made = writer(tmp_path)
    write(made, group(1, [(1, b"first" * 9)]))
    write(made, group(2, [(2, b"second" * 9)], [1]))
    data = (tmp_path / FIRST).read_bytes()[: made._live.segments[1].size]
    made.close(None)
    assert is_whole(data)
    for at in range(len(data)):
        wrong = bytearray(data)
        wrong[at] ^= 1
        # Behind the head's own checksum there is nothing but room.
        assert is_whole(bytes(wrong)) == (28 <= at < HEAD), at
    assert not is_whole(data[:-1])
    assert not is_whole(data + b"\0")
