"""The MQTT broker: its connections, its state, and what people may ask of it."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from ..contract import Peer
from ..environment import Environment
from ..events import BrokerRestarted, MessageSeen
from ..findings import Finding, Findings
from ..listener import Listener
from ..restarting import ended
from ..snapshots import ConnectionView, DestinationView, GroupView, Metric
from ..storage.facts import Kept, LogRows
from ..storage.store import still
from . import views
from .authentication import Methods
from .codes import Reason
from .connection import MqttConnection
from .counting import PacketCounts
from .inside import Inside, make_message, make_publish
from .lint_warnings import RecentClientIds
from .listeners import AS_ALL, ListenerOptions
from .misbehaviour import REFUSALS
from .options import MqttOptions
from .records import Message
from .redirects import Redirect, Redirects
from .silence_watch import SilenceWatch
from .state import kept
from .state.keeper import FORGETFUL
from .state.router import Router
from .state.sessions import Sessions
from .system_topics import SystemTopics
from .wire.publish import PublishRenderer

if TYPE_CHECKING:
    from .sn.gateway import Gateway

_SCHEMES = {
    "plain": ("mqtt", ""),
    "tls": ("mqtts", ""),
    "ws": ("ws", "/mqtt"),
    "wss": ("wss", "/mqtt"),
    "unix": ("unix", ""),
    "sn": ("udp", ""),
}


class MqttBroker:
    """`contract.Broker` for MQTT."""

    protocol = "mqtt"
    refusals = REFUSALS
    address_name = "url"
    nodes = None

    def __init__(self, environment: Environment, options: MqttOptions | None = None) -> None:
        self.environment = environment
        self.options = options or MqttOptions()
        self.listeners = dict(self.options.listeners)
        """What is otherwise at a listener, by its name; for who connects from then on."""
        keeper = None
        if environment.store is not None:
            from .keeping import StoringKeeper

            keeper = StoringKeeper(environment.store, environment.clock)
        self._keeper = keeper
        self.router = Router(
            environment,
            keeper=keeper or FORGETFUL,
            maximum_qos=self.options.maximum_qos,
            shared_order=self.options.shared_order,
            ingest_prefix=self.options.ingest_prefix,
            redelivers_shares=self.options.shared_redelivery,
        )
        self.registry = Sessions(environment, self.router)
        if keeper is not None:
            keeper.router, keeper.registry = self.router, self.registry
        self.renderer = PublishRenderer()
        self.counts = PacketCounts()
        self.findings = Findings(environment.clock.wall)
        self.methods = Methods(self)
        self.redirects = Redirects()
        self.newcomers = RecentClientIds(self.registry)
        self._connections: dict[int, MqttConnection] = {}
        environment.usage.gauge("mqtt_packet", self._largest_incomplete)
        environment.usage.gauge("mqtt_backlog", self._largest_backlog)
        environment.usage.gauge("mqtt_sn_topics", self._most_topics)
        environment.access.on_change(self._renew_guards)
        self._inside: dict[str, Inside] = {}
        self._gateway: Gateway | None = None
        self.silence = SilenceWatch(environment.clock, environment.chores)
        self._totals = views.Totals()
        system = SystemTopics(environment, self.router, self._figures, self.options.sys_interval)
        self.router.system_topics = system.retained

    def at_listener(self, name: str) -> ListenerOptions:
        return self.listeners.get(name, AS_ALL)

    def options_with(self, own: ListenerOptions) -> MqttOptions:
        """What clients of a listener with these options may do."""
        most = own.maximum_qos
        return self.options if most is None else replace(self.options, maximum_qos=most)

    def connect(self, peer: Peer) -> MqttConnection:
        if peer.listener.datagram:
            from .sn.connection import SnConnection

            connection: MqttConnection = SnConnection(self, self.datagrams(), peer)
        else:
            connection = MqttConnection(self, peer)
        self._connections[peer.id] = connection
        return connection

    def datagrams(self) -> "Gateway":
        """MQTT-SN's side of UDP."""
        if self._gateway is None:
            from .sn.gateway import Gateway

            self._gateway = Gateway(self.environment, self.options, self.registry)
        return self._gateway

    def _largest_incomplete(self) -> int:
        return max((each.incomplete for each in self._connections.values()), default=0)

    def _largest_backlog(self) -> int:
        return max((each.outlet.backlog for each in self._connections.values()), default=0)

    def _most_topics(self) -> int:
        return max((each.topic_ids for each in self._connections.values()), default=0)

    def _renew_guards(self) -> None:
        for connection in self._connections.values():
            if connection.session is not None:
                connection.renew_guard()
        self.router.forget_routes()

    def forget(self, connection: MqttConnection) -> None:
        if self._connections.pop(connection.peer.id, None) is not None:
            self._totals.add(connection)

    def _figures(self) -> views.Counting:
        connections = self._connections.values()
        return self._totals.figures(self.router, self.registry, connections, self.counts)

    def disconnect(
        self, connection: int, reason: str, *, reset: bool = False, code: int | None = None
    ) -> bool:
        found = self._connections.get(connection)
        if found is None:
            return False
        if reset:
            found.peer.abort(reason)
        else:
            found.disconnect(Reason.ADMINISTRATIVE_ACTION if code is None else Reason(code), reason)
        return True

    def watch(
        self, callback: Callable[[MessageSeen], object], destination: str | None = None
    ) -> Callable[[], None]:
        return self.router.watch(callback, destination)

    # What people see.

    def address(self, listener: Listener) -> str:
        scheme, path = _SCHEMES[listener.name]
        return f"{scheme}://{listener.reachable}{path}"

    def settings_at(self, listener: Listener) -> Mapping[str, object]:
        return self.at_listener(listener.name).given

    def connections(self) -> list[ConnectionView]:
        return [views.connection_view(each) for each in self._connections.values()]

    def clients(self) -> Iterator[str]:
        return (each.client for each in self._connections.values())

    def connection(self, number: int) -> ConnectionView | None:
        found = self._connections.get(number)
        return views.connection_view(found) if found is not None else None

    def destinations(self) -> list[DestinationView]:
        return views.destination_views(self.router)

    def groups(self) -> list[GroupView]:
        """The sessions, and those who share a subscription."""
        sessions = [views.group_view(each) for each in self.registry.by_client.values()]
        shares = self.router.subscriptions.shares.items()
        return sessions + [views.share_view(name, share) for name, share in shares]

    def metrics(self) -> list[Metric]:
        connections = self._connections.values()
        return [
            *views.metrics(self.router, self.registry, connections, self.findings),
            *views.packet_metrics(self.counts, self._totals.counted(connections)),
        ]

    def lint(self) -> list[Finding]:
        """What clients did against the specification, and what is legal and risky."""
        return self.findings.views()

    # What people do; each by the same state methods as the wire handlers.

    def publish(
        self,
        topic_name: str,
        payload: bytes,
        *,
        qos: int = 0,
        retain: bool = False,
        properties: Mapping[str, Any] | None = None,
        source: str = "prompt",
    ) -> int:
        """Publish as if a client had; returns how many sessions it reached.

        `properties` are MQTT 5's by name (content_type, user_property as mapping or pairs, ...);
        raises InvalidInput.
        """
        packet = make_publish(topic_name, payload, qos, retain, properties)
        producer = self._inside.get(source)
        if producer is None:
            producer = self._inside[source] = Inside(self.environment, source)
        producer.record(packet)
        message = make_message(packet, self.environment.clock.now())
        return self.router.publish(message, client=producer.client)

    def retained(self) -> list[tuple[str, bytes, int]]:
        """(topic_name, payload, qos) of each retained message."""
        messages = self.router.retained.all()
        return [(message.topic_name, bytes(message.payload), message.qos) for message in messages]

    def retained_message(self, topic_name: str) -> Message | None:
        return self.router.retained.get(topic_name)

    def queued(self, client: str, count: int, *, start: int = 0) -> list[Message]:
        """What waits for a client, oldest first, from the `start`-th message on.

        Those that were sent and not acknowledged come before those that were not sent.
        """
        session = self.registry.by_client.get(client)
        if session is None:
            return []
        sent = (message for message in session.inflight.values() if message is not None)
        return list(islice(chain(sent, session.queue), start, start + count))

    def clear_retained(self, topic_name: str) -> bool:
        """Forget a retained message; False when there is none."""
        return self.router.clear_retained(topic_name)

    def sessions(self) -> list[Mapping[str, Any]]:
        """client, connected, subscriptions, queued and more of each session."""
        return [views.session_detail(each) for each in self.registry.by_client.values()]

    def shares(self) -> list[Mapping[str, Any]]:
        """The shared subscriptions: filter, order, members with what each got."""
        found = self.router.subscriptions.shares
        return [views.share_detail(name, share) for name, share in found.items()]

    def end_session(self, client: str) -> bool:
        """Forget a session; a connected client is disconnected."""
        session = self.registry.by_client.get(client)
        if session is not None:
            self.registry.end(session, "ended at the console")
        return session is not None

    def publish_will(self, client: str) -> bool:
        """Publish a client's will now, as if it were gone; False where it has none."""
        session = self.registry.by_client.get(client)
        return session is not None and self.registry.publish_will(session)

    def redirect(self, clients: str, server: str, *, moved: bool = False) -> tuple[Redirect, int]:
        """Send clients (a glob of identifiers) to another server, now and when they come.

        Returns the redirect, which holds until it is removed, and how many had to go now.
        """
        redirect = self.redirects.add(clients, server, moved=moved)
        going = [
            each
            for each in self._connections.values()
            if each.session is not None and fnmatchcase(each.client, clients)
        ]
        for each in going:
            each.disconnect(redirect.code, redirect.text, server)
        return redirect, len(going)

    def reset(self) -> None:
        for connection in tuple(self._connections.values()):
            connection.disconnect(Reason.ADMINISTRATIVE_ACTION, "the broker was reset")
        for session in tuple(self.registry.by_client.values()):
            self.registry.end(session, "the broker was reset")
        self.router.reset()
        self.findings.clear()
        self.redirects.active.clear()
        self.listeners = dict(self.options.listeners)

    # A restart.

    def dump(self) -> dict[str, object]:
        return kept.dump(self.router, self.registry, self.environment.clock)

    def restore(self, values: Mapping[str, Any]) -> None:
        kept.restore(values, self.environment, self.router, self.registry)

    def logs_in(self, kept: Kept) -> Iterable[LogRows]:
        return () if self._keeper is None else self._keeper.logs_in(kept)

    def take_up(self, found: Kept) -> None:
        if self._keeper is not None:
            state = self._keeper.read(found)
            with still(self.environment.store):
                kept.put_up(state, self.environment, self.router, self.registry)
            self._keeper.was_put_up(state)

    def restart(self, *, hard: bool = False) -> BrokerRestarted:
        connections = tuple(self._connections.values())
        store = self.environment.store
        left = ended(connections, self.dump, hard=hard, store=store, protocol="mqtt")
        with still(store):
            self.registry.clear()
            self.router.reset()
            if not isinstance(left, Kept):
                self.restore(left)
        if isinstance(left, Kept):
            self.take_up(left)
        if self._gateway is not None:
            self._gateway.forget_others()
        event = BrokerRestarted("mqtt", len(connections), self._kept_in_words())
        self.environment.spine.emit(event)
        return event

    def _kept_in_words(self) -> str:
        sessions = self.registry.by_client.values()
        waiting = sum(len(each.queue) + len(each.inflight) for each in sessions)
        return (
            f"{len(sessions)} sessions with {self.router.subscriptions.count} subscriptions and "
            f"{waiting} messages, {self.router.retained.count} retained messages"
        )
