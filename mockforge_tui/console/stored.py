"""What the brokers have stored, a page at a time; looking at it takes nothing away."""

import heapq
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from mockforge_brokers.journal import Row

from ..expectations.message import row_of
from .asking import BadArgument, amqp, kafka, matching, mqtt
from .offsets import starting_offsets
from .targets import KafkaTarget, MqttTarget, QueueTarget, SessionTarget, Target

if TYPE_CHECKING:
    from mockforge_brokers.kafka.snapshots import RecordView

    from .session import Session

CHUNK: Final = 100
"""Messages decoded at a time."""
MOST_LOOKED_AT: Final = 5_000
"""Messages that one page looks at for a filter: more would hold up the brokers."""
_PLACES = re.compile(r"\d+:\d+(?:,\d+:\d+)*")


@dataclass(frozen=True, slots=True)
class Page:
    """Stored messages, oldest first.

    `total` is how many there are in all, `looked` how many this page read. `following` is where
    the next page begins (the `start` of a `page` call), empty at the end.
    """

    rows: Sequence[Row]
    total: int
    looked: int
    following: str = ""


class Store(ABC):
    """One place's stored messages in order: `forward` from a start, or `backward` from the end.

    `start` is what a person wrote or what `place` said: for Kafka offsets by partition, for all
    others the number of messages before it.
    """

    total: int

    @abstractmethod
    def forward(self, start: str | None) -> Iterator[Row]: ...

    @abstractmethod
    def backward(self) -> Iterator[Row]: ...

    @abstractmethod
    def place(self) -> str:
        """Where `forward` would go on; empty behind the last message."""

    def grew(self) -> bool:
        """Whether more came behind what `forward` was to read; then `place` is where."""
        return False


def open_store(session: "Session", target: Target | SessionTarget) -> Store:
    """What a target has stored. Raises BadArgument, InvalidInput."""
    match target:
        case KafkaTarget():
            return _Topic(session, target)
        case QueueTarget(name):
            admin = amqp(session)
            views = session.destinations()
            depth = next((v.depth for v in views if v.kind == "queue" and v.name == name), None)
            return _Listed(
                lambda start, count: [
                    _queued_row(row_of(seen), name) for seen in admin.peek(name, count, start=start)
                ],
                depth if depth is not None else len(admin.peek(name, 1)),
            )
        case MqttTarget(topic):
            return _retained(session, topic)
        case SessionTarget(client):
            return _waiting(session, client)
    raise BadArgument("target", "an exchange stores nothing: peek at a queue (queue:NAME)")


def page(
    store: Store,
    count: int,
    *,
    start: str | None = None,
    where: Callable[[Row], bool] | None = None,
    newest: bool = False,
) -> Page:
    """At most `count` messages that `where` wants: the oldest, from `start` on, or the newest."""
    found: list[Row] = []
    looked = 0
    for row in store.backward() if newest else store.forward(start):
        looked += 1
        if where is None or where(row):
            found.append(row)
            if len(found) == count:
                break
        if looked >= MOST_LOOKED_AT:
            break
    if newest:
        return Page(found[::-1], store.total, looked)
    return Page(found, store.total, looked, store.place())


@dataclass(slots=True)
class _Listed(Store):
    """What is read by its number: a queue, retained messages, what waits for a client."""

    read: Callable[[int, int], Sequence[Row]]
    total: int
    _next: int = 0

    def forward(self, start: str | None) -> Iterator[Row]:
        self._next = _number(start)
        return self._from_next()

    def _from_next(self) -> Iterator[Row]:
        while rows := self.read(self._next, CHUNK):
            for row in rows:
                self._next += 1
                yield row

    def backward(self) -> Iterator[Row]:
        end = self.total
        while end > 0:
            first = max(0, end - CHUNK)
            yield from reversed(self.read(first, end - first))
            end = first

    def place(self) -> str:
        return str(self._next) if self._next < self.total else ""


@dataclass(slots=True)
class _Topic(Store):
    """A Kafka topic's partitions, merged by time."""

    session: "Session"
    target: KafkaTarget
    total: int = 0
    _next: dict[int, int] = field(default_factory=dict)
    _ends: Mapping[int, int] = field(default_factory=dict)

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
            yield self._row(record)

    def backward(self) -> Iterator[Row]:
        parts = [self._down(partition, first) for partition, first in self._next.items()]
        for record in heapq.merge(*parts, key=_moment, reverse=True):
            yield self._row(record)

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
            places = (each.partition(":") for each in start.split(","))
            offsets = {int(partition): int(offset) for partition, _, offset in places}
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
        admin, end = kafka(self.session), self._ends[partition]
        while end > first:
            begin = max(first, end - CHUNK)
            records = admin.read(self.target.topic, partition, begin, end - begin)
            yield from (each for each in reversed(records) if each.offset < end)
            end = begin

    def _row(self, record: "RecordView") -> Row:
        return record_row(self.target.topic, record)


def record_row(topic: str, record: "RecordView") -> Row:
    """A record of a log as a row of the flow."""
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


def _queued_row(row: Row, queue: str) -> Row:
    # A message in a queue does not say when it came.
    row.time = 0.0
    row.detail["queue"] = queue
    return row


def _mqtt_row(topic: str, payload: bytes, qos: int, retain: bool) -> Row:
    return Row(
        protocol="mqtt",
        direction=0,
        operation="publish",
        kind="message",
        destination=topic,
        payload=payload,
        size=len(payload),
        detail={"qos": qos, "retain": retain},
    )


def _moment(record: "RecordView") -> tuple[float, int, int]:
    return (record.time, record.partition, record.offset)


def _retained(session: "Session", pattern: str) -> Store:
    kept = mqtt(session).retained()
    shown = set(matching((topic for topic, _, _ in kept), pattern))
    rows = [
        _mqtt_row(topic, payload, qos, True)
        for topic, payload, qos in sorted(kept)
        if topic in shown
    ]
    return _Listed(lambda start, count: rows[start : start + count], len(rows))


def _waiting(session: "Session", client: str) -> Store:
    admin = mqtt(session)
    found = next((each for each in admin.sessions() if each["client"] == client), None)
    if found is None:
        raise BadArgument("target", f"no session {client}; session ls lists them")
    return _Listed(
        lambda start, count: [
            _mqtt_row(each.topic_name, each.payload, each.qos, each.retain)
            for each in admin.queued(client, count, start=start)
        ],
        int(found["queued"]) + int(found.get("inflight", 0)),
    )


def _number(start: str | None) -> int:
    match start:
        case None | "begin":
            return 0
    if not start.isdecimal():
        raise BadArgument("start", f"{start!r} is no number of messages to pass over (100, begin)")
    return int(start)
