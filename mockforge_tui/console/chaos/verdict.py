"""What clients made of a run: who came back after how long, what was sent twice or not at all."""

import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from mockforge_brokers.errors import InvalidInput
from mockforge_brokers.events import (
    ClientIdentified,
    ConnectionClosed,
    FaultFired,
    MessageSeen,
)
from mockforge_brokers.spine import Spine

from ...brokers import Brokers
from ...filters.fields import header_of
from ...filters.json_path import JsonReader, parse_path
from ..ports import Clock
from .aftermath import Causes, ended_by_itself
from .backoff import backoff_of

_MOST_IDS: Final = 50_000
"""Ids that are remembered of one client and destination; what comes after is only counted."""
_MOST_CLIENTS: Final = 1_000
_SHOWN: Final = 5
_MOST_MOMENTS: Final = 2_000
"""Of one client; those that come after are only counted."""
_MOST_BUCKETS: Final = 50_000
BUCKET: Final = 0.1
"""Seconds in which a client's messages are counted together."""
_NUMBER: Final = re.compile(r"(.*?)(\d{1,15})")

CLEAN: Final = "nothing lost, doubled or out of order"

Identify = Callable[[MessageSeen], object]


@dataclass(frozen=True, slots=True)
class Moment:
    """What happened to a client `at` so many seconds after the start.

    `kind` is fault, lost (its last connection), back, or doubled; `text` says which.
    """

    at: float
    kind: str
    text: str


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
    highest: dict[str, int] = field(default_factory=dict)
    lowest: dict[str, int] = field(default_factory=dict)

    def add(self, name: str, at: float) -> str:
        """`doubled`, `disordered` or nothing."""
        self.sent += 1
        if name in self.ids:
            self.gaps.append(at - self.ids[name])
            self.doubled.append(name)
            return "doubled"
        if len(self.ids) < _MOST_IDS:
            self.ids[name] = at
            found = _NUMBER.fullmatch(name)
            if found is not None:
                return self._place(name, found[1], int(found[2]))
        return ""

    def _place(self, name: str, series: str, number: int) -> str:
        highest = self.highest.get(series)
        late = highest is not None and number < highest
        if late:
            self.disordered.append(name)
        self.highest[series] = number if highest is None else max(highest, number)
        self.lowest[series] = min(number, self.lowest.get(series, number))
        return "disordered" if late else ""

    def missing(self) -> list[str]:
        """Numbers that are not there between the first and the last of a series.

        One that lacks more than it has was none.
        """
        found: list[str] = []
        for series, highest in self.highest.items():
            lowest = self.lowest[series]
            if highest - lowest < 2 * len(self.ids):
                names = (f"{series}{number}" for number in range(lowest, highest))
                found += [name for name in names if name not in self.ids]
        return found


@dataclass(slots=True)
class ClientStory:
    """One client of one protocol; `pauses` are s between a lost connection and the next one."""

    protocol: str
    client: str
    faults: Counter[str] = field(default_factory=Counter)
    lost: int = 0
    open: set[int] = field(default_factory=set)
    pauses: list[float] = field(default_factory=list)
    lost_at: float | None = None
    left: bool = False
    """Its last connection ended by its own wish."""
    causes: Causes = field(default_factory=Causes)
    streams: dict[str, Stream] = field(default_factory=dict)
    moments: list[Moment] = field(default_factory=list)
    buckets: Counter[int] = field(default_factory=Counter)
    """Messages by the number of their `BUCKET`."""

    def note(self, at: float, kind: str, text: str = "") -> None:
        if len(self.moments) < _MOST_MOMENTS:
            self.moments.append(Moment(at, kind, text))

    @property
    def gave_up(self) -> bool:
        """It lost its connection against its will, and never came back."""
        return self.lost_at is not None and not self.left

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
            "backoff": backoff_of(self.pauses),
            "away": self.lost_at is not None,
            "gave_up": self.gave_up,
            "sent": sum(stream.sent for stream in streams),
            "doubled": doubled,
            "disordered": disordered,
            "missing": missing,
            "resent_after": [gap for stream in streams for gap in stream.gaps],
            "under": list(self.causes.found(away=self.lost_at is not None, left=self.left)),
            "timeline": [
                {"at": each.at, "what": each.kind, "text": each.text} for each in self.moments
            ],
            "verdict": self._verdict(doubled, disordered, missing),
        }

    def _verdict(self, doubled: list[str], disordered: list[str], missing: list[str]) -> str:
        parts = []
        for word, names in (
            ("doubled", doubled),
            ("out of order", disordered),
            ("not sent", missing),
        ):
            if names:
                more = ", ..." if len(names) > _SHOWN else ""
                parts.append(f"{word} {len(names)}: {', '.join(names[:_SHOWN])}{more}")
        if self.gave_up:
            parts.append("gave up")
        return "; ".join(parts) or CLEAN


class Observer:
    """Watches connections, faults and messages from `begin` to `end`."""

    def __init__(self, brokers: Brokers, spine: Spine, clock: Clock, identify: Identify) -> None:
        self._brokers = brokers
        self._spine = spine
        self._clock = clock
        self._identify = identify
        self._stories: dict[tuple[str, str], ClientStory] = {}
        self._stops: list[Callable[[], object]] = []
        self._started = 0.0
        self._ended: float | None = None

    @property
    def lasted(self) -> float:
        """Seconds from its beginning to its end, or up to now."""
        end = self._clock.now() if self._ended is None else self._ended
        return end - self._started

    def begin(self) -> None:
        self._started = self._clock.now()
        for broker in self._brokers.values():
            for view in broker.connections():
                story = self._story(view.protocol, view.client)
                if story is not None:
                    story.open.add(view.id)
        spine = self._spine
        self._stops = [
            spine.watch(self._identified, ClientIdentified),
            spine.watch(self._closed, ConnectionClosed),
            spine.watch(self._fired, FaultFired),
            *(broker.watch(self._sent) for broker in self._brokers.values()),
        ]

    def end(self) -> None:
        for stop in self._stops:
            stop()
        self._stops.clear()
        self._ended = self._clock.now()

    def stories(self) -> Iterator[ClientStory]:
        """Of those that were there, in the order in which they came."""
        return iter(self._stories.values())

    def _story(self, protocol: str, client: str) -> ClientStory | None:
        known = self._stories.get((protocol, client))
        if known is None and client and len(self._stories) < _MOST_CLIENTS:
            known = self._stories[protocol, client] = ClientStory(protocol, client)
        return known

    def _identified(self, event: ClientIdentified) -> None:
        story = self._story(event.protocol, event.client)
        if story is None:
            return
        story.open.add(event.connection)
        if story.lost_at is not None:
            pause = self._clock.now() - story.lost_at
            story.pauses.append(pause)
            story.causes.back(pause)
            story.lost_at = None
            story.note(self.lasted, "back")

    def _closed(self, event: ConnectionClosed) -> None:
        story = self._story(event.protocol, event.client)
        if story is not None:
            story.lost += 1
            story.open.discard(event.connection)
            if not story.open and story.lost_at is None:
                story.lost_at = self._clock.now()
                story.left = ended_by_itself(event.protocol, event.reason)
                story.causes.lost()
                story.note(self.lasted, "lost", event.reason)

    def _fired(self, event: FaultFired) -> None:
        story = self._story(event.protocol, event.client)
        if story is not None:
            story.faults[event.kind] += 1
            story.causes.hit(event.kind, event.operation)
            story.note(self.lasted, "fault", f"{event.kind} {event.operation}")

    def _sent(self, event: MessageSeen) -> None:
        story = self._story(event.protocol, event.client)
        if story is None:
            return
        value = self._identify(event)
        at = self.lasted
        if len(story.buckets) < _MOST_BUCKETS:
            story.buckets[int(at / BUCKET)] += 1
        if value is not None:
            name = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
            stream = story.streams.setdefault(event.destination, Stream())
            match stream.add(name, at):
                case "doubled":
                    story.note(at, "doubled", name)
                    story.causes.doubled(name, stream.gaps[-1])
                case "disordered":
                    story.causes.disordered(name)


def identify_by(text: str) -> Identify:
    """What tells messages apart: `key`, `payload`, `header.NAME` or `json.PATH`.

    Raises InvalidInput.
    """
    kind, _, path = text.partition(".")
    if kind == "json" and path:
        try:
            steps = parse_path(path)
        except ValueError as error:
            raise InvalidInput(f"{text}: {error}") from None
        read = JsonReader()
        return lambda event: read(event.payload, steps, event.destination)
    if kind == "header" and path:
        return lambda event: header_of(event, path)
    if text == "key":
        return lambda event: event.key
    if text == "payload":
        return lambda event: event.payload
    raise InvalidInput(f"{text!r} is none of key, payload, header.NAME and json.PATH")
