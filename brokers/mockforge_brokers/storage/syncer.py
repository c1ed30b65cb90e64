"""The thread that brings to the disk what the system has, where confirms do not wait for that.

A write that the system took outlives the program, not the machine. About a second later, and
after each 16 MB, it is on disk too; so what waits there never becomes so much that the system makes
a writer wait. What may go only when something newer is on disk goes here: a segment of
which all that was wanted stands in a newer one.

Where a sync fails nothing is asked of the disk again until what it did not take is written anew
(`disk.renew`): a second sync would succeed, and mean nothing.
"""

import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Final, TypeVar

from msgspec import Struct

from .disk import let_go
from .live import offset_in
from .segment_file import SegmentFile, sync_folder

T = TypeVar("T")

INTERVAL: Final = 1.0
"""Seconds for which a write may be in the system's hands alone, about."""
STEP: Final = 16 * 1024 * 1024
"""Bytes that are brought to the disk sooner: then their memory is there for those that follow."""


class _Full(Struct):
    """A segment to which nothing more is written."""

    file: SegmentFile
    size: int


class Syncer:
    """`synced` is called with the place up to which all is on disk, `failed` with what is wrong.

    Both come in the thread. It is `failing` from then on until who writes has `renewed` it all.
    """

    def __init__(
        self,
        folder: Path,
        synced: Callable[[int], object],
        failed: Callable[[OSError], object],
    ) -> None:
        self._folder = folder
        self._synced = synced
        self._failed = failed
        self.reached: tuple[SegmentFile, int] | None = None
        """Where writing goes on, and a place up to which all was written: as `written` has it,
        for who writes but little. More may stand behind that."""
        self._brought = 0
        """The place up to which it is on disk."""
        self._begun = 0
        """The same, or on its way."""
        self._full: SimpleQueue[_Full] = SimpleQueue()
        self._emptied: SimpleQueue[Path] = SimpleQueue()
        self._closing: list[_Full] = []
        self._going: list[Path] = []
        self._asked = threading.Event()
        self.resting = True
        """Nobody has `asked` since it looked last."""
        self._hurry = threading.Event()
        self._ending = False
        self.failing = False
        self._named = 0
        """The newest segment whose name is on disk."""
        self._thread = threading.Thread(target=self._run, name="data syncer", daemon=True)
        self._thread.start()

    # In whichever thread writes; never in two at a time.

    def begin(self, place: int) -> None:
        """All up to there is on disk, and nothing was written yet."""
        self._brought = self._begun = place

    def written(self, file: SegmentFile, place: int) -> None:
        self.reached = file, place
        if self.resting:
            self.ask()
        if place - self._begun > STEP:
            self._begun = place
            self._hurry.set()

    def ask(self) -> None:
        """Something is to be brought to the disk, or to go."""
        self.resting = False
        self._asked.set()

    def full(self, file: SegmentFile, size: int) -> None:
        """It is closed here."""
        self._full.put(_Full(file, size))
        self.ask()
        self._hurry.set()

    def emptied(self, path: Path) -> None:
        """Nothing is wanted of it once all that was written is on disk."""
        self._emptied.put(path)
        self.ask()

    def unsynced(self) -> dict[int, tuple[SegmentFile, int]]:
        """What may not be on disk while it is failing: files by number, with their sizes."""
        self._closing += _all(self._full)
        found = {each.file.number: (each.file, each.size) for each in self._closing}
        if self.reached is not None:
            file, place = self.reached
            if place > self._brought:
                found.setdefault(file.number, (file, offset_in(place)))
        return found

    def renewed(self) -> None:
        """All of these are on disk, and closed."""
        self._closing.clear()
        if self.reached is not None:
            self._brought = self.reached[1]
            self.reached = None
            self._synced(self._brought)
        self.failing = False
        self.ask()

    def close(self) -> None:
        """All is on disk when it returns, but for the file that is being written to."""
        self._ending = True
        self._hurry.set()
        self.ask()
        self._thread.join()

    # In its own.

    def _run(self) -> None:
        ending = False
        while not ending:
            self._asked.wait()
            self._hurry.wait(INTERVAL)
            # Before it looks, also whether it is the end: what comes from here on asks anew.
            self._hurry.clear()
            self._asked.clear()
            self.resting = True
            ending = self._ending
            if self.failing:
                continue
            try:
                self._bring()
            except OSError as error:
                self.failing = True
                self._failed(error)
            else:
                self._let_go()

    def _bring(self) -> None:
        """Raises OSError."""
        self._going += _all(self._emptied)
        reached = self.reached
        self._closing += _all(self._full)
        while self._closing:
            # One that the disk does not take stays the first, and those behind it stay too.
            each = self._closing[0]
            each.file.sync()
            sync_folder(self._folder)
            del self._closing[0]
            each.file.forget(each.size)
            each.file.close(each.size)
        if reached is None:
            return
        file, place = reached
        if file.open:
            file.sync()
            if file.number != self._named:
                # Its own bytes are on disk; that it is there at all stands in the folder.
                sync_folder(self._folder)
                self._named = file.number
            file.forget(offset_in(place))
        self._brought = place
        self._synced(place)

    def _let_go(self) -> None:
        """None goes before an older one: it may say which rows of that are gone."""
        # One that somebody has open is tried again with what is brought next.
        with suppress(OSError):
            while self._going:
                let_go(self._going[0])
                del self._going[0]


def _all(queue: "SimpleQueue[T]") -> list[T]:
    found: list[T] = []
    with suppress(Empty):
        while True:
            found.append(queue.get_nowait())
    return found
