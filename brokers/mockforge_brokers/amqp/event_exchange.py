"""amq.rabbitmq.event: what happens in the broker as messages, as RabbitMQ's plugin sends them.

Names and headers are those of RabbitMQ 3.10.8. Left out is what names a process of RabbitMQ's (pid,
owner_pid, channel), and what RabbitMQ keeps for itself: parameter.set and parameter.cleared, the
exchanges that come and go with a virtual host, which queues a policy changed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from ipaddress import IPv6Address
from typing import Any, Final

from ..environment import Environment
from ..events import AccessDenied, ClientIdentified, ConnectionClosed, Event
from . import events
from .connection.connection import Connection
from .connection.ends import NODE, connection_name, ends
from .connection.handshake import Agreement
from .connection.login import LOGIN
from .records import Field, field, table
from .state.acting import Acting
from .state.predeclared import EVENTS
from .state.virtual_host import VirtualHost
from .users import Users
from .wire import content as contents

_AMQP: Final = "amqp"
WHO: Final = "user_who_performed_action"
_OF_LOGIN: Final = (ClientIdentified, AccessDenied)
_MAX_PAYLOAD: Final = 131_064
_PERSISTENT: Final = 2

Facts = dict[str, Any]


class EventExchange:
    """Publishes while something is bound to the exchange, which is in the virtual host /.

    In a turn of its own: a watcher of the spine sees a broker that is in the midst of something.
    """

    def __init__(
        self,
        environment: Environment,
        acting: Acting,
        vhosts: Mapping[str, VirtualHost],
        connections: Mapping[int, Connection],
    ) -> None:
        self._clock = environment.clock
        self._acting = acting
        self._vhosts = vhosts
        self._connections = connections
        self._open: dict[int, tuple[str, Agreement]] = {}
        """Who logged in, or tried to: the broker has forgotten it when it hears of its end, and its
        socket may be closed that would say what it is called."""
        self._waiting: list[tuple[str, Facts, float]] = []
        self._access = environment.access
        self._users: Users | None = None
        """As they were when somebody listened, or at the last change since."""
        self._users_changed = False
        self._users_changed_by = acting.user
        environment.spine.watch(self._look)
        environment.access.on_kept_change(self._access_changed)

    def add(self, name: str, /, **facts: Any) -> None:
        """An event of RabbitMQ's that has no fact on the spine."""
        if self._heard:
            self._add(name, facts | {WHO: self._acting.user})

    def of_vhost(self, name: str, host: VirtualHost) -> None:
        words = f'<<"{host.description}">>' if host.description else "<<>>"
        tags = ",".join(_atom(tag) for tag in host.tags)
        self.add(
            name,
            name=host.name,
            description=host.description,
            tags=list(host.tags),
            metadata=f"#{{description => {words},tags => [{tags}]}}",
            default_queue_type=host.default_queue_type or "undefined",
            tracing=host.tracer is not None,
            cluster_state={NODE: "running"},
        )

    def _add(self, name: str, facts: Facts) -> None:
        self._publish_soon()
        self._waiting.append((name, facts, self._clock.wall()))

    def _publish_soon(self) -> None:
        if not (self._waiting or self._users_changed):
            self._clock.call_later(0.0, self._publish)

    def _access_changed(self) -> None:
        """What several rules come to is looked at once, in a turn of its own."""
        if not self._heard:
            self._users = None
        elif not self._users_changed:
            self._publish_soon()
            self._users_changed = True
        self._users_changed_by = self._acting.user

    @property
    def _heard(self) -> bool:
        host = self._vhosts.get("/")
        return host is not None and bool(host.exchanges[EVENTS].bindings)

    def _look(self, event: Event) -> None:
        make = _MAKERS.get(type(event))
        if make is None or event.protocol != _AMQP:
            return
        # Connections come and go whether or not somebody listens just then.
        self._remember(event)
        if self._heard:
            if self._users is None:
                self._users = Users(self._access, self._vhosts)
            for name, facts in make(self, event):
                self._add(name, facts)
        if isinstance(event, ConnectionClosed):
            self._open.pop(event.connection, None)

    def _remember(self, event: Event) -> None:
        if isinstance(event, _OF_LOGIN):
            connection = self._connections.get(event.connection)
            if connection is not None:
                name = connection_name(connection.peer)
                self._open[event.connection] = name, connection.agreement

    def _publish(self) -> None:
        waiting, self._waiting = self._waiting, []
        if self._users_changed:
            self._users_changed = False
            before, self._users = self._users, Users(self._access, self._vhosts)
            now = self._clock.wall()
            changes = before.changes_to(self._users) if before is not None else ()
            who = {WHO: self._users_changed_by}
            waiting += [(name, facts | who, now) for name, facts in changes]
        host = self._vhosts["/"]
        for name, facts, time in waiting:
            headers = table(_long({**facts, "timestamp_in_ms": int(time * 1000)}))
            given = {"headers": headers, "delivery_mode": _PERSISTENT, "timestamp": int(time)}
            content = contents.make_content(1, b"", given, _MAX_PAYLOAD)
            host.publish(host.route(EVENTS, name, headers), content, 0, "")

    # Who and what an event is about.

    def _came(self, event: ClientIdentified) -> list[tuple[str, Facts]]:
        connection = self._connections.get(event.connection)
        if connection is None:
            return []
        agreement, peer = connection.agreement, connection.peer
        ends = _ends(connection)
        login = {
            "ssl": bool(peer.principal.tls),
            "auth_mechanism": peer.principal.mechanism,
            "protocol": "{0,9,1}",
            "peer_port": ends["peer_port"],
            "peer_host": ends["peer_host"],
            "connection_name": ends["name"],
            "host": ends["host"],
            "name": agreement.user,
            "connection_type": "network",
        }
        created = {
            WHO: agreement.user,
            "connected_at": int(peer.opened * 1000),
            "client_properties": _arguments(agreement.properties),
            "channel_max": agreement.channel_max,
            "frame_max": agreement.frame_max,
            "timeout": agreement.heartbeat,
            "vhost": agreement.virtual_host,
            "user": agreement.user,
            "protocol": "{0,9,1}",
            "auth_mechanism": peer.principal.mechanism,
            "ssl_protocol": peer.principal.tls or "",
            **dict.fromkeys(("ssl_cipher", "ssl_hash", "ssl_key_exchange"), ""),
            "peer_cert_subject": peer.principal.certificate or "",
            **dict.fromkeys(("peer_cert_issuer", "peer_cert_validity"), ""),
            "ssl": bool(peer.principal.tls),
            **ends,
            "type": "network",
            "node": NODE,
        }
        if agreement.client:
            created["user_provided_name"] = agreement.client
        return [("user.authentication.success", login), ("connection.created", created)]

    def _denied(self, event: AccessDenied) -> list[tuple[str, Facts]]:
        connection = self._connections.get(event.connection)
        if connection is None or not event.operation.startswith(LOGIN):
            return []
        ends = _ends(connection)
        facts = {
            "error": f"user '{event.user}' - invalid credentials",
            "ssl": bool(connection.peer.principal.tls),
            "auth_mechanism": event.operation.removeprefix(LOGIN).strip(),
            "protocol": "{0,9,1}",
            "peer_port": ends["peer_port"],
            "peer_host": ends["peer_host"],
            "connection_name": ends["name"],
            "host": ends["host"],
            "name": event.user,
            "connection_type": "network",
        }
        return [("user.authentication.failure", facts)]

    def _closed(self, event: ConnectionClosed) -> list[tuple[str, Facts]]:
        known = self._open.get(event.connection)
        if known is None:
            return [("connection.closed", {"name": event.client, "node": NODE})]
        name, agreement = known
        facts = {
            "client_properties": _arguments(agreement.properties),
            "name": name,
            "node": NODE,
        }
        if agreement.client:
            facts["user_provided_name"] = agreement.client
        return [("connection.closed", facts)]

    def _of_channel(self, number: int) -> tuple[Connection | None, Facts]:
        connection = self._connections.get(number)
        if connection is None:
            return None, {}
        return connection, {
            WHO: connection.user,
            "vhost": connection.vhost.name,
        }

    def _channel_opened(self, event: events.ChannelOpened) -> list[tuple[str, Facts]]:
        connection, facts = self._of_channel(event.connection)
        if connection is None:
            return []
        name = f"{connection_name(connection.peer)} ({event.channel})"
        user = connection.user
        return [("channel.created", {**facts, "user": user, "number": event.channel, "name": name})]

    def _channel_closed(self, event: events.ChannelClosed) -> list[tuple[str, Facts]]:
        connection, facts = self._of_channel(event.connection)
        if connection is None:
            return []
        name = f"{connection_name(connection.peer)} ({event.channel})"
        return [("channel.closed", {**facts, "number": event.channel, "name": name})]

    def _consumer_started(self, event: events.ConsumerStarted) -> list[tuple[str, Facts]]:
        connection, facts = self._of_channel(event.connection)
        channel = None if connection is None else connection.channels.open.get(event.channel)
        consumer = None if channel is None else channel.consumers.get(event.consumer_tag)
        if consumer is None:
            return []
        more = {
            "arguments": _arguments(consumer.arguments),
            "prefetch_count": consumer.prefetch,
            "queue": event.queue,
            "ack_required": not consumer.no_ack,
            "exclusive": consumer.exclusive,
            "consumer_tag": event.consumer_tag,
        }
        return [("consumer.created", {**facts, **more})]

    def _consumer_ended(self, event: events.ConsumerEnded) -> list[tuple[str, Facts]]:
        _, facts = self._of_channel(event.connection)
        more = {"queue": event.queue, "consumer_tag": event.consumer_tag}
        return [("consumer.deleted", {**facts, **more})]

    def _queue_declared(self, event: events.QueueDeclared) -> list[tuple[str, Facts]]:
        facts = {
            "exclusive": event.exclusive,
            "arguments": _arguments(event.arguments),
            "auto_delete": event.auto_delete,
            "durable": event.durable,
            "name": event.queue,
            "vhost": event.vhost,
        }
        return [("queue.created", self._by(facts))]

    def _by(self, facts: Facts) -> Facts:
        """Called while the change is made."""
        return facts | {WHO: self._acting.user}

    def _queue_deleted(self, event: events.QueueDeleted) -> list[tuple[str, Facts]]:
        return [("queue.deleted", self._by({"name": event.queue, "vhost": event.vhost}))]

    def _exchange_declared(self, event: events.ExchangeDeclared) -> list[tuple[str, Facts]]:
        host = self._vhosts.get(event.vhost)
        exchange = None if host is None else host.exchanges.get(event.exchange)
        facts = {
            "arguments": _arguments(event.arguments),
            "internal": exchange is not None and exchange.internal,
            "auto_delete": exchange is not None and exchange.auto_delete,
            "durable": event.durable,
            "type": event.type,
            "name": event.exchange,
            "vhost": event.vhost,
            "policy": "",
        }
        return [("exchange.created", self._by(facts))]

    def _exchange_deleted(self, event: events.ExchangeDeleted) -> list[tuple[str, Facts]]:
        return [("exchange.deleted", self._by({"name": event.exchange, "vhost": event.vhost}))]

    def _bound(self, event: events.BindingAdded | events.BindingRemoved) -> list[tuple[str, Facts]]:
        facts = {
            "vhost": event.vhost,
            "arguments": _arguments(event.arguments),
            "routing_key": event.routing_key,
            "destination_kind": event.kind,
            "destination_name": event.destination,
            "source_kind": "exchange",
            "source_name": event.exchange,
        }
        added = isinstance(event, events.BindingAdded)
        return [("binding.created" if added else "binding.deleted", self._by(facts))]

    def _policy_set(self, event: events.PolicySet) -> list[tuple[str, Facts]]:
        facts = {
            "apply-to": event.apply_to,
            "priority": event.priority,
            "definition": dict(event.definition),
            "pattern": event.pattern,
            "vhost": event.vhost,
            "name": event.policy,
        }
        return [("policy.set", self._by(facts))]

    def _policy_removed(self, event: events.PolicyRemoved) -> list[tuple[str, Facts]]:
        name = "operator.policy.cleared" if event.operator else "policy.cleared"
        return [(name, self._by({"vhost": event.vhost, "name": event.policy}))]


_MAKERS: Final[dict[type[Event], Callable[[EventExchange, Any], list[tuple[str, Facts]]]]] = {
    ClientIdentified: EventExchange._came,
    AccessDenied: EventExchange._denied,
    ConnectionClosed: EventExchange._closed,
    events.ChannelOpened: EventExchange._channel_opened,
    events.ChannelClosed: EventExchange._channel_closed,
    events.ConsumerStarted: EventExchange._consumer_started,
    events.ConsumerEnded: EventExchange._consumer_ended,
    events.QueueDeclared: EventExchange._queue_declared,
    events.QueueDeleted: EventExchange._queue_deleted,
    events.ExchangeDeclared: EventExchange._exchange_declared,
    events.ExchangeDeleted: EventExchange._exchange_deleted,
    events.BindingAdded: EventExchange._bound,
    events.BindingRemoved: EventExchange._bound,
    events.PolicySet: EventExchange._policy_set,
    events.PolicyRemoved: EventExchange._policy_removed,
}


def _ends(connection: Connection) -> Facts:
    peer, found = connection.peer, ends(connection.peer)
    own, own_port = peer.local
    return {
        **found,
        "peer_host": _erlang_address(found["peer_host"]),
        "host": _erlang_address(own),
        "port": own_port,
    }


def _erlang_address(host: str) -> str:
    """`{127,0,0,1}`, and `{0,0,0,0,0,0,0,1}` for ::1."""
    if ":" in host:
        parts = IPv6Address(host.partition("%")[0]).exploded.split(":")
        return f"{{{','.join(str(int(part, 16)) for part in parts)}}}"
    return f"{{{host.replace('.', ',')}}}"


def _atom(word: str) -> str:
    """As Erlang prints it: quoted where it is none without."""
    plain = word[:1].islower() and word.isascii() and word.replace("_", "a").isalnum()
    return word if plain else f"'{word}'"


def _long(value: Any) -> Any:
    """RabbitMQ writes each number as 64 bits."""
    match value:
        case bool():
            return value
        case int() if -(2**63) <= value < 2**63:
            return Field("l", value)
        case int():
            # Policies take any JSON number; a field table has none of more bits.
            return str(value)
        case str():
            return value if _has_bytes(value) else value.encode("utf-8", "replace").decode()
        case Mapping():
            return {key: _long(each) for key, each in value.items()}
        case list():
            return [_long(each) for each in value]
    return value


def _has_bytes(text: str) -> bool:
    """JSON has texts that no bytes stand for: half a surrogate pair."""
    try:
        text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return False
    return True


def _arguments(given: Mapping[str, Any]) -> list[str]:
    """A table as RabbitMQ prints its terms: `{<<"x-max-length">>,signedint,5}`."""
    return [f'{{<<"{name}">>,{_term(field(value))}}}' for name, value in given.items()]


def _term(one: Field) -> str:
    value = one.value
    match one.type:
        case "t":
            text = str(value).lower()
        case "S":
            text = f'<<"{value}">>'
        case "F":
            text = f"[{','.join(_arguments(value))}]"
        case "A":
            text = f"[{','.join(f'{{{_term(each)}}}' for each in value)}]"
        case "V":
            text = "undefined"
        case _:
            text = str(value)
    return f"{one.type_name},{text}"
