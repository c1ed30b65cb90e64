"""What the side panes and the header show: views of the brokers with rates, twice a second."""

from collections import deque
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Final

from mockforge_brokers.events import ConnectionClosed
from mockforge_brokers.misbehaviour.holds import HeldFrame, HoldRule
from mockforge_brokers.misbehaviour.rules import Rule
from mockforge_brokers.snapshots import ConnectionView, DestinationView, GroupView
from msgspec.structs import replace

from ..console.session import Session
from .rows import clock_text

_SMOOTHING: Final = 0.5
_HISTORY: Final = 60
ENDED: Final = "ended"
"""The state of a connection that is listed on after its end."""
_ENDED_SHOWN: Final = 30


@dataclass(frozen=True, slots=True)
class ConnectionLine:
    view: ConnectionView
    messages: float
    bytes: float


@dataclass(frozen=True, slots=True)
class DestinationLine:
    view: DestinationView
    rate: float


@dataclass(frozen=True, slots=True)
class FaultLine:
    """A fault rule, a hold rule or a held frame: one line of pane 5."""

    order: int
    id: int
    what: Rule | HoldRule | HeldFrame
    figure: int
    on: bool
    age: float


@dataclass(slots=True)
class Totals:
    """The header's figures."""

    connections: dict[str, int] = field(default_factory=dict)
    rate: float = 0.0
    history: deque[float] = field(default_factory=lambda: deque(maxlen=_HISTORY))
    held: int = 0
    faults: int = 0


class Rates:
    """Counters that only grow to rates a second, each by its own key."""

    def __init__(self) -> None:
        self._seen: dict[Hashable, tuple[float, float]] = {}
        self._fresh: dict[Hashable, tuple[float, float]] = {}

    def of(self, key: Hashable, count: float, elapsed: float) -> float:
        """The rate since the last round; 0 for a counter not seen before."""
        before, rate = self._seen.get(key, (count, 0.0))
        if elapsed > 0:
            now = max(0.0, count - before) / elapsed
            rate += (now - rate) * _SMOOTHING
            if rate < 0.05:
                rate = 0.0
        self._fresh[key] = (count, rate)
        return rate

    def end_round(self) -> None:
        """Forget counters that were not asked about."""
        self._seen, self._fresh = self._fresh, {}


class Snapshot:
    """The last views; `take` gets new ones."""

    def __init__(self, session: Session) -> None:
        self.connections: list[ConnectionLine] = []
        self.destinations: list[DestinationLine] = []
        self.groups: list[GroupView] = []
        self.faults: list[FaultLine] = []
        self.totals = Totals()
        self._session = session
        self._rates = Rates()
        self._at: float | None = None
        self._ended: deque[tuple[float, ConnectionClosed]] = deque(maxlen=_ENDED_SHOWN)
        self._ended_lines: deque[ConnectionLine] = deque(maxlen=_ENDED_SHOWN)
        spine = session.runtime.spine
        spine.watch(self._note_end, ConnectionClosed)

    def _note_end(self, event: ConnectionClosed) -> None:
        self._ended.append((self._session.runtime.clock.wall(), event))

    def _list_ended(self) -> None:
        """Connections that ended since the last look, as they were last seen."""
        known = {line.view.id: line.view for line in self.connections}
        while self._ended:
            at, event = self._ended.popleft()
            view = known.get(event.connection) or ConnectionView(
                event.connection, event.protocol, event.client, "", ENDED, at
            )
            facts = {"ended": clock_text(at, 12), "reason": event.reason, **view.detail}
            view = replace(view, state=ENDED, client=event.client or view.client, detail=facts)
            self._ended_lines.append(ConnectionLine(view, 0.0, 0.0))

    def take(self, now: float) -> None:
        """Look at everything; `now` is monotonic seconds."""
        session, rates = self._session, self._rates
        elapsed = now - self._at if self._at is not None else 0.0
        self._at = now
        connections = session.connections()
        self._list_ended()
        self.connections = [
            ConnectionLine(
                each,
                rates.of(("messages", each.id), each.messages_in + each.messages_out, elapsed),
                rates.of(("bytes", each.id), each.bytes_in + each.bytes_out, elapsed),
            )
            for each in connections
        ]
        self.connections += reversed(self._ended_lines)
        destinations = session.destinations()
        self.destinations = [
            DestinationLine(
                each, rates.of((each.protocol, each.kind, each.name), each.messages_in, elapsed)
            )
            for each in destinations
        ]
        self.groups = session.groups()
        self._count(connections, destinations, elapsed)
        self._look_at_faults()
        rates.end_round()

    def _count(
        self,
        connections: list[ConnectionView],
        destinations: list[DestinationView],
        elapsed: float,
    ) -> None:
        totals = self.totals
        totals.connections = dict.fromkeys(self._session.runtime.brokers, 0)
        for each in connections:
            totals.connections[each.protocol] = totals.connections.get(each.protocol, 0) + 1
        # Queues get what exchanges were given: counted once.
        came = sum(each.messages_in for each in destinations if each.kind != "queue")
        totals.rate = self._rates.of("all", came, elapsed)
        totals.history.append(totals.rate)

    def _look_at_faults(self) -> None:
        runtime, totals = self._session.runtime, self.totals
        now = runtime.clock.now()
        rules, holds = runtime.faults.rules.values(), runtime.holds
        totals.held = len(holds.held)
        totals.faults = sum(rule.enabled for rule in rules)
        self.faults = [
            FaultLine(0, frame.id, frame, frame.rows[0].size, True, int(now - frame.since))
            for frame in holds.held.values()
        ]
        self.faults += [
            FaultLine(1, rule.id, rule, rule.hits, True, 0) for rule in holds.rules.values()
        ]
        self.faults += [FaultLine(2, rule.id, rule, rule.hits, rule.enabled, 0) for rule in rules]
