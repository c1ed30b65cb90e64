"""Which messages of one publisher reached no queue: for its rows, its figures and the spine."""

from typing import Final

from ...journal import IN, Row
from ...spine import Spine
from ..events import AMQP, MessageUnroutable

_MOST_REMEMBERED: Final = 1000
_MOST_EMITTED: Final = 100
_LOOKED_AT: Final = 4096
"""Bytes of a unit that tell it from others: a route does not depend on the rest of the body."""


class Unroutable:
    """`count` only grows; `last` is the newest exchange and routing key that still reach nobody.

    The event is emitted once for each exchange and routing key.

    Rows are made later than messages are routed, from nothing but their bytes: so the newest
    units are remembered by a hash, until the same unit is published again and reaches a queue.
    """

    __slots__ = (
        "_confirmed",
        "_emitted",
        "_spine",
        "_units",
        "client",
        "connection",
        "count",
        "last",
    )

    def __init__(self, spine: Spine, connection: int, client: str) -> None:
        self.connection = connection
        self.client = client
        self.count = 0
        self.last: tuple[str, str] | None = None
        self._spine = spine
        self._units: dict[int, None] = {}
        # Of dictionaries, since an empty set takes three times the room, and most stay empty.
        self._emitted: dict[tuple[str, str], None] = {}
        self._confirmed: dict[tuple[str, str], None] = {}

    @property
    def remembered(self) -> int:
        """How many units are kept for rows."""
        return len(self._units)

    def add(
        self, frame: bytes, content: bytes, exchange: str, routing_key: str, *, returned: bool
    ) -> None:
        """A publish (`frame`, with its `content`) reached nobody."""
        self.count += 1
        self.last = exchange, routing_key
        units = self._units
        if len(units) >= _MOST_REMEMBERED:
            del units[next(iter(units))]
        units[_identity(frame, content)] = None
        emitted = self._emitted
        if (exchange, routing_key) in emitted or len(emitted) >= _MOST_EMITTED:
            return
        emitted[exchange, routing_key] = None
        self._spine.emit(
            MessageUnroutable(AMQP, self.connection, self.client, exchange, routing_key, returned)
        )

    def confirmed(self, exchange: str, routing_key: str) -> bool:
        """Such a publish is confirmed, and not returned; True for the first of its kind.

        That is the first of its exchange and routing key since one of them reached somebody.
        """
        confirmed = self._confirmed
        if (exchange, routing_key) in confirmed or len(confirmed) >= _MOST_EMITTED:
            return False
        confirmed[exchange, routing_key] = None
        return True

    def routed(self, frame: bytes, content: bytes, exchange: str, routing_key: str) -> None:
        """What did not get through before did now, perhaps the very same message."""
        self._units.pop(_identity(frame, content), None)
        self._emitted.pop((exchange, routing_key), None)
        self._confirmed.pop((exchange, routing_key), None)
        if self.last == (exchange, routing_key):
            self.last = None

    def has(self, unit: bytes) -> bool:
        """Whether this very unit, or one that begins the same and is as long, reached nobody."""
        return _identity(unit, b"") in self._units

    def mark(self, row: Row) -> None:
        """Give the row of a publish that reached no queue its `error`."""
        if row.operation != "basic.publish" or row.direction != IN or not self._units:
            return
        if self.has(row.frame):
            row.detail["unroutable"] = True
            row.error = row.error or "reached no queue"


def _identity(frame: bytes, content: bytes) -> int:
    start = (frame + content[:_LOOKED_AT])[:_LOOKED_AT]
    return hash((start, len(frame) + len(content)))
