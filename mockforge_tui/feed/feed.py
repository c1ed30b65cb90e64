"""Rows of all traffic: frames from the journal and facts from the spine, in one numbered ring."""

from bisect import bisect_right
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterator
from itertools import islice
from math import inf
from operator import itemgetter
from time import perf_counter
from typing import Final

from mockforge_brokers.events import (
    ConnectionClosed,
    ConnectionOpened,
    Event,
    FaultFired,
    FrameHeld,
    HeldFrameLeft,
    mark_of,
)
from mockforge_brokers.journal import IN, OUT, Journal, Row
from mockforge_brokers.misbehaviour.holds import Holds
from mockforge_brokers.spine import Spine

from .decoder import Decoder
from .facts import event_row
from .ring import SLOTS, Ring
from .selection import Selection

BUDGET: Final = 0.002
"""Seconds of decoding in one tick."""
_EVENTS_OF_A_TICK: Final = 64
_CAUSED: Final = 0.02
"""Seconds before a frame was journaled in which an event may be its effect."""
_LOOKED_BACK: Final = 512
_MOST_HITS: Final = 64
_MOST_KINDS: Final = 1024
_ALTERING: Final = frozenset(("set", "corrupt", "truncate"))
_WAITING: Final = frozenset(("delay", "throttle", "slice", "join", "partition", "reorder"))
_AT_ONCE: Final = 1.0
"""Seconds within which a frame that was hit is journaled, unless the fault lets it wait."""
_VALUES_FROM: Final = 2000
_WINDOW: Final = 12
"""Ticks over which the note `shown 1 of N` counts."""


class Feed:
    """Numbered rows, decoded when `tick` is called and never otherwise.

    Whoever shows rows keeps numbers and asks for them again: a row may have left.
    """

    def __init__(
        self,
        journal: Journal | None,
        spine: Spine,
        holds: Holds | None = None,
        *,
        slots: int = SLOTS,
        timer: Callable[[], float] = perf_counter,
    ) -> None:
        self.ring = Ring(slots)
        self.marks: set[int] = set()
        self._timer = timer
        self._spine = spine
        self._holds = holds
        self._decoder = Decoder(journal, timer) if journal is not None else None
        self._emitted = 0
        self._early: list[tuple[float, Event]] = []
        """Events whose frames are not decoded yet."""
        self._ended: set[int] = set()
        self._held_rows: dict[int, list[Row]] = {}
        self._hits: deque[tuple[float, FaultFired]] = deque(maxlen=_MOST_HITS)
        """Faults whose frames were not seen yet: on their way out, or never there."""
        self._kinds: dict[int, str] = {}
        """What the rules do that hit something. Most look when the rule is gone."""
        self._window: deque[tuple[int, int]] = deque([(0, 0)], maxlen=_WINDOW)

    @property
    def newest(self) -> int:
        return self.ring.newest

    @property
    def oldest(self) -> int:
        return self.ring.oldest

    @property
    def one_of(self) -> int:
        """Of how many frames about one is a row: 1 while all are."""
        if self._decoder is None:
            return 1
        decoded, passed = self._decoder.decoded, self._decoder.passed_over
        decoded_before, passed_before = self._window[0]
        decoded -= decoded_before
        passed -= passed_before
        return max(2, round((decoded + passed) / max(1, decoded))) if passed > 0 else 1

    def tick(self, budget: float = BUDGET) -> int:
        """Decode what came since, for about `budget` seconds; returns how many rows that made."""
        before = self.ring.newest
        rows: list[Row] = []
        if self._decoder is not None:
            rows = self._decoder.decode(budget)
            self._window.append((self._decoder.decoded, self._decoder.passed_over))
        self._merge(rows, self._due(self._new_events()))
        if self._decoder is not None and self._decoder.sampled and self.ring.newest > before:
            self.ring.is_sample(before + 1)
        if self._decoder is not None and self._ended:
            self._decoder.forget_ended(self._ended)
        return self.ring.newest - before

    def take(self, rows: list[Row], facts: list[tuple[float, Event]]) -> None:
        """Number rows that were decoded elsewhere, with the facts between them and their marks."""
        # They are all at hand: none is to go before its frame came.
        self._hits = deque(self._hits, maxlen=max(_MOST_HITS, len(facts)))
        at = 0
        for start in range(0, len(rows), _LOOKED_BACK // 2):
            some = rows[start : start + _LOOKED_BACK // 2]
            is_last = start + len(some) == len(rows)
            due = len(facts) if is_last else bisect_right(facts, some[-1].time, key=itemgetter(0))
            self._merge(some, facts[at:due])
            at = due

    def row(self, number: int) -> Row | None:
        return self.ring.row(number)

    def kind_of(self, rule: int) -> str:
        """What a fault rule does by which a row here is marked; empty for one of very long ago."""
        return self._kinds.get(rule, "")

    def since(self, number: int) -> Iterator[Row]:
        """Rows after `number`, oldest first."""
        return self.ring.since(number)

    def select(self, matches: Callable[[Row], bool] | None = None) -> Selection:
        """The rows that match, to be looked at by its own ticks."""
        return Selection(self.ring, matches, self._timer)

    def mark(self, number: int, marked: bool) -> bool:
        """Mark a row or take its mark away; False if it is not here any more."""
        row = self.ring.row(number)
        if row is None:
            return False
        row.marked = marked
        self.ring.pin(row)
        (self.marks.add if marked else self.marks.discard)(number)
        return True

    def marked(self) -> list[Row]:
        """Marked rows that are still here, oldest first."""
        found = [(number, self.ring.row(number)) for number in sorted(self.marks)]
        self.marks = {number for number, row in found if row is not None}
        return [row for _, row in found if row is not None]

    def seen(self, field: str) -> list[tuple[str, str]]:
        """Values of a filter's field among the newest rows with their counts, frequent first."""
        read = _READERS.get(field)
        if read is None:
            return []
        values = (read(row) for row in self.ring.newest_first(_VALUES_FROM))
        counts = Counter(value for value in values if value)
        return [(value, f"×{count}") for value, count in counts.most_common(200)]

    def _new_events(self) -> list[tuple[float, Event]]:
        spine = self._spine
        fresh = min(spine.emitted - self._emitted, len(spine.history))
        self._emitted = spine.emitted
        if fresh <= 0:
            return []
        start = len(spine.history) - min(fresh, _EVENTS_OF_A_TICK)
        return list(islice(spine.history, start, None))

    def _due(self, fresh: list[tuple[float, Event]]) -> list[tuple[float, Event]]:
        """The events that may stand among the rows now; the others wait for their frames."""
        events = self._early + fresh
        reached = self._decoder.reached - _CAUSED if self._decoder is not None else inf
        due = bisect_right(events, reached, key=lambda each: each[0])
        due = max(due, len(events) - _EVENTS_OF_A_TICK)
        self._early = events[due:]
        return events[:due]

    def _merge(self, rows: list[Row], facts: list[tuple[float, Event]]) -> None:
        """Rows with the events between them, each event behind the frame that caused it.

        A burst is journaled once it is handled, so what it caused is older by a hair: an event
        stands behind the first frames from a client that came within `_CAUSED` of it.
        """
        at = 0
        for number, row in enumerate(rows):
            while at < len(facts) and facts[at][0] <= row.time - _CAUSED:
                self._add_event(*facts[at])
                at += 1
            while at < len(facts) and facts[at][0] <= row.time and _comes_first(facts[at][1], row):
                self._add_event(*facts[at])
                at += 1
            self.ring.add(row)
            following = rows[number + 1] if number + 1 < len(rows) else None
            if row.direction == IN and (following is None or not _same_burst(row, following)):
                while at < len(facts) and facts[at][0] <= row.time:
                    self._add_event(*facts[at])
                    at += 1
        for time, event in facts[at:]:
            self._add_event(time, event)
        for time, event in facts:
            self._relate(time, event)
        if self._hits and (rows or facts):
            self._show_hits()
            self._forget_hits(rows, facts)

    def _add_event(self, time: float, event: Event) -> None:
        row = event_row(time, event)
        if row is not None:
            self.ring.add(row)

    def _relate(self, time: float, event: Event) -> None:
        """Let held and faulted frames show it on their own rows."""
        match event:
            case FrameHeld():
                self._show_held(event)
            case HeldFrameLeft():
                for row in self._held_rows.pop(event.held, ()):
                    row.held = 0
            case FaultFired() if event.frame:
                self._hits.append((time, event))
            case ConnectionClosed():
                self._ended.add(event.connection)

    def _show_held(self, event: FrameHeld) -> None:
        held = self._holds.held.get(event.held) if self._holds is not None else None
        if held is None:
            return
        frame = held.rows[0].frame
        shown: list[Row] = []
        for row in self.ring.newest_first(_LOOKED_BACK):
            if row.connection == event.connection and row.frame == frame and not row.held:
                row.held = held.id
                self.ring.pin(row)
                shown.append(row)
            elif shown:
                break
        if not shown:
            # What is held on its way out is journaled only once it goes.
            for row in held.rows:
                self.ring.add(row)
        self._held_rows[held.id] = shown or held.rows

    def _show_hits(self) -> None:
        """Mark the frames that faults hit: each the first like it that passed since then."""
        rows: defaultdict[tuple[int, int | str], list[Row]] = defaultdict(list)
        for row in self.ring.newest_first(_LOOKED_BACK):
            if row.kind != "event" and not row.fault:
                rows[row.connection, mark_of(row.frame)].append(row)
                rows[row.connection, row.operation].append(row)
        waiting: list[tuple[float, FaultFired]] = []
        for time, event in self._hits:
            until = _latest(time, event)
            hit = _first(rows[event.connection, event.frame], time, until)
            if hit is None and event.kind in _ALTERING:
                # What a client gets is journaled as it was sent.
                hit = _first(rows[event.connection, event.operation], time, until)
            if hit is None:
                waiting.append((time, event))
            else:
                self._mark_hit(hit, event)
        self._hits = deque(waiting, self._hits.maxlen)

    def _forget_hits(self, rows: list[Row], facts: list[tuple[float, Event]]) -> None:
        """Those whose frames will not come any more: what is like them later is not they."""
        reached = max((row.time for row in rows), default=0.0)
        ended = {event.connection for _, event in facts if isinstance(event, ConnectionClosed)}
        self._hits = deque(
            (
                (time, event)
                for time, event in self._hits
                if event.connection not in ended and _latest(time, event) >= reached
            ),
            self._hits.maxlen,
        )

    def _mark_hit(self, first: Row, event: FaultFired) -> None:
        """All rows of its frame."""
        self._kinds[event.rule] = event.kind
        if len(self._kinds) > _MOST_KINDS:
            del self._kinds[next(iter(self._kinds))]
        number, frame = first.seq, first.seq - first.part
        row: Row | None = first
        while row is not None and row.seq - row.part == frame:
            row.fault = event.rule
            self.ring.pin(row)
            number += 1
            row = self.ring.row(number)


def _latest(time: float, event: FaultFired) -> float:
    """When the frame that it hit then is journaled at the latest."""
    return inf if event.direction == OUT and event.kind in _WAITING else time + _AT_ONCE


def _first(newest_first: list[Row], time: float, until: float) -> Row | None:
    """The oldest of that time that bears no mark yet."""
    while newest_first and (newest_first[-1].fault or newest_first[-1].time < time):
        newest_first.pop()
    return newest_first[-1] if newest_first and newest_first[-1].time <= until else None


def _comes_first(event: Event, row: Row) -> bool:
    """Whether an event of the moment before a frame was there without it."""
    return isinstance(event, ConnectionOpened) or row.direction != IN


def _same_burst(row: Row, following: Row) -> bool:
    """Frames of one read have its time."""
    return (row.connection, row.time, row.direction) == (
        following.connection,
        following.time,
        following.direction,
    )


def _text(value: object) -> str:
    return str(value) if value is not None else ""


_READERS: dict[str, Callable[[Row], str]] = {
    "proto": lambda row: row.protocol,
    "op": lambda row: row.operation,
    "client": lambda row: row.client,
    "topic": lambda row: row.destination,
    "key": lambda row: (row.key or b"").decode("utf-8", "replace")[:64],
    "group": lambda row: _text(row.detail.get("group")),
    "rkey": lambda row: _text(row.detail.get("routing_key")),
    "code": lambda row: _text(row.detail.get("code")),
    "error": lambda row: row.error,
    "conn": lambda row: str(row.connection) if row.connection else "",
}
