"""The one way in for messages that no socket carried: to the entrance of their broker."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mockforge_brokers.errors import InvalidInput

from .brokers import Brokers
from .fixtures.messages import AmqpMessage, KafkaMessage, MqttMessage, Outgoing

if TYPE_CHECKING:
    from mockforge_brokers.amqp.broker import AmqpBroker
    from mockforge_brokers.kafka.broker import KafkaBroker
    from mockforge_brokers.mqtt.broker import MqttBroker


@dataclass(frozen=True, slots=True)
class Receipt:
    """Where a message went: `place` is for people (`orders p0@97`), `reached` counts takers."""

    place: str
    reached: int | None = None


def publish(brokers: Brokers, message: Outgoing) -> Receipt:
    """Hand one message to its broker's entrance. Raises InvalidInput."""
    if message.protocol in brokers.stopped:
        protocol = message.protocol
        raise InvalidInput(f"{protocol} is stopped: broker start {protocol}")
    match message:
        case KafkaMessage() if brokers.kafka is not None:
            return _to_kafka(brokers.kafka, message)
        case MqttMessage() if brokers.mqtt is not None:
            return _to_mqtt(brokers.mqtt, message)
        case AmqpMessage() if brokers.amqp is not None:
            return _to_amqp(brokers.amqp, message)
    raise InvalidInput(f"{message.protocol} is not served here (it was switched off)")


def make_room(brokers: Brokers, messages: Iterable[Outgoing]) -> None:
    """Create the Kafka topics that a recording needs and that are not there.

    Messages go to the partitions where they were: a topic made by the first of them would have
    only the default number.
    """
    broker = brokers.kafka
    if broker is None:
        return
    partitions: dict[str, int] = {}
    for message in messages:
        if isinstance(message, KafkaMessage) and message.partition is not None:
            least = partitions.get(message.topic, broker.options.default_partitions)
            partitions[message.topic] = max(least, message.partition + 1)
    for topic, count in partitions.items():
        if not broker.has_topic(topic):
            broker.create_topic(topic, count)


def _to_kafka(broker: "KafkaBroker", message: KafkaMessage) -> Receipt:
    partition, offset = broker.publish(
        message.topic,
        message.payload,
        key=message.key,
        headers=message.headers,
        partition=message.partition,
        source=message.source,
    )
    return Receipt(f"{message.topic} p{partition}@{offset}")


def _to_mqtt(broker: "MqttBroker", message: MqttMessage) -> Receipt:
    reached = broker.publish(
        message.topic_name,
        message.payload,
        qos=message.qos,
        retain=message.retain,
        properties=message.properties or None,
        source=message.source,
    )
    return Receipt(message.topic_name, reached)


def _to_amqp(broker: "AmqpBroker", message: AmqpMessage) -> Receipt:
    reached = broker.publish(
        message.exchange,
        message.routing_key,
        message.payload,
        properties=message.properties or None,
        vhost=message.vhost,
        source=message.source,
    )
    return Receipt(f"{message.exchange or '(default)'}/{message.routing_key}", reached)
