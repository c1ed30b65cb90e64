"""The records of a Kafka topic, its partitions merged by time."""

import heapq
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mockforge_brokers.journal import Row

from .lookup import BadArgument, kafka
from .offsets import starting_offsets
from .stores import CHUNK, Store
from .targets import KafkaTarget

if TYPE_CHECKING:
    from mockforge_brokers.kafka.snapshots import RecordView

    from .session import Session

_PLACES = re.compile(r"\d+:\d+(?:,\d+:\d+)*")


@dataclass(slots=True)
class StoredTopic(Store):
    """A start is an offset, a moment, or the next offset of each partition (`0:118,1:97`)."""

    session: "Session"
    target: KafkaTarget
    total: int = 0
    _next: dict[int, int] = field(default_factory=dict)
    _ends: Mapping[int, int] = field(default_factory=dict)
    _firsts: Mapping[int, int] = field(default_factory=dict)
    _left: dict[int, int] = field(default_factory=dict)
    """By partition: before which offset `backward` goes on."""

    def __post_init__(self) -> None:
        offsets = kafka(self.session).offsets(self.target.topic)
        chosen = self.target.partition
        if chosen is not None and chosen >= len(offsets):
            raise BadArgument(
                "target", f"{self.target.topic} has partitions 0 to {len(offsets) - 1}"
            )
        begins = {p: first for p, (first, _) in enumerate(offsets) if chosen in (None, p)}
        self._ends = {p: end for p, (_, end) in enumerate(offsets) if chosen in (None, p)}
        self.total = sum(self._ends[p] - begins[p] for p in begins)
        self._next = begins
        self._firsts = dict(begins)

    def forward(self, start: str | None) -> Iterator[Row]:
        self._begin(start if start is not None else self.target.offset)
        return self._merged()

    def grew(self) -> bool:
        self._ends = {p: end for p, end in self._current_ends().items() if p in self._ends}
        return bool(self.place())

    def _merged(self) -> Iterator[Row]:
        parts = [self._up(partition, offset) for partition, offset in self._next.items()]
        for record in heapq.merge(*parts, key=_moment):
            self._next[record.partition] = record.offset + 1
            yield _row(self.target.topic, record)
        # The last offsets may have no record: the end of a transaction, or what compaction took.
        self._next = {p: max(offset, self._ends[p]) for p, offset in self._next.items()}

    def backward(self, end: str | None = None) -> Iterator[Row]:
        self._left = {**self._ends, **(_offsets_of(end) if end is not None else {})}
        parts = [self._down(partition, first) for partition, first in self._firsts.items()]
        for record in heapq.merge(*parts, key=_moment, reverse=True):
            self._left[record.partition] = record.offset
            yield _row(self.target.topic, record)
        # Nor may the first ones.
        self._left = dict(self._firsts)

    def reached(self) -> str:
        if all(self._left[p] <= first for p, first in self._firsts.items()):
            return ""
        return ",".join(f"{p}:{self._left[p]}" for p in self._next)

    @property
    def is_first(self) -> bool:
        return all(offset <= self._firsts[p] for p, offset in self._next.items())

    def place(self) -> str:
        if all(offset >= self._ends[p] for p, offset in self._next.items()):
            return ""
        return ",".join(f"{p}:{offset}" for p, offset in self._next.items())

    def _current_ends(self) -> dict[int, int]:
        offsets = kafka(self.session).offsets(self.target.topic)
        return {partition: end for partition, (_, end) in enumerate(offsets)}

    def _begin(self, start: str | None) -> None:
        if start is None:
            return
        if _PLACES.fullmatch(start):
            offsets = _offsets_of(start)
            self._next |= {p: offset for p, offset in offsets.items() if p in self._next}
            return
        begins = starting_offsets(self.session, self.target.topic, start, "start")
        for partition, first in self._next.items():
            self._next[partition] = max(first, begins[partition])

    def _up(self, partition: int, offset: int) -> Iterator["RecordView"]:
        admin = kafka(self.session)
        while offset < self._ends[partition]:
            records = admin.read(self.target.topic, partition, offset, CHUNK)
            yield from records
            # A chunk of offsets may be empty where records left the log.
            offset = records[-1].offset + 1 if records else offset + CHUNK

    def _down(self, partition: int, first: int) -> Iterator["RecordView"]:
        admin, end = kafka(self.session), self._left[partition]
        while end > first:
            begin = max(first, end - CHUNK)
            records = admin.read(self.target.topic, partition, begin, end - begin)
            yield from (each for each in reversed(records) if each.offset < end)
            end = begin


def _offsets_of(places: str) -> dict[int, int]:
    """`0:118,1:97`, as `place` writes it. Raises BadArgument."""
    if not _PLACES.fullmatch(places):
        raise BadArgument("before", f"{places!r} is no place in a topic (0:118,1:97)")
    found = (each.partition(":") for each in places.split(","))
    return {int(partition): int(offset) for partition, _, offset in found}


def _row(topic: str, record: "RecordView") -> Row:
    return Row(
        protocol="kafka",
        direction=0,
        operation="publish",
        kind="message",
        destination=topic,
        key=record.key,
        payload=record.value,
        size=len(record.value or b""),
        headers=record.headers,
        detail={"partition": record.partition, "offset": record.offset},
        time=record.time,
    )


def _moment(record: "RecordView") -> tuple[float, int, int]:
    return (record.time, record.partition, record.offset)
