"""AMQP in the app."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING

from ..config import Config
from .receipt import Receipt
from .ways import Ways

if TYPE_CHECKING:
    from mockforge_brokers.amqp.broker import AmqpBroker
    from mockforge_brokers.environment import Environment

    from ..fixtures.messages import AmqpMessage
    from ..fixtures.model import Binding, Exchange, FixtureSet, Queue
    from ..fixtures.source.problems import Position


WAYS = Ways("amqp")


def build(environment: "Environment", config: Config) -> "AmqpBroker":
    from mockforge_brokers.amqp.broker import AmqpBroker
    from mockforge_brokers.amqp.options import AmqpOptions

    options = AmqpOptions(
        mechanisms=config.amqp_mechanisms or AmqpOptions().mechanisms,
        as_version=config.amqp_as_version,
        vhosts=virtual_hosts(config),
        channel_max=config.channel_max,
        frame_max=config.frame_max,
        heartbeat=config.heartbeat,
        consumer_timeout=config.consumer_timeout,
    )
    return AmqpBroker(environment, options)


def virtual_hosts(config: Config) -> tuple[str, ...]:
    """The one that clients are told of first; `/` is always there, for prompt and fixtures."""
    wanted = (config.amqp_vhost, *config.vhosts, "/")
    return tuple(dict.fromkeys(each for each in wanted if each))


def declarations(
    amqp: "AmqpBroker", fixtures: "FixtureSet"
) -> Iterator[tuple["Position", Callable[[], None]]]:
    """See `production.declarations`."""
    document: dict[str, list[Mapping[str, object]]] = {}
    for each in fixtures.definitions:
        document.setdefault(each.section, []).append(each.item)
    loading = amqp.loading(document)
    for each in fixtures.definitions:
        yield each.position, partial(loading.take, each.section, each.item)
    for exchange in fixtures.exchanges:
        yield exchange.position, partial(_declare_exchange, amqp, exchange)
    for queue in fixtures.queues:
        yield queue.position, partial(_declare_queue, amqp, queue)
    for binding in fixtures.bindings:
        yield binding.position, partial(_bind, amqp, binding)


def _declare_exchange(amqp: "AmqpBroker", exchange: "Exchange") -> None:
    amqp.declare_exchange(
        exchange.name,
        exchange.type,
        durable=exchange.durable,
        auto_delete=exchange.auto_delete,
        internal=exchange.internal,
        arguments=exchange.arguments,
    )


def _declare_queue(amqp: "AmqpBroker", queue: "Queue") -> None:
    amqp.declare_queue(
        queue.name,
        durable=queue.durable,
        auto_delete=queue.auto_delete,
        arguments=queue.arguments,
    )


def _bind(amqp: "AmqpBroker", binding: "Binding") -> None:
    amqp.bind(binding.exchange, binding.queue, binding.routing_key, binding.arguments)


def publish(broker: "AmqpBroker", message: "AmqpMessage") -> Receipt:
    """Raises InvalidInput."""
    reached = broker.publish(
        message.exchange,
        message.routing_key,
        message.payload,
        properties=message.properties or None,
        vhost=message.vhost,
        source=message.source,
    )
    return Receipt(f"{message.exchange or '(default)'}/{message.routing_key}", reached)
