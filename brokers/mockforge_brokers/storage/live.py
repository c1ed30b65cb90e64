"""Where on disk each row and entity stands that is still wanted, and so what a segment is worth."""

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import repeat
from operator import itemgetter
from typing import Final

from msgspec import Struct

from .facts import POSITION_BITS
from .segments import VERSION, Entity

_SIZE: Final = 32
"""A place is the number of a segment, where the frame begins in there, and the size of the value,
each but the first in so many bits: one integer is a third of a tuple of them."""
_MASK: Final = (1 << _SIZE) - 1
_ENTRY: Final = 16
"""Bytes of a row in its frame's index."""

Key = tuple[str, bytes]
Row = tuple[int, int, int, tuple[int, ...]]
"""One that has a frame of its own: its number, where that begins, the bytes of its value, and the
numbers that are gone with it."""
_first, _third, _last = itemgetter(0), itemgetter(2), itemgetter(3)


class Segment(Struct):
    """One of the files; `size` is where its next frame would begin, `live` what is wanted of it.

    `before` is the size of the one before it, in the end.
    """

    number: int
    salt: int
    size: int = 0
    live: int = 0
    version: int = VERSION
    before: int = 0


def place_of(segment: int, at: int) -> int:
    """Of all that the frame there brings."""
    return segment << _SIZE | at


def number_in(place: int) -> int:
    """Of its segment."""
    return place >> _SIZE


def offset_in(place: int) -> int:
    """Where the frame begins in its segment."""
    return place & _MASK


class Live:
    """What is wanted, by segments; the loop's thread alone uses it."""

    def __init__(self) -> None:
        self.segments: dict[int, Segment] = {}
        """Oldest first."""
        self._logs: dict[int, dict[int, int]] = {}
        self._spans: dict[int, list[tuple[int, int, int]]] = {}
        """Of each log rows that stand in one place, as (first number, the one behind the last,
        place), ascending: of thousands that come and go as one none is looked at."""
        self._lows: dict[int, int] = {}
        """No row of a log is below this number."""
        self._entities: dict[Key, int] = {}

    @property
    def size(self) -> int:
        """Bytes that are wanted."""
        return sum(each.live for each in self.segments.values())

    def add(self, segment: Segment) -> None:
        self.segments[segment.number] = segment

    def clear(self) -> None:
        for each in (self.segments, self._logs, self._spans, self._lows, self._entities):
            each.clear()

    # What a frame brings, in its order.

    def put(self, segment: Segment, at: int, numbers: Sequence[int], sizes: Sequence[int]) -> None:
        if not numbers:
            return
        head = place_of(segment.number, at) << _SIZE
        lowest = min(numbers)
        log = lowest >> POSITION_BITS
        if log == max(numbers) >> POSITION_BITS:
            rows = self._logs.setdefault(log, {})
            if lowest < self._lows.get(log, 0):
                self._lows[log] = lowest
            if lowest < self._behind_spans(log):
                for number in numbers:
                    self._spread(log, number)
            # Most groups are so: of one log. No step of Python for each row; those that come in
            # place of others do so for many that stand in one place, and have one size.
            if not rows.keys().isdisjoint(numbers):
                for place, count in Counter(filter(None, map(rows.get, numbers))).items():
                    self._let_go(place, count)
            rows.update(zip(numbers, map(head.__or__, sizes), strict=True))
            segment.live += sum(sizes) + _ENTRY * len(numbers)
            return
        for number, size in zip(numbers, sizes, strict=True):
            self.remove(number)
            log = number >> POSITION_BITS
            self._logs.setdefault(log, {})[number] = head | size
            if number < self._lows.get(log, 0):
                self._lows[log] = number
            segment.live += size + _ENTRY

    def put_run(self, segment: Segment, at: int, numbers: range, size: int) -> None:
        """`put`, of rows of one log, one behind the other, with values of one size."""
        first, end = numbers.start, numbers.stop
        log = first >> POSITION_BITS
        rows = self._logs.setdefault(log, {})
        known = max(self._lows.get(log, 0), self._behind_spans(log))
        # Of a log that has no single rows none of thousands is looked up.
        if first < known or (rows and not rows.keys().isdisjoint(numbers)):
            self.put(segment, at, numbers, [size] * len(numbers))
            return
        place = place_of(segment.number, at) << _SIZE | size
        spans = self._spans.setdefault(log, [])
        if spans and spans[-1][1:] == (first, place):
            first = spans.pop()[0]
        spans.append((first, end, place))
        segment.live += (size + _ENTRY) * len(numbers)

    def _behind_spans(self, log: int) -> int:
        """From this number on no span has one."""
        spans = self._spans.get(log)
        return spans[-1][1] if spans else 0

    def _span_with(self, log: int, number: int) -> int | None:
        """Which of the log's spans has it."""
        spans = self._spans.get(log)
        at = bisect_right(spans, number, key=_first) - 1 if spans else -1
        return at if spans and at >= 0 and number < spans[at][1] else None

    def _spread(self, log: int, number: int) -> None:
        """Make single rows of the span that has it."""
        found = self._span_with(log, number)
        if found is not None:
            first, end, place = self._spans[log].pop(found)
            self._logs[log].update(dict.fromkeys(range(first, end), place))

    def _remove_spans(self, log: int, low: int, end: int) -> None:
        """Those that are in there as a whole; those that are in part become single rows."""
        for span in self._spans.pop(log, ()):
            first, behind, place = span
            if low <= first and behind <= end:
                self._let_go(place, behind - first)
            elif behind <= low or end <= first:
                self._spans.setdefault(log, []).append(span)
            else:
                self._logs[log].update(dict.fromkeys(range(first, behind), place))

    def put_row(self, segment: Segment, at: int, number: int, size: int) -> None:
        """`put`, of one row that is new."""
        log = number >> POSITION_BITS
        rows = self._logs.get(log)
        if (
            rows is None
            or number in rows
            or number < self._lows.get(log, 0)
            or (log in self._spans and number < self._behind_spans(log))
        ):
            self.put(segment, at, (number,), (size,))
            return
        rows[number] = (segment.number << _SIZE | at) << _SIZE | size
        segment.live += size + _ENTRY

    def put_rows(self, segment: Segment, rows: Sequence[Row]) -> None:
        """`put_row` of each, and `remove` of what is gone with it."""
        head = segment.number << _SIZE
        places = {number: (head | at) << _SIZE | size for number, at, size, _ in rows}
        lowest = min(places)
        log = lowest >> POSITION_BITS
        known = self._logs.get(log)
        if (
            known is None
            or len(places) < len(rows)
            or max(places) >> POSITION_BITS != log
            or lowest < max(self._lows.get(log, 0), self._behind_spans(log))
            or not known.keys().isdisjoint(places)
            or any(map(_last, rows))
        ):
            for number, at, size, gone in rows:
                self.put_row(segment, at, number, size)
                for each in gone:
                    self.remove(each)
            return
        # As most are: no call for each.
        known |= places
        segment.live += sum(map(_third, rows)) + _ENTRY * len(rows)

    def remove(self, number: int) -> None:
        log = number >> POSITION_BITS
        rows = self._logs.get(log)
        place = None if rows is None else rows.pop(number, None)
        if place is None and rows is not None and log in self._spans:
            self._spread(log, number)
            place = rows.pop(number, None)
        if place is not None:
            self._let_go(place)

    def remove_all(self, numbers: Sequence[int]) -> None:
        """`remove` each."""
        log = numbers[0] >> POSITION_BITS if numbers else 0
        rows = self._logs.get(log)
        if rows is None or {each >> POSITION_BITS for each in numbers} != {log}:
            for number in numbers:
                self.remove(number)
            return
        if log in self._spans:
            for number in numbers:
                if number not in rows:
                    self._spread(log, number)
        # Those of a run have one place.
        for place, count in Counter(map(rows.pop, numbers, repeat(0))).items():
            if place:
                self._let_go(place, count)

    def remove_range(self, first: int, end: int) -> None:
        """Rows of one log; `end` may be the first number of the next one."""
        log = first >> POSITION_BITS
        rows = self._logs.get(log)
        if end >> POSITION_BITS != log:
            self._remove_spans(log, first, end)
            self._lows.pop(log, None)
            # Those of a run have one place.
            for place, count in Counter(self._logs.pop(log, {}).values()).items():
                self._let_go(place, count)
            return
        low = max(first, self._lows.get(log, first))
        if log in self._spans:
            self._remove_spans(log, low, end)
        if not rows or end <= low:
            return
        # Streams lose one after the other, Kafka's logs some of few that are far apart.
        near = end - low <= len(rows)
        for number in range(low, end) if near else [each for each in rows if low <= each < end]:
            self.remove(number)
        if first <= self._lows.get(log, log << POSITION_BITS):
            self._lows[log] = end

    def put_entities(self, segment: Segment, at: int, entities: Iterable[Entity]) -> None:
        head = place_of(segment.number, at) << _SIZE
        for kind, name, value in entities:
            self.remove_entity((kind, name))
            if value is not None:
                size = len(kind) + len(name) + len(value)
                self._entities[kind, name] = head | size
                segment.live += size + _ENTRY

    def remove_entity(self, key: Key) -> None:
        place = self._entities.pop(key, None)
        if place is not None:
            self._let_go(place)

    def _let_go(self, place: int, count: int = 1) -> None:
        segment = self.segments.get(place >> 2 * _SIZE)
        if segment is not None:
            segment.live -= ((place & _MASK) + _ENTRY) * count

    # What of a frame is wanted.

    def rows_in(self, place: int, numbers: Iterable[int]) -> Iterator[int]:
        """Which of these rows of a frame are wanted, by their index."""
        for index, number in enumerate(numbers):
            log = number >> POSITION_BITS
            rows = self._logs.get(log)
            if rows is None:
                continue
            found = rows.get(number, 0)
            if not found and (span := self._span_with(log, number)) is not None:
                found = self._spans[log][span][2]
            if found >> _SIZE == place:
                yield index

    def has_entity(self, place: int, key: Key) -> bool:
        return self._entities.get(key, 0) >> _SIZE == place
