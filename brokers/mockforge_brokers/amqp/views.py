"""What the broker shows of itself: connections, exchanges, queues, consumers, figures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Literal, overload

from ..events import MessageSeen
from ..findings import Findings
from ..snapshots import ConnectionView, DestinationView, GroupView, Metric
from . import channel_views
from .channel.unroutable import Unroutable
from .connection.connection import Connection
from .connection.phase import Phase
from .consumers import stands_by, timed_out
from .counting import MethodCounts
from .events import AMQP
from .records import plain
from .sampling import Counted, Rates
from .state.consumer import Consumer
from .state.exchanges import Binding, Exchange
from .state.plugin_exchanges import DelayedExchange
from .state.policies import EXCHANGE, NOTHING, Effective
from .state.queues.governed import GovernedQueue
from .state.queues.queue import Queue
from .state.queues.quorum import QuorumQueue
from .state.queues.stream import StreamQueue
from .state.queues.types import queue_type
from .state.routing import Route
from .state.virtual_host import VirtualHost
from .wire import content as contents

if TYPE_CHECKING:
    from .v1_0.connection import Connection as LaterConnection
    from .v1_0.session import Session

_OPEN: Final = Phase.OPEN
_MOST_LABELS: Final = 1000
_MOST_LINKS: Final = 20


def connection_view(connection: Connection | LaterConnection) -> ConnectionView:
    if isinstance(connection, Connection):
        software, published, delivered, detail = _classic(connection)
    else:
        software, published, delivered, detail = _later(connection)
    peer = connection.peer
    return ConnectionView(
        id=connection.id,
        protocol=AMQP,
        client=connection.client,
        address=peer.address,
        state=_state(connection),
        since=peer.opened,
        listener=peer.listener.name,
        principal=peer.principal,
        software=software,
        messages_in=published,
        messages_out=delivered,
        bytes_in=peer.bytes_in,
        bytes_out=peer.bytes_out,
        detail=detail,
    )


def _reached_nobody(unroutable: Unroutable) -> dict[str, object]:
    """Exchange and routing key of the newest message that reached no queue, if that is so still."""
    return {} if unroutable.last is None else {"unroutable_last": unroutable.last}


_Seen = tuple[str, int, int, dict[str, object]]
"""Software, messages in, messages out, and what only this version has."""


def _classic(connection: Connection) -> _Seen:
    agreement = connection.agreement
    channels = connection.channels.open.values()
    consumers = unacked = 0
    for channel in channels:
        consumers += len(channel.consumers)
        unacked += len(channel.unacked)
    detail: dict[str, object] = {
        "user": agreement.user,
        "vhost": agreement.virtual_host,
        "unroutable": connection.unroutable.count,
        **_reached_nobody(connection.unroutable),
        "channels": len(channels),
        "consumers": consumers,
        "unacked": unacked,
        "frame_max": agreement.frame_max,
        "channel_max": agreement.channel_max,
        "heartbeat": agreement.heartbeat,
        "by_channel": channel_views.in_words(connection),
    }
    counters = connection.channels
    return agreement.software, counters.publishes, counters.delivered, detail


def _later(connection: LaterConnection) -> _Seen:
    """Of a connection of AMQP 1.0: its sessions and links."""
    handshake = connection.handshake
    sessions = connection.sessions.open.values()
    outgoing = [link for session in sessions for link in session.links.outgoing.values()]
    detail: dict[str, object] = {
        "version": "1.0",
        "user": connection.user,
        "vhost": handshake.vhost,
        "unroutable": connection.unroutable.count,
        **_reached_nobody(connection.unroutable),
        "sessions": len(sessions),
        "senders": sum(len(session.links.incoming) for session in sessions),
        "receivers": len(outgoing),
        "unsettled": sum(len(session.deliveries) for session in sessions),
        "credit": sum(max(0, link.consumer.credit) for link in outgoing),
        "frame_max": connection.max_frame,
        "channel_max": handshake.channel_max,
        "idle_timeout": handshake.idle,
        "links": [text for session in sessions for text in _links(session)][:_MOST_LINKS],
    }
    delivered = connection.delivered + sum(link.consumer.delivered for link in outgoing)
    return handshake.software, connection.published, delivered, detail


def _links(session: Session) -> Iterator[str]:
    """Each as one line: `orders: sends to /queues/q, credit 170`."""
    for sender in session.links.incoming.values():
        yield f"{sender.name}: sends to {sender.address or 'any'}, credit {sender.credit}"
    for receiver in session.links.outgoing.values():
        credit, late = max(0, receiver.consumer.credit), ", late" if receiver.late else ""
        yield f"{receiver.name}: receives from {receiver.address}, credit {credit}{late}"


def _state(connection: Connection | LaterConnection) -> str:
    if connection.blocking.blocked:
        return "blocked"
    if connection.phase is _OPEN:
        return "open" if connection.flowing else "slow"
    return "handshake" if connection.phase in (Phase.HEADER, Phase.HANDSHAKE) else "closing"


def destination_views(
    vhost: VirtualHost, rates: Callable[[Counted], Rates]
) -> list[DestinationView]:
    """Exchanges that are declared or used, and all queues."""
    exchanges = [
        exchange_view(
            exchange,
            rates(exchange),
            vhost.policies.effective(EXCHANGE, exchange.name),
            vhost=vhost.name,
        )
        for exchange in vhost.exchanges.values()
        if exchange.published or exchange.bindings or not vhost.is_predeclared(exchange)
    ]
    return exchanges + [view_of_queue(queue, vhost, rates) for queue in vhost.queues.values()]


def view_of_queue(
    queue: Queue, vhost: VirtualHost, rates: Callable[[Counted], Rates]
) -> DestinationView:
    policies = vhost.policies.effective(queue_type(queue.arguments), queue.name)
    return queue_view(queue, rates(queue), policies, vhost=vhost.name)


def exchange_view(
    exchange: Exchange, rates: Rates, policies: Effective = NOTHING, *, vhost: str = "/"
) -> DestinationView:
    count = len(exchange.bindings)
    marks = [exchange.type, f"{count} binding{'' if count == 1 else 's'}"]
    marks += [f"{exchange.unroutable} unroutable"] if exchange.unroutable else []
    marks += _marks(policies)
    if isinstance(exchange, DelayedExchange) and exchange.held:
        marks.append(f"{exchange.held} delayed")
    return DestinationView(
        AMQP,
        "exchange",
        exchange.name or "(default)",
        messages_in=exchange.published,
        messages_out=exchange.published - exchange.unroutable,
        note=", ".join(marks),
        detail={
            "vhost": vhost,
            "type": exchange.type,
            "durable": exchange.durable,
            "auto_delete": exchange.auto_delete,
            "internal": exchange.internal,
            "unroutable": exchange.unroutable,
            "in_per_second": rates[0],
            "out_per_second": rates[1],
            "recent_keys": list(exchange.recent_keys),
            "arguments": plain(exchange.arguments),
            **_policies(policies),
            "bindings": Bound(exchange),
        },
    )


class Bound(Sequence[Mapping[str, Any]]):
    """The bindings of an exchange, each described when it is looked at: there may be thousands."""

    def __init__(self, exchange: Exchange) -> None:
        self._bindings = tuple(exchange.bindings.values())

    def __len__(self) -> int:
        return len(self._bindings)

    @overload
    def __getitem__(self, at: int) -> Mapping[str, Any]: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[Mapping[str, Any]]: ...
    def __getitem__(self, at: int | slice) -> Mapping[str, Any] | Sequence[Mapping[str, Any]]:
        if isinstance(at, slice):
            return list(map(_bound, self._bindings[at]))
        return _bound(self._bindings[at])

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Bound):
            pairs = zip(self._bindings, other._bindings, strict=False)
            return len(self) == len(other) and all(
                one is two or _bound(one) == _bound(two) for one, two in pairs
            )
        return isinstance(other, list | tuple) and list(self) == list(other)


def _bound(binding: Binding) -> Mapping[str, Any]:
    return {
        "kind": binding.kind,
        "destination": binding.destination.name,
        "routing_key": binding.routing_key,
        "arguments": plain(binding.arguments),
    }


def _policies(policies: Effective) -> dict[str, object]:
    if policies is NOTHING:
        return {}
    return {
        "policy": policies.policy or None,
        "operator_policy": policies.operator_policy or None,
        "effective_policy": dict(policies.definition),
    }


def _marks(policies: Effective) -> list[str]:
    names = (policies.policy, policies.operator_policy)
    return [f"policy {name}" for name in names if name]


def queue_view(
    queue: Queue, rates: Rates, policies: Effective = NOTHING, *, vhost: str = "/"
) -> DestinationView:
    marks = [f"{queue.unacked} unacked"] if queue.unacked else []
    if isinstance(queue, StreamQueue):
        start, end = queue.log.start, queue.log.end
        marks = [f"stream, offsets {start} to {end - 1}" if end > start else "stream, empty"]
    marks += ["no consumer"] if not queue.consumers and queue.messages else []
    gone = _gone(queue)
    marks += [f"{count} {what.replace('_', '-')}" for what, count in gone.items() if count]
    if isinstance(queue, QuorumQueue) and queue.undelivered:
        marks.append(f"{len(queue.undelivered)} dead letters wait for a queue")
    marks += _marks(policies)
    return DestinationView(
        AMQP,
        "queue",
        queue.name,
        messages_in=queue.published,
        messages_out=queue.delivered,
        depth=len(queue.messages),
        note=", ".join(marks),
        detail={
            "vhost": vhost,
            "durable": queue.durable,
            "exclusive": bool(queue.owner),
            "auto_delete": queue.auto_delete,
            "arguments": plain(queue.arguments),
            "declared_by": queue.declarer,
            **_policies(policies),
            "ready": len(queue.messages),
            "unacked": queue.unacked,
            "consumers": len(queue.consumers),
            "in_per_second": rates[0],
            "out_per_second": rates[1],
            "acknowledged": queue.acknowledged,
            "redelivered": queue.redelivered,
            **gone,
        },
    )


def _gone(queue: Queue) -> dict[str, int]:
    """How many messages its arguments took: over in time, over its length, sent on as dead."""
    if not isinstance(queue, GovernedQueue):
        return {}
    return {
        "expired": queue.expired,
        "dropped": queue.dropped,
        "dead_lettered": queue.dead_lettered,
        "dead_letters_lost": queue.dead_letters_lost,
    }


def _lag(queue: Queue) -> int:
    """What consumers have still to do; of a stream's the one that is last counts."""
    if isinstance(queue, StreamQueue):
        return max(map(queue.behind, queue.consumers), default=0)
    return len(queue.messages) + queue.unacked


def _behind(queue: Queue, consumer: Consumer) -> int:
    """What a stream holds that this consumer did not get; of other queues all is anybody's."""
    return queue.behind(consumer) if isinstance(queue, StreamQueue) else 0


def group_views(vhost: VirtualHost) -> list[GroupView]:
    """The consumers of each queue, as one group."""
    return [
        GroupView(
            AMQP,
            queue.name,
            "active" if any(consumer.ready for consumer in queue.consumers) else "waiting",
            members=len(queue.consumers),
            lag=_lag(queue),
            detail={
                "vhost": vhost.name,
                "consumers": [
                    {
                        "tag": consumer.tag,
                        "connection": consumer.connection,
                        "prefetch": consumer.prefetch,
                        "no_ack": consumer.no_ack,
                        "exclusive": consumer.exclusive,
                        "priority": consumer.priority,
                        "delivered": consumer.delivered,
                        "behind": _behind(queue, consumer),
                        "exhausted": consumer.credit <= 0,
                        "paused": consumer.paused,
                        "standby": stands_by(consumer),
                        "timed_out": timed_out(consumer),
                    }
                    for consumer in queue.consumers
                ],
            },
        )
        for queue in vhost.queues.values()
        if queue.consumers
    ]


def message_seen(
    wall: float,
    route: Route,
    content: bytes,
    client: str,
    more: Mapping[str, Any] = MappingProxyType({}),
) -> MessageSeen:
    """A message as those see it who watch its exchange or queues; `wall` is the time now.

    `more` goes into its details.
    """
    properties = contents.properties(content)
    headers = properties.pop("headers", {})
    return MessageSeen(
        AMQP,
        wall,
        route.exchange.name,
        route.routing_key.encode(errors="surrogateescape"),
        contents.body(content),
        tuple((name, plain(item)) for name, item in headers.items()),
        client,
        {
            "routing_key": route.routing_key,
            "properties": properties,
            "queues": [queue.name for queue in route.queues],
            **more,
        },
    )


def metrics(vhosts: Iterable[VirtualHost], connections: int, findings: Findings) -> list[Metric]:
    published: Counter[tuple[str, ...]] = Counter()
    unroutable: Counter[tuple[str, ...]] = Counter()
    delivered: Counter[tuple[str, ...]] = Counter()
    depth: Counter[tuple[str, ...]] = Counter()
    for vhost in vhosts:
        for exchange in vhost.exchanges.values():
            published[(exchange.name,)] += exchange.published
            unroutable[(exchange.name,)] += exchange.unroutable
        for number, queue in enumerate(vhost.queues.values()):
            name = queue.name if number < _MOST_LABELS else "other"
            delivered[(name,)] += queue.delivered
            depth[name, "ready"] += len(queue.messages)
            depth[name, "unacked"] += queue.unacked
    return [
        _metric(
            "amqp_messages_published_total",
            "Messages published to an exchange.",
            "counter",
            ("exchange",),
            _bounded(published),
        ),
        _metric(
            "amqp_messages_unroutable_total",
            "Messages that reached no queue.",
            "counter",
            ("exchange",),
            _bounded(unroutable),
        ),
        _metric(
            "amqp_messages_delivered_total",
            "Messages delivered or got from a queue.",
            "counter",
            ("queue",),
            delivered,
        ),
        _metric(
            "amqp_queue_depth",
            "Messages in a queue: ready, or delivered and unacknowledged.",
            "gauge",
            ("queue", "state"),
            depth,
        ),
        _metric(
            "amqp_connections",
            "Open connections.",
            "gauge",
            (),
            Counter({(): connections}),
        ),
        _metric(
            "amqp_lint_findings_total",
            "What this RabbitMQ does not take (error), a newer one will not or is risky (warning).",
            "counter",
            ("statement", "severity"),
            findings.by_statement(),
        ),
    ]


def method_metrics(counts: MethodCounts, open_tags: Iterable[int]) -> list[Metric]:
    """`open_tags` are the last delivery tags of the channels that are open."""
    return [
        _metric(
            "amqp_methods_total",
            "Methods received (in) and sent (out), of AMQP 0-9-1",
            "counter",
            ("direction", "method"),
            counts.methods(open_tags),
        ),
        _metric(
            "amqp_performatives_total",
            "Performatives received (in) and sent (out), of AMQP 1.0",
            "counter",
            ("direction", "performative"),
            performatives(counts),
        ),
        _metric(
            "amqp_errors_total",
            "What was closed with a reply code (AMQP 1.0: a condition)",
            "counter",
            ("scope", "code"),
            counts.closes(),
        ),
    ]


def performatives(counts: MethodCounts) -> Mapping[tuple[str, str], int]:
    """How many by direction and name."""
    from .v1_0.wire.performatives import SHAPES  # read when somebody asks

    found = {("in", name): count for name, count in sorted(counts.performatives.items())}
    sent = {shape.name: counts.sent_by_code[shape.code] for shape in SHAPES.values()}
    return found | {("out", name): count for name, count in sent.items() if count}


def _bounded(counts: Counter[tuple[str, ...]]) -> Counter[tuple[str, ...]]:
    bounded: Counter[tuple[str, ...]] = Counter()
    for number, (labels, value) in enumerate(counts.items()):
        if value:
            bounded[labels if number < _MOST_LABELS else ("other",)] += value
    return bounded


def _metric(
    name: str,
    text: str,
    kind: Literal["counter", "gauge"],
    labels: tuple[str, ...],
    counts: Mapping[Any, int],
) -> Metric:
    samples = [(tuple(map(_legal, key)), float(value)) for key, value in counts.items()]
    return Metric(name, text, kind, labels, samples)


def _legal(name: str) -> str:
    """A name whose bytes are no UTF-8 would spoil the whole page of metrics."""
    return name if name.isascii() else name.encode(errors="backslashreplace").decode()
