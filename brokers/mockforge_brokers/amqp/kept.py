"""What outlives a restart, as plain values: durable exchanges and queues, persistent messages."""

import math
from collections.abc import Iterable, Mapping
from operator import attrgetter
from typing import Any, Final

from msgspec import Struct, convert, to_builtins

from ..bytes_io import ByteReader
from ..clock import Clock
from .records import Table
from .state.exchanges import Binding, Exchange
from .state.message import Message
from .state.policies import NamedPolicy
from .state.queues.governed import GovernedMessage, GovernedQueue, govern
from .state.queues.queue import Queue
from .state.queues.stream import StreamQueue
from .state.virtual_host import VirtualHost
from .wire.content import header_payload
from .wire.field_table import read_table, write_table
from .wire.frames import content_head
from .wire.properties import check_properties

FORMAT: Final = 1
_PERSISTENT: Final = 2
_by_position = attrgetter("position")


class KeptMessage(Struct, omit_defaults=True):
    """`content` is its raw header and body frames; `expires` a wall time, None for never."""

    exchange: bytes
    routing_key: bytes
    content: bytes
    size: int
    redelivered: bool = False
    expires: float | None = None
    moment: float | None = None
    """The wall time when a stream got it."""


class KeptQueue(Struct):
    """Names are the bytes that they are on the wire; `arguments` is an encoded field table."""

    name: bytes
    auto_delete: bool
    arguments: bytes
    messages: list[KeptMessage]
    start: int = 0
    """A stream's first offset."""


class KeptExchange(Struct):
    name: bytes
    type: str
    auto_delete: bool
    internal: bool
    arguments: bytes


class KeptBinding(Struct):
    """`kind` says what the destination is: queue or exchange."""

    exchange: bytes
    kind: str
    destination: bytes
    routing_key: bytes
    arguments: bytes


class KeptHost(Struct):
    name: str
    exchanges: list[KeptExchange]
    queues: list[KeptQueue]
    bindings: list[KeptBinding]
    policies: list[NamedPolicy] = []
    operator_policies: list[NamedPolicy] = []


class KeptState(Struct):
    format: int
    vhosts: list[KeptHost]


def dump(
    vhosts: Iterable[VirtualHost], unacked: Iterable[Message], clock: Clock
) -> dict[str, object]:
    """What is kept; `unacked` is what clients have: it comes back redelivered."""
    outstanding: dict[Queue, list[Message]] = {}
    for message in unacked:
        outstanding.setdefault(message.queue, []).append(message)
    hosts = [_host(vhost, outstanding, clock) for vhost in vhosts]
    values: dict[str, object] = to_builtins(KeptState(FORMAT, hosts), builtin_types=(bytes,))
    return values


def _host(vhost: VirtualHost, outstanding: Mapping[Queue, list[Message]], clock: Clock) -> KeptHost:
    exchanges = [each for each in vhost.exchanges.values() if each.durable]
    bindings = [
        KeptBinding(
            _raw(exchange.name),
            binding.kind,
            _raw(binding.destination.name),
            _raw(binding.routing_key),
            write_table(binding.arguments),
        )
        for exchange in exchanges
        for binding in exchange.bindings.values()
        if _lasting(binding)
    ]
    return KeptHost(
        vhost.name,
        [_exchange(exchange) for exchange in exchanges if not vhost.is_predeclared(exchange)],
        [
            _queue(queue, outstanding.get(queue, []), clock)
            for queue in vhost.queues.values()
            if _outlives(queue)
        ],
        bindings,
        list(vhost.policies.of_users.values()),
        list(vhost.policies.of_operators.values()),
    )


def _outlives(queue: Queue) -> bool:
    return queue.durable and not queue.owner


def _lasting(binding: Binding) -> bool:
    destination = binding.destination
    return _outlives(destination) if isinstance(destination, Queue) else destination.durable


def _exchange(exchange: Exchange) -> KeptExchange:
    return KeptExchange(
        _raw(exchange.name),
        exchange.type,
        exchange.auto_delete,
        exchange.internal,
        write_table(exchange.arguments),
    )


def _queue(queue: Queue, outstanding: list[Message], clock: Clock) -> KeptQueue:
    if isinstance(queue, StreamQueue):
        return _stream(queue)
    messages = sorted((*outstanding, *queue.messages), key=_by_position)
    away = set(map(id, outstanding))
    return KeptQueue(
        _raw(queue.name),
        queue.auto_delete,
        write_table(queue.arguments),
        [_message(one, id(one) in away, clock) for one in messages if _persistent(one.stored)],
    )


def _stream(queue: StreamQueue) -> KeptQueue:
    """A stream keeps every message, whatever its delivery mode; what consumers have are copies."""
    messages = [
        KeptMessage(
            _raw(message.route.exchange.name),
            _raw(message.route.routing_key),
            message.content,
            message.size,
            moment=message.moment,
        )
        for message in queue.log
    ]
    arguments = write_table(queue.arguments)
    return KeptQueue(_raw(queue.name), queue.auto_delete, arguments, messages, queue.log.start)


def _message(message: Message, away: bool, clock: Clock) -> KeptMessage:
    expires = message.expires if isinstance(message, GovernedMessage) else math.inf
    return KeptMessage(
        _raw(message.route.exchange.name),
        _raw(message.route.routing_key),
        message.stored,
        message.size,
        away or message.redelivered,
        None if expires == math.inf else clock.wall() + expires - clock.now(),
    )


def _persistent(content: bytes) -> bool:
    flags = content_head.unpack_from(content)[6]
    return check_properties(header_payload(content), flags) == _PERSISTENT


def restore(values: Mapping[str, Any], vhosts: Mapping[str, VirtualHost], clock: Clock) -> None:
    """Take up what `dump` gave, into virtual hosts that are empty."""
    kept = convert(values, KeptState)
    for host in kept.vhosts:
        if host.name in vhosts:
            _restore_host(host, vhosts[host.name], clock)


def _restore_host(host: KeptHost, vhost: VirtualHost, clock: Clock) -> None:
    for operator, policies in ((False, host.policies), (True, host.operator_policies)):
        vhost.policies.table(operator).update((policy.name, policy) for policy in policies)
    vhost.apply_policies()
    for exchange in host.exchanges:
        vhost.restore_exchange(
            _text(exchange.name),
            exchange.type,
            auto_delete=exchange.auto_delete,
            internal=exchange.internal,
            arguments=_table(exchange.arguments),
        )
    for queue in host.queues:
        vhost.restore_queue(
            _text(queue.name), auto_delete=queue.auto_delete, arguments=_table(queue.arguments)
        )
    for binding in host.bindings:
        vhost.restore_binding(
            _text(binding.exchange),
            binding.kind,
            _text(binding.destination),
            _text(binding.routing_key),
            _table(binding.arguments),
        )
    for queue in host.queues:
        restored = vhost.queues[_text(queue.name)]
        for offset, message in enumerate(queue.messages, queue.start):
            route = vhost.origin(_text(message.exchange), _text(message.routing_key))
            if isinstance(restored, StreamQueue):
                moment = clock.wall() if message.moment is None else message.moment
                restored.restore_at(route, message.content, offset, moment)
                continue
            if message.expires is None:
                restored.restore(route, message.content, message.size, message.redelivered)
                continue
            if not isinstance(restored, GovernedQueue):
                restored = govern(restored, vhost)
            expires = clock.now() + message.expires - clock.wall()
            restored.restore_expiring(
                route, message.content, message.size, message.redelivered, expires
            )


def in_words(vhosts: Iterable[VirtualHost]) -> str:
    """What is there after a restart, for people."""
    hosts = list(vhosts)
    queues = [queue for host in hosts for queue in host.queues.values()]
    exchanges = sum(
        not host.is_predeclared(exchange) for host in hosts for exchange in host.exchanges.values()
    )
    messages = sum(len(queue.messages) for queue in queues)
    return (
        f"{_count(exchanges, 'exchange')}, {_count(len(queues), 'queue')} with "
        f"{_count(messages, 'message')}"
    )


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _raw(name: str) -> bytes:
    return name.encode("utf-8", "surrogateescape")


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")


def _table(raw: bytes) -> Table:
    return read_table(ByteReader(raw, what="kept arguments"))
