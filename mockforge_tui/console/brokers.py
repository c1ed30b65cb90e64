"""What can be done to the running brokers from inside, as the commands ask for it."""

from collections.abc import Mapping
from typing import Any

from mockforge_brokers.contract import Broker

from .ports import AmqpAdmin, KafkaAdmin, MqttAdmin


class BrokerAdministration:
    """The brokers' entrances, by protocol; one that does not run is None."""

    def __init__(self, brokers: Mapping[str, Broker]) -> None:
        self._brokers: Mapping[str, Any] = brokers

    @property
    def kafka(self) -> KafkaAdmin | None:
        broker: KafkaAdmin | None = self._brokers.get("kafka")
        return broker

    @property
    def mqtt(self) -> MqttAdmin | None:
        broker: MqttAdmin | None = self._brokers.get("mqtt")
        return broker

    @property
    def amqp(self) -> AmqpAdmin | None:
        broker: AmqpAdmin | None = self._brokers.get("amqp")
        return broker
