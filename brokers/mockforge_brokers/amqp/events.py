"""Facts that the AMQP broker tells on the spine."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..events import Event


@dataclass(frozen=True, slots=True)
class ExchangeDeclared(Event):
    vhost: str
    exchange: str
    type: str
    durable: bool
    arguments: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ExchangeDeleted(Event):
    vhost: str
    exchange: str
    reason: str


@dataclass(frozen=True, slots=True)
class QueueDeclared(Event):
    vhost: str
    queue: str
    durable: bool
    exclusive: bool
    auto_delete: bool
    arguments: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class QueueDeleted(Event):
    """`messages` were ready in it and are lost."""

    vhost: str
    queue: str
    reason: str
    messages: int


@dataclass(frozen=True, slots=True)
class QueuePurged(Event):
    vhost: str
    queue: str
    messages: int


@dataclass(frozen=True, slots=True)
class BindingAdded(Event):
    """`kind` says what the destination is: queue or exchange."""

    vhost: str
    exchange: str
    kind: str
    destination: str
    routing_key: str


@dataclass(frozen=True, slots=True)
class BindingRemoved(Event):
    vhost: str
    exchange: str
    kind: str
    destination: str
    routing_key: str


@dataclass(frozen=True, slots=True)
class ConsumerStarted(Event):
    connection: int
    channel: int
    queue: str
    consumer_tag: str


@dataclass(frozen=True, slots=True)
class ConsumerEnded(Event):
    connection: int
    channel: int
    queue: str
    consumer_tag: str
    reason: str


@dataclass(frozen=True, slots=True)
class MessagesRequeued(Event):
    """A channel or connection ended with messages unacknowledged: they are ready again."""

    queue: str
    messages: int
    reason: str


@dataclass(frozen=True, slots=True)
class ChannelOpened(Event):
    connection: int
    channel: int


@dataclass(frozen=True, slots=True)
class ChannelClosed(Event):
    """`code` is 200 for a channel that the client closed in peace."""

    connection: int
    channel: int
    code: int
    reason: str


@dataclass(frozen=True, slots=True)
class PublisherBlocked(Event):
    """The memory mark is passed: this connection is not read until messages are gone."""

    connection: int
    client: str


@dataclass(frozen=True, slots=True)
class PublisherUnblocked(Event):
    connection: int
    client: str
