"""The one way in for messages that no socket carried: to the entrance of their broker."""

from collections.abc import Iterable

from mockforge_brokers.errors import InvalidInput

from .brokers import Brokers
from .fixtures.messages import AmqpMessage, KafkaMessage, MqttMessage, Outgoing
from .protocols import amqp, kafka, mqtt
from .protocols.receipt import Receipt as Receipt


def publish(brokers: Brokers, message: Outgoing) -> Receipt:
    """Hand one message to its broker's entrance. Raises InvalidInput."""
    if message.protocol in brokers.stopped:
        protocol = message.protocol
        raise InvalidInput(f"{protocol} is stopped: broker start {protocol}")
    match message:
        case KafkaMessage() if brokers.kafka is not None:
            return kafka.publish(brokers.kafka, message)
        case MqttMessage() if brokers.mqtt is not None:
            return mqtt.publish(brokers.mqtt, message)
        case AmqpMessage() if brokers.amqp is not None:
            return amqp.publish(brokers.amqp, message)
    raise InvalidInput(f"{message.protocol} is not served here (it was switched off)")


def make_room(brokers: Brokers, messages: Iterable[Outgoing]) -> None:
    """Create what a recording needs and what publishing alone would not create as it was."""
    if brokers.kafka is not None:
        found = [each for each in messages if isinstance(each, KafkaMessage)]
        kafka.create_topics_for(brokers.kafka, found)
