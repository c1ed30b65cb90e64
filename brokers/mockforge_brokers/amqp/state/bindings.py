"""The bindings of a virtual host: what leads from its exchanges to queues and other exchanges."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ...errors import RequestRefused
from ...fairness import Steps
from ...spine import Spine
from ..codes import ReplyCode
from ..events import AMQP, BindingAdded, BindingRemoved
from ..profiles import Profile
from ..records import Table, plain
from . import outdated
from .exchanges import Binding, BindingId, Destination, Exchange, binding_id
from .memory import Memory
from .queues.queue import Queue
from .refusals import check_not_default, locked

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .keeper import Keeper


Do = Callable[[Steps], object]


class Bindings:
    """What Topology declares is found, bound and unbound here, with RabbitMQ's refusals."""

    def __init__(
        self, name: str, spine: Spine, memory: Memory, profile: Profile, keeper: Keeper
    ) -> None:
        self.name = name
        self.memory = memory
        self.keeper = keeper
        self.profile = profile
        self.exchanges: dict[str, Exchange] = {}
        self.queues: dict[str, Queue] = {}
        self._leading: dict[Destination, dict[tuple[str, BindingId], None]] = {}
        """The bindings that lead to a destination, each with its exchange's name."""
        self._spine = spine

    def _changed(self) -> None:
        """Something was declared, bound or deleted: what was derived from it is void."""

    def _end_exchange(self, exchange: Exchange, reason: str) -> None:
        """An exchange goes with its last binding; what leads to it is removed by the caller."""
        raise NotImplementedError

    def exchange(self, name: str) -> Exchange:
        """The exchange of this name; raises RequestRefused (404)."""
        exchange = self.exchanges.get(name)
        if exchange is None:
            raise RequestRefused(ReplyCode.NOT_FOUND, f"no {self._exchange(name)}")
        return exchange

    def queue(self, name: str, connection: int = 0) -> Queue:
        """The queue of this name; raises RequestRefused: 404, or 405 if it is someone else's."""
        queue = self.queues.get(name)
        if queue is None:
            raise RequestRefused(ReplyCode.NOT_FOUND, f"no {self._queue(name)}")
        if queue.owner and connection and queue.owner != connection:
            raise self._locked(name)
        return queue

    def leading_to(self, destination: Destination) -> Iterator[tuple[str, Binding]]:
        """The bindings that lead to a queue or exchange, each with the name of its exchange."""
        for name, identity in self._leading.get(destination, ()):
            yield name, self.exchanges[name].bindings[identity]

    # Bind and unbind.

    def bind_queue(
        self,
        queue: str,
        exchange: str,
        routing_key: str,
        arguments: Table,
        connection: int = 0,
        do: Do | None = None,
    ) -> None:
        """Let messages of an exchange reach a queue; to do it twice is no error.

        `do` does the steps in which an exchange with a history passes it on.
        """
        destination = self.queue(queue, connection)
        check_not_default(exchange)
        self._bind(self.exchange(exchange), Binding(destination, routing_key, arguments), do)

    def unbind_queue(
        self, queue: str, exchange: str, routing_key: str, arguments: Table, connection: int = 0
    ) -> None:
        """Undo `bind_queue`; what is not bound, or not there, is no error."""
        if queue in self.queues:
            self.queue(queue, connection)
        check_not_default(exchange)
        self._unbind(exchange, "queue", queue, routing_key, arguments)

    def bind_exchange(
        self,
        destination: str,
        source: str,
        routing_key: str,
        arguments: Table,
        do: Do | None = None,
    ) -> None:
        """Let messages of an exchange reach another one (RabbitMQ's extension)."""
        check_not_default(source)
        check_not_default(destination)
        origin = self.exchange(source)
        self._bind(origin, Binding(self.exchange(destination), routing_key, arguments), do)

    def unbind_exchange(
        self, destination: str, source: str, routing_key: str, arguments: Table
    ) -> None:
        check_not_default(source)
        check_not_default(destination)
        self._unbind(source, "exchange", destination, routing_key, arguments)

    def _bind(self, exchange: Exchange, binding: Binding, do: Do | None) -> None:
        outdated.check_binding(self.profile, exchange.type, binding.routing_key)
        if self._add(exchange, binding):
            self._emit_binding(BindingAdded, exchange, binding)
            (do or self.memory.do)(exchange.bound(binding))

    def _add(self, exchange: Exchange, binding: Binding) -> bool:
        """False: the same was there already."""
        if not exchange.add(binding):
            return False
        leading = self._leading.setdefault(binding.destination, {})
        leading[exchange.name, binding.id] = None
        self.keeper.binding_changed(self, exchange.name, binding)
        self._changed()
        return True

    def _unbind(
        self, source: str, kind: str, name: str, routing_key: str, arguments: Table
    ) -> None:
        exchange = self.exchanges.get(source)
        if exchange is not None:
            binding = exchange.remove(binding_id(kind, name, routing_key, arguments))
            if binding is not None and self._unbound(exchange, binding):
                self._unbind_all(exchange)

    def _unbind_all(self, destination: Destination) -> None:
        """Nothing leads to this destination any more.

        An auto-delete exchange ends with its last binding, and the next one with that to it: a
        loop, since a client may make a chain of any length.
        """
        ways = [iter(self._leading_to(destination))]
        while ways:
            for name, identity in ways[-1]:
                exchange = self.exchanges.get(name)
                binding = exchange.remove(identity) if exchange is not None else None
                if (
                    exchange is not None
                    and binding is not None
                    and self._unbound(exchange, binding)
                ):
                    ways.append(iter(self._leading_to(exchange)))
                    break
            else:
                ways.pop()

    def _leading_to(self, destination: Destination) -> tuple[tuple[str, BindingId], ...]:
        return tuple(self._leading.get(destination, ()))

    def _unbound(self, exchange: Exchange, binding: Binding) -> bool:
        """A binding was removed; True where its exchange ended with it, as auto-delete ones do."""
        self._forget_leading(exchange, binding)
        self.keeper.binding_changed(self, exchange.name, binding)
        self._changed()
        self._emit_binding(BindingRemoved, exchange, binding)
        gone = self.exchanges.get(exchange.name) is not exchange
        last = exchange.auto_delete and not exchange.bindings and not gone
        if last:
            self._end_exchange(exchange, "its last binding went")
        return last

    def _forget_leading(self, exchange: Exchange, binding: Binding) -> None:
        leading = self._leading[binding.destination]
        del leading[exchange.name, binding.id]
        if not leading:
            del self._leading[binding.destination]

    def _emit_binding(
        self, kind: type[BindingAdded | BindingRemoved], exchange: Exchange, binding: Binding
    ) -> None:
        to = binding.destination.name
        key = binding.routing_key
        arguments = plain(binding.arguments)
        self._spine.emit(kind(AMQP, self.name, exchange.name, binding.kind, to, key, arguments))

    # Refusals.

    def _exchange(self, name: str) -> str:
        return f"exchange '{name}' in vhost '{self.name}'"

    def _queue(self, name: str) -> str:
        return f"queue '{name}' in vhost '{self.name}'"

    def _locked(self, name: str) -> RequestRefused:
        return locked(self._queue(name))
