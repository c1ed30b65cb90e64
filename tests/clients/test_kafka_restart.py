"""`broker restart kafka` among produces of an unmodified client: what was confirmed is there."""

from itertools import count

import pytest
from confluent_kafka import OFFSET_BEGINNING, Consumer, Producer, TopicPartition

from clients.conftest import Servers, wait_for

pytestmark = pytest.mark.client

TOTAL = 10_000
RESTARTS = 20
_numbers = count(1)


def test_restarts_lose_and_double_nothing(servers: Servers) -> None:
    topic = f"restarted-{next(_numbers)}"
    broker = servers.brokers["kafka"]
    servers.call(broker.create_topic, topic, 1)
    bootstrap = {"bootstrap.servers": f"127.0.0.1:{servers.ports['kafka']}"}
    producer = Producer(
        bootstrap
        | {
            "client.id": topic,
            "enable.idempotence": True,
            "linger.ms": 0,
            "batch.num.messages": 20,
            "reconnect.backoff.ms": 5,
            "reconnect.backoff.max.ms": 20,
            "retry.backoff.ms": 5,
        }
    )
    confirmed: list[int] = []

    def delivered(error, message) -> None:  # type: ignore[no-untyped-def]
        assert error is None, error
        confirmed.append(int(message.value()))

    def connected() -> bool:
        return servers.call(lambda: any(one.client == topic for one in broker.connections()))

    for number in range(TOTAL):
        producer.produce(topic, str(number), partition=0, on_delivery=delivered)
        # The first one connects: else all are queued before a slow machine has come that far.
        producer.poll(0) if number else producer.flush(30)
        if number % (TOTAL // RESTARTS) == TOTAL // RESTARTS // 2:
            # A restart that nobody is connected to would prove nothing.
            wait_for(connected, what="the producer, back from the restart before")
            servers.call(broker.restart)
    assert producer.flush(30) == 0
    assert sorted(confirmed) == list(range(TOTAL))

    consumer = Consumer(bootstrap | {"group.id": topic, "enable.auto.commit": False})
    consumer.assign([TopicPartition(topic, 0, OFFSET_BEGINNING)])
    found: list[int] = []
    while len(found) < TOTAL:
        batch = consumer.consume(1_000, 10)
        assert batch, f"only {len(found)} came"
        found += [int(message.value()) for message in batch]
    consumer.close()
    assert found == list(range(TOTAL)), "in order, each once"


@pytest.mark.parametrize("protocol", ["classic", "consumer"])
def test_members_of_a_group_go_on_after_restarts_and_read_nothing_twice(
    servers: Servers, protocol: str
) -> None:
    topic = f"read-on-{next(_numbers)}"
    broker = servers.brokers["kafka"]
    servers.call(broker.create_topic, topic, 2)
    basic = {
        "bootstrap.servers": f"127.0.0.1:{servers.ports['kafka']}",
        "reconnect.backoff.ms": 5,
        "reconnect.backoff.max.ms": 20,
    }
    consumer = Consumer(
        basic | {"group.id": topic, "group.protocol": protocol, "auto.offset.reset": "earliest"}
    )
    assigned: list[int] = []
    consumer.subscribe([topic], on_assign=lambda _, given: assigned.append(len(given)))
    # Else some may be there twice, with Kafka as well: once all brokers are down librdkafka
    # bootstraps anew (KIP-899), and ends the connection that it has made and sent on meanwhile.
    producer = Producer(basic | {"linger.ms": 0, "enable.idempotence": True})
    found: list[int] = []

    def read(count: int) -> None:
        """Up to so many in all; errors that come among them tell of the broker that is away."""

        def more() -> bool:
            batch = [one for one in consumer.consume(100, 0.2) if one.error() is None]
            found.extend(int(message.value()) for message in batch)
            return len(found) >= count

        wait_for(more, what=f"{count} records")

    for turn in range(2):
        for number in range(turn * 100, turn * 100 + 100):
            producer.produce(topic, str(number), partition=number % 2)
        assert producer.flush(30) == 0
        read(turn * 100 + 100)
        # Nothing of this turn is committed yet: who began anew would read it again.
        servers.call(broker.restart)
    producer.produce(topic, "200", partition=0)
    assert producer.flush(30) == 0
    read(201)
    consumer.close()
    assert sorted(found) == list(range(201))
    assert assigned == [2], "no rebalance"
