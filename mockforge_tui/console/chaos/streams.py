"""The messages of a client by where they go: which came twice, late, or not at all."""

import re
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from itertools import chain
from typing import Final, NamedTuple

from mockforge_brokers.events import MessageSeen
from mockforge_brokers.journal import Row
from mockforge_brokers.protocols import protocol_of

Address = tuple[str, bytes]
"""Where a message goes: where the protocol routes by its key, that is a part of it."""

_MOST_REPEATED: Final = 10_000
"""Of one client and address: repetitions that are named, and those out of order."""
_NUMBER: Final = re.compile(r"(.*?)([0-9]{1,15})", re.DOTALL)


def address_of(message: MessageSeen | Row) -> Address:
    key = message.key if protocol_of(message.protocol).routed else None
    key = key or b""
    # A row of the default exchange, which has no name, shows the queue that the key names.
    return message.destination or key.decode("utf-8", "surrogateescape"), key


@dataclass(slots=True)
class Series:
    """Ids that differ in the number at their end alone, which has `digits` at least.

    `greatest` is by partition: between those of a topic there is no order.
    """

    lowest: int
    highest: int
    digits: int
    count: int = 0
    greatest: dict[object, int] = field(default_factory=dict)

    def add(self, number: int, digits: int, partition: object) -> bool:
        """Whether it comes behind a greater one."""
        greatest = self.greatest.get(partition, number)
        self.greatest[partition] = max(number, greatest)
        self.lowest, self.highest = min(number, self.lowest), max(number, self.highest)
        self.digits = min(digits, self.digits)
        self.count += 1
        return number < greatest

    def sink(self, number: int, partition: object, before: int | None) -> None:
        """A number did not come there after all: the greatest is what it was `before`.

        Unless others raised it since.
        """
        if self.greatest.get(partition) == number:
            if before is None:
                del self.greatest[partition]
            else:
                self.greatest[partition] = before


class Coming(NamedTuple):
    """What a message was to its stream when it came: `doubled`, `disordered` or nothing.

    The first of its name in a series has its `number`, and the greatest that its partition had
    `before` (None: it had none).
    """

    name: str
    kind: str = ""
    series: Series | None = None
    number: int = 0
    partition: object = None
    before: int | None = None


@dataclass(slots=True)
class Stream:
    """The messages of one client to one address, in their order.

    `ids` are the times (s) at which each came first, `gaps` how long after it came again.
    """

    ids: dict[str, float] = field(default_factory=dict)
    gaps: list[float] = field(default_factory=list)
    sent: int = 0
    again: Counter[str] = field(default_factory=Counter)
    """How often each came again: of those that are `doubled` too, and of those beyond them."""
    doubled: list[str] = field(default_factory=list)
    disordered: list[str] = field(default_factory=list)
    series: dict[str, Series] = field(default_factory=dict)
    """By what stands before their numbers."""
    aborted: set[str] = field(default_factory=set)
    """Those with a number that came, were taken back with their transaction, and came no more."""

    @property
    def remembered(self) -> int:
        return len(self.ids) + len(self.aborted)

    def knows(self, name: str) -> bool:
        return name in self.ids or name in self.aborted

    def arrived(self, name: str) -> None:
        """It came again, be it behind the run."""
        self.aborted.discard(name)

    def add(self, name: str, at: float, partition: object = None) -> Coming:
        self.sent += 1
        if name in self.ids:
            self.again[name] += 1
            if len(self.doubled) == _MOST_REPEATED:
                return Coming(name)
            self.gaps.append(at - self.ids[name])
            self.doubled.append(name)
            return Coming(name, "doubled")
        self.ids[name] = at
        self.arrived(name)
        found = _NUMBER.fullmatch(name)
        if found is None:
            return Coming(name)
        series, number, digits = found[1], int(found[2]), len(found[2])
        known = self.series.get(series)
        if known is None:
            known = self.series[series] = Series(number, number, digits)
        before = known.greatest.get(partition)
        kind = ""
        if known.add(number, digits, partition) and len(self.disordered) < _MOST_REPEATED:
            self.disordered.append(name)
            kind = "disordered"
        return Coming(name, kind, known, number, partition, before)

    def forget(self, comings: Iterable[Coming]) -> None:
        """They did not come after all, so that they and those behind them may come again.

        The newest of each partition is the first of them.
        """
        fewer, in_order = set[str](), set[str]()
        for coming in comings:
            name = coming.name
            if coming.series is not None:
                coming.series.sink(coming.number, coming.partition, coming.before)
            if coming.kind == "disordered":
                in_order.add(name)
            if self.again[name]:
                self.again[name] -= 1
                fewer.add(name)
            else:
                self._forget_id(name)
        if in_order:
            self.disordered = [name for name in self.disordered if name not in in_order]
        if fewer:
            self._forget_repetitions(fewer)

    def _forget_id(self, name: str) -> None:
        del self.ids[name]
        found = _NUMBER.fullmatch(name)
        if found is not None:
            self.series[found[1]].count -= 1
            self.aborted.add(name)

    def _forget_repetitions(self, fewer: Collection[str]) -> None:
        """Of these names no more are doubled than came again; the oldest stay."""
        seen: Counter[str] = Counter()
        kept: list[tuple[str, float]] = []
        for name, gap in zip(self.doubled, self.gaps, strict=True):
            seen[name] += 1
            if name not in fewer or seen[name] <= self.again[name]:
                kept.append((name, gap))
        self.doubled = [name for name, _ in kept]
        self.gaps = [gap for _, gap in kept]
        self.again = +self.again

    def missing(self) -> list[str]:
        """Numbers that are not there between the first and the last of a series.

        One that lacks more than it has was none.
        """
        found: list[str] = []
        for series, known in self.series.items():
            # Of as many as it has itself: those of all others are no reason to count further.
            if known.highest - known.lowest < 2 * known.count:
                numbers = range(known.lowest, known.highest)
                names = (f"{series}{number:0{known.digits}}" for number in numbers)
                found += [name for name in names if name not in self.ids]
        return found


def taken_back(streams: Collection[Stream]) -> list[str]:
    """Numbers that were aborted, and came to no address since."""
    names = {name for stream in streams for name in stream.aborted}
    gone = [name for name in names if not any(name in stream.ids for stream in streams)]
    return sorted(gone, key=_place)


def _place(name: str) -> tuple[str, int]:
    """In the order of its series."""
    found = _NUMBER.fullmatch(name)
    return (name, 0) if found is None else (found[1], int(found[2]))


def left_out(streams: Collection[Stream], kept_back: Collection[str]) -> list[str]:
    """Numbers that never came, and are none of those that were kept back.

    Where no id came to two addresses they are of one series, and to which of them it goes on does
    not matter.
    """
    gaps = [(stream, stream.missing()) for stream in streams]
    if not any(names for _, names in gaps):
        return []
    known = Counter(chain.from_iterable(stream.ids for stream in streams))
    found: list[str] = []
    for stream, names in gaps:
        by_itself = bool(names) and any(known[name] > 1 for name in stream.ids)
        found += [name for name in names if by_itself or not known[name]]
    return [name for name in found if name not in kept_back]
