"""What is gathered of a group: rows, and what of them is gone again, ranges and entities.

`store` says when it is written.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain
from typing import Any, Final, Protocol, cast

from msgspec import Struct, field

from .parts import Parts, Value
from .patience import Patience
from .runs import Run

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


class LogRows(Struct, frozen=True):
    """What was found of one log: `what` it is to people, and its `unit`, such as messages.

    `begin` is the first position that may be there, `rows` are (position, the one behind it).
    """

    number: int
    what: str
    unit: str
    begin: int
    rows: Sequence[tuple[int, int]]

    @property
    def lacking(self) -> int:
        """How many are not there before the last one that is; some of them may have been done."""
        count, at = 0, self.begin
        for first, end in self.rows:
            count += max(0, first - at)
            at = max(at, end)
        return count


class Group(Struct):
    """What is on disk whole or not at all. Numbers of rows are those of `row_number`."""

    number: int
    rows: dict[int, Value] = field(default_factory=dict)
    gone: list[int] = field(default_factory=list)
    ranges: list[tuple[int, int]] = field(default_factory=list)
    """Rows from the first number up to the second are gone."""
    entities: list[tuple[str, bytes, bytes | None]] = field(default_factory=list)
    """(kind, name, value); None: it is gone."""
    runs: list[Run] = field(default_factory=list)
    """More rows, of other numbers than `rows` has."""

    @property
    def count(self) -> int:
        """Its rows and entities."""
        return len(self.rows) + len(self.entities) + sum(len(run.numbers) for run in self.runs)

    @property
    def size(self) -> int:
        return sum(map(len, self.rows.values())) + sum(run.size for run in self.runs)


Encode = Callable[[], bytes | None]
"""An entity as it is now; None when it is not there, or not to be kept."""
Late = tuple[Callable[..., bytes], tuple[Any, ...]]
"""What encodes a row, and of what, which stays as it is until then."""


class Source(Protocol):
    """Whoever has new rows that it does not name one by one, since many go as soon as they came.

    `number` is that of its log.
    """

    number: int

    def catch_up(self) -> None:
        """`Store.fill` in those that are there by now, or `fill_run`."""
        ...


def row_number(log: int, position: int) -> int:
    return log << POSITION_BITS | position


class Facts(ABC):
    """`facts` counts those that somebody waits for, `group` is the number of the present group.

    `patience` hears of messages that were sent to consumers.
    """

    patience: Patience

    def __init__(self) -> None:
        self.group = 1
        self.facts = 0
        self._rows: dict[int, Value | Late] = {}
        self._mixed = False
        """The group may have more than rows that are new and encoded, and such as are gone."""
        self._is_late = False
        """One of them is encoded when the group is written."""
        self._runs: list[Run] = []
        self.sources: dict[Source, None] = {}
        """Those that may have rows for this group."""
        self._replacing: set[int] = set()
        """Those of them that stand on disk in another form."""
        self._gone: set[int] = set()
        self._ranges: list[tuple[int, int]] = []
        self._entities: dict[tuple[str, bytes], Encode] = {}
        self._armed = False
        self._watched = False
        """Somebody waits for the group, and its growth is looked at; or it need not be."""
        self._still = 0
        self._last_log = 0
        self._owners: dict[int, str] = {}
        """Whose logs they are: a protocol's."""

    @property
    def newest(self) -> int:
        """The group that has the newest fact: the present one, or one that is closed already."""
        return self.group if self._armed else self.group - 1

    @abstractmethod
    def _arm(self) -> None:
        """The first fact of a group."""

    @abstractmethod
    def _watch(self) -> None:
        """The first one that somebody waits for."""

    def new_log(self, owner: str = "") -> int:
        """A number that no other log has or had; `owner` is the protocol whose it is."""
        self._last_log += 1
        if self._last_log >= _MOST_LOGS:
            raise OverflowError("no more logs have room in a data folder: begin a new one")
        self.known_log(self._last_log, owner)
        return self._last_log

    def known_log(self, number: int, owner: str = "") -> None:
        """This one is in use."""
        self._last_log = max(self._last_log, number)
        if owner:
            self._owners[number] = owner

    def append(self, log: int, position: int, value: Value | Late, *, awaited: bool = True) -> None:
        """A new row; nobody waits for one that is not `awaited`."""
        if self._still:
            return
        if self._runs:
            self._spread()
        number = log << POSITION_BITS | position
        self._rows[number] = value
        if number in self._gone:
            # It stands on disk, and would again if this one went in the same group.
            self._gone.discard(number)
            self._replacing.add(number)
            self._mixed = True
        if not self._armed:
            self._arm()
        if awaited:
            self.facts += 1
            if not self._watched:
                self._watch()

    def append_late(self, log: int, position: int, late: Late, *, awaited: bool = True) -> None:
        """A new row that is encoded when its group is written: many are gone again by then."""
        self._mixed = self._is_late = True
        self.append(log, position, late, awaited=awaited)

    def replace(
        self, log: int, position: int, value: Value | Late, *, awaited: bool = True
    ) -> None:
        """A row in place of the one that stands there, if there is one."""
        if not self._still:
            if isinstance(value, tuple):
                self.append_late(log, position, value, awaited=awaited)
            else:
                self.append(log, position, value, awaited=awaited)
            self._replacing.add(log << POSITION_BITS | position)

    def touch(self, source: Source, count: int = 1, *, passing: bool = False) -> None:
        """So many new rows are there, of which `source` fills in what is left when it is asked.

        `passing`: somebody was sent what is in them, and may be done with it soon. A source that is
        among `sources` may just count `facts`, and what was sent with `patience`.
        """
        if self._still:
            return
        self.sources[source] = None
        self._mixed = True
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
        self._mixed = True
        self._is_late = self._is_late or late

    def fill_run(self, run: Run) -> None:
        """As `fill`."""
        self._mixed = True
        self._runs.append(run)

    def _spread(self) -> None:
        """Make single rows of runs: somebody may have to do with one of them."""
        runs, self._runs = self._runs, []
        for run in runs:
            self._rows.update(run.rows())

    def catch_up(self) -> None:
        """Whoever has new rows fills them in: what they stand for is about to change."""
        while self.sources:
            source = next(iter(self.sources))
            del self.sources[source]
            try:
                source.catch_up()
            except BaseException:
                self.sources[source] = None
                raise

    def remove(self, log: int, position: int) -> None:
        """A row is gone; nobody waits to hear of that."""
        if self._still:
            return
        if self._runs:
            self._spread()
        number = log << POSITION_BITS | position
        # One that came and went within a group was never on disk, and costs nothing.
        if self._rows.pop(number, None) is None or number in self._replacing:
            # One that was written before, or is being written.
            self._gone.add(number)
            if not self._armed:
                self._arm()

    def remove_all(self, log: int, positions: Sequence[int]) -> None:
        """`remove`, of many rows."""
        if self._still:
            return
        if self._runs:
            self._spread()
        first = row_number(log, 0)
        numbers = [first | position for position in positions]
        if self._rows.keys().isdisjoint(numbers):
            # As it is where they were written before: no step of Python for each.
            self._gone.update(numbers)
            if numbers and not self._armed:
                self._arm()
            return
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
        if self._runs:
            self._spread()
        # Whoever trims does so rarely, and a group has some thousand rows: no index is kept.
        self._mixed = True
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
        self._mixed = True
        self._entities[kind, name] = encode
        self.facts += 1
        if not self._armed:
            self._arm()
        if not self._watched:
            self._watch()

    def _is_of(self, owner: str) -> Callable[[int], bool]:
        """Whether a row is one of this protocol's."""
        owners = self._owners
        return lambda number: owners.get(number >> POSITION_BITS) == owner

    def _has(self, owner: str) -> bool:
        """Whether anything was gathered of this protocol."""
        self._spread()
        lost = self._is_of(owner)
        numbers = chain(self._rows, self._gone, (first for first, _ in self._ranges))
        return (
            any(map(lost, numbers))
            or any(self._owners.get(source.number) == owner for source in self.sources)
            or any(kind.startswith(f"{owner}.") for kind, _ in self._entities)
        )

    def _lose(self, owner: str) -> None:
        """Forget what was gathered of this protocol."""
        self._spread()
        lost = self._is_of(owner)
        self.sources = {
            source: None for source in self.sources if self._owners.get(source.number) != owner
        }
        self._rows = {number: row for number, row in self._rows.items() if not lost(number)}
        self._replacing = {number for number in self._replacing if not lost(number)}
        self._gone = {number for number in self._gone if not lost(number)}
        self._ranges = [bounds for bounds in self._ranges if not lost(bounds[0])]
        self._entities = {
            key: value
            for key, value in self._entities.items()
            if not key[0].startswith(f"{owner}.")
        }

    @property
    def is_still(self) -> bool:
        return self._still > 0

    @contextmanager
    def still(self) -> Iterator[None]:
        """What happens meanwhile is no news: state is put up as it is on disk already."""
        self._still += 1
        try:
            yield
        finally:
            self._still -= 1

    def _take(self) -> Group:
        """The group as it is, and a new one begins."""
        if self.sources:
            self.catch_up()
        rows = cast("dict[int, Value]", self._rows)
        # What encodes may raise: till it is done with nothing that was gathered is let go of.
        if self._is_late:
            rows = {number: encoded(row) for number, row in self._rows.items()}
        entities: list[tuple[str, bytes, bytes | None]] = []
        if self._entities:
            entities = [(kind, name, encode()) for (kind, name), encode in self._entities.items()]
            self._entities = {}
        # New ones, and not cleared: the group that is being written owns the old ones. Where it has
        # one row, as of who waits for each confirm, to make the others anew was a seventh of all.
        group = Group(self.group, rows, entities=entities)
        self._rows = {}
        self._mixed = self._is_late = False
        if self._runs:
            group.runs, self._runs = self._runs, []
        if self._gone:
            group.gone, self._gone = list(self._gone), set()
        if self._ranges:
            group.ranges, self._ranges = self._ranges, []
            self._forget_owners(group.ranges)
        if self._replacing:
            self._replacing = set()
        self.group += 1
        return group

    def _forget_owners(self, ranges: Sequence[tuple[int, int]]) -> None:
        """Of logs that are gone as a whole."""
        for first, end in ranges:
            if end >> POSITION_BITS != first >> POSITION_BITS:
                self._owners.pop(first >> POSITION_BITS, None)


def encoded(row: Value | Late) -> Value:
    return row if isinstance(row, bytes | Parts) else row[0](*row[1])
