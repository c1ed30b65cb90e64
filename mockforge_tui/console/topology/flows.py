"""Who sends where, and who gets what from where: counted from the rows that pass."""

from collections import OrderedDict, deque
from collections.abc import Hashable, Iterator
from typing import Final, NamedTuple

from mockforge_brokers.journal import IN, Row
from mockforge_brokers.protocols import protocol_of

from ..targets import at_host, host_of

WINDOW: Final = 60
"""Seconds for which a flow is known."""
RECENT: Final = 5
"""Seconds that a rate, and trouble, is of."""
_MOST: Final = 4_096
"""Flows; those that nothing was heard of for longest leave first."""
_MOST_ASKED: Final = 1_024
"""Requests and connections of which is known what they were about."""


class Place(NamedTuple):
    """A topic, exchange or queue; `name` tells virtual hosts apart."""

    protocol: str
    kind: str
    name: str


class Way(NamedTuple):
    """A flow's ends: from a client to a place, or from there to a client (`direction` OUT)."""

    direction: int
    client: str
    connection: int
    """0 where the client has a name: all its connections are one."""
    place: Place


class Flow:
    """The messages that went one way of late; `weight` is how many frames a row stands for."""

    __slots__ = ("_seconds", "last", "trouble", "troubled")

    def __init__(self) -> None:
        self._seconds: deque[list[int]] = deque()
        """Each second in which something came, with how much."""
        self.last = 0.0
        self.trouble = ""
        """What went wrong last: an error's name, or a fault."""
        self.troubled = 0.0

    def add(self, time: float, weight: int) -> None:
        second = int(time)
        if self._seconds and self._seconds[-1][0] >= second:
            self._seconds[-1][1] += weight
        else:
            self._seconds.append([second, weight])
            while self._seconds[0][0] <= second - WINDOW:
                self._seconds.popleft()
        self.last = max(self.last, time)

    def go_wrong(self, time: float, what: str) -> None:
        self.trouble, self.troubled = what, time

    def messages(self, now: float) -> int:
        """How many there were within the window."""
        return sum(count for second, count in self._seconds if second > now - WINDOW)

    def rate(self, now: float, since: float) -> float:
        """Messages a second of late; nothing is known of before `since`."""
        first = int(now) - RECENT
        recent = sum(count for second, count in self._seconds if second >= first)
        return recent / max(0.5, now - max(first, since)) if recent else 0.0

    def history(self, now: float, seconds: int) -> list[int]:
        """Messages in each of the last whole seconds, the newest last."""
        first = int(now) - seconds
        found = [0] * seconds
        for second, count in self._seconds:
            if 0 <= second - first < seconds:
                found[second - first] += count
        return found


class Flows:
    """Meets rows in order."""

    def __init__(self, since: float) -> None:
        self.since = since
        """Rows from then on were met."""
        self._flows: OrderedDict[Way, Flow] = OrderedDict()
        self._asked: OrderedDict[Hashable, Flow] = OrderedDict()

    def __iter__(self) -> Iterator[tuple[Way, Flow]]:
        return iter(self._flows.items())

    def meet(self, row: Row, weight: int = 1) -> None:
        if row.kind == "message" and (way := way_of(row)) is not None:
            flow = self._of(way)
            flow.add(row.time, weight)
            self._remember(row, flow)
            if row.fault:
                flow.go_wrong(row.time, f"fault {row.fault}")
        elif row.error and (found := self._about(row)) is not None:
            found.go_wrong(row.time, row.error)

    def forget(self, now: float) -> None:
        """Let go of flows that ended."""
        while self._flows:
            way, flow = next(iter(self._flows.items()))
            if flow.last > now - WINDOW:
                return
            del self._flows[way]

    def _of(self, way: Way) -> Flow:
        flow = self._flows.get(way)
        if flow is None:
            flow = self._flows[way] = Flow()
            if len(self._flows) > _MOST:
                self._flows.popitem(last=False)
        else:
            self._flows.move_to_end(way)
        return flow

    def _remember(self, row: Row, flow: Flow) -> None:
        """An error that comes back is this flow's, as is what a consumer says of a delivery."""
        key = (row.connection, row.direction, row.correlation if row.direction == IN else None)
        self._asked[key] = flow
        if len(self._asked) > _MOST_ASKED:
            self._asked.popitem(last=False)

    def _about(self, row: Row) -> Flow | None:
        key = (row.connection, 1 - row.direction, row.correlation if row.direction != IN else None)
        return self._asked.get(key)


def way_of(row: Row) -> Way | None:
    """Where a message's row says that it goes; None where it does not say."""
    if not row.destination and not row.detail.get("queue"):
        return None
    place = place_of_row(row)
    client = row.client
    return Way(row.direction, client, 0 if client else row.connection, place)


def place_of_row(row: Row) -> Place:
    """What a client sent to, or where it got from: there a queue, if the protocol has queues."""
    if not protocol_of(row.protocol).routed:
        return Place(row.protocol, "topic", row.destination)
    host, queue = host_of(row), row.detail.get("queue")
    if row.direction != IN and queue:
        return Place(row.protocol, "queue", at_host(host, str(queue)))
    # What the default exchange gets is named by its queue.
    kind = "exchange" if row.detail.get("exchange") else "queue"
    return Place(row.protocol, kind, at_host(host, row.destination))
