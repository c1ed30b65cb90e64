"""What outlives a restart, as plain values: durable exchanges and queues, persistent messages."""

import math
from collections.abc import Callable, Iterable, Mapping, MutableMapping
from operator import attrgetter
from typing import Any, Final

from msgspec import Struct, convert, to_builtins

from ..bytes_io import ByteReader
from ..clock import Clock
from .records import Table, packed, unpacked
from .state.exchanges import Binding, Exchange
from .state.message import Message
from .state.plugin_exchanges import DelayedExchange, Held
from .state.policies import NamedPolicy
from .state.queues.governed import GovernedMessage, GovernedQueue, govern
from .state.queues.message_rows import Marks
from .state.queues.queue import Queue
from .state.queues.quorum import QuorumMessage, QuorumQueue, Returned
from .state.queues.stream import StreamQueue
from .state.routing import Route
from .state.topic_permissions import TopicPermission
from .state.virtual_host import VirtualHost
from .wire.content import flags, header_payload
from .wire.field_table import read_table, write_table
from .wire.properties import check_properties

Hosts = MutableMapping[str, VirtualHost]
MakeHost = Callable[[str], VirtualHost]

FORMAT: Final = 1
_PERSISTENT: Final = 2
_by_due = attrgetter("due")
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
    position: int = 0
    """Where it stands on disk; 0 where nothing is kept there."""
    reason: str = ""
    """For which it died, where its dead letter found no queue yet (at-least-once)."""
    returned: Returned | None = None
    """Of a quorum queue's that came back before."""
    failures: int = 0
    """How often clients could not process it."""


class KeptQueue(Struct):
    """Names are the bytes that they are on the wire; `arguments` is an encoded field table."""

    name: bytes
    auto_delete: bool
    arguments: bytes
    messages: list[KeptMessage]
    start: int = 0
    """A stream's first offset."""
    number: int = 0
    """Of its log on disk; 0 where nothing is kept there."""
    delivered: int = 0
    """The last position that a consumer may have got, on disk."""
    bound: int = 0
    """None behind this one was delivered, and that is on disk."""
    marks: Marks = {}
    """These two by priority, where the queue hands out by it."""
    returns: int = 0
    """Of its log of what came back; 0 where that is not kept."""


class KeptHeld(Struct):
    """What a delayed exchange holds; `due` is a wall time, `position` its number."""

    exchange: bytes
    routing_key: bytes
    content: bytes
    delay: int
    due: float
    position: int
    more_keys: tuple[bytes, ...] = ()


class KeptExchange(Struct):
    """`number` is that of the log of what it holds on disk; 0 where nothing is kept there."""

    name: bytes
    type: str
    auto_delete: bool
    internal: bool
    arguments: bytes
    number: int = 0
    held: list[KeptHeld] = []


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
    limits: dict[str, int] = {}
    topic_permissions: list[TopicPermission] = []
    default_queue_type: str = ""
    description: str | None = None
    tags: tuple[str, ...] = ()


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
        binding(each.name, one)
        for each in exchanges
        for one in each.bindings.values()
        if lasting(one)
    ]
    return KeptHost(
        vhost.name,
        [_exchange(each, clock) for each in exchanges if not vhost.is_predeclared(each)],
        [
            _queue(queue, outstanding.get(queue, []), clock)
            for queue in vhost.queues.values()
            if outlives(queue)
        ],
        bindings,
        list(vhost.policies.of_users.values()),
        list(vhost.policies.of_operators.values()),
        default_queue_type=vhost.default_queue_type,
        description=vhost.description,
        tags=vhost.tags,
    )


def outlives(queue: Queue) -> bool:
    return queue.durable and not queue.owner


def keeps_all(queue: Queue) -> bool:
    """Whatever the delivery mode of its messages is, as RabbitMQ's quorum queues do."""
    return isinstance(queue, QuorumQueue)


def lasting(binding: Binding) -> bool:
    destination = binding.destination
    return outlives(destination) if isinstance(destination, Queue) else destination.durable


def exchange(found: Exchange) -> KeptExchange:
    """Without what it holds."""
    return KeptExchange(
        _raw(found.name),
        found.type,
        found.auto_delete,
        found.internal,
        write_table(found.arguments),
        found.shelf.number if isinstance(found, DelayedExchange) else 0,
    )


def _exchange(found: Exchange, clock: Clock) -> KeptExchange:
    made = exchange(found)
    if isinstance(found, DelayedExchange):
        to_wall = clock.wall() - clock.now()
        made.held = [
            KeptHeld(
                _raw(held.route.exchange.name),
                _raw(held.route.routing_key),
                packed(held.content),
                held.delay,
                held.due + to_wall,
                number,
                tuple(map(_raw, held.more_keys)),
            )
            for number, held in found.waiting()
        ]
    return made


def binding(exchange: str, found: Binding) -> KeptBinding:
    return KeptBinding(
        _raw(exchange),
        found.kind,
        _raw(found.destination.name),
        _raw(found.routing_key),
        write_table(found.arguments),
    )


def _queue(queue: Queue, outstanding: list[Message], clock: Clock) -> KeptQueue:
    if isinstance(queue, StreamQueue):
        return _stream(queue)
    messages = sorted((*outstanding, *queue.messages), key=_by_position)
    away = set(map(id, outstanding))
    made = KeptQueue(
        _raw(queue.name),
        queue.auto_delete,
        write_table(queue.arguments),
        [
            _message(one, id(one) in away, clock)
            for one in messages
            if keeps_all(queue) or _persistent(one.stored)
        ],
    )
    if isinstance(queue, QuorumQueue):
        for one, reason in queue.undelivered:
            dead = _message(one, True, clock)
            dead.reason = reason
            made.messages.append(dead)
    return _on_disk(made, queue)


def _on_disk(made: KeptQueue, queue: Queue) -> KeptQueue:
    if queue.stored:
        keeping = queue.keeping
        made.number, made.delivered, made.bound = keeping.number, keeping.delivered, keeping.bound
        made.marks, made.returns = keeping.by_priority, keeping.returns
    return made


def _stream(queue: StreamQueue) -> KeptQueue:
    """A stream keeps every message, whatever its delivery mode; what consumers have are copies."""
    messages = [
        KeptMessage(
            _raw(message.route.exchange.name),
            _raw(message.route.routing_key),
            packed(message.content),
            message.size,
            moment=message.moment,
        )
        for message in queue.log
    ]
    arguments, start = write_table(queue.arguments), queue.log.start
    made = KeptQueue(_raw(queue.name), queue.auto_delete, arguments, messages, start)
    return _on_disk(made, queue)


def _message(message: Message, away: bool, clock: Clock) -> KeptMessage:
    expires = message.expires if isinstance(message, GovernedMessage) else math.inf
    return KeptMessage(
        _raw(message.route.exchange.name),
        _raw(message.route.routing_key),
        packed(message.stored),
        message.size,
        away or message.redelivered,
        None if expires == math.inf else clock.wall() + expires - clock.now(),
        position=message.queue.row_of(message) if message.queue.stored else 0,
        returned=message.returned(away=away) if isinstance(message, QuorumMessage) else None,
        failures=message.failures,
    )


def _persistent(content: bytes) -> bool:
    return check_properties(header_payload(content), flags(content)) == _PERSISTENT


def restore(values: Mapping[str, Any], vhosts: Hosts, make: MakeHost, clock: Clock) -> None:
    """Take up what `dump` gave, into virtual hosts that are empty, or made where they are not."""
    put_up(convert(values, KeptState), vhosts, make, clock)


def put_up(kept: KeptState, vhosts: Hosts, make: MakeHost, clock: Clock) -> None:
    """As `restore`, with the values as what they are."""
    for host in kept.vhosts:
        if host.name not in vhosts:
            vhosts[host.name] = make(host.name)
        _restore_host(host, vhosts[host.name], clock)


def _restore_host(host: KeptHost, vhost: VirtualHost, clock: Clock) -> None:
    vhost.limits = dict(host.limits) or vhost.limits
    vhost.default_queue_type = host.default_queue_type or vhost.default_queue_type
    if host.description is not None:
        vhost.description, vhost.tags = host.description, host.tags
    for permission in host.topic_permissions:
        vhost.topic_permissions.set(permission)
    for operator, policies in ((False, host.policies), (True, host.operator_policies)):
        vhost.policies.set(policies, operator=operator)
    vhost.apply_policies()
    for each in host.exchanges:
        vhost.restore_exchange(
            _text(each.name),
            each.type,
            auto_delete=each.auto_delete,
            internal=each.internal,
            arguments=_table(each.arguments),
        )
    for queue in host.queues:
        name, arguments = _text(queue.name), _table(queue.arguments)
        vhost.restore_queue(name, auto_delete=queue.auto_delete, arguments=arguments)
    for one in host.bindings:
        vhost.restore_binding(
            _text(one.exchange),
            one.kind,
            _text(one.destination),
            _text(one.routing_key),
            _table(one.arguments),
        )
    for each in host.exchanges:
        found = vhost.exchanges[_text(each.name)]
        if isinstance(found, DelayedExchange):
            _hold(found, each, vhost, clock)
    for queue in host.queues:
        _fill(vhost.queues[_text(queue.name)], queue, vhost, clock)


def _hold(restored: DelayedExchange, kept: KeptExchange, vhost: VirtualHost, clock: Clock) -> None:
    if kept.number:
        restored.shelf.stand_on(kept.number)
    to_clock = clock.now() - clock.wall()
    # What fell due meanwhile goes in the order in which it did.
    for one in sorted(kept.held, key=_by_due):
        route = vhost.origin(_text(one.exchange), _text(one.routing_key))
        content = unpacked(one.content)
        keys = tuple(map(_text, one.more_keys))
        restored.hold(one.position, Held(route, content, one.delay, one.due + to_clock, keys))


def _fill(restored: Queue, queue: KeptQueue, vhost: VirtualHost, clock: Clock) -> None:
    if queue.number and restored.stored:
        restored.keeping.stand_on(
            queue.number, queue.delivered, queue.bound, queue.marks, queue.returns
        )
    last = 0
    for offset, message in enumerate(queue.messages, queue.start):
        route = vhost.origin(_text(message.exchange), _text(message.routing_key))
        content = unpacked(message.content)
        if isinstance(restored, StreamQueue):
            moment = clock.wall() if message.moment is None else message.moment
            restored.restore_at(route, content, message.position or offset, moment)
            continue
        if message.position:
            last = max(last, message.position)
            restored.continue_at(message.position)
        if message.reason and isinstance(restored, QuorumQueue):
            failures = message.failures
            restored.restore_undelivered(route, content, message.size, message.reason, failures)
            continue
        if message.returned is not None and isinstance(restored, QuorumQueue):
            last = max(last, _restore_returned(restored, message, message.returned, route, clock))
            continue
        redelivered = message.redelivered and _was_delivered(restored, queue, message, content)
        if message.expires is None:
            restored.restore(route, content, message.size, redelivered, message.failures)
            continue
        if not isinstance(restored, GovernedQueue):
            restored = govern(restored, vhost)
        expires, failures = _expires(message, clock), message.failures
        restored.restore_expiring(route, content, message.size, redelivered, expires, failures)
    if last:
        restored.continue_at(last + 1)


def _was_delivered(restored: Queue, queue: KeptQueue, message: KeptMessage, content: bytes) -> bool:
    """By the mark of its priority, where there are such."""
    if not (queue.marks and isinstance(restored, QuorumQueue)):
        return True
    delivered, _ = queue.marks.get(restored.rank_of(content), (0, 0))
    return message.position <= delivered


def _restore_returned(
    restored: QuorumQueue, message: KeptMessage, returned: Returned, route: Route, clock: Clock
) -> int:
    """Returns the last position that it had on disk; 0 where nothing is kept there."""
    row = message.position
    if row:
        restored.continue_at(returned.position)
    content, expires = unpacked(message.content), _expires(message, clock)
    restored.restore_returned(route, content, message.size, returned, expires, row)
    return returned.position if row else 0


def _expires(message: KeptMessage, clock: Clock) -> float:
    """By the clock."""
    return math.inf if message.expires is None else clock.now() + message.expires - clock.wall()


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
