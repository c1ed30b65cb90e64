"""What is declared in a virtual host: exchanges and queues."""

from base64 import urlsafe_b64encode
from random import Random
from typing import Any

from ...clock import Clock
from ...errors import RequestRefused
from ...fairness import Steps
from ...spine import Spine
from ..codes import ReplyCode
from ..events import (
    AMQP,
    BindingRemoved,
    ExchangeDeclared,
    ExchangeDeleted,
    QueueDeclared,
    QueueDeleted,
    QueuePurged,
)
from ..profiles import Profile
from ..records import Table, plain
from . import arguments as rules
from . import outdated
from .acting import NOBODY, Acting
from .bindings import Bindings
from .direct_replies import REPLY_TO, DirectReplies
from .exchanges import (
    Binding,
    DefaultExchange,
    Destination,
    Exchange,
)
from .exclusive import ExclusiveQueues
from .keeper import Keeper
from .memory import Memory
from .message import Message
from .plugin_exchanges import EXCHANGE_TYPES
from .policies import EXCHANGE, Policies
from .predeclared import EVENTS, INTERNAL, PREDECLARED
from .queues.governed import GovernedQueue
from .queues.host import Contents
from .queues.queue import Queue
from .queues.stream import StreamQueue
from .queues.types import make_queue, queue_type
from .refusals import (
    RESERVED,
    Inequivalent,
    check_no_conditions,
    check_not_default,
    check_reserved,
    too_many_queues,
    unknown_exchange_type,
)
from .routing import Route
from .settlements import Settlements
from .topic_permissions import TopicPermissions
from .warned_once import WarnedOnce


class Topology(Bindings):
    """Declares, binds and deletes, with RabbitMQ's refusals. VirtualHost adds the messages.

    Where a method takes `connection`, 0 is the console, which may do everything.
    """

    def __init__(
        self,
        name: str,
        spine: Spine,
        memory: Memory,
        clock: Clock,
        contents: Contents,
        random: Random,
        profile: Profile,
        keeper: Keeper,
    ) -> None:
        super().__init__(name, spine, memory, profile, keeper)
        self.clock = clock
        self.contents = contents
        self.random = random
        self.declared_again = 0
        self.acting = Acting()
        """The broker has one for all its virtual hosts."""
        self.settlements = Settlements()
        """As `acting`."""
        self.rejected = False
        """A queue refused what is just being published."""
        self.replies = DirectReplies()
        self._exclusive = ExclusiveQueues()
        self.limits: dict[str, int] = {}
        """RabbitMQ's limits of a virtual host, by their names; a negative one is none."""
        self.description = ""
        self.tags: tuple[str, ...] = ()
        self.default_queue_type = ""
        """Of queues that are declared without a type; empty where that is a classic one."""
        self.topic_permissions = TopicPermissions(name)
        self.warned = WarnedOnce(spine)
        self.policies = Policies()
        self.clear()

    @property
    def metadata(self) -> dict[str, object]:
        """What RabbitMQ calls so; the type only where there is one."""
        kind = self.default_queue_type
        more = {"default_queue_type": kind} if kind else {}
        return {"description": self.description, "tags": list(self.tags), **more}

    def clear(self) -> None:
        """Back to the exchanges that every virtual host has."""
        for queue in tuple(self.queues.values()):
            self._drop_queue(queue, "the virtual host was reset")
        self.keeper.host_cleared(self)
        for exchange in self.exchanges.values():
            exchange.end()
        self.exchanges.clear()
        self._leading.clear()
        self._exclusive.clear()
        self.policies.clear()
        self.warned.clear()
        self.exchanges[""] = DefaultExchange(self.queues, self.replies)
        for name, kind in PREDECLARED.items():
            if name != EVENTS or self.name == "/":
                internal = name in INTERNAL
                self.exchanges[name] = EXCHANGE_TYPES[kind](name, durable=True, internal=internal)
        self._changed()

    def empty(self) -> None:
        """Forget all without a word, as a process that ends does."""
        for queue in self.queues.values():
            queue.purge()
            queue.gone = True
            queue.end()
        self.queues.clear()
        self.clear()

    def is_predeclared(self, exchange: Exchange) -> bool:
        """Whether every virtual host has it."""
        return not exchange.name or exchange.name in PREDECLARED

    # What was there before a restart is there again: nothing is checked or emitted.

    def restore_exchange(
        self, name: str, kind: str, *, auto_delete: bool, internal: bool, arguments: Table
    ) -> None:
        exchange = self.exchanges[name] = EXCHANGE_TYPES[kind](
            name, durable=True, auto_delete=auto_delete, internal=internal, arguments=arguments
        )
        exchange.definition = self.policies.effective(EXCHANGE, name).definition
        exchange.host = self
        self.keeper.adopt_exchange(exchange)
        self.keeper.exchange_changed(self, name)
        self._changed()

    def restore_queue(self, name: str, *, auto_delete: bool, arguments: Table) -> None:
        self.queues[name] = self._make_queue(
            name, durable=True, auto_delete=auto_delete, arguments=arguments
        )
        self.keeper.queue_changed(self, name)
        self._changed()

    def restore_binding(
        self, exchange: str, kind: str, destination: str, routing_key: str, arguments: Table
    ) -> None:
        to = self.queues[destination] if kind == "queue" else self.exchanges[destination]
        self._add(self.exchanges[exchange], Binding(to, routing_key, arguments))

    def _make_queue(self, name: str, *, arguments: Table, **flags: Any) -> Queue:
        by_policy = self.policies.effective(queue_type(arguments), name)
        queue = make_queue(
            name, self.memory, self, by_policy.definition, arguments=arguments, **flags
        )
        self.keeper.adopt(self, queue)
        return queue

    def pass_on(
        self, route: Route, destination: Destination, content: bytes, more_keys: tuple[str, ...]
    ) -> None:
        """Put a message of this route into a queue, or where an exchange sends it."""

    def dead_letter(self, queue: GovernedQueue, message: Message, reason: str) -> None:
        """A message died; VirtualHost publishes it."""

    def queue_expired(self, queue: GovernedQueue) -> None:
        """Nobody used the queue for as long as its x-expires says."""
        with self.acting.in_name_of(NOBODY):
            self._drop_queue(queue, "nobody used it for its x-expires")

    # Exchanges.

    def check_exchange(self, name: str) -> None:
        """A passive declare: raises RequestRefused if it is not there, or the default one."""
        check_not_default(name)
        self.exchange(name)

    def declare_exchange(
        self,
        name: str,
        kind: str,
        *,
        durable: bool = False,
        auto_delete: bool = False,
        internal: bool = False,
        arguments: Table | None = None,
    ) -> Exchange:
        """Make the exchange, or check that the one there is the same (406)."""
        arguments = arguments or {}
        factory = EXCHANGE_TYPES.get(kind)
        if factory is None:
            raise unknown_exchange_type(kind, self.profile)
        check_not_default(name)
        what = self._exchange(name)
        exchange = self.exchanges.get(name)
        if exchange is not None:
            flags = kind, durable, auto_delete, internal
            rules.same_exchange(what, flags, arguments, exchange)
            return exchange
        check_reserved("exchange", name)
        rules.check_exchange(what, arguments)
        factory.check_arguments(arguments)
        exchange = factory(
            name,
            durable=durable,
            auto_delete=auto_delete,
            internal=internal,
            arguments=arguments,
        )
        exchange.definition = self.policies.effective(EXCHANGE, name).definition
        exchange.host = self
        self.keeper.adopt_exchange(exchange)
        self.exchanges[name] = exchange
        self.keeper.exchange_changed(self, name)
        self._changed()
        self._spine.emit(ExchangeDeclared(AMQP, self.name, name, kind, durable, plain(arguments)))
        return exchange

    def delete_exchange(self, name: str, *, if_unused: bool = False) -> bool:
        """False if it was not there, which is no error."""
        check_not_default(name)
        # Whether it is there or not.
        if name.startswith(RESERVED):
            raise RequestRefused(
                ReplyCode.ACCESS_REFUSED, f"deletion of system {self._exchange(name)} not allowed"
            )
        exchange = self.exchanges.get(name)
        if exchange is None:
            return False
        if if_unused and exchange.bindings:
            raise RequestRefused(ReplyCode.PRECONDITION_FAILED, f"{self._exchange(name)} in use")
        self._end_exchange(exchange, "deleted")
        self._unbind_all(exchange)
        return True

    def _end_exchange(self, exchange: Exchange, reason: str) -> None:
        del self.exchanges[exchange.name]
        exchange.end()
        self._changed()
        self.keeper.exchange_changed(self, exchange.name)
        bindings = tuple(exchange.bindings.values())
        for binding in bindings:
            self._forget_leading(exchange, binding)
            self.keeper.binding_changed(self, exchange.name, binding)
        exchange.bindings.clear()
        self._spine.emit(ExchangeDeleted(AMQP, self.name, exchange.name, reason))
        for binding in bindings:
            self._emit_binding(BindingRemoved, exchange, binding)

    # Queues.

    def declare_queue(
        self,
        name: str,
        *,
        durable: bool = False,
        exclusive: bool = False,
        auto_delete: bool = False,
        arguments: Table | None = None,
        connection: int = 0,
        client: str = "",
        server_named: bool = False,
    ) -> Queue:
        """Make the queue, or check that the one there is the same (405, 406)."""
        arguments = arguments or {}
        if self.default_queue_type and self.profile.has_default_queue_types:
            # Before all checks: a declaration is compared, and refused, as what it is then.
            arguments = rules.with_default_type(
                arguments,
                self.default_queue_type,
                durable=durable,
                exclusive=exclusive,
                auto_delete=auto_delete,
            )
        what = self._queue(name)
        if name in self.queues:
            queue = self.queue(name, connection)
            if connection and bool(queue.owner) != exclusive:
                raise self._locked(name)
            try:
                if not queue.owner:
                    # An exclusive queue never outlives its connection, let alone the broker.
                    rules.same_flag(what, "durable", durable, queue.durable)
                rules.same_flag(what, "auto_delete", auto_delete, queue.auto_delete)
                rules.same_queue_arguments(what, arguments, queue.arguments)
            except RequestRefused as refusal:
                raise Inequivalent(refusal, queue) from None
            queue.touch()
            self.declared_again += 1
            return queue
        if not server_named:
            check_reserved("queue", name)
        most = self.limits.get("max-queues", -1)
        if 0 <= most <= len(self.queues):
            raise too_many_queues(name, self.name, most)
        rules.check_queue(
            what,
            arguments,
            durable=durable,
            exclusive=exclusive,
            auto_delete=auto_delete,
            named=not server_named,
        )
        outdated.check_queue(self.profile, what, arguments, durable=durable, exclusive=exclusive)
        queue = self._make_queue(
            name,
            durable=durable,
            owner=connection if exclusive else 0,
            auto_delete=auto_delete,
            arguments=arguments,
        )
        queue.declarer = client
        self.queues[name] = queue
        self.keeper.queue_changed(self, name)
        self._exclusive.add(queue)
        self._changed()
        self._spine.emit(
            QueueDeclared(AMQP, self.name, name, durable, exclusive, auto_delete, plain(arguments))
        )
        return queue

    def delete_queue(
        self, name: str, *, if_unused: bool = False, if_empty: bool = False, connection: int = 0
    ) -> int:
        """How many ready messages went with it; 0 if it was not there, which is no error."""
        if name not in self.queues:
            return 0
        queue = self.queue(name, connection)
        if queue.kind == "quorum":
            check_no_conditions(self._queue(name), if_unused, if_empty)
        if if_unused and queue.consumers:
            raise RequestRefused(ReplyCode.PRECONDITION_FAILED, f"{self._queue(name)} in use")
        if if_empty and queue.messages:
            raise RequestRefused(ReplyCode.PRECONDITION_FAILED, f"{self._queue(name)} not empty")
        count = self._drop_queue(queue, "deleted")
        return 0 if queue.kind == "stream" else count

    def purge(self, name: str, connection: int = 0) -> int:
        """Drop the ready messages; returns how many."""
        queue = self.queue(name, connection)
        if isinstance(queue, StreamQueue):
            raise queue.unsupported("queue.purge")
        count = queue.purge()
        self._spine.emit(QueuePurged(AMQP, self.name, name, count))
        self.memory.settle()
        return count

    def ending_exclusive(self, connection: int) -> Steps:
        """A connection ended: its exclusive queues end with it, one with each step."""
        while queue := self._exclusive.oldest(connection):
            with self.acting.in_name_of(NOBODY):
                self._drop_queue(queue, "its connection ended")
            yield

    def _drop_queue(self, queue: Queue, reason: str) -> int:
        del self.queues[queue.name]
        self.keeper.queue_changed(self, queue.name)
        self._exclusive.remove(queue)
        self._changed()
        queue.gone = True
        consumers = tuple(queue.consumers)
        for consumer in consumers:
            queue.remove(consumer)
        count = queue.purge()
        queue.end()
        self._spine.emit(QueueDeleted(AMQP, self.name, queue.name, reason, count))
        for consumer in consumers:
            consumer.sink.cancelled(f"queue '{queue.name}' is gone: {reason}")
        with self.acting.in_name_of(NOBODY):
            self._unbind_all(queue)
        self.memory.settle()
        return count

    def new_name(self, prefix: str) -> str:
        """`amq.gen-` or the like with 22 random characters, as RabbitMQ makes them."""
        return prefix + urlsafe_b64encode(self.random.randbytes(16)).rstrip(b"=").decode()

    def open_replies(self, connection: int) -> Queue:
        """Where the replies to one channel or link go, as long as it consumes them."""
        name = self.new_name(self.new_name(f"{REPLY_TO}.") + ".")
        queue = self.replies.open(name, self.memory, connection)
        self._changed()
        return queue

    def close_replies(self, queue: Queue) -> None:
        self.replies.close(queue)
        self._changed()
