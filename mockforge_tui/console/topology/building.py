"""The graph of now: what the brokers show of themselves, with the flows that were seen."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any, Final

from mockforge_brokers.journal import IN, OUT, Row
from mockforge_brokers.protocols import protocol_of, rank_of
from mockforge_brokers.snapshots import ConnectionView, DestinationView, GroupView

from ..targets import at_host, name_of
from .consumers import Consumer, consumers_of
from .flows import RECENT, Flow, Flows, Place, Way, way_of
from .graph import NOTHING, Edge, End, Graph, Hub, Inner

MOST_HUBS: Final = 200
"""Hubs that a graph has; the others are counted."""
_MOST_INNER: Final = 20
_MOST_BINDINGS: Final = 2_000
"""Bindings that are looked at for one graph."""
_MOST_ENDS: Final = 1_000
"""Sources and takers that are made for one graph."""
_BRANCH_FROM: Final = 4
"""Topics of one first level that are shown as one hub."""
_HISTORY: Final = 12


@dataclass
class Views:
    """What the brokers show of themselves."""

    connections: Sequence[ConnectionView] = ()
    destinations: Sequence[DestinationView] = ()
    groups: Sequence[GroupView] = ()
    held: Iterable[Row] = ()


def build(views: Views, flows: Flows, now: float, *, quiet: bool = False) -> Graph:
    """The graph of this moment; with `quiet` hubs, too, that nobody has to do with."""
    return _Builder(views, flows, now, quiet=quiet).graph()


@dataclass
class _Around:
    """What is beside a place."""

    sources: list[End] = field(default_factory=list)
    takers: list[End] = field(default_factory=list)
    flows: list[Flow] = field(default_factory=list)


class _Builder:
    def __init__(self, views: Views, flows: Flows, now: float, *, quiet: bool) -> None:
        self._now = now
        self._quiet = quiet
        self._silent: Counter[str] = Counter()
        self._since = flows.since
        self._views = views
        self._names = {each.id: each.client or f"c{each.id}" for each in views.connections}
        self._count = Counter((each.protocol, each.client) for each in views.connections)
        self._held = {way for row in views.held if (way := way_of(row)) is not None}
        self._around: defaultdict[Place, _Around] = defaultdict(_Around)
        self._by_place = {
            Place(each.protocol, each.kind, name_of(each)): each for each in views.destinations
        }
        self._bindings_left = _MOST_BINDINGS
        self._take(flows)

    def graph(self) -> Graph:
        used = []
        for hub in (*self._exchanges(), *self._lone_queues(), *self._topics()):
            if self._quiet or not hub.is_quiet:
                used.append(hub)
            else:
                self._silent[hub.place.protocol] += 1
        used.sort(key=lambda hub: (rank_of(hub.place.protocol), _KINDS[hub.place.kind], hub.place))
        shown = used[:MOST_HUBS]
        more = Counter(hub.place.protocol for hub in used[MOST_HUBS:])
        idle = tuple(self._idle(shown))
        return Graph(tuple(shown), _counted(self._silent), _counted(more), idle)

    # Who is beside which place --------------------------------------------------------------

    def _take(self, flows: Flows) -> None:
        """Consumers that the brokers know of, then everybody of whom something was seen."""
        gets: dict[tuple[Place, str], list[Flow]] = defaultdict(list)
        for way, flow in flows:
            if way.direction == OUT:
                gets[way.place, self._name(way)].append(flow)
        held = {(way.place, self._name(way)) for way in self._held if way.direction == OUT}
        topics = [place for place in self._by_place if place.kind == "topic"]
        known = consumers_of(self._views.groups, topics, self._names)
        for consumer in islice(known, _MOST_ENDS):
            members = consumer.members or (consumer.name,)
            taken = [f for each in members for f in gets.pop((consumer.place, each), ())]
            is_held = any((consumer.place, each) in held for each in members)
            self._around[consumer.place].takers.append(self._consumer(consumer, taken, is_held))
        for (place, client), taken in islice(gets.items(), _MOST_ENDS):
            edge = self._edge(taken, (place, client) in held)
            self._around[place].takers.append(self._client(place.protocol, client, edge))
        self._take_sources(flows)

    def _take_sources(self, flows: Flows) -> None:
        sent: dict[tuple[Place, str], list[Flow]] = defaultdict(list)
        for way, flow in flows:
            if way.direction == IN:
                sent[way.place, self._name(way)].append(flow)
        held = {(way.place, self._name(way)) for way in self._held if way.direction == IN}
        for place, client in islice(held, _MOST_ENDS):
            sent.setdefault((place, client), [])
        for (place, client), those in islice(sent.items(), _MOST_ENDS):
            around = self._around[place]
            edge = self._edge(those, (place, client) in held)
            around.sources.append(self._client(place.protocol, client, edge))
            around.flows += those

    def _name(self, way: Way) -> str:
        return way.client or self._names.get(way.connection, f"c{way.connection}")

    def _edge(self, flows: Sequence[Flow], held: bool = False) -> Edge:
        if not flows:
            return replace(NOTHING, held=True) if held else NOTHING
        now = self._now
        last = max(flows, key=lambda flow: flow.troubled)
        return Edge(
            sum(flow.rate(now, self._since) for flow in flows),
            sum(flow.messages(now) for flow in flows),
            last.trouble if last.troubled > now - RECENT else "",
            held,
        )

    def _client(self, protocol: str, name: str, edge: Edge) -> End:
        count = self._count[protocol, name]
        return End("client", protocol, name, edge, f"×{count}" if count > 1 else "")

    def _consumer(self, consumer: Consumer, flows: Sequence[Flow], held: bool) -> End:
        note = consumer.note
        if consumer.of == "client" and consumer.times > 1:
            note = f"×{consumer.times}"
        return End(
            consumer.of, consumer.place.protocol, consumer.name,
            self._edge(flows, held), note, consumer.warns,
        )  # fmt: skip

    def _idle(self, hubs: Iterable[Hub]) -> Iterator[End]:
        """Clients of which nothing was seen, each once."""
        busy = {(end.protocol, end.name) for hub in hubs for end in hub.ends}
        busy |= self._members
        for (protocol, name), count in self._count.items():
            shown = name or next(
                (f"c{each.id}" for each in self._views.connections
                 if each.protocol == protocol and not each.client), "",
            )  # fmt: skip
            if (protocol, shown) not in busy:
                note = f"×{count}" if count > 1 else ""
                yield End("client", protocol, shown, NOTHING, note)

    @property
    def _members(self) -> set[tuple[str, str]]:
        """Those who are shown as a group."""
        found: set[tuple[str, str]] = set()
        for group in self._views.groups:
            for member in group.detail.get("members", ()):
                client = member["client"] if isinstance(member, Mapping) else member.client
                found.add((group.protocol, client))
        return found

    # Hubs -----------------------------------------------------------------------------------

    def _hub(
        self, place: Place, view: DestinationView | None, inner: Sequence[Inner] = (),
        left_out: int = 0, over: Sequence[Place] = (),
    ) -> Hub:  # fmt: skip
        """`over`: other places whose sources and takers are this hub's."""
        arounds = [self._around[each] for each in (place, *over) if each in self._around]
        history = [0] * _HISTORY
        for around in arounds:
            for flow in around.flows:
                of_it = flow.history(self._now, _HISTORY)
                history = [all_ + one for all_, one in zip(history, of_it, strict=True)]
        return Hub(
            place, view, _merged(end for around in arounds for end in around.sources),
            _merged(end for around in arounds for end in around.takers),
            tuple(inner), left_out, tuple(history),
        )  # fmt: skip

    def _exchanges(self) -> Iterator[Hub]:
        self._bound: set[Place] = set()
        for place, view in self._by_place.items():
            if view.kind != "exchange":
                continue
            bindings = view.detail.get("bindings", ())
            most = min(_MOST_INNER, self._bindings_left)
            self._bindings_left -= min(len(bindings), most)
            inner = [self._binding(view, each) for each in bindings[:most]]
            made_at_start = not view.name or view.name.startswith("amq.")
            if inner or place in self._around or view.messages_in or not made_at_start:
                inner += self._dead_letters(inner)
                yield self._hub(place, view, inner, max(0, len(bindings) - most))

    def _binding(self, exchange: DestinationView, binding: Mapping[str, Any]) -> Inner:
        name = at_host(exchange.detail.get("vhost"), binding["destination"])
        place = Place(exchange.protocol, binding["kind"], name)
        view = self._by_place.get(place)
        above = place in self._bound
        self._bound.add(place)
        takers = () if above or place not in self._around else self._around[place].takers
        return Inner(
            place, binding["routing_key"], view, _merged(takers), _dead_of(place, view), above,
        )  # fmt: skip

    def _dead_letters(self, inner: Sequence[Inner]) -> list[Inner]:
        """Queues to which nothing but dead letters come, by the default exchange."""
        found = []
        for each in inner:
            dead = each.dead
            if dead is None or dead.kind != "queue" or dead in self._bound:
                continue
            self._bound.add(dead)
            view = self._by_place.get(dead)
            takers = _merged(self._around[dead].takers if dead in self._around else ())
            found.append(Inner(dead, "", view, takers, _dead_of(dead, view)))
        return found

    def _lone_queues(self) -> Iterator[Hub]:
        """Queues that the default exchange alone leads to, or somebody sends to by their name."""
        for place, view in self._by_place.items():
            if view.kind != "queue":
                continue
            around = self._around.get(place)
            if place not in self._bound:
                dead = _dead_of(place, view)
                inner = [Inner(place, "", view, (), dead, above=True)] if dead is not None else []
                yield self._hub(place, view, inner)
            elif around is not None and around.sources:
                yield replace(self._hub(place, view), takers=())

    def _topics(self) -> Iterator[Hub]:
        branches: dict[tuple[str, str], list[Place]] = defaultdict(list)
        for place, view in self._by_place.items():
            if view.kind == "topic":
                root, slash, _ = place.name.partition("/")
                folds = bool(slash) and protocol_of(place.protocol).levels
                branches[place.protocol, root if folds else place.name].append(place)
        for (protocol, root), places in branches.items():
            if not self._quiet and not any(place in self._around for place in places):
                # There may be very many, and nothing is to be drawn of them.
                self._silent[protocol] += len(places)
            elif len(places) >= _BRANCH_FROM:
                yield self._branch(Place(protocol, "topic", f"{root}/#"), places)
            else:
                for place in places:
                    yield self._hub(place, self._by_place[place])
        for place in list(self._around):
            if place.kind == "topic" and place not in self._by_place:
                # Nobody has sent anything there yet, but somebody waits for it.
                yield self._hub(place, None)

    def _branch(self, place: Place, topics: Sequence[Place]) -> Hub:
        views = [self._by_place[each] for each in topics]
        view = DestinationView(
            place.protocol, "topic", place.name,
            sum(each.messages_in for each in views), sum(each.messages_out for each in views),
            sum(each.depth or 0 for each in views), f"{len(views)} topics",
            {"branch": [each.name for each in views[:200]]},
        )  # fmt: skip
        busiest = sorted(views, key=lambda each: -each.messages_in)[:_SHOWN_OF_A_BRANCH]
        inner = [
            Inner(Place(each.protocol, "topic", each.name), "", each, above=True)
            for each in sorted(busiest, key=lambda each: each.name)
        ]
        return self._hub(place, view, inner, len(views) - len(inner), over=topics)


_SHOWN_OF_A_BRANCH: Final = 3
_KINDS: Final = {"topic": 0, "exchange": 1, "queue": 2}


def _merged(ends: Iterable[End]) -> tuple[End, ...]:
    """Each end once, in the order of their names, with all that passes."""
    found: dict[tuple[str, str], End] = {}
    for end in ends:
        before = found.get((end.of, end.name))
        found[end.of, end.name] = end if before is None else replace(
            before,
            edge=Edge(
                before.edge.rate + end.edge.rate, before.edge.messages + end.edge.messages,
                before.edge.trouble or end.edge.trouble, before.edge.held or end.edge.held,
            ),
        )  # fmt: skip
    return tuple(sorted(found.values(), key=lambda end: end.name))


def _counted(counter: Counter[str]) -> tuple[tuple[str, int], ...]:
    return tuple(sorted(counter.items()))


def _dead_of(place: Place, view: DestinationView | None) -> Place | None:
    """Where dead letters of a queue go: its arguments say so, or else a policy."""
    if view is None or view.kind != "queue":
        return None
    arguments = view.detail.get("arguments") or {}
    policy = view.detail.get("effective_policy") or {}
    exchange = arguments.get("x-dead-letter-exchange", policy.get("dead-letter-exchange"))
    if exchange is None:
        return None
    key = arguments.get("x-dead-letter-routing-key", policy.get("dead-letter-routing-key"))
    host = view.detail.get("vhost")
    if exchange == "":
        return Place(place.protocol, "queue", at_host(host, str(key))) if key else None
    return Place(place.protocol, "exchange", at_host(host, str(exchange)))
