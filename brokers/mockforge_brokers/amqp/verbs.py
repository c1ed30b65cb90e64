"""What people do with AMQP: verbs of console, fixtures and HTTP, on what the wire calls too."""

from collections.abc import Callable, Mapping
from itertools import islice
from typing import Any, Literal

from ..environment import Environment
from ..errors import InvalidInput, PlainRefusals
from ..events import MessageSeen
from . import inputs
from .channel.headers import examine
from .connection.connection import Connection
from .event_exchange import EventExchange
from .inside import Inside
from .options import AmqpOptions
from .records import Headers, table
from .state.memory import Memory
from .state.message import Message
from .state.plugin_exchanges import EXCHANGE_TYPES
from .state.policies import NamedPolicy
from .state.routing import Route
from .state.topic_permissions import TopicPermission
from .state.virtual_host import VirtualHost
from .tracing import Tracer
from .views import message_seen
from .wire import content as contents

Settlement = Literal["ack", "reject", "requeue"]
"""What becomes of messages that were taken."""
DestinationKind = Literal["queue", "exchange"]
"""What a binding leads to."""


class HostWatch:
    """How one who watches all virtual hosts watches each of them."""

    def __init__(self, watch: Callable[[VirtualHost], Callable[[], None]]) -> None:
        self._watch = watch
        self._stops: dict[str, Callable[[], None]] = {}

    def begin(self, vhost: VirtualHost) -> None:
        self._stops[vhost.name] = self._watch(vhost)

    def end_of(self, name: str) -> None:
        if (stop := self._stops.pop(name, None)) is not None:
            stop()

    def end(self) -> None:
        for name in tuple(self._stops):
            self.end_of(name)


class Verbs:
    """Each raises InvalidInput with RabbitMQ's words where it is refused."""

    options: AmqpOptions
    environment: Environment
    memory: Memory
    vhosts: dict[str, VirtualHost]
    inside: Inside
    event_exchange: EventExchange
    _watches: list[HostWatch]
    _connections: dict[int, Connection]

    def publish(
        self,
        exchange: str,
        routing_key: str,
        body: bytes,
        *,
        properties: Mapping[str, Any] | None = None,
        mandatory: bool = False,
        vhost: str = "/",
        source: str = "prompt",
    ) -> int:
        """Publish as `source`; returns how many queues it reached. Raises InvalidInput."""
        inputs.check_short("routing key", routing_key)
        checked = inputs.properties(properties or {})
        host = self.vhost(vhost)
        try:
            content = contents.make_content(1, body, checked, self.options.frame_max - 8)
        except (OverflowError, UnicodeEncodeError) as error:
            raise InvalidInput(f"a property or header has no legal value: {error}") from None
        with PlainRefusals():
            # As a client's: what is refused there is here, and CC and BCC are keys, too.
            headers, flags = Headers(checked.get("headers", {}), checked), contents.flags(content)
            header = contents.header_frame(content)
            extra = examine(header, flags, None, "", host.profile, read_headers=False)
            route = host.route(exchange, routing_key, headers, extra.keys if extra else ())
            if route.exchange.internal:
                raise InvalidInput(f"exchange '{exchange}' is internal: publish to another one")
            publish = host.publish_expiring if "expiration" in checked else host.publish
            if extra is not None and extra.header:
                content = extra.header + content[extra.taken :]
            reached = publish(route, content, len(body), source)
        routed = reached or int(route.held)
        self.inside.published(
            source, exchange, routing_key, mandatory, content, routed, vhost=vhost
        )
        if reached < 0:
            raise InvalidInput(
                f"a queue of '{exchange}' and '{routing_key}' is full and rejects what is "
                "published (x-overflow): purge it, or raise its x-max-length"
            )
        if mandatory and not reached:
            raise InvalidInput(
                f"exchange '{exchange}' routes '{routing_key}' to no queue: bind one, "
                "or publish without mandatory"
            )
        return reached

    def vhost(self, name: str = "/") -> VirtualHost:
        found = self.vhosts.get(name)
        if found is None:
            raise InvalidInput(f"vhost {name!r} is none of {', '.join(self.vhosts)}")
        return found

    def declare_exchange(
        self,
        name: str,
        kind: str = "direct",
        *,
        durable: bool = False,
        auto_delete: bool = False,
        internal: bool = False,
        arguments: Mapping[str, Any] | None = None,
        vhost: str = "/",
    ) -> None:
        inputs.check_short("exchange name", name)
        with PlainRefusals():
            self.vhost(vhost).declare_exchange(
                name,
                kind,
                durable=durable,
                auto_delete=auto_delete,
                internal=internal,
                arguments=table(arguments or {}),
            )

    @property
    def exchange_types(self) -> tuple[str, ...]:
        return tuple(EXCHANGE_TYPES)

    def exchanges(self, *, vhost: str = "/") -> list[tuple[str, str]]:
        """(name, type) of each exchange but the default one, used or not."""
        found = self.vhost(vhost).exchanges.values()
        return [(exchange.name, exchange.type) for exchange in found if exchange.name]

    def bindings(self, *, vhost: str = "/") -> list[tuple[str, str, str]]:
        """(exchange, queue or exchange that it leads to, binding key) of each binding."""
        return [
            (exchange.name, binding.destination.name, binding.routing_key)
            for exchange in self.vhost(vhost).exchanges.values()
            for binding in exchange.bindings.values()
        ]

    def delete_exchange(self, name: str, *, if_unused: bool = False, vhost: str = "/") -> None:
        """Delete it if it is there."""
        with PlainRefusals():
            self.vhost(vhost).delete_exchange(name, if_unused=if_unused)
        self.memory.settle()

    def declare_queue(
        self,
        name: str,
        *,
        durable: bool = False,
        auto_delete: bool = False,
        arguments: Mapping[str, Any] | None = None,
        vhost: str = "/",
    ) -> None:
        if not name:
            raise InvalidInput("a queue needs a name")
        inputs.check_short("queue name", name)
        with PlainRefusals():
            self.vhost(vhost).declare_queue(
                name, durable=durable, auto_delete=auto_delete, arguments=table(arguments or {})
            )

    def delete_queue(self, name: str, *, if_empty: bool = False, vhost: str = "/") -> int:
        """How many ready messages went with it."""
        with PlainRefusals():
            self.vhost(vhost).queue(name)
            return self.vhost(vhost).delete_queue(name, if_empty=if_empty)

    def purge_queue(self, name: str, *, vhost: str = "/") -> int:
        """How many ready messages are gone."""
        with PlainRefusals():
            return self.vhost(vhost).purge(name)

    def cancel_consumers(self, queue: str, tag: str | None = None, *, vhost: str = "/") -> int:
        """End a queue's consumers, or the one of a tag, as when its leader moves.

        Clients that can hear it are sent basic.cancel; what they hold unacked they keep. Returns
        how many there were.
        """
        with PlainRefusals():
            host = self.vhost(vhost)
            found = [each for each in host.queue(queue).consumers if tag in (None, each.tag)]
        for consumer in found:
            host.cancel(consumer)
            consumer.sink.cancelled("cancelled by prompt")
        return len(found)

    def bind(
        self,
        source: str,
        destination: str,
        binding_key: str = "",
        arguments: Mapping[str, Any] | None = None,
        *,
        kind: DestinationKind = "queue",
        vhost: str = "/",
    ) -> None:
        """Let messages of an exchange reach a queue, or another exchange."""
        inputs.check_short("binding key", binding_key)
        with PlainRefusals():
            host = self.vhost(vhost)
            bind = host.bind_queue if kind == "queue" else host.bind_exchange
            bind(destination, source, binding_key, table(arguments or {}))

    def unbind(
        self,
        source: str,
        destination: str,
        binding_key: str = "",
        arguments: Mapping[str, Any] | None = None,
        *,
        kind: DestinationKind = "queue",
        vhost: str = "/",
    ) -> None:
        """Undo `bind`; what is not bound is no error."""
        with PlainRefusals():
            host = self.vhost(vhost)
            unbind = host.unbind_queue if kind == "queue" else host.unbind_exchange
            unbind(destination, source, binding_key, table(arguments or {}))

    def set_policy(
        self,
        name: str,
        pattern: str,
        definition: Mapping[str, Any],
        *,
        apply_to: str = "all",
        priority: float = 0,
        operator: bool = False,
        vhost: str = "/",
    ) -> None:
        """Add or replace a policy; it acts at once. Raises InvalidInput."""
        policy = NamedPolicy(name, pattern, dict(definition), apply_to, priority)
        self.vhost(vhost).set_policy(policy, operator=operator)

    def remove_policy(self, name: str, *, operator: bool = False, vhost: str = "/") -> None:
        if not self.vhost(vhost).remove_policy(name, operator=operator):
            raise InvalidInput(f"vhost {vhost} has no such policy: {name}")

    def permit_topic(
        self, user: str, exchange: str, write: str, read: str, *, vhost: str = "/"
    ) -> bool:
        """Which keys of a topic exchange a user may use; True if it is new. Raises InvalidInput."""
        host = self.vhost(vhost)
        new = host.topic_permissions.set(TopicPermission(user, exchange, write, read))
        rights = {"exchange": exchange, "write": write, "read": read}
        self.event_exchange.add("topic.permission.created", user=user, vhost=vhost, **rights)
        host.forget_routes()
        host.keeper.host_changed(host.name)
        return new

    def forget_topic(self, user: str, exchange: str | None = None, *, vhost: str = "/") -> bool:
        """Any key again, of one exchange or all; False if there was nothing to take back."""
        host = self.vhost(vhost)
        found = host.topic_permissions.clear(user, exchange)
        if found:
            self.event_exchange.add("topic.permission.deleted", user=user, vhost=vhost)
        host.forget_routes()
        host.keeper.host_changed(host.name)
        return found

    def trace(self, on: bool, *, vhost: str = "/") -> None:
        """Let amq.rabbitmq.trace have each message too, as rabbitmqctl trace_on does."""
        host = self.vhost(vhost)
        if host.tracer is not None:
            host.tracer.stop()
        if on:
            Tracer(host, self._connections, self.environment.spine)

    def get(self, queue: str, *, vhost: str = "/") -> MessageSeen | None:
        """Take the oldest ready message out of a queue; None if it is empty."""
        with PlainRefusals():
            message = self.vhost(vhost).queue(queue).take(no_ack=True)
        self.memory.settle()
        return None if message is None else self._seen(message.route, message.content, "")

    def get_all(
        self, queue: str, count: int, settle: Settlement, *, vhost: str = "/"
    ) -> tuple[list[tuple[MessageSeen, bool]], int]:
        """Up to so many messages as basic.get has them, and whether each is redelivered.

        All of them are taken first and settled then; the number is of those that were left behind.
        """
        taken: list[Message] = []
        with PlainRefusals():
            found = self.vhost(vhost).queue(queue)
            while len(taken) < count and (message := found.take(no_ack=False)) is not None:
                taken.append(message)
        seen = [
            (self._seen(message.route, message.content, ""), message.redelivered)
            for message in taken
        ]
        left = len(found.messages)
        if settle == "requeue":
            found.requeue(taken)
        for message in taken if settle != "requeue" else ():
            (found.acknowledge if settle == "ack" else found.discard)(message)
        self.memory.settle()
        return seen, left

    def peek(
        self, queue: str, count: int = 10, *, start: int = 0, vhost: str = "/"
    ) -> list[MessageSeen]:
        """Ready messages, oldest first, from the `start`-th on; they stay where they are."""
        with PlainRefusals():
            messages = self.vhost(vhost).queue(queue).messages
        return [
            self._seen(message.route, message.stored, "")
            for message in islice(messages, start, start + count)
        ]

    def watch(
        self, callback: Callable[[MessageSeen], object], destination: str | None = None
    ) -> Callable[[], None]:
        def watch(vhost: VirtualHost) -> Callable[[], None]:
            name = vhost.name

            def seen(route: Route, content: bytes, source: str) -> None:
                wall = self.environment.clock.wall()
                # Nobody is the source of what the broker publishes itself: dead letters, events.
                more = {"vhost": name} if source else {"vhost": name, "internal": True}
                callback(message_seen(wall, route, content, source, more))

            return vhost.watch(destination, seen)

        watching = HostWatch(watch)
        for vhost in self.vhosts.values():
            watching.begin(vhost)
        self._watches.append(watching)

        def stop() -> None:
            if watching in self._watches:
                self._watches.remove(watching)
            watching.end()

        return stop

    def watch_host(self, vhost: VirtualHost) -> None:
        """A virtual host that is new: its messages are seen by those who watch the others'."""
        for watching in self._watches:
            watching.begin(vhost)

    def unwatch_host(self, name: str) -> None:
        """It is gone: nobody who watches the others keeps it."""
        for watching in self._watches:
            watching.end_of(name)

    def _seen(self, route: Route, content: bytes, client: str) -> MessageSeen:
        return message_seen(self.environment.clock.wall(), route, content, client)
