"""Facts that the AMQP broker emits on the spine."""

from collections.abc import Mapping
from typing import Any, Final

from msgspec import field

from ..events import Event

AMQP: Final = "amqp"
"""The protocol, in events and views."""


class ExchangeDeclared(Event, frozen=True):
    vhost: str
    exchange: str
    type: str
    durable: bool
    arguments: Mapping[str, Any] = field(default_factory=dict)


class ExchangeDeleted(Event, frozen=True):
    vhost: str
    exchange: str
    reason: str


class QueueDeclared(Event, frozen=True):
    vhost: str
    queue: str
    durable: bool
    exclusive: bool
    auto_delete: bool
    arguments: Mapping[str, Any] = field(default_factory=dict)


class QueueDeleted(Event, frozen=True):
    """`messages` were ready in it and are lost."""

    vhost: str
    queue: str
    reason: str
    messages: int


class QueuePurged(Event, frozen=True):
    vhost: str
    queue: str
    messages: int


class BindingAdded(Event, frozen=True):
    """`kind` says what the destination is: queue or exchange."""

    vhost: str
    exchange: str
    kind: str
    destination: str
    routing_key: str
    arguments: Mapping[str, Any] = field(default_factory=dict)


class BindingRemoved(Event, frozen=True):
    vhost: str
    exchange: str
    kind: str
    destination: str
    routing_key: str
    arguments: Mapping[str, Any] = field(default_factory=dict)


class PolicySet(Event, frozen=True):
    """A policy was added or replaced; an operator's limits those of users."""

    vhost: str
    policy: str
    operator: bool
    pattern: str
    apply_to: str
    priority: int | float
    definition: Mapping[str, Any]


class PolicyRemoved(Event, frozen=True):
    vhost: str
    policy: str
    operator: bool


class ConsumerStarted(Event, frozen=True):
    connection: int
    channel: int
    queue: str
    consumer_tag: str


class ConsumerEnded(Event, frozen=True):
    connection: int
    channel: int
    queue: str
    consumer_tag: str
    reason: str


class MessagesRequeued(Event, frozen=True):
    """A channel or connection ended with messages unacknowledged: they are ready again."""

    queue: str
    messages: int
    reason: str


class MessageUnroutable(Event, frozen=True):
    """A publish reached no queue; `returned` to its publisher (mandatory), else it is lost.

    Emitted once for each publisher, exchange and routing key; views and metrics count them all.
    """

    connection: int
    client: str
    exchange: str
    routing_key: str
    returned: bool


class ChannelOpened(Event, frozen=True):
    connection: int
    channel: int


class ChannelClosed(Event, frozen=True):
    """`code` is 200 for a channel that the client closed in peace."""

    connection: int
    channel: int
    code: int
    reason: str


class PublisherBlocked(Event, frozen=True):
    """The memory mark is passed: this connection is not read until messages are gone."""

    connection: int
    client: str


class PublisherUnblocked(Event, frozen=True):
    connection: int
    client: str
