"""A disk that fails as Linux's do: what it did not take is forgotten, and the next sync succeeds.

What was written is seen by all who read it, taken by the disk or not, as long as the system has
memory; `stop` leaves of a folder what is on the disk.
"""

import os
import threading

from mockforge_brokers.storage import disk, segment_file, syncer

PAGE = 64


def sync_by(monkeypatch, to_disk):
    """Let files come to the disk by this function of a handle."""
    for module in (disk, segment_file):
        monkeypatch.setattr(module, "to_disk", to_disk)


class ForgetfulDisk:
    """Knows of each file which pages are on the disk; `fails` says whether the next sync does.

    `failing` says of what: of files, of folders or of both.
    """

    failing = ("file", "folder")

    def __init__(self, folder, monkeypatch, fails):
        self.folder = folder
        self.fails = fails
        self.failed = 0
        self._taken = {}
        """Pages of each file that are on the disk, as they are there."""
        self._dirty = {}
        self._names = {}
        self._lock = threading.Lock()
        self._open = []
        """Of each file, so that no other one gets its number."""
        self._stopped = False
        inner = segment_file.SegmentFile.put

        def put(file, pieces, at):
            done = inner(file, pieces, at)
            self._written(file._handle, at, done)
            if file._through:
                self._sync(file._handle)
            return done

        monkeypatch.setattr(segment_file.SegmentFile, "put", put)
        monkeypatch.setattr(segment_file, "_SYNCED", 0)
        sync_by(monkeypatch, self._sync)
        for module in (disk, segment_file, syncer):
            monkeypatch.setattr(module, "sync_folder", self._sync_folder)

    def _written(self, handle, at, size):
        if self._stopped:
            return
        number = os.fstat(handle).st_ino
        if number not in self._dirty:
            self._dirty[number] = set()
            self._open.append(os.dup(handle))
        with self._lock:
            self._dirty[number] |= set(range(at // PAGE, (at + size - 1) // PAGE + 1))

    def _sync(self, handle):
        if self._stopped:
            # What it left is looked at, and nothing is kept open any more.
            return
        number = os.fstat(handle).st_ino
        if number not in self._dirty:
            # One that was made by somebody else than a segment's writer.
            self._written(handle, 0, os.fstat(handle).st_size)
        with self._lock:
            dirty, self._dirty[number] = self._dirty[number], set()
        self._fail("file")
        data = os.pread(handle, os.fstat(handle).st_size, 0)
        pages = self._taken.setdefault(number, {})
        pages |= {page: data[page * PAGE :][:PAGE] for page in dirty}

    def _fail(self, what):
        if what in self.failing and self.fails():
            self.failed += 1
            raise OSError(5, "Input/output error")

    def _sync_folder(self, folder):
        try:
            self._fail("folder")
        except OSError:
            # The next one succeeds, and brings nothing before the folder is changed anew.
            os.utime(folder, (0, 0))
            raise
        if folder.stat().st_mtime == 0:
            return
        self._names = {each.name: each.stat().st_ino for each in folder.glob("kept-*.seg")}

    def stop(self):
        """The machine lost its power; returns another folder with what is there afterwards.

        In the old one the writer's threads may be at work: with what they take away from it.
        """
        self._stopped = True
        after = self.folder / "after"
        after.mkdir()
        for name, number in self._names.items():
            with (after / name).open("wb") as file:
                for page, data in dict(self._taken.get(number, {})).items():
                    file.seek(page * PAGE)
                    file.write(data)
        for handle in self._open:
            os.close(handle)
        return after
