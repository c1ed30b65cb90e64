"""What clients made of a run: who came back after how long, what was sent twice or not at all."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from mockforge_brokers.ended import EndedConnections
from mockforge_brokers.events import (
    ClientIdentified,
    ConnectionClosed,
    ConnectionOpened,
    FaultFired,
    MessageSeen,
)
from mockforge_brokers.protocols import PROTOCOLS
from mockforge_brokers.snapshots import ConnectionView
from mockforge_brokers.spine import Spine

from ...brokers import Brokers
from ...units import counted
from ..ports import Clock
from .aftermath import SLOWING, Causes, ended_by_itself
from .arrivals import Arrival, Arrivals, host_of
from .backoff import backoff_of
from .identity import Identify, name_of
from .wording import in_words, named

_MOST_IDS: Final = 500_000
"""Ids that are remembered of all clients; of what comes after none is known again."""
_MOST_REPEATED: Final = 10_000
"""Of one client and destination: repetitions that are named, and those out of order."""
_MOST_CLIENTS: Final = 1_000
_MOST_MOMENTS: Final = 2_000
"""Of one client; those that come after are only counted."""
_MOST_BUCKETS: Final = 50_000
BUCKET: Final = 0.1
"""Seconds in which a client's messages are counted together."""
_NUMBER: Final = re.compile(r"(.*?)([0-9]{1,15})", re.DOTALL)

_OURS: Final = "∗"
"""How those are called who publish without a connection: prompt and fixtures."""
_GONE: Final = ("the client closed the connection", "the connection was lost")
"""How the reasons of an end begin that nobody here brought about."""


@dataclass(frozen=True, slots=True)
class Moment:
    """What happened to a client `at` so many seconds after the start.

    `kind` is fault, lost (its last connection), back, or doubled; `text` says which.
    """

    at: float
    kind: str
    text: str


@dataclass(slots=True)
class Series:
    """Ids that differ in the number at their end alone, which has `digits` at least.

    `greatest` is by partition: between those of a topic there is no order.
    """

    lowest: int
    highest: int
    digits: int
    count: int = 0
    greatest: dict[object, int] = field(default_factory=dict)

    def add(self, number: int, digits: int, partition: object) -> bool:
        """Whether it comes behind a greater one."""
        greatest = self.greatest.get(partition, number)
        self.greatest[partition] = max(number, greatest)
        self.lowest, self.highest = min(number, self.lowest), max(number, self.highest)
        self.digits = min(digits, self.digits)
        self.count += 1
        return number < greatest


@dataclass(slots=True)
class Stream:
    """The messages of one client to one destination, in their order.

    `ids` are the times (s) at which each came first, `gaps` how long after it came again.
    """

    ids: dict[str, float] = field(default_factory=dict)
    gaps: list[float] = field(default_factory=list)
    sent: int = 0
    doubled: list[str] = field(default_factory=list)
    disordered: list[str] = field(default_factory=list)
    series: dict[str, Series] = field(default_factory=dict)
    """By what stands before their numbers."""

    def add(self, name: str, at: float, partition: object = None) -> str:
        """`doubled`, `disordered` or nothing."""
        self.sent += 1
        if name in self.ids:
            if len(self.doubled) == _MOST_REPEATED:
                return ""
            self.gaps.append(at - self.ids[name])
            self.doubled.append(name)
            return "doubled"
        self.ids[name] = at
        found = _NUMBER.fullmatch(name)
        if found is None:
            return ""
        series, number, digits = found[1], int(found[2]), len(found[2])
        known = self.series.get(series)
        if known is None:
            known = self.series[series] = Series(number, number, digits)
        if not known.add(number, digits, partition) or len(self.disordered) == _MOST_REPEATED:
            return ""
        self.disordered.append(name)
        return "disordered"

    def missing(self) -> list[str]:
        """Numbers that are not there between the first and the last of a series.

        One that lacks more than it has was none.
        """
        found: list[str] = []
        for series, known in self.series.items():
            # Of as many as it has itself: those of all others are no reason to count further.
            if known.highest - known.lowest < 2 * known.count:
                numbers = range(known.lowest, known.highest)
                names = (f"{series}{number:0{known.digits}}" for number in numbers)
                found += [name for name in names if name not in self.ids]
        return found


@dataclass(slots=True)
class ClientStory:
    """One client of one protocol; `pauses` are s between a lost connection and the next one.

    `tries` are s from the end of a connection, or of such a try, to its next try to connect.
    """

    protocol: str
    client: str
    host: str = ""
    faults: Counter[str] = field(default_factory=Counter)
    lost: int = 0
    open: set[int] = field(default_factory=set)
    begun: float | None = None
    """When the newest of its connections began."""
    pauses: list[float] = field(default_factory=list)
    tries: list[float] = field(default_factory=list)
    refused: int = 0
    """Connections that ended before it was let in."""
    lost_at: float | None = None
    tried_at: float | None = None
    """When its newest connection or try ended."""
    left: bool = False
    """Its last connection ended by its own wish."""
    got: int = 0
    """Messages that it got by connections that are over, and `getting` by those that are open."""
    getting: int = 0
    resent: list[str] = field(default_factory=list)
    """Those of its doubled messages that came again on a new connection."""
    causes: Causes = field(default_factory=Causes)
    streams: dict[str, Stream] = field(default_factory=dict)
    uncounted: int = 0
    """Messages that have no id, or that came when there was no room for another one."""
    moments: list[Moment] = field(default_factory=list)
    slowed: dict[str, int] = field(default_factory=dict)
    """The second in which something slowed it last, by what."""
    buckets: Counter[int] = field(default_factory=Counter)
    """Messages by the number of their `BUCKET`."""

    def note(self, at: float, kind: str, text: str = "") -> None:
        if len(self.moments) < _MOST_MOMENTS:
            self.moments.append(Moment(at, kind, text))

    def hit(self, at: float, kind: str, operation: str) -> None:
        """A moment for a fault; what slows all of its frames has one a second."""
        text = f"{kind} {operation}"
        if kind in SLOWING:
            if self.slowed.get(text) == int(at):
                return
            self.slowed[text] = int(at)
        # What its faults leave free is for what it did itself.
        if len(self.moments) < _MOST_MOMENTS // 2:
            self.note(at, "fault", text)

    def tried(self, at: float) -> None:
        """It connects once more, having no connection."""
        if self.tried_at is not None:
            self.tries.append(max(0.0, at - self.tried_at))
            del self.tries[:-_MOST_MOMENTS]

    @property
    def outside(self) -> bool:
        """It was never let in."""
        return bool(self.refused) and not (self.lost or self.open)

    @property
    def gave_up(self) -> bool:
        """It lost its connection against its will, and never came back."""
        return self.lost_at is not None and not self.left and not self.outside

    def facts(self) -> dict[str, Any]:
        """For a table, and for programs."""
        streams = self.streams.values()
        doubled = [name for stream in streams for name in stream.doubled]
        missing = [name for stream in streams for name in stream.missing()]
        disordered = [name for stream in streams for name in stream.disordered]
        return {
            "protocol": self.protocol,
            "client": self.client,
            "faults": dict(self.faults),
            "lost": self.lost,
            "pauses": list(self.pauses),
            "tries": list(self.tries),
            "refused": self.refused,
            "backoff": backoff_of(self.tries),
            "away": self.lost_at is not None,
            "gave_up": self.gave_up,
            "now": self._now(),
            "sent": sum(stream.sent for stream in streams) + self.uncounted,
            "got": self.got + self.getting,
            "doubled": doubled,
            "resent": list(self.resent),
            "disordered": disordered,
            "missing": missing,
            "resent_after": [gap for stream in streams for gap in stream.gaps],
            "under": list(self.causes.found(away=self.lost_at is not None, left=not self.gave_up)),
            "timeline": [
                {"at": each.at, "what": each.kind, "text": each.text} for each in self.moments
            ],
            "clean": not self._wrong(doubled, disordered, missing),
            "verdict": in_words(
                self._wrong(doubled, disordered, missing),
                self.resent,
                sent=bool(self.streams or self.uncounted),
            ),
        }

    def _wrong(self, doubled: list[str], disordered: list[str], missing: list[str]) -> list[str]:
        """What is not as it should be."""
        by_itself = list((Counter(doubled) - Counter(self.resent)).elements())
        of_messages = {"doubled": by_itself, "out of order": disordered, "not sent": missing}
        wrong = [named(what, names) for what, names in of_messages.items() if names]
        if self.gave_up:
            wrong.append("gave up")
        elif self.outside:
            wrong.append(f"{counted(self.refused, 'connection')} not let in")
        return wrong

    def _now(self) -> str:
        """In a word; nothing where it is there."""
        if self.gave_up:
            return "gave up"
        return "left" if self.lost_at is not None and not self.outside else ""


class Observer:
    """Watches connections, faults and messages from `begin` to `end`."""

    def __init__(
        self,
        brokers: Brokers,
        spine: Spine,
        over: EndedConnections,
        clock: Clock,
        identify: Identify,
    ) -> None:
        self._brokers = brokers
        self._spine = spine
        self._over = over
        self._clock = clock
        self._identify = identify
        self._stories: list[ClientStory] = []
        self._by_name: dict[tuple[str, str], ClientStory] = {}
        self._arrivals = Arrivals()
        self._got_before: dict[int, int] = {}
        """By connections that were there at the beginning."""
        self._stops: list[Callable[[], object]] = []
        self._started = 0.0
        self._ended: float | None = None
        self._ids = 0
        """Those that are remembered."""

    @property
    def lasted(self) -> float:
        """Seconds from its beginning to its end, or up to now."""
        end = self._now() if self._ended is None else self._ended
        return end - self._started

    def _now(self) -> float:
        """The clients' time: that by which a person moved the brokers' clock is none of it."""
        return self._clock.now() - self._clock.offset

    def newest(self) -> int:
        """The number of the newest connection."""
        views = (view for broker in self._brokers.values() for view in broker.connections())
        return max((view.id for view in views), default=0)

    def begin(self) -> None:
        self._started = self._now()
        for broker in self._brokers.values():
            for view in broker.connections():
                story = self._story(view.protocol, view.client, host_of(view.address))
                if story is not None:
                    story.open.add(view.id)
                    self._got_before[view.id] = view.messages_out
        spine = self._spine
        self._stops = [
            spine.watch(self._opened, ConnectionOpened),
            spine.watch(self._identified, ClientIdentified),
            spine.watch(self._closed, ConnectionClosed),
            spine.watch(self._fired, FaultFired),
            *(broker.watch(self._sent) for broker in self._brokers.values()),
        ]

    def end(self) -> None:
        self._look()
        for stop in self._stops:
            stop()
        self._stops.clear()
        self._ended = self._now()

    def stories(self) -> Iterator[ClientStory]:
        """Of those that were there, in the order in which they came."""
        if self._ended is None:
            self._look()
        return iter(self._stories)

    def _look(self) -> None:
        """What came by connections that are open up to now."""
        for story in self._stories:
            broker = self._brokers.get(story.protocol)
            views = [] if broker is None else [broker.connection(each) for each in story.open]
            story.getting = sum(self._got(view) for view in views if view is not None)

    def _got(self, view: ConnectionView) -> int:
        return view.messages_out - self._got_before.get(view.id, 0)

    def _story(self, protocol: str, client: str, host: str = "") -> ClientStory | None:
        known = self._by_name.get((protocol, client))
        if known is None and client and len(self._stories) < _MOST_CLIENTS and client[0] != _OURS:
            known = self._successor(protocol, client, host) or ClientStory(protocol, client, host)
            if known.client == client:
                self._stories.append(known)
            self._by_name[protocol, client] = known
        if known is not None:
            known.host = known.host or host
        return known

    def _successor(self, protocol: str, client: str, host: str) -> ClientStory | None:
        """Who is back under another name, since it gave none before and gives none now."""
        pattern = PROTOCOLS[protocol].unnamed
        if not host or not re.fullmatch(pattern, client):
            return None
        for (of, name), story in self._by_name.items():
            awaited = of == protocol and story.host == host and story.gave_up
            if awaited and re.fullmatch(pattern, name):
                del self._by_name[of, name]
                return story
        return None

    def _stranger(self, event: ConnectionClosed, arrival: Arrival | None) -> ClientStory | None:
        """Whose connection was put out before it could say: the one from there that is away.

        Where there are several of them its host is all that is known.
        """
        if arrival is None or not (arrival.faults or not event.reason.startswith(_GONE)):
            return None
        protocol, host = event.protocol, arrival.host
        away = [one for one in self._stories if (one.protocol, one.host) == (protocol, host)]
        away = [one for one in away if one.gave_up]
        if len(away) == 1:
            return away[0]
        return self._story(protocol, f"someone at {host}", host)

    def _opened(self, event: ConnectionOpened) -> None:
        self._arrivals.opened(event.connection, event.address, self._now())

    def _identified(self, event: ClientIdentified) -> None:
        arrival = self._arrivals.take(event.connection)
        story = self._story(event.protocol, event.client, arrival.host if arrival else "")
        if story is None:
            return
        now = self._now()
        story.open.add(event.connection)
        story.begun = self.lasted
        if story.lost_at is not None:
            story.tried(arrival.opened if arrival else now)
            pause = now - story.lost_at
            story.pauses.append(pause)
            story.causes.back(pause)
            story.lost_at = None
            story.note(self.lasted, "back")
        if arrival is not None:
            self._hit(story, arrival.faults)

    def _closed(self, event: ConnectionClosed) -> None:
        arrival = self._arrivals.take(event.connection)
        if event.client:
            story = self._story(event.protocol, event.client, arrival.host if arrival else "")
        else:
            story = self._stranger(event, arrival)
        if story is None:
            return
        if event.connection in story.open:
            story.lost += 1
            story.open.discard(event.connection)
            view = self._over.find(event.connection)
            story.got += 0 if view is None else self._got(view.view)
            self._got_before.pop(event.connection, None)
        else:
            story.refused += 1
            if arrival is not None:
                self._hit(story, arrival.faults)
                if not story.open:
                    story.tried(arrival.opened)
        story.tried_at = self._now()
        if not story.open and story.lost_at is None:
            story.lost_at = story.tried_at
            story.left = ended_by_itself(event.protocol, event.reason)
            story.causes.lost()
            story.note(self.lasted, "lost", event.reason)

    def _hit(self, story: ClientStory, faults: Iterable[tuple[str, str]]) -> None:
        for kind, operation in faults:
            story.faults[kind] += 1
            story.causes.hit(kind, operation, self.lasted)
            story.hit(self.lasted, kind, operation)

    def _fired(self, event: FaultFired) -> None:
        story = self._story(event.protocol, event.client)
        if story is not None:
            self._hit(story, [(event.kind, event.operation)])
        else:
            self._arrivals.hit(event.connection, event.kind, event.operation)

    def _sent(self, event: MessageSeen) -> None:
        story = self._story(event.protocol, event.client)
        if story is None:
            return
        value = self._identify(event)
        at = self.lasted
        if len(story.buckets) < _MOST_BUCKETS:
            story.buckets[int(at / BUCKET)] += 1
        if value is None:
            story.uncounted += 1
        else:
            self._meet(story, event, name_of(value), at)

    def _meet(self, story: ClientStory, event: MessageSeen, name: str, at: float) -> None:
        """A message of this name."""
        stream = story.streams.get(event.destination)
        if (stream is None or name not in stream.ids) and self._ids == _MOST_IDS:
            story.uncounted += 1
            return
        if stream is None:
            stream = story.streams[event.destination] = Stream()
        self._ids += name not in stream.ids
        match stream.add(name, at, event.detail.get("partition")):
            case "doubled":
                story.note(at, "doubled", name)
                first = stream.ids[name]
                if PROTOCOLS[story.protocol].resends and (story.begun or 0.0) > first:
                    story.resent.append(name)
                story.causes.doubled(name, stream.gaps[-1])
            case "disordered":
                story.causes.disordered(name)
