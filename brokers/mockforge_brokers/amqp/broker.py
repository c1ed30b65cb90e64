"""The AMQP broker: its connections and virtual hosts, restarts, and what it shows."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from ..contract import Peer
from ..environment import Environment
from ..errors import InvalidInput
from ..events import BrokerRestarted
from ..fairness import finished
from ..findings import Findings
from ..listener import Listener
from ..restarting import ended
from ..snapshots import ConnectionView, DestinationView, GroupView, Metric
from ..storage.facts import Kept, LogRows
from ..storage.store import still
from . import channel_views, consumers, definitions, exporting, granting, inputs, kept
from .channel.contents import Contents
from .channel_views import ChannelView
from .churn import Churn
from .cluster import Cluster
from .codes import ReplyCode
from .connection.connection import Connection
from .connection.overdue import Channels
from .connection.quotas import OF_USER, OF_VHOST, Quotas, checked
from .consumers import ConsumerView
from .counting import MethodCounts
from .definitions import Loaded, Loading
from .event_exchange import EventExchange
from .events import AMQP
from .inside import Inside
from .lint import Lint
from .misbehaviour import NACK, REFUSALS
from .options import AmqpOptions
from .periodic import Periodic
from .reconnecting import Reconnecting
from .sampling import Counted, Rates, Sampling
from .state.acting import Acting
from .state.keeper import FORGETFUL
from .state.memory import Memory
from .state.queues.queue import Queue
from .state.queues.types import QUEUE_TYPES
from .state.settlements import Settlements
from .state.virtual_host import VirtualHost
from .v1_0.overdue import Sessions
from .verbs import HostWatch, Verbs
from .views import (
    connection_view,
    destination_views,
    group_views,
    method_metrics,
    metrics,
    view_of_queue,
)

if TYPE_CHECKING:
    from .figures import Management
    from .v1_0.connection import Connection as LaterConnection


class AmqpBroker(Verbs):
    """The `Broker` of contract.py."""

    protocol = AMQP
    address_name = "url"
    nodes = None
    refusals = REFUSALS

    def __init__(self, environment: Environment, options: AmqpOptions | None = None) -> None:
        self.options = options or AmqpOptions()
        self.environment = environment
        met = partial(
            environment.usage.met, "amqp", "amqp_memory", "queues", "publishers wait", lost=0
        )
        self.memory = Memory(environment.limits.amqp_memory, met, environment.chores.do)
        environment.usage.gauge("amqp_memory", lambda: self.memory.used)
        environment.usage.gauge("amqp_message", self._largest_incomplete)
        self.findings = Findings(environment.clock.wall)
        self.lint = Lint(self.options.profile, self.findings, environment.spine)
        self.counts = MethodCounts()
        self.vhosts: dict[str, VirtualHost] = {}
        self.acting = Acting()
        self.settlements = Settlements()
        self._watches: list[HostWatch] = []
        self._cluster = Cluster()
        self._keeper = FORGETFUL
        if environment.store is not None:
            from .keeping import StoringKeeper

            self._keeper = StoringKeeper(
                environment.store, self.vhosts, self._cluster, environment.clock, self.memory
            )
        for name in self.options.vhosts:
            self.vhosts[name] = self._make_vhost(name)
        if "/" in self.vhosts:
            self.vhosts["/"].description = "Default virtual host"
        access = environment.access
        if not access.has_users(AMQP):
            for user, password in self.options.users.items():
                access.add_user(user, password, (AMQP,))
        access.on_change(self._renew_guards)
        self._connections: dict[int, Connection] = {}
        self._later: dict[int, LaterConnection] = {}
        """Those that speak AMQP 1.0."""
        self._channels, self._sessions = Channels(self._connections), Sessions(self._later)
        self.churn = Churn(environment.spine, self.vhosts)
        Reconnecting(environment.spine, environment.clock, self.lint)
        self._sampling = Sampling(self.vhosts, self.churn)
        self._looking = Periodic(
            environment.clock,
            self.options.consumer_timeout,
            (self._channels, self._sessions),
            self._sampling,
            lambda: len(self._connections) + len(self._later),
        )
        self.quotas = Quotas(self._all, self._cluster.user_limits)
        self.inside = Inside(environment)
        self.event_exchange = EventExchange(
            environment, self.acting, self.vhosts, self._connections
        )

    @cached_property
    def management(self) -> Management:
        """What RabbitMQ's management interface says of it."""
        from .figures import Management  # read when somebody asks

        return Management(self.vhosts, self._connections, self._later, self.rates)

    def connect(self, peer: Peer) -> Connection:
        connection = Connection(
            peer,
            self.environment,
            self.options,
            self.vhosts,
            self.quotas,
            self.lint,
            self.counts,
            self._forget,
            self._become_later,
        )
        self._connections[peer.id] = connection
        self._looking.watch()
        return connection

    def _become_later(self, peer: Peer, data: bytes) -> int:
        """A client's first bytes name AMQP 1.0; returns how many of them are not whole yet."""
        from .v1_0.connection import Connection as LaterConnection  # read when a client speaks it

        before = self._connections.pop(peer.id)
        connection = self._later[peer.id] = LaterConnection(
            peer,
            self.environment,
            self.options,
            self.vhosts,
            self.quotas,
            self.counts,
            self.lint,
            self._forget,
        )
        peer.become(connection)
        # In a turn of its own: it is in the midst of reading these bytes.
        self.environment.chores.soon(before.let_go)
        return connection.receive(data)

    def _all(self) -> list[Connection | LaterConnection]:
        """Of both versions."""
        return [*self._connections.values(), *self._later.values()]

    def _largest_incomplete(self) -> int:
        return max((each.incomplete for each in self._all()), default=0)

    def _renew_guards(self) -> None:
        for connection in self._all():
            connection.renew_guard()
        for vhost in self.vhosts.values():
            vhost.forget_routes()

    def add_vhost(
        self,
        name: str,
        *,
        default_queue_type: str = "",
        description: str = "",
        tags: Sequence[str] = (),
    ) -> None:
        """Raises InvalidInput."""
        default_queue_type = self._checked_type(default_queue_type)
        if not name:
            raise InvalidInput("a virtual host needs a name")
        inputs.check_short("virtual host's name", name)
        if name in self.vhosts:
            raise InvalidInput(f"virtual host {name} is there already")
        host = self.vhosts[name] = self._make_vhost(name)
        host.default_queue_type = default_queue_type or host.default_queue_type
        host.description, host.tags = description, tuple(tags)
        self.event_exchange.of_vhost("vhost.created", host)
        self._keeper.host_changed(name)

    def describe_vhost(self, name: str, description: str, tags: Sequence[str]) -> None:
        """For people alone, in place of what was said of it. Raises InvalidInput."""
        host, said = self.vhost(name), (description, tuple(tags))
        if said != (host.description, host.tags):
            host.description, host.tags = said
            self.event_exchange.of_vhost("vhost.updated", host)
            self._keeper.host_changed(name)

    def default_queue_type(self, kind: str, *, vhost: str = "/") -> None:
        """What queues are that are declared from now on and name no type; empty: classic ones.

        Releases before 3.11 do not know it: it holds for none there. Raises InvalidInput.
        """
        host = self.vhost(vhost)
        host.default_queue_type = self._checked_type(kind)
        self._keeper.host_changed(vhost)

    def _checked_type(self, kind: str) -> str:
        """RabbitMQ takes the names of its modules, too, and writes `undefined` for none."""
        kind = kind.removeprefix("rabbit_").removesuffix("_queue")
        if kind in ("", "undefined"):
            return ""
        if kind not in QUEUE_TYPES:
            raise InvalidInput(f"default queue type {kind!r} is none of {', '.join(QUEUE_TYPES)}")
        return kind

    def _make_vhost(self, name: str) -> VirtualHost:
        environment, keeper = self.environment, self._keeper
        spine, clock, random = environment.spine, environment.clock, environment.random
        profile = self.options.profile
        given = clock, Contents(profile), random, profile, keeper
        host = VirtualHost(name, spine, self.memory, *given)
        host.default_queue_type = profile.default_queue_type
        host.acting, host.settlements = self.acting, self.settlements
        self.watch_host(host)
        host.lint = partial(self.lint.report, 0, "")
        return host

    def remove_vhost(self, name: str) -> int:
        """With all that is in it; its connections are closed. Returns how many. InvalidInput."""
        vhost = self.vhost(name)
        if name == "/":
            raise InvalidInput("the virtual host / stays: prompt and fixtures publish there")
        using = [each for each in self._all() if each.vhost is vhost]
        for connection in using:
            connection.close(ReplyCode.CONNECTION_FORCED, f"vhost '{name}' is deleted")
        self.environment.chores.finish()
        if vhost.tracer is not None:
            vhost.tracer.stop()
        vhost.clear()
        self.unwatch_host(name)
        self.churn.keep(vhost)
        del self.vhosts[name]
        granting.forget_vhost(self.environment.access, name)
        self.event_exchange.add("vhost.deleted", name=name)
        self._keeper.host_changed(name)
        return len(using)

    def limit_vhost(self, name: str, limits: Mapping[str, object]) -> None:
        """In place of the limits that it had; an empty mapping lifts them. Raises InvalidInput."""
        found = self.vhost(name).limits = checked(limits, OF_VHOST)
        what = "vhost.limits.set" if found else "vhost.limits.cleared"
        self.event_exchange.add(what, **found, name="limits", vhost=name)
        self._keeper.host_changed(name)

    def limit_user(self, name: str, limits: Mapping[str, object]) -> None:
        found = self.quotas.users[name] = checked(limits, OF_USER)
        what = "user.limits.set" if found else "user.limits.cleared"
        self.event_exchange.add(what, **found, username=name, name="limits")
        self._keeper.cluster_changed()

    @property
    def global_parameters(self) -> Mapping[str, Any]:
        return self._cluster.parameters

    def set_global_parameter(self, name: str, value: Any) -> bool:
        """`value` is any JSON; True if the parameter is new."""
        new = name not in self._cluster.parameters
        self._cluster.parameters[name] = value
        self._keeper.cluster_changed()
        return new

    def remove_global_parameter(self, name: str) -> None:
        del self._cluster.parameters[name]
        self._keeper.cluster_changed()

    def remove_user(self, name: str) -> None:
        """Its connections end, and one who comes later by this name has nothing of it.

        Raises InvalidInput.
        """
        self.environment.access.remove_user(name)
        for connection in self._all():
            if connection.user == name:
                connection.close(ReplyCode.CONNECTION_FORCED, f"user '{name}' is deleted")
        granting.forget_user(self.environment.access, name)
        if self.quotas.users.pop(name, None) is not None:
            self._keeper.cluster_changed()
        for vhost in self.vhosts:
            self.forget_topic(name, vhost=vhost)

    def _forget(self, number: int) -> None:
        self._connections.pop(number, None)
        self._later.pop(number, None)

    def _find(self, number: int) -> Connection | LaterConnection | None:
        return self._connections.get(number) or self._later.get(number)

    def disconnect(
        self, connection: int, reason: str, *, reset: bool = False, code: int | None = None
    ) -> bool:
        found = self._find(connection)
        if found is None:
            return False
        if reset:
            found.peer.abort(reason)
        else:
            if code == NACK:
                raise InvalidInput("NACK answers a publish: connection.close has a reply code")
            found.close(ReplyCode.CONNECTION_FORCED if code is None else code, reason)
        return True

    def reset(self) -> None:
        for connection in self._all():
            connection.close(ReplyCode.CONNECTION_FORCED, "the broker was reset")
        self.environment.chores.finish()
        for vhost in self.vhosts.values():
            vhost.clear()
        self.findings.clear()

    # A restart.

    def dump(self) -> dict[str, object]:
        self.environment.chores.finish()
        unacked = [message for connection in self._all() for message in connection.unacked()]
        return kept.dump(self.vhosts.values(), unacked, self.environment.clock)

    def restore(self, values: Mapping[str, Any]) -> None:
        kept.restore(values, self.vhosts, self._make_vhost, self.environment.clock)

    def logs_in(self, kept: Kept) -> Iterable[LogRows]:
        return self._keeper.logs_in(kept)

    def take_up(self, found: Kept) -> None:
        self._keeper.take_up(found, self._make_vhost)

    def restart(self, *, hard: bool = False) -> BrokerRestarted:
        connections = self._all()
        store = self.environment.store
        # What is on its way to the queues is what happened before the kill.
        self.environment.chores.finish()
        left = ended(connections, self.dump, hard=hard, store=store, protocol=AMQP)
        with still(store):
            # What the ends of connections bring about is over before, and goes with all else.
            self.environment.chores.finish()
            for vhost in self.vhosts.values():
                vhost.empty()
            if not isinstance(left, Kept):
                self.restore(left)
        if isinstance(left, Kept):
            self.take_up(left)
        event = BrokerRestarted(AMQP, len(connections), kept.in_words(self.vhosts.values()))
        self.environment.spine.emit(event)
        return event

    # Definitions.

    def load_definitions(
        self, document: Mapping[str, Any], *, vhost: str | None = None
    ) -> dict[str, int]:
        """Take up what RabbitMQ exported; returns how many of each kind. Raises InvalidInput."""
        return finished(self.loading_definitions(document, vhost=vhost))

    def loading_definitions(
        self, document: Mapping[str, Any], *, vhost: str | None = None
    ) -> Loaded:
        """The same in steps."""
        return definitions.load(self, document, vhost)

    def loading(self, document: Mapping[str, Any]) -> Loading:
        """The same item by item."""
        return Loading(self, document)

    def define(self, section: str, item: Mapping[str, Any]) -> None:
        """One item of such a document; raises InvalidInput."""
        definitions.define(self, section, item)

    def definitions(self) -> dict[str, Any]:
        """All that is declared, as RabbitMQ takes it."""
        return exporting.export(self)

    # What people see.

    def address(self, listener: Listener) -> str:
        """With the first user and the first virtual host that there are."""
        scheme = "amqp" if listener.tls is None else "amqps"
        users = self.environment.access.users.values()
        login = ""
        for user in users:
            if AMQP in user.protocols:
                password = f":{quote(user.plain, safe='')}" if user.plain else ""
                login = f"{quote(user.name, safe='')}{password}@"
                break
        vhost = quote(self.options.vhosts[0], safe="")
        return f"{scheme}://{login}{listener.reachable}/{vhost}"

    def settings_at(self, listener: Listener) -> Mapping[str, object]:
        return {}

    def connections(self) -> list[ConnectionView]:
        return [connection_view(connection) for connection in self._all()]

    def clients(self) -> Iterator[str]:
        return (each.client for each in self._all())

    def connection(self, number: int) -> ConnectionView | None:
        found = self._find(number)
        return connection_view(found) if found is not None else None

    def destinations(self) -> list[DestinationView]:
        return [
            view for vhost in self.vhosts.values() for view in destination_views(vhost, self.rates)
        ]

    def queue_named(self, name: str) -> DestinationView | None:
        """As `destinations` has it, of the first virtual host with such a queue."""
        for vhost in self.vhosts.values():
            if (queue := vhost.queues.get(name)) is not None:
                return view_of_queue(queue, vhost, self.rates)
        return None

    def groups(self) -> list[GroupView]:
        return [view for vhost in self.vhosts.values() for view in group_views(vhost)]

    def rates(self, thing: Counted) -> Rates:
        """How fast the counters of a queue or an exchange grow; see sampling.py for their names."""
        self._looking.asked()
        return self._sampling.rates(thing, self.environment.clock.now())

    def consumers(
        self, connections: Collection[int] | None = None, queue: Queue | None = None
    ) -> list[ConsumerView]:
        """By queue, or of this one; of all connections, or of those with these numbers."""
        now = self.environment.clock.now()
        classic, later = self._of(connections)
        found = consumers.views(now, classic, self._channels, later, self._sessions, queue)
        return sorted(found, key=lambda each: (each.vhost, each.queue, each.connection))

    def channels(self, connections: Collection[int] | None = None) -> list[ChannelView]:
        """Of both versions, where those of 1.0 are its sessions; of all connections, or some."""
        now = self.environment.clock.now()
        classic, later = self._of(connections)
        return list(channel_views.views(now, classic, self._channels, later))

    def _of(
        self, numbers: Collection[int] | None
    ) -> tuple[Mapping[int, Connection], Mapping[int, LaterConnection]]:
        """The connections of both versions, or those of them with these numbers."""
        if numbers is None:
            return self._connections, self._later
        classic = {each: self._connections[each] for each in numbers if each in self._connections}
        return classic, {each: self._later[each] for each in numbers if each in self._later}

    def metrics(self) -> list[Metric]:
        tags = (
            channel.last_tag
            for connection in self._connections.values()
            for channel in connection.channels.open.values()
        )
        return [
            *metrics(self.vhosts.values(), len(self._all()), self.findings),
            *method_metrics(self.counts, tags),
        ]
