"""A virtual host: the one entrance for messages and consumers."""

from collections import deque
from collections.abc import Callable, Generator, Mapping
from random import Random
from typing import Final, Protocol

from ...clock import Clock
from ...errors import RequestRefused
from ...fairness import Steps
from ...spine import Spine
from ..codes import ReplyCode
from ..events import AMQP, PolicyRemoved, PolicySet
from ..profiles import DEFAULT, PROFILES, Profile
from ..records import Field
from .acting import NOBODY
from .consumer import Consumer
from .dead_letters import Dead, DeadLetters, Rewriter
from .exchanges import Destination, Exchange, Watcher
from .keeper import FORGETFUL, Keeper
from .memory import Memory
from .message import Message
from .policies import EXCHANGE, NamedPolicy, check_policy
from .queues.governed import GovernedQueue, govern
from .queues.host import Contents
from .queues.policy import NO_POLICY, policy_of
from .queues.queue import Queue
from .queues.stream import StreamQueue, retention_of
from .queues.types import queue_type
from .routing import NO_HEADERS, Route, resolve
from .topology import Topology

_MOST_ROUTES: Final = 8192


def _unheard(name: str, what: str) -> None: ...


_AT_ONCE: Final = 64
"""Queues that a message is put into in one step, or exchanges that a policy is applied to."""


class Wire(Contents, Rewriter, Protocol):
    """All that state asks of the codec."""


class Tracer(Protocol):
    """Sees what goes out, while somebody wants to see it (tracing.py)."""

    def follow(self, consumer: Consumer) -> None:
        """A consumer came."""
        ...

    def delivered(
        self,
        queue: str,
        route: Route,
        content: bytes,
        redelivered: bool,
        connection: int,
        channel: int,
    ) -> None:
        """basic.get took a message, on a channel of a connection."""
        ...

    def stop(self) -> None: ...


class VirtualHost(Topology):
    """What wire handlers, console, fixtures and tests alike publish to and consume from."""

    def __init__(
        self,
        name: str,
        spine: Spine,
        memory: Memory,
        clock: Clock,
        wire: Wire,
        random: Random,
        profile: Profile = PROFILES[DEFAULT],
        keeper: Keeper = FORGETFUL,
    ) -> None:
        self._routes: dict[tuple[str, str], Route] = {}
        self._watchers: list[tuple[str | None, Watcher]] = []
        self._dead_letters = DeadLetters(self, wire)
        self._applying = 0
        """How often policies changed."""
        self.tracer: Tracer | None = None
        self.lint: Callable[[str, str], None] = _unheard
        """Gets what is found of messages whose publisher is not known any more."""
        super().__init__(name, spine, memory, clock, wire, random, profile, keeper)

    # Messages.

    def route(
        self,
        exchange: str,
        routing_key: str,
        headers: Mapping[str, Field] = NO_HEADERS,
        more_keys: tuple[str, ...] = (),
    ) -> Route:
        """Where such a message goes; raises RequestRefused (404) if there is no such exchange.

        A route that reads headers, or has more keys than one, is good for one message.
        """
        route = None if more_keys else self._routes.get((exchange, routing_key))
        if route is None:
            origin = self.exchange(exchange)
            route = resolve(origin, routing_key, headers, self.exchanges, more_keys)
            self.show(route)
            if route.valid and not more_keys:
                if len(self._routes) >= _MOST_ROUTES:
                    self._changed()
                self._routes[exchange, routing_key] = route
                if len(route.queues) == 1 and not route.watchers:
                    (route.alone,) = route.queues
                # A route is found once and kept: this is not on the way of each message.
                origin.note_key(routing_key)
        return route

    def origin(self, exchange: str, routing_key: str) -> Route:
        """What a message of old says of where it came from; the exchange may be gone."""
        known = self._routes.get((exchange, routing_key))
        found = self.exchanges.get(exchange)
        if known is not None or found is not None:
            return known or self.route(exchange, routing_key)
        return Route(Exchange(exchange), routing_key)

    def publish(self, route: Route, content: bytes, size: int, source: str) -> int:
        """Put a message into all queues of its route; returns how many.

        A negative number says that one of them refused it (x-overflow), or who was to hold it.

        `content` is opaque (message.py), `size` the bytes of its body, `source` who published it.
        """
        reached = self.deliver(route, content, size, source)
        if self.rejected:
            self.rejected = False
            return -(reached or 1)
        return reached

    def publishing(
        self,
        route: Route,
        content: bytes,
        size: int,
        source: str,
        *,
        expiring: bool,
        failures: int = 0,
    ) -> Generator[None, None, int]:
        """The steps of `publish`, or `publish_expiring`, for very many queues.

        Those that end meanwhile are left out. Where the publisher's connection ends before the last
        step the first queues alone have it; RabbitMQ would fill the others as well.
        """
        route.exchange.published += 1
        for watcher in route.watchers:
            watcher(route, content, source)
        reached, rejected = 0, False
        queues = route.queues
        # As in `deliver`, but dead letters of others go on between the steps.
        dead: Dead = deque()
        try:
            for at in range(0, len(queues), _AT_ONCE):
                refused, self.rejected = self.rejected, False
                with self._dead_letters.kept_in(dead):
                    for queue in queues[at : at + _AT_ONCE]:
                        if queue.gone:
                            continue
                        if failures:
                            self._enqueue_failed(queue, route, content, size, failures)
                        else:
                            if expiring and queue.plain:
                                govern(queue, self)
                            queue.enqueue(route, content, size)
                        reached += 1
                rejected |= self.rejected
                # A dead letter may be on its way in the midst of another's publish.
                self.rejected = refused
                yield
        finally:
            self._dead_letters.let_go(dead)
        return -(reached or 1) if rejected else reached

    def publish_expiring(self, route: Route, content: bytes, size: int, source: str) -> int:
        """As `publish`, for a message with an expiration: plain queues have to watch it, too."""
        for queue in route.queues:
            if queue.plain:
                govern(queue, self)
        return self.publish(route, content, size, source)

    def dead_letter(self, queue: GovernedQueue, message: Message, reason: str) -> None:
        self._dead_letters.add(queue, message, reason)

    def finish_dead_letters(self) -> None:
        """Let those that are in some of their queues, or in none and not on disk, be in all."""
        self._dead_letters.finish()

    def _enqueue_failed(
        self, queue: Queue, route: Route, content: bytes, size: int, failures: int
    ) -> None:
        if queue.plain:
            govern(queue, self)
        queue.enqueue_failed(route, content, size, failures)

    def deliver(
        self, route: Route, content: bytes, size: int, source: str, failures: int = 0
    ) -> int:
        """What `publish` and dead letters have in common; `failures` is how often one failed."""
        exchange = route.exchange
        exchange.published += 1
        queues = route.queues
        if route.watchers:
            for watcher in route.watchers:
                watcher(route, content, source)
        if not queues:
            if not route.held:
                exchange.unroutable += 1
            return 0
        if len(queues) == 1 and not failures:
            queues[0].enqueue(route, content, size)
            return 1
        # What dies in the first queue must not reach the second one before the message itself.
        first = self._dead_letters.hold()
        try:
            for queue in queues:
                if failures:
                    self._enqueue_failed(queue, route, content, size, failures)
                else:
                    queue.enqueue(route, content, size)
        finally:
            if first:
                self._dead_letters.go_on()
        return len(queues)

    def pass_on(
        self, route: Route, destination: Destination, content: bytes, more_keys: tuple[str, ...]
    ) -> None:
        size = self.contents.size(content)
        if isinstance(destination, Queue):
            queues: tuple[Queue, ...] = (destination,)
        else:
            headers = self.contents.headers(content)
            # Those of BCC, which the content has not any more, are known from its publish alone.
            keys = (*self.contents.more_keys(headers), *more_keys)
            queues = resolve(destination, route.routing_key, headers, self.exchanges, keys).queues
        expiring = self.contents.expiration(content) >= 0
        for queue in queues:
            if expiring and queue.plain:
                govern(queue, self)
            queue.enqueue(route, content, size)
        self.rejected = False

    def watch(self, destination: str | None, watcher: Watcher) -> Callable[[], None]:
        """Call with each message of an exchange, `queue:NAME` or all; returns how to stop."""
        entry = (destination, watcher)
        self._watchers.append(entry)
        self._changed()

        def stop() -> None:
            if entry in self._watchers:
                self._watchers.remove(entry)
                self._changed()

        return stop

    def show(self, route: Route) -> None:
        """Let those who watch its exchange or queues see what takes this route."""
        if self._watchers:
            route.watchers += self._watchers_of(route)

    def _watchers_of(self, route: Route) -> tuple[Watcher, ...]:
        names = {None, route.exchange.name, *(f"queue:{queue.name}" for queue in route.queues)}
        return tuple(watcher for name, watcher in self._watchers if name in names)

    def forget_routes(self) -> None:
        """Who may publish where changed: each publisher is looked at anew."""
        self._changed()

    def _changed(self) -> None:
        for route in self._routes.values():
            # Publishers keep their route: by this mark they see that it holds no longer.
            route.valid = False
        self._routes.clear()

    # Policies.

    def set_policy(self, policy: NamedPolicy, *, operator: bool = False) -> None:
        """Add or replace, in force at once; raises InvalidInput."""
        check_policy(policy, operator=operator, mirrors=self.profile.has_mirrors)
        self.policies.set((policy,), operator=operator)
        self.apply_policies()
        self.keeper.host_changed(self.name)
        self._spine.emit(
            PolicySet(
                AMQP,
                self.name,
                policy.name,
                operator,
                policy.pattern,
                policy.apply_to,
                policy.priority,
                policy.definition,
            )
        )

    def remove_policy(self, name: str, *, operator: bool = False) -> bool:
        """False if there is none of this name."""
        if not self.policies.remove(name, operator=operator):
            return False
        self.apply_policies()
        self.keeper.host_changed(self.name)
        self._spine.emit(PolicyRemoved(AMQP, self.name, name, operator))
        return True

    def apply_policies(self) -> None:
        """Each queue and exchange does what holds for it now; of very many the rest follow soon."""
        self._applying += 1
        self.memory.do(self._apply_all(self._applying))

    def _apply_all(self, number: int) -> Steps:
        """Ends where the policies changed once more: the next one begins anew with all."""
        exchanges = [each for each in self.exchanges.values() if each.name]
        for at in range(0, len(exchanges), _AT_ONCE):
            # The default exchange routes by itself, whatever a policy says.
            for exchange in exchanges[at : at + _AT_ONCE]:
                effective = self.policies.effective(EXCHANGE, exchange.name)
                exchange.definition = effective.definition
            self._changed()
            yield
            if number != self._applying:
                return
        for queue in tuple(self.queues.values()):
            if not queue.gone:
                self._apply(queue)
            yield
            if number != self._applying:
                return

    def _apply(self, queue: Queue) -> None:
        effective = self.policies.effective(queue_type(queue.arguments), queue.name)
        policy = policy_of(queue.arguments, effective.definition) or NO_POLICY
        if isinstance(queue, StreamQueue):
            queue.retention = retention_of(queue.arguments, effective.definition)
        elif isinstance(queue, GovernedQueue):
            queue.change(policy)
        elif policy is not NO_POLICY:
            govern(queue, self).change(policy)

    # Consumers.

    def consume(self, consumer: Consumer) -> None:
        """Add a consumer to its queue; raises RequestRefused (403) where one is alone.

        It gets nothing before `queue.resume(consumer)`, so that the answer goes first.
        """
        queue = consumer.queue
        # To other types nobody is exclusive: RabbitMQ takes the flag and forgets it.
        alone = queue.kind == "classic"
        shared = queue.consumers or (
            isinstance(queue, GovernedQueue) and queue.policy.single_active
        )
        if alone and (queue.exclusive_consumer or (consumer.exclusive and shared)):
            raise RequestRefused(
                ReplyCode.ACCESS_REFUSED, f"{self._queue(queue.name)} in exclusive use"
            )
        queue.add(consumer)
        if self.tracer is not None:
            self.tracer.follow(consumer)

    def cancel(self, consumer: Consumer) -> None:
        """End a consumer; an auto-delete queue ends with its last one."""
        queue = consumer.queue
        queue.remove(consumer)
        if queue is self.replies.get(queue.name):
            self.close_replies(queue)
        elif queue.auto_delete and not queue.consumers and not queue.gone:
            with self.acting.in_name_of(NOBODY):
                self._drop_queue(queue, "its last consumer went")
