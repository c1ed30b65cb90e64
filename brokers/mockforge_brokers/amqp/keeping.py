"""What AMQP keeps on disk, as rows: a persistent message each, and what is declared."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Final

from msgspec import Struct, msgpack

from ..clock import Clock
from ..storage.facts import Kept, LogRows
from ..storage.store import Store
from . import kept
from .cluster import Cluster
from .kept import (
    KeptBinding,
    KeptExchange,
    KeptHeld,
    KeptHost,
    KeptMessage,
    KeptQueue,
    KeptState,
)
from .state.keeper import Keeper
from .state.memory import DISK, Memory
from .state.plugin_exchanges import DelayedExchange
from .state.policies import NamedPolicy
from .state.queues.message_rows import OWNER, Keeping, Marks, MessageRow, raw
from .state.queues.quorum import Returned
from .state.queues.stored import store_in
from .state.stored_delays import HeldRow, StoredShelf
from .state.topic_permissions import TopicPermission
from .wire.content import flags, header_frame, header_payload
from .wire.field_table import write_table
from .wire.frames import HEAD_SIZE, OVERHEAD, content_head
from .wire.properties import check_properties

if TYPE_CHECKING:
    from .state.bindings import Bindings
    from .state.exchanges import Binding, Exchange
    from .state.queues.queue import Queue
    from .state.topology import Topology
    from .state.virtual_host import VirtualHost

_CLUSTER: Final = "amqp.cluster"
_HOST: Final = "amqp.vhost"
_EXCHANGE: Final = "amqp.exchange"
_QUEUE: Final = "amqp.queue"
_BINDING: Final = "amqp.binding"
_encode = msgpack.encode
_PERSISTENT: Final = 2
_FLAGS_AT: Final = HEAD_SIZE + 12
"""Where a content header's flags stand in its frame; its properties follow."""
_MOST_KNOWN: Final = 4096
_LONGEST_KNOWN: Final = 256
"""Bytes of properties that are remembered."""


class HostRow(Struct):
    """A virtual host; `limits` are RabbitMQ's."""

    policies: list[NamedPolicy]
    operator_policies: list[NamedPolicy]
    limits: dict[str, int]
    topic_permissions: list[TopicPermission] = []
    default_queue_type: str = ""
    description: str | None = None
    tags: tuple[str, ...] = ()


class ClusterRow(Struct):
    """`parameters` are JSON, whose numbers have no end."""

    user_limits: dict[str, dict[str, int]]
    parameters: str


class ExchangeRow(Struct):
    vhost: str
    exchange: KeptExchange


class QueueRow(Struct):
    """`number` is its log's; `delivered` the last position of which a consumer got something.

    `bound`: no consumer got any behind this one, also where more happened than was written; -1
    where nobody knows. `marks` are these two by priority, where the queue hands out by it.
    `returns` is the number of the log of what came back.
    """

    vhost: str
    name: bytes
    auto_delete: bool
    arguments: bytes
    number: int
    delivered: int
    bound: int = -1
    marks: Marks = {}
    returns: int = 0


class BindingRow(Struct):
    """Itself the name under which it is kept."""

    vhost: str
    binding: KeptBinding


class StoringKeeper(Keeper):
    """Names to the store what changed, and finds it when the store asks how it is now."""

    def __init__(
        self,
        store: Store,
        vhosts: dict[str, VirtualHost],
        cluster: Cluster,
        clock: Clock,
        memory: Memory,
    ) -> None:
        self._store = store
        self._memory = memory
        self._clock = clock
        self._vhosts = vhosts
        self._cluster = cluster
        self._persistence: dict[bytes, bool] = {}
        store.on_close(self._close)
        store.on_failing(self._alarm)

    @property
    def failing(self) -> bool:
        return bool(self._store.failing)

    def adopt(self, host: Topology, queue: Queue) -> None:
        if kept.outlives(queue):
            is_kept = _always if kept.keeps_all(queue) else self.is_persistent
            keeping = Keeping(
                self._store,
                self._store.new_log(OWNER),
                is_kept,
                header_frame,
                partial(self.queue_changed, host, queue.name),
            )
            store_in(queue, host, keeping)

    def adopt_exchange(self, exchange: Exchange) -> None:
        if isinstance(exchange, DelayedExchange) and exchange.durable:
            exchange.shelf = StoredShelf(self._store, self._clock)

    def is_persistent(self, content: bytes) -> bool:
        """Whether its delivery mode says so; publishers send the same properties many times."""
        length = content_head.unpack_from(content)[2]
        properties = content[_FLAGS_AT : length + OVERHEAD - 1]
        known = self._persistence.get(properties)
        if known is None:
            known = check_properties(header_payload(content), flags(content)) == _PERSISTENT
            # Long ones have what comes once, and would be many bytes to keep.
            if len(properties) <= _LONGEST_KNOWN:
                if len(self._persistence) >= _MOST_KNOWN:
                    self._persistence.clear()
                self._persistence[properties] = known
        return known

    def cluster_changed(self) -> None:
        self._store.changed(_CLUSTER, b"", self._whole)

    def host_changed(self, name: str) -> None:
        self._store.changed(_HOST, raw(name), partial(self._host, name))

    def host_cleared(self, host: Topology) -> None:
        for exchange in host.exchanges.values():
            self.exchange_changed(host, exchange.name)
            for binding in exchange.bindings.values():
                self.binding_changed(host, exchange.name, binding)
        self.host_changed(host.name)

    def exchange_changed(self, host: Topology, name: str) -> None:
        value = partial(self._exchange, host.name, name)
        self._store.changed(_EXCHANGE, _name(host, name), value)

    def queue_changed(self, host: Topology, name: str) -> None:
        value = partial(self._queue, host.name, name)
        self._store.changed(_QUEUE, _name(host, name), value)

    def binding_changed(self, host: Bindings, exchange: str, binding: Binding) -> None:
        name = _encode(BindingRow(host.name, kept.binding(exchange, binding)))
        value = partial(self._binding, host.name, exchange, binding)
        self._store.changed(_BINDING, name, value)

    def _close(self) -> None:
        """Up to where queues were delivered is worth a row only now."""
        for host in self._vhosts.values():
            host.finish_dead_letters()
            for name in host.queues:
                self.queue_changed(host, name)

    def _alarm(self) -> None:
        """RabbitMQ's disk alarm: publishers wait, and hear of it by connection.blocked."""
        if self._store.failing:
            self._memory.raise_alarm(DISK)
        else:
            self._memory.clear_alarm(DISK)
            for host in tuple(self._vhosts.values()):
                for exchange in tuple(host.exchanges.values()):
                    if isinstance(exchange, DelayedExchange):
                        exchange.release_overdue()

    # How it is now.

    def _whole(self) -> bytes:
        cluster = self._cluster
        return _encode(ClusterRow(cluster.user_limits, json.dumps(cluster.parameters)))

    def _host(self, name: str) -> bytes | None:
        host = self._vhosts.get(name)
        if host is None:
            return None
        users, operators = host.policies.of_users, host.policies.of_operators
        permissions = list(host.topic_permissions)
        row = HostRow(
            list(users.values()),
            list(operators.values()),
            dict(host.limits),
            permissions,
            host.default_queue_type,
            host.description,
            host.tags,
        )
        return _encode(row)

    def _exchange(self, vhost: str, name: str) -> bytes | None:
        host = self._vhosts.get(vhost)
        found = host.exchanges.get(name) if host is not None else None
        if host is None or found is None or not found.durable or host.is_predeclared(found):
            return None
        return _encode(ExchangeRow(vhost, kept.exchange(found)))

    def _queue(self, vhost: str, name: str) -> bytes | None:
        host = self._vhosts.get(vhost)
        found = host.queues.get(name) if host is not None else None
        if found is None or not kept.outlives(found):
            return None
        keeping, arguments = found.keeping, write_table(found.arguments)
        return _encode(
            QueueRow(
                vhost,
                raw(name),
                found.auto_delete,
                arguments,
                keeping.number,
                keeping.delivered,
                keeping.bound,
                keeping.by_priority,
                keeping.returns,
            )
        )

    def _binding(self, vhost: str, exchange: str, binding: Binding) -> bytes | None:
        host = self._vhosts.get(vhost)
        found = host.exchanges.get(exchange) if host is not None else None
        if found is None or not found.durable:
            return None
        present = found.bindings.get(binding.id)
        return b"" if present is not None and kept.lasting(present) else None

    # At the start.

    @staticmethod
    def logs_in(kept: Kept) -> Iterator[LogRows]:
        """Of each queue its messages."""
        for value in kept.of_kind(_QUEUE).values():
            row = msgpack.decode(value, type=QueueRow)
            rows = [(position, position + 1) for position, _ in kept.logs.get(row.number, ())]
            what = f"queue {row.name.decode('utf-8', 'replace')} in {row.vhost}"
            yield LogRows(row.number, what, "messages", 1, rows)

    def take_up(self, found: Kept, make: Callable[[str], VirtualHost]) -> None:
        state, whole = self.read(found), found.of_kind(_CLUSTER).get(b"")
        # After a kill there is what was written, and no more.
        self._cluster.empty()
        if whole is not None:
            row = msgpack.decode(whole, type=ClusterRow)
            self._cluster.user_limits.update(row.user_limits)
            self._cluster.parameters.update(json.loads(row.parameters))
        with self._store.still():
            kept.put_up(state, self._vhosts, make, self._clock)
        for name, host in self._vhosts.items():
            self.host_changed(name)
            for exchange in host.exchanges.values():
                if isinstance(exchange, DelayedExchange):
                    # One of an older folder has no log yet in its row.
                    self.exchange_changed(host, exchange.name)
        for each in state.vhosts:
            self._renew_marks(self._vhosts[each.name], each.queues)

    def _renew_marks(self, host: VirtualHost, queues: Iterable[KeptQueue]) -> None:
        """Marks by priority that are on disk say nothing of what is handed out in order from now
        on."""
        for each in queues:
            name = each.name.decode("utf-8", "surrogateescape")
            if each.marks and host.queues[name].keeping.marks is None:
                self.queue_changed(host, name)

    @staticmethod
    def read(found: Kept) -> KeptState:
        """What `kept.restore` takes, and the virtual hosts' limits with it."""
        hosts = {
            name.decode("utf-8", "surrogateescape"): msgpack.decode(value, type=HostRow)
            for name, value in found.of_kind(_HOST).items()
        }
        state = {
            name: KeptHost(
                name,
                [],
                [],
                [],
                row.policies,
                row.operator_policies,
                limits=row.limits,
                topic_permissions=row.topic_permissions,
                default_queue_type=row.default_queue_type,
                description=row.description,
                tags=row.tags,
            )
            for name, row in hosts.items()
        }

        def host(name: str) -> KeptHost:
            # Of a folder that lost a part there may be what stands in a virtual host alone.
            return state.setdefault(name, KeptHost(name, [], [], []))

        for value in found.of_kind(_EXCHANGE).values():
            exchange = msgpack.decode(value, type=ExchangeRow)
            exchange.exchange.held = list(_held(found.log(exchange.exchange.number)))
            host(exchange.vhost).exchanges.append(exchange.exchange)
        for value in found.of_kind(_QUEUE).values():
            queue = msgpack.decode(value, type=QueueRow)
            host(queue.vhost).queues.append(_kept_queue(found, queue))
        for name in found.of_kind(_BINDING):
            binding = msgpack.decode(name, type=BindingRow)
            host(binding.vhost).bindings.append(binding.binding)
        return KeptState(kept.FORMAT, list(state.values()))


def _always(content: bytes) -> bool:
    return True


def _name(host: Topology, name: str) -> bytes:
    return raw(f"{host.name}\0{name}")


def _kept_queue(found: Kept, row: QueueRow) -> KeptQueue:
    rows = found.log(row.number)
    delivered, marks = row.delivered, row.marks
    if not found.clean:
        # What is not known to be below all that was delivered may have been.
        delivered = row.bound if row.bound >= 0 else rows[-1][0] if rows else 0
        marks = {rank: (bound, bound) for rank, (_, bound) in marks.items()}
    messages = list(_messages(rows, delivered))
    if row.returns:
        messages = _returned(messages, dict(found.log(row.returns)))
    return KeptQueue(
        row.name,
        row.auto_delete,
        row.arguments,
        messages,
        rows[0][0] if rows else 0,
        row.number,
        delivered,
        max(row.bound, delivered),
        marks,
        row.returns,
    )


def _returned(messages: list[KeptMessage], returns: dict[int, bytes]) -> list[KeptMessage]:
    """With what is known of those that came back, in the order in which they stand since."""
    decoder = msgpack.Decoder(Returned)
    for message in messages:
        if (value := returns.get(message.position)) is not None:
            message.returned = decoder.decode(value)
    return sorted(messages, key=_place)


def _place(message: KeptMessage) -> int:
    return message.position if message.returned is None else message.returned.position


def _held(rows: Iterable[tuple[int, bytes]]) -> Iterable[KeptHeld]:
    decoder = msgpack.Decoder(HeldRow)
    for position, value in rows:
        row = decoder.decode(value)
        yield KeptHeld(
            row.exchange,
            row.routing_key,
            row.content,
            row.delay,
            row.due,
            position,
            row.more_keys,
        )


def _messages(rows: Iterable[tuple[int, bytes]], delivered: int) -> Iterable[KeptMessage]:
    decoder = msgpack.Decoder(MessageRow)
    for position, value in rows:
        row = decoder.decode(value)
        yield KeptMessage(
            row.exchange,
            row.routing_key,
            row.content,
            row.size,
            position <= delivered or row.failures > 0,
            row.expires,
            row.moment,
            position,
            row.reason,
            failures=row.failures,
        )
