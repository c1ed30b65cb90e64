"""The one way in for messages that no socket carried: to the entrance of their broker."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mockforge_brokers.contract import Broker
from mockforge_brokers.errors import InvalidInput

if TYPE_CHECKING:
    from mockforge_brokers.amqp.broker import AmqpBroker
    from mockforge_brokers.kafka.broker import KafkaBroker
    from mockforge_brokers.mqtt.broker import MqttBroker

    from .fixtures.messages import Outgoing


@dataclass(frozen=True, slots=True)
class Receipt:
    """Where a message went: `place` is for people (`orders p0@97`), `reached` counts takers."""

    place: str
    reached: int | None = None


def publish(brokers: Mapping[str, Broker], message: "Outgoing") -> Receipt:
    """Hand one message to its broker's entrance. Raises InvalidInput."""
    broker: Any = brokers.get(message.protocol)
    if broker is None:
        raise InvalidInput(f"{message.protocol} is not served here (it was switched off)")
    match message.protocol:
        case "kafka":
            return _to_kafka(broker, message)
        case "mqtt":
            return _to_mqtt(broker, message)
        case "amqp":
            return _to_amqp(broker, message)


def _to_kafka(broker: "KafkaBroker", message: "Outgoing") -> Receipt:
    partition, offset = broker.publish(
        message.destination,
        message.payload,
        key=message.key,
        headers=message.headers,
        partition=message.partition,
        source=message.source,
    )
    return Receipt(f"{message.destination} p{partition}@{offset}")


def _to_mqtt(broker: "MqttBroker", message: "Outgoing") -> Receipt:
    reached = broker.publish(
        message.destination,
        message.payload or b"",
        qos=message.qos,
        retain=message.retain,
        properties=message.properties or None,
        source=message.source,
    )
    return Receipt(message.destination, reached)


def _to_amqp(broker: "AmqpBroker", message: "Outgoing") -> Receipt:
    reached = broker.publish(
        message.exchange,
        message.routing_key,
        message.payload or b"",
        properties=message.properties or None,
        source=message.source,
    )
    return Receipt(f"{message.exchange or '(default)'}/{message.routing_key}", reached)
