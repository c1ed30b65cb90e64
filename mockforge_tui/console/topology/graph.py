"""The graph as values: hubs, what leads to them, and who is at either end."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, Literal

from mockforge_brokers.snapshots import DestinationView

from ..results import JsonRecord
from .flows import Place

State = Literal["held", "failing", "busy", "idle", "none"]
BUSY_FROM: Final = 10.0
"""Messages a second from which a flow is drawn strong."""


@dataclass(frozen=True, slots=True)
class Edge:
    """One way of messages: `rate` a second of late, `messages` within the last minute."""

    rate: float = 0.0
    messages: int = 0
    trouble: str = ""
    held: bool = False

    @property
    def state(self) -> State:
        if self.held:
            return "held"
        if self.trouble:
            return "failing"
        if self.rate >= BUSY_FROM:
            return "busy"
        return "idle" if self.rate else "none"


NOTHING: Final = Edge()


@dataclass(frozen=True, slots=True)
class End:
    """A client or those who consume together, with what passes between it and a place.

    `of`: client, group, session or share. `note` is short: members and lag, a topic filter.
    `warns`: the note tells of something that waits.
    """

    of: Literal["client", "group", "session", "share"]
    protocol: str
    name: str
    edge: Edge
    note: str = ""
    warns: bool = False
    members: tuple[str, ...] = ()
    """Clients who are shown as this one."""


@dataclass(frozen=True, slots=True)
class Inner:
    """What a hub leads to: a bound queue or exchange by its key, or a topic of a branch."""

    place: Place
    by: str
    view: DestinationView | None
    takers: tuple[End, ...] = ()
    dead: Place | None = None
    """The exchange or queue that its dead letters go to."""
    above: bool = False
    """Its takers stand beside another hub already."""
    bound: bool = True
    """Else only dead letters come to it, or it is the hub itself."""
    dead_view: DestinationView | None = None


@dataclass(frozen=True, slots=True)
class Hub:
    """A topic, a branch of topics, an exchange, or a queue that nothing is bound to.

    `view` is None for what somebody consumes from and nobody made. `left_out` is how many of
    `inner` there are beside those here.
    """

    place: Place
    view: DestinationView | None
    sources: tuple[End, ...] = ()
    takers: tuple[End, ...] = ()
    inner: tuple[Inner, ...] = ()
    left_out: int = 0
    history: tuple[int, ...] = ()

    @property
    def rate(self) -> float:
        """What comes in a second."""
        return sum(each.edge.rate for each in self.sources)

    @property
    def ends(self) -> Iterator[End]:
        yield from self.sources
        yield from self.takers
        for each in self.inner:
            yield from each.takers

    @property
    def names(self) -> Iterator[str]:
        """What it and all around it are called."""
        yield self.place.name
        for inner in self.inner:
            yield inner.place.name
        for end in self.ends:
            yield end.name
            yield from end.members

    @property
    def is_quiet(self) -> bool:
        """Nobody sends to it, and nobody takes from it or from what it leads to."""
        return next(self.ends, None) is None


@dataclass(frozen=True, slots=True)
class Graph:
    """Hubs by protocol and name; `quiet` hubs and `more` are counted by protocol.

    `idle` are clients that are connected and neither send nor get anything.
    """

    hubs: tuple[Hub, ...] = ()
    quiet: tuple[tuple[str, int], ...] = ()
    more: tuple[tuple[str, int], ...] = ()
    idle: tuple[End, ...] = ()

    def only(self, has: Callable[[str], bool]) -> "Graph":
        """The hubs to which something belongs that has such a name."""
        hubs = tuple(hub for hub in self.hubs if any(map(has, hub.names)))
        return Graph(hubs, idle=tuple(end for end in self.idle if has(end.name)))

    def as_json(self) -> JsonRecord:
        """Nodes and edges, for programs: an edge's ends are nodes by their `id`."""
        nodes: dict[str, JsonRecord] = {}
        edges: list[JsonRecord] = []
        for end in self.idle:
            nodes[_end_id(end)] = _end_node(end)
        for hub in self.hubs:
            _hub_json(hub, nodes, edges)
        for hub in self.hubs:
            _dead_json(hub, nodes, edges)
        return {
            "nodes": list(nodes.values()),
            "edges": edges,
            "quiet": dict(self.quiet),
            "more": dict(self.more),
        }


def _hub_json(hub: Hub, nodes: dict[str, JsonRecord], edges: list[JsonRecord]) -> None:
    here = _place_id(hub.place)
    nodes[here] = _place_node(hub.place, hub.view)
    for end in hub.sources:
        nodes[_end_id(end)] = _end_node(end)
        edges.append(_edge(_end_id(end), here, "sends", end))
    _takers_json(here, hub.takers, nodes, edges)
    for inner in hub.inner:
        there = _place_id(inner.place)
        nodes[there] = _place_node(inner.place, inner.view)
        if inner.bound:
            kind = "binding" if hub.place.kind == "exchange" else "topic"
            edges.append({"from": here, "to": there, "kind": kind, "key": inner.by})
        if not inner.above:
            _takers_json(there, inner.takers, nodes, edges)


def _dead_json(hub: Hub, nodes: dict[str, JsonRecord], edges: list[JsonRecord]) -> None:
    for inner in hub.inner:
        if inner.dead is None or (inner.above and inner.place != hub.place):
            continue
        there = _place_id(inner.dead)
        # It may be one that is not drawn.
        nodes.setdefault(there, _place_node(inner.dead, inner.dead_view))
        edges.append({"from": _place_id(inner.place), "to": there, "kind": "dead letters"})


def _takers_json(
    here: str, takers: tuple[End, ...], nodes: dict[str, JsonRecord], edges: list[JsonRecord]
) -> None:
    for end in takers:
        nodes[_end_id(end)] = _end_node(end)
        edges.append(_edge(here, _end_id(end), "gets", end))


def _place_id(place: Place) -> str:
    kind = place.protocol if place.kind != "queue" else "queue"
    return f"{kind}:{place.name}"


def _end_id(end: End) -> str:
    return f"{end.of}:{end.protocol}/{end.name}"


def _place_node(place: Place, view: DestinationView | None) -> JsonRecord:
    return {
        "id": _place_id(place),
        "kind": place.kind,
        "protocol": place.protocol,
        "name": place.name,
        "depth": view.depth if view is not None else None,
        "messages_in": view.messages_in if view is not None else 0,
        "messages_out": view.messages_out if view is not None else 0,
        "exists": view is not None,
    }


def _end_node(end: End) -> JsonRecord:
    return {
        "id": _end_id(end),
        "kind": end.of,
        "protocol": end.protocol,
        "name": end.name,
        # What a group or session has is another at each place.
        "note": end.note if end.of == "client" else "",
    }


def _edge(begin: str, end: str, kind: str, of: End) -> JsonRecord:
    edge = of.edge
    return {
        "from": begin,
        "to": end,
        "kind": kind,
        "note": of.note,
        "rate": round(edge.rate, 3),
        "messages": edge.messages,
        "state": edge.state,
        "trouble": edge.trouble,
    }
