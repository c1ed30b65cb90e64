"""What the side panes and the header show: views of the brokers with rates, twice a second."""

from collections import deque
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Final

from mockforge_brokers.ended import EndedConnection
from mockforge_brokers.findings import Finding
from mockforge_brokers.journal import IN
from mockforge_brokers.misbehaviour.holds import HeldFrame, HoldRule
from mockforge_brokers.misbehaviour.rules import Rule
from mockforge_brokers.protocols import protocol_of
from mockforge_brokers.snapshots import ConnectionView, DestinationView, GroupView
from msgspec.structs import replace

from ..console.client_timeouts import Patience, patience_with
from ..console.session import Session
from ..console.targets import name_of
from ..feed import Feed
from .rows import clock_text
from .timeline import Timeline

_SMOOTHING: Final = 0.5
_HISTORY: Final = 60
_ENDED_SHOWN: Final = 100
_ROWS_LOOKED_AT: Final = 4_096
"""More do not come between two snapshots, and so many are at hand without being unpacked."""
_VALUES_KEPT: Final = 10_000


@dataclass(frozen=True, slots=True)
class ConnectionLine:
    view: ConnectionView
    messages: float
    bytes: float


@dataclass(frozen=True, slots=True)
class DestinationLine:
    """`last` is the payload of the newest message that the flow has of an MQTT topic."""

    view: DestinationView
    rate: float
    last: bytes | None = None


@dataclass(frozen=True, slots=True)
class FaultLine:
    """A fault rule, a hold rule or a held frame: one line of pane 5.

    `left` is how long the client of a held frame still waits (s), where it is known, and `by` what
    runs out then; `hits` how often a rule fired in each step of the timeline, the newest last.
    """

    order: int
    id: int
    what: Rule | HoldRule | HeldFrame
    figure: int
    on: bool
    age: float
    left: float | None = None
    hits: tuple[float, ...] = ()
    by: str = ""


@dataclass(frozen=True, slots=True)
class LintLine:
    """What lint found of one client and statement: one line of pane 7."""

    protocol: str
    finding: Finding


Line = ConnectionLine | DestinationLine | GroupView | FaultLine | LintLine
"""What a pane has a line for."""


@dataclass(slots=True)
class Totals:
    """The header's figures."""

    connections: dict[str, int] = field(default_factory=dict)
    ended: int = 0
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

    def __init__(self, session: Session, feed: Feed) -> None:
        self.connections: list[ConnectionLine] = []
        self.destinations: list[DestinationLine] = []
        self.groups: list[GroupView] = []
        self.faults: list[FaultLine] = []
        self.chaos = ""
        """The presets of the run that goes on."""
        self.lint: list[LintLine] = []
        self.totals = Totals()
        self.timeline = Timeline()
        self._errors = 0
        self._session = session
        self._feed = feed
        self._patience: dict[int, Patience | None] = {}
        self._seen = 0
        self._last: dict[str, bytes] = {}
        self._rates = Rates()
        self._at: float | None = None

    def _ended(self) -> list[ConnectionLine]:
        """The newest connections that are over, as they were when they ended."""
        ended = islice(self._session.runtime.ended, _ENDED_SHOWN)
        return [ConnectionLine(_as_ended(one), 0.0, 0.0) for one in ended]

    def take(self, now: float) -> None:
        """Look at everything; `now` is monotonic seconds."""
        session, rates = self._session, self._rates
        elapsed = now - self._at if self._at is not None else 0.0
        self._at = now
        connections = session.connections()
        self.connections = [
            ConnectionLine(
                each,
                rates.of(("messages", each.id), each.messages_in + each.messages_out, elapsed),
                rates.of(("bytes", each.id), each.bytes_in + each.bytes_out, elapsed),
            )
            for each in connections
        ]
        self.connections += self._ended()
        destinations = session.destinations()
        self._look_at_rows()
        self.destinations = [
            DestinationLine(
                each,
                rates.of((each.protocol, each.kind, name_of(each)), each.messages_in, elapsed),
                self._value_of(each),
            )
            for each in destinations
        ]
        self.groups = session.groups()
        self._count(connections, destinations, elapsed)
        self._note_timeline(now)
        self._look_at_faults()
        self.lint = [
            LintLine(protocol, each)
            for protocol, findings in session.runtime.brokers.findings()
            for each in findings.views()
        ]
        rates.end_round()

    def like(self, subject: object) -> Sequence[Line]:
        """All that it shows of the kind of a subject; nothing of what no picture has anew."""
        match subject:
            case ConnectionLine():
                return self.connections
            case DestinationLine():
                return self.destinations
            case GroupView():
                return self.groups
            case FaultLine(what=HeldFrame()):
                return ()
            case FaultLine():
                return self.faults
            case LintLine():
                return self.lint
        return ()

    def _note_timeline(self, now: float) -> None:
        runtime = self._session.runtime
        hits: dict[Hashable, int] = {
            (2, rule.id): rule.hits for rule in runtime.faults.rules.values()
        }
        hits |= {(1, rule.id): rule.hits for rule in runtime.holds.rules.values()}
        lag = sum(group.lag or 0 for group in self.groups)
        self.timeline.note(now, self.totals.rate, lag, self._errors, hits)
        self._errors = 0

    def _look_at_rows(self) -> None:
        """Of the rows that came since: the newest value of each MQTT topic, and the errors."""
        fresh: dict[str, bytes] = {}
        newest = self._feed.newest
        for row in self._feed.ring.newest_first(min(_ROWS_LOOKED_AT, newest - self._seen)):
            if row.kind == "message" and row.direction == IN and protocol_of(row.protocol).levels:
                fresh.setdefault(row.destination, row.payload or b"")
            if row.error:
                self._errors += 1
        self._seen = newest
        for topic in fresh:
            # The topics that are heard of least leave first.
            self._last.pop(topic, None)
        self._last |= dict(reversed(fresh.items()))
        while len(self._last) > _VALUES_KEPT:
            del self._last[next(iter(self._last))]

    def _value_of(self, view: DestinationView) -> bytes | None:
        if not protocol_of(view.protocol).levels:
            return None
        kept = view.detail.get("retained")
        return self._last.get(view.name, kept if isinstance(kept, bytes) else None)

    def _count(
        self,
        connections: list[ConnectionView],
        destinations: list[DestinationView],
        elapsed: float,
    ) -> None:
        totals = self.totals
        totals.ended = self._session.runtime.ended.total
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
        hits_of = self.timeline.hits_of
        rules, holds = runtime.faults.rules.values(), runtime.holds
        totals.held = len(holds.held)
        totals.faults = sum(rule.enabled for rule in rules)
        run = runtime.chaos[-1] if runtime.chaos else None
        self.chaos = run.names if run is not None and run.ended is None else ""
        # Found out once for each frame: a request of megabytes is not read with every picture.
        known, brokers, journal = self._patience, runtime.brokers, runtime.journal
        self._patience = {
            number: known[number] if number in known else patience_with(frame, brokers, journal)
            for number, frame in holds.held.items()
        }
        self.faults = [self._held_line(frame, now) for frame in holds.held.values()]
        self.faults += [
            FaultLine(1, rule.id, rule, rule.hits, True, 0, hits=hits_of((1, rule.id)))
            for rule in holds.rules.values()
        ]
        self.faults += [
            FaultLine(2, rule.id, rule, rule.hits, rule.enabled, 0, hits=hits_of((2, rule.id)))
            for rule in rules
        ]

    def _held_line(self, frame: HeldFrame, now: float) -> FaultLine:
        # Whole seconds: a line is drawn again only when what it shows is another.
        age, patience = int(now - frame.since), self._patience[frame.id]
        left = None if patience is None else float(int(patience.seconds)) - age
        by = "" if patience is None else patience.name
        return FaultLine(0, frame.id, frame, frame.rows[0].size, True, age, left, by=by)


def _as_ended(one: EndedConnection) -> ConnectionView:
    """The view of a connection that is over, with when and why."""
    facts = {"ended": clock_text(one.at, 12), "reason": one.reason}
    return replace(one.view, detail={**facts, **one.view.detail})
