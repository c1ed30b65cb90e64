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
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, Final, Protocol, cast

from msgspec import Struct, field

from ..clock import Clock, Timer
from ..events import DataWritable, DataWriteFailed, Warned
from ..spine import Spine
from .patience import LONGEST, Patience

POSITION_BITS: Final = 40
"""A row's number is its log's, shifted by so much, and its position in there."""
_MOST_LOGS: Final = 1 << 63 - POSITION_BITS


class Kept(Struct):
    """What was found at the start. `logs` has the rows of each log by position, ascending.

    Who takes a log takes it out; what nobody takes is forgotten.
    """

    entities: dict[str, dict[bytes, bytes]] = field(default_factory=dict)
    logs: dict[int, list[tuple[int, bytes]]] = field(default_factory=dict)
    clean: bool = True
    """The last run ended by itself: what it wrote last is all that there was."""

    def of_kind(self, kind: str) -> dict[bytes, bytes]:
        return self.entities.get(kind, {})

    def log(self, number: int) -> list[tuple[int, bytes]]:
        return self.logs.pop(number, [])


class Group(Struct):
    """What is on disk whole or not at all. Numbers of rows are those of `row_number`."""

    number: int
    rows: dict[int, bytes] = field(default_factory=dict)
    gone: list[int] = field(default_factory=list)
    ranges: list[tuple[int, int]] = field(default_factory=list)
    """Rows from the first number up to the second are gone."""
    entities: list[tuple[str, bytes, bytes | None]] = field(default_factory=list)
    """(kind, name, value); None: it is gone."""

    @property
    def size(self) -> int:
        return sum(map(len, self.rows.values()))


class Disk(Protocol):
    """Writes groups, one after the other, and calls `Store.written` or `Store.failed`."""

    def write(self, group: Group) -> None:
        """Begin to write; returns at once."""
        ...

    def close(self, last: Group | None) -> None:
        """Write what is left and this too, wait for that, and let go of the files."""
        ...

    def sizes(self) -> dict[str, int]:
        """Bytes of its files, by what they are."""
        ...


Encode = Callable[[], bytes | None]
"""An entity as it is now; None when it is not there, or not to be kept."""
Late = tuple[Callable[..., bytes], tuple[Any, ...]]
"""What encodes a row, and of what, which stays as it is until then."""


class Source(Protocol):
    """Whoever has new rows that it does not name one by one, since many go as soon as they came."""

    def catch_up(self) -> None:
        """`Store.fill` in those that are there by now."""
        ...


def row_number(log: int, position: int) -> int:
    return log << POSITION_BITS | position


class Store:
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
        self.place = place
        self.prompt = prompt
        self.group = 1
        self.committed = 0
        self.facts = 0
        self.failing = ""
        self.last_commit: float | None = None
        """Wall time."""
        self.commits = 0
        self.rows_written = 0
        self.bytes_written = 0
        self.longest = 0.0
        """Seconds from the first fact of a group to its being on disk, at most."""
        self.disk = disk
        self.interval = interval
        self._clock = clock
        self._spine = spine
        self._rows: dict[int, bytes | Late] = {}
        self._is_late = False
        """One of them is encoded when the group is written."""
        self._sources: dict[Source, None] = {}
        """Those that may have rows for this group."""
        self.patience = Patience(clock, lambda: self.facts, self._commit)
        self._replacing: set[int] = set()
        """Those of them that stand on disk in another form."""
        self._gone: set[int] = set()
        self._ranges: list[tuple[int, int]] = []
        self._entities: dict[tuple[str, bytes], Encode] = {}
        self._writing: Group | None = None
        self._armed = False
        self._timer: Timer | None = None
        self._eager = eager and not prompt
        self._watched = not self._eager
        """Somebody waits for the group, and its growth is looked at."""
        self._began = 0.0
        self._written_began = 0.0
        self._due = False
        self._still = 0
        self._last_log = 0
        self._waiting: defaultdict[int, list[Callable[[], object]]] = defaultdict(list)
        self._on_failing: list[Callable[[], object]] = []
        self._on_close: list[Callable[[], object]] = []

    def on_failing(self, callback: Callable[[], object]) -> None:
        """Call each time that writing fails, and when it succeeds again."""
        self._on_failing.append(callback)

    def on_close(self, callback: Callable[[], object]) -> None:
        """Call before the last group is written, which it may still add to."""
        self._on_close.append(callback)

    # Facts.

    def new_log(self) -> int:
        """A number that no other log has or had."""
        self._last_log += 1
        if self._last_log >= _MOST_LOGS:
            raise OverflowError("no more logs have room in a data folder: begin a new one")
        return self._last_log

    def known_log(self, number: int) -> None:
        """This one is in use."""
        self._last_log = max(self._last_log, number)

    def append(self, log: int, position: int, value: bytes | Late) -> None:
        """A new row."""
        if self._still:
            return
        number = log << POSITION_BITS | position
        self._rows[number] = value
        if self._gone:
            self._gone.discard(number)
        self.facts += 1
        if not self._armed:
            self._arm()
        if not self._watched:
            self._watch()

    def append_late(self, log: int, position: int, late: Late) -> None:
        """A new row that is encoded when its group is written: many are gone again by then."""
        self._is_late = True
        self.append(log, position, late)

    def replace(self, log: int, position: int, late: Late) -> None:
        """A row in place of the one that stands there."""
        if not self._still:
            self.append_late(log, position, late)
            self._replacing.add(log << POSITION_BITS | position)

    def touch(self, source: Source, count: int = 1, *, passing: bool = False) -> None:
        """So many new rows are there, of which `source` fills in what is left when it is asked.

        `passing`: somebody was sent what is in them, and may be done with it soon.
        """
        if self._still:
            return
        self._sources[source] = None
        self.facts += count
        if passing:
            self.patience.sent(count)
        if not self._armed:
            self._arm()
        if not self._watched:
            self._watch()

    def fill(self, rows: Mapping[int, bytes | Late], *, late: bool = False) -> None:
        """Rows, by their numbers, of a source that was touched before."""
        self._rows.update(rows)
        self._is_late = self._is_late or late

    def catch_up(self) -> None:
        """Whoever has new rows fills them in: what they stand for is about to change."""
        sources, self._sources = self._sources, {}
        for source in sources:
            source.catch_up()

    def remove(self, log: int, position: int) -> None:
        """A row is gone; nobody waits to hear of that."""
        if self._still:
            return
        number = log << POSITION_BITS | position
        # One that came and went within a group was never on disk, and costs nothing.
        if self._rows.pop(number, None) is None or number in self._replacing:
            # One that was written before, or is being written.
            self._gone.add(number)
            if not self._armed:
                self._arm()

    def remove_all(self, log: int, positions: Sequence[int]) -> None:
        """`remove`, of many rows."""
        for position in positions:
            self.remove(log, position)

    def trim(self, log: int, before: int) -> None:
        """The rows of a log below a position are gone."""
        self._remove_range(row_number(log, 0), row_number(log, before))

    def drop(self, log: int) -> None:
        """A log is gone; its number is never used again."""
        self._remove_range(row_number(log, 0), row_number(log + 1, 0))

    def _remove_range(self, first: int, end: int) -> None:
        if self._still or first == end:
            return
        # Whoever trims does so rarely, and a group has some thousand rows: no index is kept.
        self._ranges.append((first, end))
        for number in [each for each in self._rows if first <= each < end]:
            del self._rows[number]
        if not self._armed:
            self._arm()

    def changed(self, kind: str, name: bytes, encode: Encode) -> None:
        """An entity is other than it was, new or gone: `encode` says how, when it is written."""
        if self._still:
            return
        # Encoded when its group is written: however often it changes meanwhile, it is one row.
        self._entities[kind, name] = encode
        self.facts += 1
        if not self._armed:
            self._arm()
        if not self._watched:
            self._watch()

    @contextmanager
    def still(self) -> Iterator[None]:
        """What happens meanwhile is no news: state is put up as it is on disk already."""
        self._still += 1
        try:
            yield
        finally:
            self._still -= 1

    # Groups.

    def _arm(self) -> None:
        self._armed = True
        self._began = self._clock.now()
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
        if self._armed and self.prompt and self._writing is None and not self.patience.waits():
            self._close_group()

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
        group = self._take_group()
        if not (group.rows or group.gone or group.ranges or group.entities):
            # All that came is gone again: there is nothing to be written, nor to be waited for.
            self._is_there(group.number)
            return
        self._writing = group
        self._written_began = self._began
        self.disk.write(group)

    def _take_group(self) -> Group:
        self.catch_up()
        self.patience.closed()
        rows = cast("dict[int, bytes]", self._rows)
        if self._is_late:
            self._is_late = False
            rows = {number: _encoded(row) for number, row in self._rows.items()}
        group = Group(
            self.group,
            rows,
            list(self._gone),
            self._ranges,
            [(kind, name, encode()) for (kind, name), encode in self._entities.items()],
        )
        self.group += 1
        # New ones, and not cleared: the group that is being written owns the old ones.
        self._rows, self._gone, self._ranges, self._entities = {}, set(), [], {}
        self._replacing = set()
        self._watched = not self._eager
        return group

    def written(self, number: int) -> None:
        """The group of this number is on disk."""
        group, self._writing = self._writing, None
        if group is None:
            # It was closed meanwhile, and nobody waits any more.
            return
        self.commits += 1
        self.rows_written += len(group.rows) + len(group.entities)
        self.bytes_written += group.size
        self.last_commit = self._clock.wall()
        self.longest = max(self.longest, self._clock.now() - self._written_began)
        if self.failing:
            self.failing = ""
            self._spine.emit(DataWritable("data"))
            self._report_failing()
        self._is_there(number)

    def _is_there(self, number: int) -> None:
        self.committed = number
        # Its time came while the one before was being written.
        if self._due:
            self._close_group()
        for due in [each for each in self._waiting if each <= number]:
            for callback in self._waiting.pop(due):
                callback()

    def failed(self, reason: str) -> None:
        """Nothing can be written for now; the writer tries again by itself."""
        if not self.failing:
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
        """The end: what was gathered is written, and waited for."""
        for callback in self._on_close:
            callback()
        last = self._take_group() if self._armed or self._due else None
        self._writing = None
        self.disk.close(last)


def _encoded(row: bytes | Late) -> bytes:
    return row if isinstance(row, bytes) else row[0](*row[1])


def still(store: Store | None) -> AbstractContextManager[None]:
    """`Store.still`, or nothing where there is no store."""
    return nullcontext() if store is None else store.still()
