"""What was published to MQTT topics, as far back as the journal reaches."""

from collections import deque
from collections.abc import Callable, Collection, Iterator
from time import perf_counter
from typing import Final, NamedTuple

from mockforge_brokers.journal import IN, Chunk, Journal, Row, Tape

from .decoder import frame_rows, frames_of

BUDGET: Final = 0.05
"""Seconds of looking at a time."""
_ALIAS: Final = b"\x23"
"""The property in front of a Topic Alias: then the topic's name may be empty."""
_EMPTY_NAME: Final = b"\0\0"
_NUMBERED: Final = "sn"
"""The listener of clients that name topics by numbers alone (MQTT-SN)."""


class Value(NamedTuple):
    """One message; `seq` is that of its chunk, `client` who sent it."""

    seq: int
    time: float
    client: str
    payload: bytes
    qos: int
    retain: bool
    topic: str = ""
    """By whose schema its payload is read."""


class TopicValues:
    """The newest `most` values of a topic, oldest first; `look` takes in what came since.

    Frames that do not have the topic's name in their bytes are not decoded, but for MQTT-SN's, so
    that most of the journal costs one search. What a fault dropped is there as well: its client
    sent it.
    """

    def __init__(
        self,
        journal: Journal,
        topic: str,
        most: int = 200,
        timer: Callable[[], float] = perf_counter,
    ) -> None:
        self.topic = topic
        self.values: deque[Value] = deque(maxlen=most)
        self.complete = True
        """Whether all that the journal has was looked at, or enough was found."""
        self._journal = journal
        self._most = most
        self._timer = timer
        # What is no UTF-8 is the name of no topic, and is found nowhere.
        self._name = topic.encode("utf-8", "surrogateescape")
        self._last = 0
        self._known: dict[Tape, bool] = {}
        """Whose messages name topics by numbers, during one look."""

    def look(self, budget: float = BUDGET) -> bool:
        """Take in what came since the last look; returns whether there was anything."""
        deadline = self._timer() + budget
        found: list[Value] = []
        completing: dict[Tape, Chunk] = {}
        looked_at: set[int] = set()
        newest = self._journal.seq
        self.complete = True
        for chunk in self._journal.since(self._last, _of_mqtt):
            if chunk.direction != IN:
                continue
            for each in self._worth_decoding(chunk, completing.get(chunk.tape)):
                if each.seq not in looked_at:
                    looked_at.add(each.seq)
                    found += self._of(each)
            if chunk.tail < len(chunk.data or b""):
                completing[chunk.tape] = chunk
            if len(found) >= self._most:
                break
            if self._timer() >= deadline:
                self.complete = False
                break
        self._last = newest
        self._known.clear()
        found.sort(key=lambda value: value.seq)
        self.values.extend(found)
        return bool(found)

    def _worth_decoding(self, chunk: Chunk, completing: Chunk | None) -> Iterator[Chunk]:
        """It, and the later chunk that completes its last frame, as far as the name is in them."""
        data = chunk.data or b""
        if self._numbered(chunk.tape) or self._may_be_in(data):
            yield chunk
            if chunk.tail and completing is not None and self._may_be_in(data[-chunk.tail :]):
                yield completing

    def _of(self, chunk: Chunk) -> list[Value]:
        """The values in one chunk, oldest first."""
        numbered = self._numbered(chunk.tape)
        return [
            Value(
                chunk.seq,
                chunk.time,
                row.client,
                row.payload or b"",
                int(row.detail.get("qos", 0)),
                bool(row.detail.get("retain")),
                row.destination,
            )
            for frame in frames_of(chunk)
            if numbered or self._may_be_in(frame)
            for row in frame_rows(chunk, frame)
            if self._is_value(row)
        ]

    def _is_value(self, row: Row) -> bool:
        return row.kind == "message" and row.destination == self.topic and not row.error

    def _numbered(self, tape: Tape) -> bool:
        found = self._known.get(tape)
        if found is None:
            found = self._known[tape] = _NUMBERED in tape.origin().listener
        return found

    def _may_be_in(self, data: bytes) -> bool:
        return self._name in data or (_ALIAS in data and _EMPTY_NAME in data)


def _of_mqtt(tape: Tape) -> bool:
    return tape.protocol == "mqtt"


def newest_values(
    journal: Journal,
    topics: Collection[str],
    budget: float = BUDGET,
    timer: Callable[[], float] = perf_counter,
) -> dict[str, bytes]:
    """The last payload of each of these topics, as far as one look finds it within its budget."""
    deadline = timer() + budget
    missing, found = set(topics), dict[str, bytes]()
    for chunk in journal.since(0, _of_mqtt):
        if not missing or timer() >= deadline:
            break
        if chunk.direction != IN:
            continue
        for frame in reversed(frames_of(chunk)):
            for row in frame_rows(chunk, frame):
                if row.kind == "message" and row.destination in missing:
                    missing.discard(row.destination)
                    found[row.destination] = row.payload or b""
    return found
