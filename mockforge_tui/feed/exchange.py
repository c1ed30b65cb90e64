"""What belongs to a row on its connection: what it answers, what answers it, what came before.

`Row.correlation` is common to a request and its answers, but comes again: MQTT has 65,535 packet
identifiers, and a channel of AMQP has one request of a kind at a time. So an exchange ends where
something is asked with its correlation anew. AMQP acknowledges by numbers, which `tags` knows.
"""

from collections.abc import Iterator
from typing import Final

from mockforge_brokers.events import INSIDE
from mockforge_brokers.journal import IN, OUT, Row
from mockforge_brokers.protocols import protocol_of

from .ring import Ring
from .tags import asked_by, has_tag, settled_by, settles, tag_of

_BACK: Final = 2_000
"""Rows before this one among which its connection's are looked for."""
_AHEAD: Final = 50_000
"""The same behind it, until it is taken for unanswered."""
_AT_ONCE: Final = 4_000


class Exchange:
    """Looked up back at once, and ahead as rows come: `look` says whether there is more of it."""

    def __init__(self, ring: Ring, row: Row) -> None:
        self.row = row
        self.asked: list[Row] = []
        """What the row answers, oldest first: for a PUBCOMP its PUBLISH, PUBREC and PUBREL."""
        self.answered: list[Row] = []
        """What answers it, and answers that."""
        self.previous: Row | None = None
        """What passed on the connection before it, either way."""
        self._ring = ring
        self._looked = row.seq
        self._tagged = has_tag(row)
        self._tag: int | None = None
        """Of what is settled by number, once something that may settle it has come."""
        self._over = not (row.seq and row.connection and row.kind != "event")
        if not self._over:
            self._look_back()
            # What is published inside is accepted without an answer.
            inside = row.client.startswith(INSIDE)
            nameless = row.correlation is None and not self._tagged
            self._over = settles(row) or inside or nameless

    @property
    def waits(self) -> bool:
        """An answer may come, and has not yet."""
        return not (self._over or self.answered or self._is_last)

    @property
    def _is_last(self) -> bool:
        """It answers something itself; only MQTT's QoS 2 goes on behind an answer."""
        return bool(self.asked) or _is_answer(self.row)

    def look(self) -> bool:
        """Go on through what came since; True where something of the exchange did."""
        if self._over:
            return False
        before = len(self.answered)
        last = min(self._ring.newest, self._looked + _AT_ONCE)
        while self._looked < last and not self._over:
            self._looked += 1
            row = self._ring.row(self._looked)
            if row is not None and row.connection == self.row.connection:
                self._meet(row)
        self._over = self._over or self._looked - self.row.seq > _AHEAD
        return len(self.answered) > before

    def _meet(self, row: Row) -> None:
        if self._tagged:
            self._meet_settlement(row)
            return
        first = self.asked[0] if self.asked else self.row
        if row.correlation == first.correlation and not _together(row, self.row):
            if _is_answer(row) or _mirrors(row, first):
                # The rows of one frame are one answer.
                if not self.answered or not _together(row, self.answered[-1]):
                    self.answered.append(row)
            else:
                # The same packet identifier or channel, for something new.
                self._over = True

    def _meet_settlement(self, row: Row) -> None:
        if not settles(row) or row.direction == self.row.direction:
            return
        if self._tag is None:
            self._tag = tag_of(self._ring, self.row)
            if self._tag is None:
                self._over = True
                return
        if settled_by(self.row, self._tag, row):
            self.answered.append(row)
            self._over = True

    def _look_back(self) -> None:
        for row in self._earlier():
            self.previous = row
            break
        if settles(self.row):
            self.asked = asked_by(self._ring, self.row)
            return
        if self.row.correlation is None:
            return
        first = self.row
        for row in self._earlier():
            if first.direction == IN and not _is_answer(first):
                break  # It is a request, and nothing before it is of the exchange.
            if row.correlation != self.row.correlation or _together(row, first):
                continue
            if (row.operation, row.direction) == (self.row.operation, self.row.direction):
                continue  # The same answer before, which this one repeats.
            if not _is_answer(first) and not _mirrors(first, row):
                break
            first = row
            self.asked.insert(0, row)
        if self.asked and _is_answer(self.asked[0]):
            # What it answers has left: the answers that are there are no requests of others.
            self.asked = [each for each in self.asked if each.direction != self.row.direction]

    def _earlier(self) -> Iterator[Row]:
        """Rows of the connection before this one's frame, the latest first."""
        row, ring = self.row, self._ring
        for number in range(row.seq - 1, max(ring.oldest, row.seq - _BACK) - 1, -1):
            each = ring.row(number)
            if each is None or each.connection != row.connection or each.kind == "event":
                continue
            if not _together(each, row):
                yield each


def _together(row: Row, other: Row) -> bool:
    """Whether they are rows of one frame, which stand one behind the other.

    Not by their bytes: a frame that a fault repeats is the same object twice, and old ones have
    let theirs go.
    """
    return row.seq - row.part == other.seq - other.part


def _is_answer(row: Row) -> bool:
    """As its name says: PUBACK, queue.declare-ok."""
    return protocol_of(row.protocol).is_answer(row.operation)


def _mirrors(row: Row, first: Row) -> bool:
    """An answer that is called like its request: Kafka's responses, performatives of AMQP 1.0."""
    return (row.direction, first.direction, row.operation) == (OUT, IN, first.operation)
