"""RabbitMQ's firehose: each message of a virtual host comes to amq.rabbitmq.trace as well."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from ..events import ClientIdentified, ConnectionClosed, Event
from ..spine import Spine
from .connection.connection import Connection
from .connection.ends import NODE, connection_name
from .records import Parts, octets_of, table
from .state.consumer import Consumer, Sink
from .state.message import Message
from .state.routing import Route
from .state.virtual_host import VirtualHost
from .wire import content as contents

_TRACE: Final = "amq.rabbitmq.trace"
_MAX_PAYLOAD: Final = 131_064
_LONGEST: Final = 255
"""Bytes of a routing key."""


class Tracer:
    """`publish.EXCHANGE` as a message comes, `deliver.QUEUE` as it goes out, until `stop`.

    Headers say what RabbitMQ's say: exchange_name, routing_keys, properties, node, vhost,
    connection and user, and routed_queues or redelivered; a delivery has its channel as well. What
    no connection published (prompt, fixtures) has its source as connection. The body is the
    message's.
    """

    def __init__(
        self, vhost: VirtualHost, connections: Mapping[int, Connection], spine: Spine
    ) -> None:
        self._vhost = vhost
        self._connections = connections
        self._by_client: dict[str, list[Connection]] | None = None
        """None until it is wanted, and once somebody came or went."""
        self._unwatch = vhost.watch(None, self._published)
        self._unwatch_spine = spine.watch(self._forget, ClientIdentified, ConnectionClosed)
        vhost.tracer = self
        for consumer in self._consumers():
            self.follow(consumer)

    def _forget(self, event: Event) -> None:
        self._by_client = None

    def _named(self, client: str) -> list[Connection]:
        """Clients publish in the name that people know them by, which several may share."""
        found = self._by_client
        if found is None:
            # Once for all messages until somebody comes or goes: there may be thousands.
            found = self._by_client = {}
            for each in self._connections.values():
                found.setdefault(each.client, []).append(each)
        return found.get(client, [])

    def stop(self) -> None:
        self._unwatch()
        self._unwatch_spine()
        self._vhost.tracer = None
        for consumer in self._consumers():
            if isinstance(consumer.sink, _Traced):
                consumer.sink = consumer.sink.sink

    def _consumers(self) -> list[Consumer]:
        vhost = self._vhost
        queues = (*vhost.queues.values(), *vhost.replies.values())
        return [each for queue in queues for each in queue.consumers]

    def follow(self, consumer: Consumer) -> None:
        consumer.sink = _Traced(consumer.sink, consumer, self)

    def _published(self, route: Route, content: bytes, source: str) -> None:
        queues = [queue.name for queue in route.queues]
        named = self._named(source)
        who = _of(named[0]) if len(named) == 1 else {"connection": source}
        more = {**who, "routed_queues": queues}
        self._emit(f"publish.{route.exchange.name}", route, content, more)

    def delivered(
        self,
        queue: str,
        route: Route,
        content: bytes,
        redelivered: bool,
        connection: int,
        channel: int,
    ) -> None:
        found = self._connections.get(connection)
        who = {} if found is None else {**_of(found), "channel": channel}
        self._emit(f"deliver.{queue}", route, content, {**who, "redelivered": int(redelivered)})

    def channel_of(self, consumer: Consumer) -> int:
        """0 where it is in none (yet)."""
        connection = self._connections.get(consumer.connection)
        channels = {} if connection is None else connection.channels.open
        holding = (
            number for number, each in channels.items() if consumer in each.consumers.values()
        )
        return next(holding, 0)

    def _emit(self, key: str, route: Route, content: bytes, more: Mapping[str, Any]) -> None:
        if route.exchange.name == _TRACE:
            return
        vhost, body = self._vhost, contents.body(content)
        headers = {
            "exchange_name": route.exchange.name,
            "routing_keys": [route.routing_key],
            "properties": contents.properties(content),
            "node": NODE,
            "vhost": vhost.name,
            **more,
        }
        made = contents.make_content(1, body, {"headers": table(headers)}, _MAX_PAYLOAD)
        # The message that is traced may be on its way into queues: its refusal is its own.
        rejected = vhost.rejected
        vhost.deliver(vhost.route(_TRACE, _cut(key)), made, len(body), "trace")
        vhost.rejected = rejected


def _cut(key: str) -> str:
    """A name may be as long as a routing key can be, and has a word before it here."""
    return octets_of(key)[:_LONGEST].decode("utf-8", "surrogateescape")


def _of(connection: Connection) -> dict[str, Any]:
    return {"connection": connection_name(connection.peer), "user": connection.user}


class _Traced:
    """The sink of a consumer whose deliveries are traced."""

    def __init__(self, sink: Sink, consumer: Consumer, tracer: Tracer) -> None:
        self.sink = sink
        self._consumer = consumer
        self._tracer = tracer
        self._channel = 0
        """Found at the first delivery: a connection may have thousands of channels."""

    def deliver(
        self, route: Route, content: bytes, size: int, redelivered: bool, unacked: Message | None
    ) -> None:
        self.sink.deliver(route, content, size, redelivered, unacked)
        consumer, tracer = self._consumer, self._tracer
        channel = self._channel = self._channel or tracer.channel_of(consumer)
        queue, connection = consumer.queue.name, consumer.connection
        tracer.delivered(queue, route, content, redelivered, connection, channel)

    def activated(self, *, active: bool) -> None:
        self.sink.activated(active=active)

    def deliver_all(self, route: Route, contents: Sequence[bytes], size: int) -> int:
        return 0

    def deliver_parts(self, route: Route, contents: Iterable[Parts]) -> int:
        return 0

    def deliver_messages(self, messages: Iterable[Message], *, no_ack: bool) -> int:
        return 0

    def work(self, call: Callable[[], object]) -> None:
        self.sink.work(call)

    def holds(self, consumer: Consumer) -> bool:
        return self.sink.holds(consumer)

    def cancelled(self, reason: str) -> None:
        self.sink.cancelled(reason)
