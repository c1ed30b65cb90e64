"""librdkafka and Apache Kafka's tools with clients' own metrics (KIP-714)."""

import pytest
from confluent_kafka import Producer

from mockforge_tui import MockForge
from mockforge_tui.console.kafka_beside import beside

from .conftest import wait_for

pytestmark = pytest.mark.client


def test_librdkafka_pushes_what_it_is_asked_for_and_no_more():
    with MockForge() as mockforge:
        asked = "org.apache.kafka.producer. --every 100ms --match client_id=shop"
        mockforge.run(f"telemetry set queues {asked}")
        producers = {
            name: Producer({"bootstrap.servers": mockforge.kafka.bootstrap, "client.id": name})
            for name in ("shop", "other")
        }
        for producer in producers.values():
            producer.produce("orders", "1")
            producer.flush(30)

        def pushed():
            found = {row["client"]: row for row in mockforge.run("telemetry ls").data}
            return set(found) == {"shop", "other"} and found["shop"]["pushes"] >= 2 and found

        found = wait_for(pushed, what="two pushes")
        assert found["other"]["pushes"] == 0
        assert found["shop"]["software"].startswith("confluent-kafka-python")
        names = {row["name"] for row in mockforge.run("telemetry show shop").data}
        assert names
        assert all(name.startswith("org.apache.kafka.producer.") for name in names)
        on_screen = mockforge.call(lambda: _beside(mockforge, "shop"))
        shown = [row["name"] for row in on_screen["metrics"][1]]
        assert shown
        assert all(name.startswith("producer.") for name in shown)
        assert on_screen["telemetry"][1][0]["pushes"] >= 2
        assert "pushed nothing yet" in mockforge.run("telemetry show other").text


def _beside(mockforge, client):
    """What the sheet of a client's connection has below its facts."""
    kafka = mockforge.runtime.brokers.kafka
    view = next(each for each in kafka.connections() if each.client == client)
    return beside(kafka, mockforge.runtime.access, view)


def test_a_client_that_connects_where_nobody_asks_asks_for_nothing():
    with MockForge() as mockforge:
        producer = Producer({"bootstrap.servers": mockforge.kafka.bootstrap})
        producer.produce("orders", "1")
        assert producer.flush(30) == 0
        assert mockforge.run("telemetry ls").data == []
