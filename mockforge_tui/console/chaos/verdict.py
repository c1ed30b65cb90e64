"""What clients made of a run: who came back after how long, what was sent twice or not at all."""

import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from hashlib import blake2b
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

_MOST_IDS: Final = 500_000
"""Ids that are remembered of all clients; of what comes after none is known again."""
_MOST_REPEATED: Final = 10_000
"""Of one client and destination: repetitions that are named, and those out of order."""
_LONGEST_ID: Final = 100
_SHOWN_OF_ID: Final = 60
_MOST_CLIENTS: Final = 1_000
_SHOWN: Final = 5
_MOST_MOMENTS: Final = 2_000
"""Of one client; those that come after are only counted."""
_MOST_BUCKETS: Final = 50_000
BUCKET: Final = 0.1
"""Seconds in which a client's messages are counted together."""
_LONGEST_NUMBER: Final = 15
_NUMBER: Final = re.compile(r"(.*?)([0-9]{1,15})", re.DOTALL)
_LAST_NUMBER: Final = re.compile(rb"[0-9]+\Z")

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
class Series:
    """Ids that differ in the number at their end alone, which has `digits` at least."""

    lowest: int
    highest: int
    digits: int
    count: int = 1

    def add(self, number: int, digits: int) -> bool:
        """Whether it comes behind a greater one."""
        late = number < self.highest
        self.lowest, self.highest = min(number, self.lowest), max(number, self.highest)
        self.digits = min(digits, self.digits)
        self.count += 1
        return late


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

    def add(self, name: str, at: float) -> str:
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
            self.series[series] = Series(number, number, digits)
            return ""
        if not known.add(number, digits) or len(self.disordered) == _MOST_REPEATED:
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
    uncounted: int = 0
    """Messages to destinations that came when there was no room for another id."""
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
            "sent": sum(stream.sent for stream in streams) + self.uncounted,
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
        self._ids = 0
        """Those that are remembered."""

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
            self._meet(story, event.destination, _name_of(value), at)

    def _meet(self, story: ClientStory, destination: str, name: str, at: float) -> None:
        """A message of this name."""
        stream = story.streams.get(destination)
        if (stream is None or name not in stream.ids) and self._ids == _MOST_IDS:
            story.uncounted += 1
            return
        if stream is None:
            stream = story.streams[destination] = Stream()
        self._ids += name not in stream.ids
        match stream.add(name, at):
            case "doubled":
                story.note(at, "doubled", name)
                story.causes.doubled(name, stream.gaps[-1])
            case "disordered":
                story.causes.disordered(name)


def _name_of(value: object) -> str:
    """What tells a message apart, in few characters: a payload may have megabytes.

    The number at its end stays there, by which they are in order.
    """
    data = value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogatepass")
    if len(data) <= _LONGEST_ID:
        return data.decode("utf-8", "replace")
    number = _LAST_NUMBER.search(data, len(data) - _LONGEST_NUMBER)
    end = len(data) if number is None else number.start()
    digest = blake2b(data[:end], digest_size=8).hexdigest()
    head = data[:_SHOWN_OF_ID].decode("utf-8", "replace")
    return f"{head}…{digest}…{data[end:].decode()}"


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
