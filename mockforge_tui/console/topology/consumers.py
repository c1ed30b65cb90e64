"""Who consumes from which place, as the brokers know it: groups, sessions, shares, consumers."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from mockforge_brokers.fairness import Stepped
from mockforge_brokers.mqtt.state.topics import matches
from mockforge_brokers.snapshots import GroupView

from ...units import format_count
from ..targets import SHARE, name_of, shared_by
from .flows import Place

_MOST_MATCHED: Final = 2_000
"""Pairs of filter and topic that are compared for one graph."""
_STEP: Final = 100
"""The same, in one step."""
_WILD: Final = frozenset(("#", "+"))


@dataclass(frozen=True, slots=True)
class Consumer:
    """Somebody at a place; `members` are the clients whose deliveries are its own.

    `times`: how many consumers of this client there are.
    """

    place: Place
    of: Literal["client", "group", "session", "share"]
    name: str
    note: str = ""
    warns: bool = False
    members: tuple[str, ...] = ()
    times: int = 1


def consumers_of(
    groups: Iterable[GroupView], filters: "Filters", names: Mapping[int, str]
) -> Iterator[Consumer | None]:
    """Everybody whom the brokers know; `names` are clients' by their connection's number.

    What is shared by several comes before what its members have of their own. None: somebody was
    looked at, and others may have a turn.
    """
    later: list[GroupView] = []
    for view in groups:
        yield None
        if (shared := shared_by(view)) is not None:
            yield from _share(view, shared, filters)
        elif "subscriptions" in view.detail:
            later.append(view)
        elif "consumers" in view.detail:
            yield from _of_queue(view, names)
        else:
            yield from _group(view)
    for view in later:
        yield None
        yield from _client_session(view, filters)


def _group(view: GroupView) -> Iterator[Consumer]:
    """At each topic that it subscribes to, is assigned or has committed for."""
    wanted: defaultdict[str, int] = defaultdict(int)
    members: list[Any] = list(view.detail.get("members", ()))
    for member in members:
        assigned = {topic for topic, partitions in member.assigned if partitions}
        for topic in {*assigned, *member.subscribed}:
            wanted[topic] += topic in assigned
    lags: defaultdict[str, int] = defaultdict(int)
    for offset in view.detail.get("offsets", ()):
        wanted[offset.topic] += 0
        lags[offset.topic] += offset.lag or 0
    clients = tuple({member.client for member in members})
    for topic, busy in wanted.items():
        lag = lags.get(topic)
        note = f"{busy}/{len(members)}" if members else "no member"
        note += f"  lag {format_count(lag)}" if lag is not None else ""
        waits = bool(lag) and not busy
        place = Place(view.protocol, "topic", topic)
        yield Consumer(place, "group", view.name, note, waits, clients)


def _of_queue(view: GroupView, names: Mapping[int, str]) -> Iterator[Consumer]:
    place = Place(view.protocol, "queue", name_of(view))
    consumers: Sequence[Any] = view.detail["consumers"]
    times = Counter(names.get(each["connection"], f"c{each['connection']}") for each in consumers)
    for name, count in times.items():
        yield Consumer(place, "client", name, times=count)


def _share(view: GroupView, shared: str, filters: "Filters") -> Iterator[Consumer | None]:
    clients = tuple(each["client"] for each in view.detail["members"])
    note = f"{view.members} share it"
    for place in (yield from filters.places(view.protocol, shared)):
        yield Consumer(place, "share", view.name, note, view.state == "away", clients)


def _client_session(view: GroupView, filters: "Filters") -> Iterator[Consumer | None]:
    detail = view.detail
    away = "" if detail["connected"] else "away"
    waits = f"{format_count(detail['queued'])} wait" if detail["queued"] else ""
    seen: set[Place] = set()
    for topic_filter in detail["subscriptions"]:
        yield None
        if topic_filter.startswith(SHARE):
            continue
        state = ", ".join(each for each in (away, waits) if each)
        for place in (yield from filters.places(view.protocol, topic_filter)):
            if place not in seen:
                seen.add(place)
                note = state or ("" if topic_filter == place.name else topic_filter)
                yield Consumer(place, "session", view.name, note, bool(waits), (view.name,))


class Filters:
    """Finds the topics of a filter, as long as there are not too many to compare."""

    def __init__(self) -> None:
        self._left = _MOST_MATCHED
        self._by_root: defaultdict[tuple[str, str], list[Place]] = defaultdict(list)
        self._all: defaultdict[str, list[Place]] = defaultdict(list)

    def add(self, place: Place) -> None:
        """A topic that is there."""
        self._by_root[place.protocol, place.name.partition("/")[0]].append(place)
        self._all[place.protocol].append(place)

    def places(self, protocol: str, topic_filter: str) -> Stepped[list[Place]]:
        """The topics there are, or else the filter itself: who has it waits for something."""
        root = topic_filter.partition("/")[0]
        among = self._all[protocol] if root in _WILD else self._by_root.get((protocol, root), [])
        tried = among[: self._left]
        self._left -= len(tried)
        found = []
        for first in range(0, len(tried), _STEP):
            some = tried[first : first + _STEP]
            found += [place for place in some if matches(topic_filter, place.name)]
            yield
        if not found and len(tried) < len(among):
            return []
        return found or [Place(protocol, "topic", topic_filter)]
