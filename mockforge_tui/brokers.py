"""The brokers that run, each by its own type."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from mockforge_brokers.contract import Broker

if TYPE_CHECKING:
    from mockforge_brokers.amqp.broker import AmqpBroker
    from mockforge_brokers.findings import Findings
    from mockforge_brokers.kafka.broker import KafkaBroker
    from mockforge_brokers.mqtt.broker import MqttBroker


class Brokers(Mapping[str, Broker]):
    """A broker for each protocol that is served, None for one that is not.

    Whoever needs a broker's own verbs asks by attribute, and mypy checks each of them; as a
    mapping by protocol it shows what all brokers have in common (contract.py).
    """

    __slots__ = ("_served", "amqp", "kafka", "mqtt", "stopped")

    def __init__(
        self,
        kafka: "KafkaBroker | None" = None,
        mqtt: "MqttBroker | None" = None,
        amqp: "AmqpBroker | None" = None,
    ) -> None:
        self.kafka = kafka
        self.mqtt = mqtt
        self.amqp = amqp
        self.stopped: set[str] = set()
        """The protocols whose brokers were stopped by hand, and not started again."""
        every: tuple[Broker | None, ...] = (kafka, mqtt, amqp)
        self._served = {broker.protocol: broker for broker in every if broker is not None}

    def findings(self) -> "Iterator[tuple[str, Findings]]":
        """What lint found, by protocol."""
        for broker in (self.mqtt, self.amqp):
            if broker is not None:
                yield broker.protocol, broker.findings

    def __getitem__(self, protocol: str) -> Broker:
        return self._served[protocol]

    def __iter__(self) -> Iterator[str]:
        return iter(self._served)

    def __len__(self) -> int:
        return len(self._served)
