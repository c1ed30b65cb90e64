"""What consumers make of presets, and what `chaos report` says of them and of who is not let in."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pika
import pytest
from confluent_kafka import Consumer, Producer

from mockforge_tui import MockForge

from .conftest import wait_for
from .secured import Secured

pytestmark = pytest.mark.client


@pytest.fixture
def mockforge() -> Iterator[MockForge]:
    with MockForge(kafka_configs=("group.consumer.heartbeat.interval.ms=100",)) as running:
        yield running


def report(mockforge: MockForge, client: str) -> dict[str, Any]:
    records = mockforge.run("chaos report").records
    nothing: dict[str, Any] = {"faults": {}, "got": 0, "lost": 0, "refused": 0, "under": []}
    return next((each for each in records if each["client"] == client), nothing)


class KafkaReader:
    """Commits after its work. What it cannot read it puts aside, or (careless) crashes at."""

    def __init__(self, mockforge: MockForge, name: str, **settings: Any) -> None:
        self.name = name
        self.done: list[int] = []
        self.aside: list[bytes] = []
        self._settings = {
            "bootstrap.servers": mockforge.kafka.bootstrap,
            "client.id": name,
            "group.id": name,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            "fetch.wait.max.ms": 20,
            "retry.backoff.ms": 10,
            "reconnect.backoff.ms": 10,
            "reconnect.backoff.max.ms": 50,
            "log_level": 0,
            **settings,
        }
        self._consumer = self._begin()

    def _begin(self) -> Consumer:
        consumer = Consumer(self._settings)
        consumer.subscribe(["orders"])
        return consumer

    def poll(self, *, crashes: bool = False) -> None:
        message = self._consumer.poll(0.02)
        if message is None or message.error() is not None:
            return
        value = message.value() or b""
        if value.isdigit():
            self.done.append(int(value))
        elif crashes:
            self._consumer.close()
            self._consumer = self._begin()
            return
        else:
            self.aside.append(value)
        self._consumer.commit(message, asynchronous=True)

    def close(self) -> None:
        self._consumer.close()


GROUPS = [
    ("coordinator-loss -s time=10m", {"heartbeat.interval.ms": 50}, "Heartbeat"),
    ("rebalance-storm -s every=2 -s time=10m", {"heartbeat.interval.ms": 50}, "Heartbeat"),
    ("coordinator-loss -s time=10m", {"group.protocol": "consumer"}, "ConsumerGroupHeartbeat"),
    (
        "rebalance-storm -s every=2 -s time=10m",
        {"group.protocol": "consumer"},
        "ConsumerGroupHeartbeat",
    ),
]


@pytest.mark.parametrize(("preset", "settings", "operation"), GROUPS)
def test_consumers_of_both_kinds_of_group_meet_the_trouble_and_read_on(
    mockforge: MockForge, preset: str, settings: dict[str, Any], operation: str
) -> None:
    mockforge.run("topic add orders -p 1")
    reader = KafkaReader(mockforge, "c", **settings)
    mockforge.run("pub kafka:orders 1")
    wait_for(lambda: reader.poll() or reader.done)
    # A commit that is refused would end its coordinator before it sends another heartbeat.
    mockforge.kafka.wait_group("c", topic="orders", lag=0, within=40)
    mockforge.run(f"chaos start {preset} --seed 5")

    def met() -> bool:
        reader.poll()
        return f"refuse {operation}" in [each["fault"] for each in report(mockforge, "c")["under"]]

    wait_for(met)
    mockforge.run("chaos stop")
    mockforge.run("pub kafka:orders 2")
    wait_for(lambda: reader.poll() or 2 in reader.done)
    # At least once: what was not committed before a rebalance comes again.
    assert list(dict.fromkeys(reader.done)) == [1, 2]
    assert mockforge.run("fault ls").records == []
    reader.close()


def test_slow_consumer_gives_a_kafka_consumer_one_batch_at_a_time(mockforge: MockForge) -> None:
    mockforge.run("topic add orders -p 1")
    for number in range(1, 6):
        mockforge.run(f"pub kafka:orders {number}")
    mockforge.run("chaos start slow-consumer -s rate=1000/s")
    reader = KafkaReader(mockforge, "c")
    wait_for(lambda: reader.poll() or len(reader.done) == 5)
    found = report(mockforge, "c")
    assert (reader.done, found["got"], found["verdict"]) == ([1, 2, 3, 4, 5], 5, "sent nothing")
    assert found["faults"]["throttle"] >= 5
    reader.close()


def test_who_crashes_at_a_poison_message_comes_back_for_it_again_and_again(
    mockforge: MockForge,
) -> None:
    mockforge.run("topic add orders -p 1")
    correct, careless = KafkaReader(mockforge, "correct"), KafkaReader(mockforge, "careless")
    mockforge.run("pub kafka:orders 1")
    wait_for(lambda: correct.poll() or correct.done)
    wait_for(lambda: careless.poll() or careless.done)
    mockforge.run("chaos start poison-message -s target=kafka:orders")
    mockforge.run("pub kafka:orders 2")
    wait_for(lambda: correct.poll() or 2 in correct.done)
    assert (correct.done, correct.aside) == ([1, 2], [b"\xff\xfe\x00{"])
    wait_for(lambda: careless.poll(crashes=True) or report(mockforge, "careless")["got"] >= 4)
    one, other = report(mockforge, "correct"), report(mockforge, "careless")
    assert (one["got"], one["lost"]) == (2, 0)
    assert other["lost"] >= 1
    assert careless.done == [1]
    for each in (correct, careless):
        each.close()


def test_who_requeues_a_poison_message_gets_it_again_and_again(mockforge: MockForge) -> None:
    mockforge.run("queue add correct")
    mockforge.run("queue add careless")
    channels = []
    for name in ("correct", "careless"):
        parameters = pika.URLParameters(mockforge.amqp.url)
        parameters.client_properties = {"connection_name": name}
        channel = pika.BlockingConnection(parameters).channel()

        def take(channel: Any, method: Any, _: Any, body: bytes, name: str = name) -> None:
            if body.isdigit():
                channel.basic_ack(method.delivery_tag)
            else:
                channel.basic_nack(method.delivery_tag, requeue=name == "careless")

        channel.basic_qos(prefetch_count=1)
        channel.basic_consume(name, take)
        channels.append(channel)
    mockforge.run("chaos start poison-message -s target=queue:correct")
    for name in ("correct", "careless"):
        mockforge.run(f"pub queue:{name} {'1' if name == 'correct' else 'hex:fffe007b'}")

    def over() -> bool:
        for channel in channels:
            channel.connection.process_data_events(0.01)
        got = [report(mockforge, name)["got"] for name in ("correct", "careless")]
        return got[0] == 2 and got[1] >= 10

    wait_for(over)
    for channel in channels:
        channel.connection.close()


def test_who_meets_an_expired_certificate_is_reported_by_its_host(tmp_path: Path) -> None:
    with Secured(tmp_path) as mockforge:
        mockforge.run("topic add orders.new -p 1")
        mockforge.run("chaos start cert-expiry -s time=10m")
        producer = Producer(
            {
                "bootstrap.servers": f"127.0.0.1:{mockforge.port('kafka', 'tls')}",
                "client.id": "c",
                "security.protocol": "sasl_ssl",
                "ssl.ca.location": mockforge.ca,
                "sasl.mechanism": "PLAIN",
                "sasl.username": "alice",
                "sasl.password": "secret",
                "reconnect.backoff.ms": 10,
                "reconnect.backoff.max.ms": 50,
                "log_level": 0,
            }
        )
        producer.produce("orders.new", b"c-1")
        who = "someone at 127.0.0.1"
        wait_for(lambda: report(mockforge, who)["refused"] >= 3)
        stranger = report(mockforge, who)
        assert stranger["verdict"] == f"{stranger['refused']} connections not let in"
        assert len(stranger["tries"]) == stranger["refused"] - 1
        mockforge.run("tls renew")
        assert producer.flush(40) == 0
        assert report(mockforge, "c")["sent"] == 1
