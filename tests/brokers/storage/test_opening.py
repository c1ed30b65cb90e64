"""A data folder as it is opened and let go of: its lock, its place, and what cannot be."""

import errno
import os
import sqlite3
import sys
from shutil import copyfile, rmtree
from types import SimpleNamespace

import pytest
from mockforge_brokers.storage.disk import Files
from mockforge_brokers.storage.refused import DataError
from mockforge_brokers.storage.segment_file import SegmentFile
from mockforge_brokers.storage.writer import Writer

from .test_disk import FIRST, ROWS, filled, group, read, write, writer


def test_a_file_system_without_locks_is_no_second_program(tmp_path, monkeypatch):
    fcntl = pytest.importorskip("fcntl")

    def refuses(*args):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    with monkeypatch.context() as patched:
        patched.setattr(fcntl, "flock", refuses)
        with pytest.raises(DataError, match=f"--data-dir {tmp_path}: No locks available"):
            Files(tmp_path)


def test_a_file_of_another_program_that_has_our_locks_name_is_left_alone(tmp_path):
    text = "made by another program, and not to be written over\n"
    (tmp_path / "lock").write_text(text)
    with pytest.raises(DataError, match="/lock is no file of this program"):
        Files(tmp_path)
    assert (tmp_path / "lock").read_text() == text
    (tmp_path / "lock").unlink()
    Files(tmp_path).close()


def test_a_disk_without_room_for_our_number_is_read_all_the_same(tmp_path, monkeypatch):
    filled(tmp_path)

    def refuses(*args):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(os, "write", refuses)
        files = Files(tmp_path)
    assert sum(map(len, files.read().logs.values())) == ROWS
    files.close()


def test_a_disk_that_is_full_at_a_later_start_is_named_and_what_is_kept_stays(
    tmp_path, monkeypatch
):
    """As one that never writes in place, where there is no room for a little more."""
    filled(tmp_path)

    def refuses(*args):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(SegmentFile, "put", refuses)
        with pytest.raises(DataError, match=f"--data-dir {tmp_path}: the disk is full, .*room"):
            Files(tmp_path).read()
    files = Files(tmp_path)
    assert sum(map(len, files.read().logs.values())) == ROWS
    files.close()


def test_a_disk_that_is_full_at_the_first_start_is_named_and_the_folder_let_go(
    tmp_path, monkeypatch
):
    def refuses(*args, **how):
        raise sqlite3.OperationalError("database or disk is full")

    with monkeypatch.context() as patched:
        made = SimpleNamespace(execute=refuses, close=lambda: None)
        patched.setattr("sqlite3.connect", lambda *args, **how: made)
        with pytest.raises(
            DataError, match=r"mockforge\.db\.new cannot be written: database or .*; make room"
        ):
            Files(tmp_path).read()
    Files(tmp_path).close()


def test_what_brokers_begin_with_is_not_written_where_the_start_is_refused(tmp_path):
    files = Files(tmp_path)
    made = Writer(files, lambda function, *args: function(*args))
    # As the store's timer does it, which goes off while the start comes to its end.
    made.write(group(1, entities=[("vhost", b"/", b"")]))
    made.close(group(2, entities=[("vhost", b"a", b"")]))
    assert not list(tmp_path.glob("*.seg"))


@pytest.mark.skipif(sys.platform == "win32", reason="folders of POSIX")
def test_a_folder_that_is_made_is_on_disk_with_those_around_it(tmp_path, monkeypatch):
    synced = []
    monkeypatch.setattr("mockforge_brokers.storage.disk.sync_folder", synced.append)
    Files(tmp_path / "a" / "b").close()
    assert synced == [tmp_path / "a", tmp_path]
    Files(tmp_path / "a" / "b").close()
    assert len(synced) == 2


def test_whatever_the_end_of_the_writer_raises_the_folder_is_let_go(tmp_path, monkeypatch):
    made = writer(tmp_path)
    write(made, group(1, [(1, b"x")]))

    def fails(group):
        raise RuntimeError("a bug")

    monkeypatch.setattr(made, "_job", fails)
    with pytest.raises(RuntimeError, match="a bug"):
        made.close(group(2, [(2, b"y")]))
    assert read(tmp_path)[0].log(0) == [(1, b"x")]


@pytest.mark.parametrize("code", [errno.EROFS, errno.EACCES])
def test_a_folder_that_may_not_be_written_to_is_named_with_the_remedy(tmp_path, monkeypatch, code):
    def refuses(*args):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr("mockforge_brokers.storage.disk.locked", refuses)
    with pytest.raises(DataError, match=f"{tmp_path}: .*: let this user write to it, or give"):
        Files(tmp_path)


STRANGE = {
    "is a folder": lambda path: path.mkdir(),
    "is no file but a pipe": lambda path: os.mkfifo(path),
    "is a link to gone, where nothing is": lambda path: path.symlink_to("gone"),
}


@pytest.mark.skipif(sys.platform == "win32", reason="pipes and links of POSIX")
@pytest.mark.parametrize("words", STRANGE)
def test_what_is_in_the_place_of_a_file_is_named_and_left(tmp_path, words):
    """To open a pipe waits for ever."""
    for name in ("lock", "segments", "mockforge.db", FIRST):
        rmtree(tmp_path)
        filled(tmp_path)
        path = tmp_path / name
        path.unlink()
        STRANGE[words](path)
        with pytest.raises(DataError, match=f"^{path} {words}.*backup, or give another --data-dir"):
            Files(tmp_path)
        assert path.is_symlink() or path.exists()


def test_a_segment_that_somebody_copied_or_renamed_is_named_with_the_one_it_was(tmp_path):
    filled(tmp_path)
    first = tmp_path / FIRST
    later = [tmp_path / f"kept-{number:08}.seg" for number in (2, 3)]
    for each in later:
        copyfile(first, each)
    told = ", ".join(f"{each} has the content of {FIRST}" for each in later)
    with pytest.raises(DataError, match=f"^{told}: somebody copied .*own name"):
        Files(tmp_path)
    for each in later:
        each.unlink()
    assert sum(map(len, read(tmp_path)[0].logs.values())) == ROWS


def test_a_segment_that_was_on_disk_and_is_empty_now_is_damaged_and_not_just_begun(tmp_path):
    filled(tmp_path)
    os.truncate(tmp_path / FIRST, 0)
    with pytest.raises(DataError, match=f"{FIRST} is damaged at byte 0.*from a backup"):
        read(tmp_path)
    assert (tmp_path / FIRST).exists()


def test_a_file_that_may_not_be_read_is_named_and_not_called_damaged(tmp_path, monkeypatch):
    filled(tmp_path)
    name = str(tmp_path / "mockforge.db")

    def refuses(path, *args):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

    monkeypatch.setattr("pathlib.Path.open", refuses)
    with pytest.raises(DataError, match=f"^{name}: Permission denied: let this user write to it"):
        Files(tmp_path)
