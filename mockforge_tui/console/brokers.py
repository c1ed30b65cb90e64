"""What can be done to the running brokers from inside, as the commands ask for it."""

from collections.abc import Mapping
from typing import cast

from mockforge_brokers.contract import Broker

from .ports import AmqpAdmin, KafkaAdmin, MqttAdmin


class BrokerAdministration:
    """The brokers' own entrances, by protocol; one that does not run is None."""

    def __init__(self, brokers: Mapping[str, Broker]) -> None:
        self._brokers = brokers

    @property
    def kafka(self) -> KafkaAdmin | None:
        return cast(KafkaAdmin | None, self._brokers.get("kafka"))

    @property
    def mqtt(self) -> MqttAdmin | None:
        return cast(MqttAdmin | None, self._brokers.get("mqtt"))

    @property
    def amqp(self) -> AmqpAdmin | None:
        return cast(AmqpAdmin | None, self._brokers.get("amqp"))
