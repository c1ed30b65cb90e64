"""What can be done to the running brokers from inside, as the commands ask for it."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mockforge_brokers.contract import Broker

from .ports import AmqpAdmin, KafkaAdmin, MqttAdmin, Record

if TYPE_CHECKING:
    from mockforge_brokers.amqp.broker import AmqpBroker
    from mockforge_brokers.kafka.broker import KafkaBroker
    from mockforge_brokers.mqtt.broker import MqttBroker

_SOURCE = "console"
_READ_BYTES = 16 * 1024 * 1024


class BrokerAdministration:
    """The brokers' entrances, by protocol; one that does not run is None."""

    def __init__(self, brokers: Mapping[str, Broker]) -> None:
        self._brokers: Mapping[str, Any] = brokers

    @property
    def kafka(self) -> KafkaAdmin | None:
        broker = self._brokers.get("kafka")
        return None if broker is None else _Kafka(broker)

    @property
    def mqtt(self) -> MqttAdmin | None:
        broker = self._brokers.get("mqtt")
        return None if broker is None else _Mqtt(broker)

    @property
    def amqp(self) -> AmqpAdmin | None:
        broker = self._brokers.get("amqp")
        return None if broker is None else _Amqp(broker)


class _Kafka:
    def __init__(self, broker: "KafkaBroker") -> None:
        self._cluster = broker.cluster

    def create_topic(
        self, name: str, partitions: int | None = None, config: Mapping[str, str] | None = None
    ) -> int:
        topic = self._cluster.create_topic(name, partitions, configs=config, source=_SOURCE)
        return len(topic.logs)

    def delete_topic(self, name: str) -> None:
        self._cluster.delete_topic(name, source=_SOURCE)

    def purge_topic(self, name: str) -> int:
        cluster = self._cluster
        return sum(
            cluster.delete_records(log, log.high_watermark, reason="purged at the console")
            for log in cluster.topic(name).logs
        )

    def read(self, topic: str, partition: int, offset: int, limit: int) -> list[Record]:
        from mockforge_brokers.kafka.records import read_records

        log = self._cluster.topic(topic).logs[partition]
        offset = max(offset, log.log_start_offset)
        found = []
        for batch in log.read(offset, _READ_BYTES).batches:
            for record in read_records(batch):
                # A batch may begin before the offset that was asked for.
                if record.offset >= offset:
                    found.append(
                        Record(
                            partition,
                            record.offset,
                            record.timestamp / 1000,
                            record.key,
                            record.value,
                            tuple(record.headers),
                        )
                    )
                if len(found) == limit:
                    return found
        return found

    def offsets(self, topic: str) -> list[tuple[int, int]]:
        logs = self._cluster.topic(topic).logs
        return [(log.log_start_offset, log.high_watermark) for log in logs]


class _Mqtt:
    def __init__(self, broker: "MqttBroker") -> None:
        self._broker = broker

    def retained(self) -> list[tuple[str, bytes, int]]:
        return sorted(
            (message.topic_name, message.payload, message.qos)
            for message in self._broker.router.retained.all()
        )

    def clear_retained(self, topic_name: str) -> bool:
        return self._broker.router.retained.remove(topic_name)

    def sessions(self) -> list[Mapping[str, Any]]:
        return [
            {
                "client": client,
                "connected": session.sink is not None,
                "subscriptions": list(session.subscriptions),
                "queued": len(session.queue),
                "inflight": len(session.inflight),
                "dropped": session.dropped,
            }
            for client, session in self._broker.sessions.by_client.items()
        ]

    def end_session(self, client: str) -> bool:
        session = self._broker.sessions.by_client.get(client)
        if session is None:
            return False
        self._broker.sessions.end(session, "ended at the console")
        return True


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
