"""The graph of now: what the brokers show of themselves, with the flows that were seen.

There may be thousands of clients, topics and flows: it is made in steps, between which clients are
served. What is looked at stays as it was when it began, but for figures of flows.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, islice
from typing import Any, Final, TypeVar

from mockforge_brokers.fairness import Stepped
from mockforge_brokers.journal import IN, OUT, Row
from mockforge_brokers.protocols import protocol_of, rank_of
from mockforge_brokers.snapshots import ConnectionView, DestinationView, GroupView

from ..targets import at_host, name_of
from .consumers import Consumer, Filters, consumers_of
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
_STEP: Final = 64
"""Of whatever is gone through, at most so many in one step."""
T = TypeVar("T")
_Root = tuple[str, str]
"""A protocol, and a first level of its topics."""


@dataclass
class Views:
    """What the brokers show of themselves."""

    connections: Sequence[ConnectionView] = ()
    destinations: Sequence[DestinationView] = ()
    groups: Sequence[GroupView] = ()
    held: Iterable[Row] = ()


Named = Callable[[str], bool]


def build(
    views: Views, flows: Flows, now: float, *, quiet: bool = False, has: Named | None = None
) -> Stepped[Graph]:
    """The graph of this moment; with `quiet` hubs, too, that nobody has to do with.

    With `has` only hubs to which something belongs that has such a name, quiet ones among them.
    """
    return _Builder(views, flows, now, quiet=quiet or has is not None, has=has).graph()


def _by_steps(those: Iterable[T]) -> Iterator[T | None]:
    """Each of them, with None where somebody else may have a turn."""
    for at, each in enumerate(those, 1):
        yield each
        if not at % _STEP:
            yield None


@dataclass
class _Around:
    """What is beside a place."""

    sources: list[End] = field(default_factory=list)
    takers: list[End] = field(default_factory=list)
    flows: list[Flow] = field(default_factory=list)


class _Builder:
    def __init__(
        self, views: Views, flows: Flows, now: float, *, quiet: bool, has: Named | None
    ) -> None:
        self._now = now
        self._has = has
        self._quiet = quiet
        self._silent: Counter[str] = Counter()
        self._since = flows.since
        # More of them come meanwhile.
        self._flows = list(flows)
        self._views = views
        self._names: dict[int, str] = {}
        self._count: Counter[tuple[str, str]] = Counter()
        self._busy: set[tuple[str, str]] = set()
        self._held = {way for row in views.held if (way := way_of(row)) is not None}
        self._around: defaultdict[Place, _Around] = defaultdict(_Around)
        self._by_place: dict[Place, DestinationView] = {}
        self._bound: set[Place] = set()
        self._bindings_left = _MOST_BINDINGS

    def graph(self) -> Stepped[Graph]:
        yield from self._look()
        yield from self._take_consumers()
        yield from self._take_sources()
        shown: list[Hub] = []
        more: Counter[str] = Counter()
        for hub in chain(self._exchanges(), self._lone_queues(), self._topics()):
            if hub is None:
                yield
            elif self._has is not None and not any(map(self._has, hub.names)):
                continue
            elif self._quiet or not hub.is_quiet:
                shown.append(hub)
                if len(shown) >= 2 * MOST_HUBS:
                    more.update(_cut(shown))
            else:
                self._silent[hub.place.protocol] += 1
        more.update(_cut(shown))
        yield
        idle = yield from self._idle()
        return Graph(tuple(shown), _counted(self._silent), _counted(more), tuple(idle))

    def _look(self) -> Stepped[None]:
        """Clients, places and members by what they are looked up by."""
        for view in _by_steps(self._views.connections):
            if view is None:
                yield
                continue
            self._names[view.id] = view.client or f"c{view.id}"
            # Those without a name are one each.
            self._count[view.protocol, self._names[view.id]] += 1
        for place in _by_steps(self._views.destinations):
            if place is None:
                yield
            else:
                self._by_place[Place(place.protocol, place.kind, name_of(place))] = place
        for group in _by_steps(self._views.groups):
            if group is None:
                yield
                continue
            for member in group.detail.get("members", ()):
                client = member["client"] if isinstance(member, Mapping) else member.client
                self._busy.add((group.protocol, client))

    # Who is beside which place --------------------------------------------------------------

    def _take_consumers(self) -> Stepped[None]:
        """Consumers that the brokers know of, then everybody who was seen to get something."""
        gets = yield from self._ways(OUT)
        held = {(way.place, self._name(way)) for way in self._held if way.direction == OUT}
        filters = Filters()
        for place in _by_steps(self._by_place):
            if place is None:
                yield
            elif place.kind == "topic":
                filters.add(place)
        found = 0
        for consumer in consumers_of(self._views.groups, filters, self._names):
            yield
            if consumer is None:
                continue
            members = consumer.members or (consumer.name,)
            taken = [f for each in members for f in gets.pop((consumer.place, each), ())]
            is_held = any((consumer.place, each) in held for each in members)
            end = self._consumer(consumer, taken, is_held)
            self._around[consumer.place].takers.append(end)
            if end.of in ("client", "session"):
                # A client may have the name of a group to which it does not belong.
                self._busy.add((end.protocol, end.name))
            found += 1
            if found == _MOST_ENDS:
                break
        for (place, client), taken in islice(gets.items(), _MOST_ENDS):
            yield
            edge = self._edge(taken, (place, client) in held)
            self._around[place].takers.append(self._client(place.protocol, client, edge))

    def _take_sources(self) -> Stepped[None]:
        sent = yield from self._ways(IN)
        held = {(way.place, self._name(way)) for way in self._held if way.direction == IN}
        for place, client in islice(held, _MOST_ENDS):
            sent.setdefault((place, client), [])
            self._busy.add((place.protocol, client))
        for (place, client), those in islice(sent.items(), _MOST_ENDS):
            yield
            around = self._around[place]
            edge = self._edge(those, (place, client) in held)
            around.sources.append(self._client(place.protocol, client, edge))
            around.flows += those

    def _ways(self, direction: int) -> Stepped[dict[tuple[Place, str], list[Flow]]]:
        """The flows of a direction by place and client."""
        found: defaultdict[tuple[Place, str], list[Flow]] = defaultdict(list)
        for each in _by_steps(self._flows):
            if each is None:
                yield
                continue
            way, flow = each
            if way.direction == direction:
                name = self._name(way)
                found[way.place, name].append(flow)
                self._busy.add((way.place.protocol, name))
        return found

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
            self._edge(flows, held), note, consumer.warns, consumer.members,
        )  # fmt: skip

    def _idle(self) -> Stepped[list[End]]:
        """Clients of which nothing was seen, each once."""
        found: list[End] = []
        for each in _by_steps(self._count.items()):
            if each is None:
                yield
                continue
            (protocol, name), count = each
            if (protocol, name) not in self._busy and (self._has is None or self._has(name)):
                note = f"×{count}" if count > 1 else ""
                found.append(End("client", protocol, name, NOTHING, note))
        return found

    # Hubs -----------------------------------------------------------------------------------

    def _hub(
        self, place: Place, view: DestinationView | None, inner: Sequence[Inner] = (),
        left_out: int = 0, over: Sequence[Place] = (),
    ) -> Stepped[Hub]:  # fmt: skip
        """`over`: other places whose sources and takers are this hub's."""
        history = [0] * _HISTORY
        sources: _Ends = {}
        takers: _Ends = {}
        for each in _by_steps((place, *over)):
            around = self._around.get(each) if each is not None else None
            if each is None:
                yield
            if around is None:
                continue
            _merge(sources, around.sources)
            _merge(takers, around.takers)
            yield
            for flow in _by_steps(around.flows):
                if flow is None:
                    yield
                    continue
                of_it = flow.history(self._now, _HISTORY)
                history = [all_ + one for all_, one in zip(history, of_it, strict=True)]
        led = tuple(
            each if each.dead is None else replace(each, dead_view=self._by_place.get(each.dead))
            for each in inner
        )
        return Hub(place, view, _sorted(sources), _sorted(takers), led, left_out, tuple(history))

    def _exchanges(self) -> Iterator[Hub | None]:
        for each in _by_steps(self._by_place.items()):
            if each is None:
                yield None
                continue
            place, view = each
            if view.kind != "exchange":
                continue
            bindings = view.detail.get("bindings", ())
            most = min(_MOST_INNER, self._bindings_left)
            self._bindings_left -= min(len(bindings), most)
            inner = [self._binding(view, each) for each in bindings[:most]]
            made_at_start = not view.name or view.name.startswith("amq.")
            if inner or place in self._around or view.messages_in or not made_at_start:
                inner += self._dead_letters(inner)
                yield (yield from self._hub(place, view, inner, max(0, len(bindings) - most)))
                # Its bindings are a step's work.
                yield None

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
            found.append(Inner(dead, "", view, takers, _dead_of(dead, view), bound=False))
        return found

    def _lone_queues(self) -> Iterator[Hub | None]:
        """Queues that the default exchange alone leads to, or somebody sends to by their name."""
        for each in _by_steps(self._by_place.items()):
            if each is None:
                yield None
                continue
            place, view = each
            if view.kind != "queue":
                continue
            around = self._around.get(place)
            if place not in self._bound:
                dead = _dead_of(place, view)
                itself = Inner(place, "", view, (), dead, above=True, bound=False)
                inner = [itself] if dead is not None else []
                yield (yield from self._hub(place, view, inner))
            elif around is not None and around.sources:
                hub = yield from self._hub(place, view)
                yield replace(hub, takers=())

    def _topics(self) -> Iterator[Hub | None]:
        branches, alive = yield from self._branches()
        for at, (branch, places) in enumerate(branches.items()):
            if not at % _STEP:
                yield None
            protocol, root = branch
            if not self._quiet and branch not in alive:
                # There may be very many, and nothing is to be drawn of them.
                self._silent[protocol] += len(places)
            elif len(places) >= _BRANCH_FROM and not self._is_sought(f"{root}/#", places):
                yield from self._branch(Place(protocol, "topic", f"{root}/#"), places)
            else:
                for place in places:
                    yield (yield from self._hub(place, self._by_place[place]))
        for waited in _by_steps(list(self._around)):
            if waited is None:
                yield None
            elif waited.kind == "topic" and waited not in self._by_place:
                # Nobody has sent anything there yet, but somebody waits for it.
                yield (yield from self._hub(waited, None))

    def _is_sought(self, branch: str, topics: Sequence[Place]) -> bool:
        """Whether topics of a branch are looked for, and not the branch itself."""
        has = self._has
        return has is not None and not has(branch) and any(has(each.name) for each in topics)

    def _branches(self) -> Stepped[tuple[dict[_Root, list[Place]], set[_Root]]]:
        """Topics by their first level, and to which of these belongs one that somebody uses."""
        branches: dict[_Root, list[Place]] = defaultdict(list)
        alive: set[_Root] = set()
        for place in _by_steps(self._by_place):
            if place is None:
                yield
            elif place.kind == "topic":
                root, slash, _ = place.name.partition("/")
                folds = bool(slash) and protocol_of(place.protocol).levels
                branch = place.protocol, root if folds else place.name
                branches[branch].append(place)
                if place in self._around:
                    alive.add(branch)
        return branches, alive

    def _branch(self, place: Place, topics: Sequence[Place]) -> Iterator[Hub | None]:
        came = went = held = 0
        busiest: list[DestinationView] = []
        for topic in _by_steps(topics):
            if topic is None:
                busiest = _busiest(busiest)
                yield None
                continue
            each = self._by_place[topic]
            came, went = came + each.messages_in, went + each.messages_out
            held += each.depth or 0
            busiest.append(each)
        view = DestinationView(
            place.protocol, "topic", place.name, came, went, held, f"{len(topics)} topics",
            {"branch": [each.name for each in topics[:200]]},
        )  # fmt: skip
        inner = [
            Inner(Place(each.protocol, "topic", each.name), "", each, above=True)
            for each in sorted(_busiest(busiest), key=lambda each: each.name)
        ]
        yield (yield from self._hub(place, view, inner, len(topics) - len(inner), over=topics))


_SHOWN_OF_A_BRANCH: Final = 3
_KINDS: Final = {"topic": 0, "exchange": 1, "queue": 2}
_Ends = dict[tuple[str, str], End]


def _busiest(views: Sequence[DestinationView]) -> list[DestinationView]:
    return sorted(views, key=lambda each: -each.messages_in)[:_SHOWN_OF_A_BRANCH]


def _cut(hubs: list[Hub]) -> Counter[str]:
    """Put them in order; what a graph has no room for leaves, and is counted by protocol."""
    hubs.sort(key=lambda hub: (rank_of(hub.place.protocol), _KINDS[hub.place.kind], hub.place))
    more = Counter(hub.place.protocol for hub in hubs[MOST_HUBS:])
    del hubs[MOST_HUBS:]
    return more


def _merge(found: _Ends, ends: Iterable[End]) -> None:
    """Each end once, with all that passes."""
    for end in ends:
        before = found.get((end.of, end.name))
        found[end.of, end.name] = end if before is None else replace(
            before,
            edge=Edge(
                before.edge.rate + end.edge.rate, before.edge.messages + end.edge.messages,
                before.edge.trouble or end.edge.trouble, before.edge.held or end.edge.held,
            ),
        )  # fmt: skip


def _sorted(found: _Ends) -> tuple[End, ...]:
    return tuple(sorted(found.values(), key=lambda end: end.name))


def _merged(ends: Iterable[End]) -> tuple[End, ...]:
    """Each end once, in the order of their names."""
    found: _Ends = {}
    _merge(found, ends)
    return _sorted(found)


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
