"""An instance that is like an earlier Apache Kafka, seen by real clients."""

import subprocess

import pytest
from benchmarks.common import Skipped
from benchmarks.kafka_apache import jars
from confluent_kafka import Consumer, Producer

from mockforge_tui import MockForge

pytestmark = pytest.mark.client


def alike(release: str) -> MockForge:
    return MockForge(random_ports=True, kafka_as_version=release, mqtt=False, amqp=False, seed=1)


@pytest.mark.parametrize("release", ["2.8", "3.9", "4.0"])
def test_librdkafka_produces_and_consumes(release: str) -> None:
    with alike(release) as mockforge:
        server = {"bootstrap.servers": mockforge.facts["kafka"]["bootstrap"]}
        producer = Producer({**server, "enable.idempotence": True})
        producer.produce("t", b"v")
        assert producer.flush(20) == 0
        consumer = Consumer({**server, "group.id": "g", "auto.offset.reset": "earliest"})
        consumer.subscribe(["t"])
        seen = [message.value() for message in consumer.consume(1, 20)]
        consumer.close()
        assert seen == [b"v"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("release", "lines"),
    [
        ("2.8", ("Fetch(1): 4 to 12 [usable: 12]", "ConsumerGroupHeartbeat(68): UNSUPPORTED")),
        ("3.9", ("Fetch(1): 4 to 17 [usable: 17]", "Produce(0): 0 to 11 [usable: 11]")),
        ("4.0", ("Fetch(1): 4 to 17 [usable: 17]", "ConsumerGroupHeartbeat(68): 0 to 1")),
        ("4.4", ("Fetch(1): 4 to 18 [usable: 18]", "ApiVersions(18): 0 to 5 [usable: 5]")),
    ],
)
def test_kafkas_own_tool_sees_the_versions_of_the_release(
    release: str, lines: tuple[str, ...]
) -> None:
    try:
        classes = f"{jars()}/*"
    except Skipped as reason:
        pytest.skip(str(reason))
    with alike(release) as mockforge:
        bootstrap = mockforge.facts["kafka"]["bootstrap"]
        done = subprocess.run(
            ["java", "-Xmx128m", "-XX:TieredStopAtLevel=1", "-cp", classes,
             "org.apache.kafka.tools.BrokerApiVersionsCommand", "--bootstrap-server", bootstrap],
            capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    for line in lines:
        assert line in done.stdout
