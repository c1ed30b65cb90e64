"""What RabbitMQ's management interface says of a broker, in its field names; made when asked.

Names and shapes are those of RabbitMQ 3.10's `/api` (https://www.rabbitmq.com/docs/management).
Rates are those of the last seconds (sampling.py).
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from operator import attrgetter
from typing import Any, Final
from urllib.parse import quote_plus

from .connection.connection import Connection
from .connection.ends import NODE, connection_name
from .connection.figures import of_channel, of_channel_of, of_connection
from .connection.phase import Phase
from .records import plain
from .sampling import OF_DEPTH, OF_EXCHANGE, OF_QUEUE, Counted, Rates, added, counts, detailed
from .state.consumer import Consumer
from .state.exchanges import Binding, Exchange
from .state.policies import EXCHANGE, Effective
from .state.queues.governed import GovernedQueue
from .state.queues.queue import Queue
from .state.queues.quorum import QuorumQueue
from .state.virtual_host import VirtualHost
from .v1_0 import figures as later
from .v1_0.connection import Connection as LaterConnection
from .wire.content import header_payload
from .wire.properties import decode_properties

_MOST_ADDED_UP = 10_000
_by_name = attrgetter("name")

Figures = dict[str, Any]


class Management:
    """Everything below is a list of objects, or one of them; None where there is no such thing."""

    def __init__(
        self,
        vhosts: Mapping[str, VirtualHost],
        connections: Mapping[int, Connection],
        later_connections: Mapping[int, LaterConnection],
        rates: Callable[[Counted], Rates],
    ) -> None:
        self._vhosts = vhosts
        self._rates = rates
        self._connections = connections
        self._later = later_connections

    def vhosts(self) -> list[Figures]:
        return [_vhost(vhost, self._rates) for vhost in self._vhosts.values()]

    def queue_names(self, vhost: str | None = None) -> list[Figures]:
        """Which queues there are, in their order: to say more of each takes its time."""
        return [
            {"vhost": host.name, "name": name}
            for host in sorted(self._in(vhost), key=_by_name)
            for name in sorted(host.queues)
        ]

    def queues(self, names: Iterable[Mapping[str, Any]]) -> Iterator[Figures]:
        """All that is to be said of these, one by one; one that is gone by then is left out."""
        unacked, sizes = self._unacked(), _Sizes()
        for each in names:
            for host in self._in(each["vhost"]):
                if (queue := host.queues.get(each["name"])) is not None:
                    yield _queue(host, queue, self._rates(queue), unacked, sizes)

    def queue(self, vhost: str, name: str) -> Figures | None:
        """With its consumers."""
        host = self._vhosts.get(vhost)
        queue = host.queues.get(name) if host is not None else None
        if host is None or queue is None:
            return None
        details = [self._consumer(host, each) for each in queue.consumers]
        return {
            **_queue(host, queue, self._rates(queue), self._unacked(), _Sizes()),
            "consumer_details": details,
            "incoming": [],
            "deliveries": [],
        }

    def exchanges(self, vhost: str | None = None) -> list[Figures]:
        return [
            _exchange(host, one, self._rates(one))
            for host in self._in(vhost)
            for one in host.exchanges.values()
        ]

    def exchange(self, vhost: str, name: str) -> Figures | None:
        host = self._vhosts.get(vhost)
        found = host.exchanges.get(name) if host is not None else None
        if host is None or found is None:
            return None
        return {**_exchange(host, found, self._rates(found)), "incoming": [], "outgoing": []}

    def bindings(
        self,
        vhost: str | None = None,
        *,
        source: str | None = None,
        destination: str | None = None,
        kind: str | None = None,
    ) -> list[Figures]:
        """All, or those from, to and of a kind; the default exchange's too, which nobody made."""
        found = (_bindings(host, source, destination, kind) for host in self._in(vhost))
        return list(chain.from_iterable(found))

    def counts(self, vhosts: Collection[str], user: str | None) -> dict[str, int]:
        """How many there are: queues and exchanges of these virtual hosts, the rest of a user.

        The rest is everybody's for None. Nothing else of them is looked at.
        """
        own = [each for each in self._everybody() if user in (None, each.user)]
        hosts = [host for name, host in self._vhosts.items() if name in vhosts]
        return {
            "channels": sum(
                len(each.channels.open) for each in own if isinstance(each, Connection)
            ),
            "connections": len(own),
            "consumers": sum(
                len(q.consumers) for h in self._vhosts.values() for q in h.queues.values()
            ),
            "exchanges": sum(len(host.exchanges) for host in hosts),
            "queues": sum(len(host.queues) for host in hosts),
        }

    def connections(self, vhost: str | None = None) -> list[Figures]:
        """Of both versions of AMQP."""
        others = later.open_connections(self._later, vhost)
        return [
            *(of_connection(each) for each in self._open(vhost)),
            *(later.connection_figures(each) for each in others),
        ]

    def connection(self, name: str) -> Figures | None:
        for connection in self._open(None):
            if connection_name(connection.peer) == name:
                return of_connection(connection)
        for other in later.open_connections(self._later, None):
            if connection_name(other.peer) == name:
                return later.connection_figures(other)
        return None

    def sessions(self, name: str) -> list[Figures] | None:
        """Of the connection of AMQP 1.0 that is named so."""
        for connection in later.open_connections(self._later, None):
            if connection_name(connection.peer) == name:
                return [later.session_figures(each) for each in connection.sessions.open.values()]
        return None

    def channels(self, vhost: str | None = None) -> list[Figures]:
        return [
            of_channel(connection, channel)
            for connection in self._open(vhost)
            for channel in connection.channels.open.values()
        ]

    def channel(self, name: str) -> Figures | None:
        """With its consumers."""
        for connection in self._open(None):
            if not name.startswith(f"{connection_name(connection.peer)} ("):
                continue
            for channel in connection.channels.open.values():
                shown = of_channel(connection, channel)
                if shown["name"] == name:
                    host, consumers = connection.vhost, channel.consumers.values()
                    details = [self._consumer(host, each) for each in consumers]
                    more = {"consumer_details": details, "publishes": [], "deliveries": []}
                    return shown | more
        return None

    def consumers(self, vhost: str | None = None) -> list[Figures]:
        return [
            self._consumer(host, consumer)
            for host in self._in(vhost)
            for queue in host.queues.values()
            for consumer in queue.consumers
        ]

    def number(self, name: str) -> int | None:
        """Our number of the connection that is named so here."""
        peers = [each.peer for each in self._open(None)]
        peers += [each.peer for each in later.open_connections(self._later, None)]
        return next((peer.id for peer in peers if connection_name(peer) == name), None)

    def numbers_of(self, user: str) -> list[int]:
        """Our numbers of a user's connections."""
        return [each.id for each in self._everybody() if each.user == user]

    def _everybody(self) -> list[Connection | LaterConnection]:
        return [*self._open(None), *later.open_connections(self._later, None)]

    def _unacked(self) -> Counter[Queue] | None:
        """Bytes that consumers have and did not settle, by queue; None for too many messages."""
        channels = [each for one in self._open(None) for each in one.channels.open.values()]
        others = list(later.unsettled(self._later))
        if sum(len(each.unacked) for each in channels) + len(others) > _MOST_ADDED_UP:
            return None
        found: Counter[Queue] = Counter()
        for message in chain(others, *(each.unacked.values() for each in channels)):
            found[message.queue] += message.size
        return found

    def _open(self, vhost: str | None) -> Iterator[Connection]:
        """Neither who is still logging in nor who is on the way out."""
        for connection in self._connections.values():
            if connection.phase is Phase.OPEN and (
                vhost is None or connection.agreement.virtual_host == vhost
            ):
                yield connection

    def _in(self, vhost: str | None) -> Iterable[VirtualHost]:
        if vhost is None:
            return self._vhosts.values()
        return [self._vhosts[vhost]] if vhost in self._vhosts else []

    def _consumer(self, host: VirtualHost, consumer: Consumer) -> Figures:
        queue = consumer.queue
        single = _has_single_active(queue)
        active = not single or _single_active(queue) is consumer
        return {
            "arguments": plain(consumer.arguments),
            "ack_required": not consumer.no_ack,
            "active": active,
            "activity_status": "single_active" if single and active else "up",
            "channel_details": self._place_of(consumer),
            "consumer_tag": consumer.tag,
            "exclusive": consumer.exclusive,
            "prefetch_count": consumer.prefetch,
            "queue": {"name": queue.name, "vhost": host.name},
        }

    def _place_of(self, consumer: Consumer) -> Figures:
        connection = self._connections.get(consumer.connection)
        if connection is not None:
            return of_channel_of(connection, consumer)
        other = self._later.get(consumer.connection)
        return {} if other is None else later.session_of(other, consumer)


def _vhost(vhost: VirtualHost, rates: Callable[[Counted], Rates]) -> Figures:
    queues = vhost.queues.values()
    width = len(OF_QUEUE) + len(OF_DEPTH)
    numbers = added(map(counts, queues), width)
    growth = added(map(rates, queues), width)
    return {
        "cluster_state": {NODE: "running"},
        "default_queue_type": vhost.default_queue_type or "undefined",
        "description": vhost.description,
        **_counted(numbers, growth),
        "metadata": vhost.metadata,
        "name": vhost.name,
        "tags": list(vhost.tags),
        "tracing": vhost.tracer is not None,
    }


def _counted(numbers: Sequence[int], rates: Sequence[float]) -> Figures:
    """Of a queue, or of several."""
    at = len(OF_QUEUE)
    return {
        "message_stats": detailed(OF_QUEUE, numbers[:at], rates[:at]),
        **detailed(OF_DEPTH, numbers[at:], rates[at:]),
    }


def totals(vhosts: Sequence[Figures]) -> tuple[Figures, Figures]:
    """The statistics and the depths of virtual hosts (`Management.vhosts`) as those of one."""
    return _summed(OF_QUEUE, [each["message_stats"] for each in vhosts]), _summed(OF_DEPTH, vhosts)


def _summed(names: Sequence[str], rows: Sequence[Figures]) -> Figures:
    numbers = added(([row[name] for name in names] for row in rows), len(names))
    rates = added(([row[f"{name}_details"]["rate"] for name in names] for row in rows), len(names))
    return detailed(names, numbers, rates)


class _Sizes:
    """Adds up messages' sizes, for some thousands of them in one answer.

    To add up a million would hold up everybody, be they of one queue or of many.
    """

    def __init__(self) -> None:
        self._left = _MOST_ADDED_UP

    def of(self, queue: Queue) -> int | None:
        """None where they are too many."""
        if len(queue.messages) > self._left:
            return None
        self._left -= len(queue.messages)
        return sum(one.size for one in queue.messages)


def _queue(
    vhost: VirtualHost,
    queue: Queue,
    rates: Rates,
    unacked: Counter[Queue] | None,
    sizes: _Sizes,
) -> Figures:
    policies = vhost.policies.effective(queue.kind, queue.name)
    active = _single_active(queue)
    exclusive = next((each.tag for each in queue.consumers if each.exclusive), None)
    return {
        "arguments": plain(queue.arguments),
        "auto_delete": queue.auto_delete,
        "consumer_capacity": float(bool(queue.consumers)),
        "consumer_utilisation": float(bool(queue.consumers)),
        "consumers": queue.consumers_in_all,
        "durable": queue.durable,
        **_policies(policies),
        "exclusive": bool(queue.owner),
        "exclusive_consumer_tag": exclusive,
        **_held(sizes.of(queue), None if unacked is None else unacked[queue]),
        **_counted(counts(queue), rates),
        "name": queue.name,
        "node": NODE,
        "single_active_consumer_tag": active.tag if active else None,
        "state": "running",
        "type": queue.kind,
        **_OF_TYPE[queue.kind](queue),
        "vhost": vhost.name,
    }


def _held(ready: int | None, unacked: int | None) -> Figures:
    """Bytes of its messages, None where there are too many to add up at once."""
    size = None if ready is None or unacked is None else ready + unacked
    return {
        "memory": size,
        "message_bytes": size,
        "message_bytes_ready": ready,
        "message_bytes_unacknowledged": unacked,
    }


def _of_classic(queue: Queue) -> Figures:
    """All is in memory, nothing paged out."""
    ready, unacked = len(queue.messages), queue.unacked
    first = next(iter(queue.messages), None)
    properties = {} if first is None else decode_properties(header_payload(first.content))
    mode, version = (queue.arguments.get(f"x-queue-{name}") for name in ("mode", "version"))
    return {
        "backing_queue_status": {
            "len": ready,
            "mode": "default" if mode is None else str(mode.value),
            "version": 1 if version is None else version.value,
        },
        "head_message_timestamp": properties.get("timestamp"),
        "message_bytes_paged_out": 0,
        "messages_paged_out": 0,
        "messages_ram": ready + unacked,
        "messages_ready_ram": ready,
        "messages_unacknowledged_ram": unacked,
        "recoverable_slaves": None,
    }


_OF_CLUSTER: Final = {"leader": NODE, "members": [NODE], "online": [NODE]}


def _of_quorum(queue: Queue) -> Figures:
    active = _single_active(queue)
    return {
        **_OF_CLUSTER,
        **_limit_of_deliveries(queue),
        "message_bytes_dlx": 0,
        "message_bytes_ram": 0,
        "messages_dlx": 0,
        "messages_ram": 0,
        "open_files": {NODE: 0},
        "single_active_consumer_ctag": active.tag if active else None,
    }


def _limit_of_deliveries(queue: Queue) -> Figures:
    """From 4.0 on quorum queues have a limit of themselves, and say it (NServiceBus reads it)."""
    assert isinstance(queue, QuorumQueue)
    default, limit = queue.host.profile.delivery_limit, queue.delivery_limit
    if default is None or limit is None:
        return {}
    return {"delivery_limit": limit if limit >= 0 else "unlimited"}


def _of_stream(queue: Queue) -> Figures:
    return {**_OF_CLUSTER, "readers": {NODE: len(queue.consumers)}}


_OF_TYPE: Final[dict[str, Callable[[Queue], Figures]]] = {
    "classic": _of_classic,
    "quorum": _of_quorum,
    "stream": _of_stream,
}


def _has_single_active(queue: Queue) -> bool:
    return isinstance(queue, GovernedQueue) and queue.policy.single_active


def _single_active(queue: Queue) -> Consumer | None:
    if isinstance(queue, GovernedQueue) and queue.policy.single_active:
        return queue.active
    return None


def _policies(policies: Effective) -> Figures:
    return {
        "policy": policies.policy or None,
        "operator_policy": policies.operator_policy or None,
        "effective_policy_definition": dict(policies.definition),
    }


def _exchange(vhost: VirtualHost, exchange: Exchange, rates: Rates) -> Figures:
    policies = vhost.policies.effective(EXCHANGE, exchange.name)
    return {
        "arguments": plain(exchange.arguments),
        "auto_delete": exchange.auto_delete,
        "durable": exchange.durable,
        "internal": exchange.internal,
        "message_stats": detailed(OF_EXCHANGE, counts(exchange), rates),
        "name": exchange.name,
        "policy": policies.policy or None,
        "type": exchange.type,
        "user_who_performed_action": "rmq-internal" if vhost.is_predeclared(exchange) else "guest",
        "vhost": vhost.name,
    }


def _bindings(
    host: VirtualHost, source: str | None, destination: str | None, kind: str | None
) -> Iterator[Figures]:
    if not source and kind in (None, "queue"):
        for name in host.queues if destination is None else (destination,):
            if name in host.queues:
                yield _default_binding(host.name, host.queues[name])
    for exchange in host.exchanges.values():
        if source in (None, exchange.name):
            for binding in exchange.bindings.values():
                # Before more is said of it: of thousands one may be asked for.
                if destination in (None, binding.destination.name) and kind in (None, binding.kind):
                    yield _binding(host.name, exchange, binding)


def _default_binding(vhost: str, queue: Queue) -> Figures:
    return _described(vhost, "", "queue", queue.name, queue.name, {})


def _binding(vhost: str, source: Exchange, binding: Binding) -> Figures:
    return _described(
        vhost,
        source.name,
        binding.kind,
        binding.destination.name,
        binding.routing_key,
        plain(binding.arguments),
    )


def _described(
    vhost: str, source: str, kind: str, destination: str, key: str, arguments: Figures
) -> Figures:
    return {
        "source": source,
        "vhost": vhost,
        "destination": destination,
        "destination_type": kind,
        "routing_key": key,
        "arguments": arguments,
        "properties_key": properties_key(key, arguments),
    }


def properties_key(routing_key: str, arguments: Mapping[str, Any]) -> str:
    """The name of a binding in paths: its key, and a number for arguments; `~` for neither."""
    # Python leaves the tilde as it is, which says here that there is no key.
    key = quote_plus(routing_key, errors="surrogateescape").replace("~", "%7E")
    if not arguments:
        return key or "~"
    number = zlib.crc32(repr(sorted(arguments.items())).encode("utf-8", "surrogatepass"))
    return f"{key}~{number:x}"
