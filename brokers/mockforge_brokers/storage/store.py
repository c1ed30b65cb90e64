"""The loop's side of what is kept: facts are gathered, and written in groups.

A broker appends the rows of its logs (a batch, a message) and names the entities that changed. At
most some milliseconds after the first of them all that was gathered becomes one group, and sooner
where a turn of the loop added nothing: there is nobody to wait for. A `prompt` store does not wait
for the disk, so that a group is what one turn of the loop brought, and is written before the
answers of that turn are (`commit`), or a little later where that saves most of it (`patience`).
Entities are encoded as they
are then, which is between two calls of the loop, so that a group never shows half of what one
request did. A writer beside the loop puts it on disk, whole or not at all. Nothing waits for that
but what says that something is kept: a connection that caused facts writes no more output until
their group is on disk (`durable_endpoint`), in the order in which it was made.

What disappears in the group in which it came is never written at all.
"""

from collections import defaultdict
from collections.abc import Callable, Collection
from contextlib import AbstractContextManager, ExitStack, nullcontext
from typing import Protocol

from ..clock import Clock, Timer
from ..events import DataWritable, DataWriteFailed, Warned
from ..spine import Spine
from .facts import Facts, Group, Kept, encoded
from .patience import LONGEST, Patience


class Disk(Protocol):
    """Writes groups, one after the other, and calls `Store.written` or `Store.failed`."""

    def write(self, group: Group) -> None:
        """Begin to write; returns at once."""
        ...

    def write_row(self, group: int, row: int, value: bytes, gone: Collection[int]) -> bool:
        """As `write` of a group with this row, and rows that are gone. Nothing is called back.

        True where it is there when this returns; False: nothing was done.
        """
        ...

    def alone(self) -> tuple[int, int]:
        """How many rows `write_row` wrote so far, and their bytes."""
        ...

    def read(self) -> Kept | None:
        """All that is there, with the group that it was given; None while it takes nothing."""
        ...

    def wait(self) -> bool:
        """Until all that it was given is there; False while it takes nothing."""
        ...

    def close(self, last: Group | None) -> None:
        """Write what is left and this too, wait for that, and let go of the files."""
        ...

    def sizes(self) -> dict[str, int]:
        """Bytes of its files, by what they are."""
        ...


class Store(Facts):
    """Gathers facts; `group` is the number of the group that is being gathered.

    `facts` counts those that somebody wants to hear of: who caused one waits until `committed` is
    its group's number. `interval` is how long a group may grow, in seconds; an `eager` store closes
    it in the first turn of the loop in which nobody adds to it, a `prompt` one when it is
    asked for. `failing` says why nothing can be written now; what was gathered is kept, and new
    durable messages are to be refused meanwhile.
    """

    def __init__(
        self,
        clock: Clock,
        spine: Spine,
        disk: Disk,
        interval: float,
        place: str = "",
        *,
        eager: bool = False,
        prompt: bool = False,
    ) -> None:
        super().__init__()
        self.place = place
        self.prompt = prompt
        self.committed = 0
        self.failing = ""
        self._last_commit: float | None = None
        self._commits = 0
        self._rows_written = 0
        self._bytes_written = 0
        """These but for rows that the disk wrote alone, and counted."""
        self.longest = 0.0
        """Seconds from the first fact of a group to its being on disk, at most."""
        self.disk = disk
        self.interval = interval
        self._clock = clock
        self._now = clock.now
        self._spine = spine
        self.patience = Patience(clock, lambda: self.facts, self._commit)
        self._writing: Group | None = None
        self._timer: Timer | None = None
        self._eager = eager and not prompt
        self._watched = not self._eager
        self._began = 0.0
        self._written_began = 0.0
        self._due = False
        self._waiting: defaultdict[int, list[Callable[[], object]]] = defaultdict(list)
        self._on_failing: list[Callable[[], object]] = []
        self._on_close: list[Callable[[], object]] = []

    @property
    def commits(self) -> int:
        return self._commits + self.disk.alone()[0]

    @property
    def rows_written(self) -> int:
        return self._rows_written + self.disk.alone()[0]

    @property
    def bytes_written(self) -> int:
        return self._bytes_written + self.disk.alone()[1]

    @property
    def last_commit(self) -> float | None:
        """Wall time."""
        last, clock = self._last_commit, self._clock
        return None if last is None else clock.wall() - clock.now() + last

    def on_failing(self, callback: Callable[[], object]) -> None:
        """Call each time that writing fails, and when it succeeds again."""
        self._on_failing.append(callback)

    def on_close(self, callback: Callable[[], object]) -> None:
        """Call before the last group is written, which it may still add to."""
        self._on_close.append(callback)

    # Groups.

    def _arm(self) -> None:
        self._armed = True
        self._began = self._now()
        if self._timer is None:
            self._timer = self._clock.call_later(self.interval, self._time_is_up)

    def _time_is_up(self) -> None:
        self._timer = None
        if not self._armed:
            return
        longest = self.interval * (LONGEST if self.patience.waiting else 1)
        left = self._began + longest - self._clock.now()
        if left > self.interval / 2:
            # It was set for a group that is written already.
            self._timer = self._clock.call_later(left, self._time_is_up)
        else:
            self._close_group()

    def commit(self) -> None:
        """Write what was gathered, where the disk does not make us wait.

        Only between two calls of the loop, or behind all that one of them does to the state.
        """
        patience = self.patience
        if (
            not self._armed
            or not self.prompt
            or self._writing is not None
            or (not patience.idle and patience.waits())
        ):
            return
        mixed = self._mixed
        if mixed and self.sources:
            self.catch_up()
        if len(self._rows) != 1 or (mixed and (self._runs or self._entities or self._ranges)):
            self._close_group()
        else:
            self._write_one()

    def _write_one(self) -> None:
        """Write a group of one row: all that is not asked of such a one is left out.

        So it is with each message of a client that waits for its confirm before it sends the next.
        """
        rows = self._rows
        ((row, value),) = rows.items()
        if not isinstance(value, bytes):
            value = encoded(value)
        number, gone = self.group, self._gone
        # One in parts is large: there is time for all that may be asked of a group.
        if not isinstance(value, bytes) or not self.disk.write_row(number, row, value, gone):
            self._close_group()
            return
        # As of `_take`, but that nobody else has these.
        rows.clear()
        if gone:
            gone.clear()
        if self._mixed:
            self._mixed = self._is_late = False
            self._replacing.clear()
        self.group = number + 1
        self._armed = False
        if not self.patience.idle:
            self.patience.closed()
        self._last_commit = now = self._now()
        if now - self._began > self.longest:
            self.longest = now - self._began
        self.committed = number
        if self._waiting:
            self._call_waiting(number)

    def _commit(self) -> None:
        if self._armed and self._writing is None:
            self._close_group()

    def _watch(self) -> None:
        self._watched = True
        self._clock.call_later(0, self._look, self.group, 0)

    def _look(self, group: int, before: int) -> None:
        """Once in each turn of the loop; `before`: the facts up to the look in the turn before.

        One client that waits for each confirm gets it as fast as the disk is. Where many speak
        each turn brings facts, and the group grows for its whole interval.
        """
        if group != self.group:
            return
        if self.facts == before:
            self._close_group()
        else:
            self._clock.call_later(0, self._look, group, self.facts)

    def _close_group(self) -> None:
        # A prompt store closes thousands in a second, and asks the one timer whether one is there.
        if self._timer is not None and not self.prompt:
            self._timer.cancel()
            self._timer = None
        if self._writing is not None:
            # It grows until the one before is on disk.
            self._due = True
            return
        self._due = self._armed = False
        try:
            group = self._take_group()
        except BaseException:
            # All of it is still here, and whoever waits for it does so till the next try.
            self._arm()
            raise
        if not (group.rows or group.runs or group.gone or group.ranges or group.entities):
            # All that came is gone again: there is nothing to be written, nor to be waited for.
            self._is_there(group.number)
            return
        self._writing = group
        self._written_began = self._began
        self.disk.write(group)

    def _take_group(self) -> Group:
        group = self._take()
        self.patience.closed()
        self._watched = not self._eager
        return group

    def written(self, number: int, *, writable: bool = True) -> None:
        """The group of this number is on disk; what comes now can be too, or is not `writable`."""
        group = self._writing
        if group is None or group.number != number:
            # It was closed meanwhile, and nobody waits any more; or `lose` waited for it.
            return
        self._writing = None
        self._commits += 1
        self._rows_written += group.count
        self._bytes_written += group.size
        self._last_commit = now = self._clock.now()
        self.longest = max(self.longest, now - self._written_began)
        if writable:
            self.writable()
        self._is_there(number)

    def writable(self) -> None:
        """What could not be written is there, and what comes now can be."""
        if self.failing:
            self.failing = ""
            self._spine.emit(DataWritable("data"))
            self._report_failing()

    def _is_there(self, number: int) -> None:
        self.committed = number
        try:
            # Its time came while the one before was being written.
            if self._due:
                self._close_group()
            else:
                self.commit()
        finally:
            # Whatever the next one raises: this one is on disk.
            self._call_waiting(number)

    def _call_waiting(self, number: int) -> None:
        waiting = self._waiting
        for due in [each for each in waiting if each <= number] if waiting else ():
            for callback in waiting.pop(due):
                callback()

    def failed(self, reason: str) -> None:
        """Nothing can be written for now; the writer tries again by itself.

        What is wrong may become worse meanwhile: the newest reason stands.
        """
        if reason != self.failing:
            self.failing = reason
            self._spine.emit(DataWriteFailed("data", reason))
        self._report_failing()

    def warn(self, text: str) -> None:
        self._spine.emit(Warned("data", self.place, text))

    def _report_failing(self) -> None:
        for callback in self._on_failing:
            callback()

    def when(self, number: int, callback: Callable[[], object]) -> None:
        """Call once the group of this number is on disk; `number` is at most the present one's."""
        if number <= self.committed:
            callback()
        else:
            self._waiting[number].append(callback)

    def lose(self, owner: str) -> Kept | None:
        """A protocol's broker is killed: what of it is not written yet is gone, as after `kill -9`.

        Returns what is on disk, which it is to begin with again; None where all that it knows is
        there, or where nothing can be read since nothing can be written: then it goes on with that.
        """
        if self.prompt and not self.failing:
            self._commit_all_there_is()
        if self.failing or not self._has(owner):
            return None
        kept = self.disk.read()
        if kept is not None:
            self._lose(owner)
        return kept

    def _commit_all_there_is(self) -> None:
        """What was published by hand a moment ago was answered at once: where the system alone has
        to take it, it takes it now, as it would some milliseconds later.

        That stands in one group with what may be acknowledged soon, and waits for nothing.
        """
        writing = self._writing
        if writing is not None and self.disk.wait():
            # The thread has it, and its word of that is still on its way here.
            self.written(writing.number)
        self._commit()

    @property
    def lag(self) -> float:
        """Seconds since the oldest fact that is not on disk; 0 where all are."""
        if self._writing is not None:
            return self._clock.now() - self._written_began
        return self._clock.now() - self._began if self._armed else 0.0

    def figures(self) -> dict[str, object]:
        """Sizes in bytes, times in seconds."""
        return {
            "folder": self.place,
            "failing": self.failing,
            "bytes": self.disk.sizes(),
            "commits": self.commits,
            "rows_written": self.rows_written,
            "bytes_written": self.bytes_written,
            "last_commit": self.last_commit,
            "lag": self.lag,
            "longest_wait": self.longest,
            "interval": self.interval,
            "sync": "os" if self.prompt else "commit",
        }

    def close(self) -> None:
        """The end: what was gathered is written, and waited for.

        Whatever one step of it raises, the others are done and the files let go of.
        """
        with ExitStack() as steps:
            # The last one first.
            steps.callback(self._end)
            for callback in reversed(self._on_close):
                steps.callback(callback)

    def _end(self) -> None:
        last = None
        try:
            last = self._take_group() if self._armed or self._due else None
        finally:
            self._armed = self._due = False
            self._writing = None
            self.disk.close(last)


def still(store: Store | None) -> AbstractContextManager[None]:
    """`Store.still`, or nothing where there is no store."""
    return nullcontext() if store is None else store.still()
