"""What can be done to the running brokers from inside, as the commands ask for it."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mockforge_brokers.contract import Broker

from .ports import AmqpAdmin, KafkaAdmin, MqttAdmin

if TYPE_CHECKING:
    from mockforge_brokers.amqp.broker import AmqpBroker


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
        broker = self._brokers.get("amqp")
        return None if broker is None else _Amqp(broker)


class _Amqp:
    def __init__(self, broker: "AmqpBroker") -> None:
        self._broker = broker

    def declare_queue(
        self, name: str, *, durable: bool = False, arguments: Mapping[str, Any] | None = None
    ) -> None:
        self._broker.declare_queue(name, durable=durable, arguments=arguments)

    def delete_queue(self, name: str) -> int:
        return self._broker.delete_queue(name)

    def purge_queue(self, name: str) -> int:
        return self._broker.purge(name)

    def declare_exchange(self, name: str, kind: str = "direct", *, durable: bool = False) -> None:
        self._broker.declare_exchange(name, kind, durable=durable)

    def delete_exchange(self, name: str) -> None:
        self._broker.delete_exchange(name)

    def bind(
        self,
        exchange: str,
        queue: str,
        binding_key: str,
        arguments: Mapping[str, Any] | None = None,
    ) -> None:
        self._broker.bind(exchange, queue, binding_key, arguments=arguments)

    def unbind(
        self,
        exchange: str,
        queue: str,
        binding_key: str,
        arguments: Mapping[str, Any] | None = None,
    ) -> None:
        self._broker.unbind(exchange, queue, binding_key, arguments=arguments)

    def exchanges(self) -> list[tuple[str, str]]:
        found = self._broker.vhost().exchanges.values()
        return [(each.name, each.type) for each in found if each.name]

    def bindings(self) -> list[tuple[str, str, str]]:
        return [
            (exchange.name, binding.destination.name, binding.routing_key)
            for exchange in self._broker.vhost().exchanges.values()
            for binding in exchange.bindings.values()
        ]
