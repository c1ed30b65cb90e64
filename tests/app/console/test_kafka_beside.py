"""What the inspector looks up of the Kafka topic or connection that somebody looks at."""

from typing import Any

from mockforge_brokers.kafka.records import Record, build_batch
from mockforge_brokers.kafka.state.configs.client_metrics import ATTRIBUTES
from mockforge_brokers.kafka.wire.messages.cluster import ApiVersionsRequest
from mockforge_brokers.kafka.wire.messages.producers import InitProducerIdRequest
from mockforge_brokers.permissions import acl_of
from msgspec.structs import replace

from mockforge_tui.console.kafka_beside import beside
from mockforge_tui.tui.snapshot import ConnectionLine
from mockforge_tui.tui.subjects import Sheet

from .scene import ONE_METRIC, Scene
from .test_kafka_tables import shown


def rows(made: Scene, subject: object, table: str) -> list[dict[str, Any]]:
    return list(beside(made.kafka, made.access, subject)[table][1])


def connection(made: Scene, client: str) -> Any:
    return next(each for each in made.kafka.connections() if each.client == client)


def transaction(made: Scene) -> None:
    request = InitProducerIdRequest(transactional_id="pay", transaction_timeout_ms=60_000)
    made.ask(made.kafka_client(), request, 4, "pay-svc")
    made.kafka.cluster.transactions.by_id["pay"].client = "pay-svc"


def test_a_topic_shows_who_produces_into_which_partition_and_what_hangs() -> None:
    made = Scene(furnished=False)
    made.kafka.create_topic("orders", 2)
    log = made.kafka.cluster.topics["orders"].logs[1]
    batch = build_batch(
        [Record(0, 1, None, b"v")], producer_id=7, producer_epoch=2, base_sequence=0
    )
    made.kafka.cluster.append(log, batch)
    hanging = made.kafka.begin_hanging("orders", 0)
    (topic,) = made.kafka.destinations()
    found = [
        (row["partition"], row["producer"], row["transaction"])
        for row in rows(made, topic, "producers")
    ]
    assert found == [(0, f"{hanging}/0", "hangs, open from 0"), (1, "7/2", "")]


def test_a_connection_shows_its_clients_transactions_quotas_and_rights() -> None:
    made = Scene(furnished=False)
    transaction(made)
    made.run("quota set user:ANONYMOUS,client-id:pay-svc --producer 1kb")
    made.run("quota set user:other --consumer 1kb")
    for text in ("allow User:alice read topic:orders", "deny User:* write topic:ord prefixed"):
        made.access.add_rule(acl_of(text))
    view = connection(made, "pay-svc")
    (one,) = rows(made, view, "transactions")
    assert (one["name"], one["state"], one["partitions"]) == ("pay", "Empty", 0)
    (quota,) = rows(made, view, "quotas")
    assert quota == {
        "quota": "producer_byte_rate",
        "most": 1024,
        "now": 0,
        "shared": "all of ANONYMOUS and client id pay-svc",
    }
    (right,) = rows(made, view, "rights")
    assert (right["permission"], right["resource"]) == ("deny", "topic:ord*")
    lines = shown(
        Sheet(ConnectionLine(view, 0.0, 0.0), tables=beside(made.kafka, made.access, view)), 90
    )
    for name in ("transactions  1", "quotas  1", "rights  1"):
        assert name in lines


def test_nothing_is_said_of_other_protocols_or_without_kafka() -> None:
    made = Scene()
    (queue,) = [each for each in made.amqp.destinations() if each.name == "q.mail"]
    assert beside(made.kafka, made.access, queue) == {}
    (topic,) = [each for each in made.kafka.destinations() if each.name == "orders"]
    assert beside(None, made.access, topic) == {}
    made.kafka.delete_topic("orders")
    assert beside(made.kafka, made.access, topic) == {}, "a snapshot may be older than the broker"


def test_a_connection_shows_what_its_client_measures_of_itself() -> None:
    made = Scene(furnished=False)
    made.run("telemetry set all *")
    client = made.kafka_client()
    made.ask(client, ApiVersionsRequest(), 0, "shop")
    view = connection(made, "shop")
    telemetry, labels = made.kafka.cluster.telemetry, dict.fromkeys(ATTRIBUTES, "1")
    labels["client_id"] = "shop"
    assert rows(made, view, "telemetry") == []
    asked = telemetry.subscribe(bytes(16), labels, view.id)
    (row,) = rows(made, view, "telemetry")
    assert (row["pushes"], row["ago"], row["asked"]) == (0, None, "*")
    assert rows(made, view, "metrics") == []
    telemetry.push(
        asked.instance_id, labels, view.id, asked.subscription_id, 0, ONE_METRIC, terminating=False
    )
    (row,) = rows(made, view, "telemetry")
    assert row["pushes"] == 1
    lines = shown(Sheet(ConnectionLine(view, 0, 0), tables=beside(made.kafka, made.access, view)))
    found = made.run("telemetry show shop").data
    assert len(rows(made, view, "metrics")) == len(found) > 0
    short = found[0]["name"].removeprefix("org.apache.kafka.")
    assert any(line.strip().startswith(short) for line in lines), lines
    made.ask(made.kafka_client(), ApiVersionsRequest(), 0, "other")
    assert rows(made, connection(made, "other"), "telemetry") == []


def test_a_connection_shows_nothing_of_another_process_with_its_client_id() -> None:
    made = Scene(furnished=False)
    made.run("telemetry set all *")
    for _ in range(2):
        made.ask(made.kafka_client(), ApiVersionsRequest(), 0, "shop")
    pushes, beside_it = [each for each in made.kafka.connections() if each.client == "shop"]
    labels = dict.fromkeys(ATTRIBUTES, "1") | {"client_id": "shop"}
    labels["client_source_address"] = beside_it.address.rpartition(":")[0]
    telemetry = made.kafka.cluster.telemetry
    telemetry.subscribe(bytes(16), labels, pushes.id)
    assert len(rows(made, beside_it, "telemetry")) == 1
    elsewhere = replace(beside_it, address="192.0.2.1:40000")
    assert rows(made, elsewhere, "telemetry") == [], "another host's"
    labels_of_6 = labels | {"client_id": "six", "client_source_address": "::1"}
    telemetry.subscribe(bytes(16), labels_of_6, pushes.id + 100)
    on_6 = replace(beside_it, client="six", address="[::1]:40000")
    assert len(rows(made, on_6, "telemetry")) == 1
    telemetry.subscribe(bytes(16), labels, pushes.id + 100)
    assert rows(made, beside_it, "telemetry") == [], "one of two processes"
    assert len(rows(made, pushes, "telemetry")) == 1, "its own"


def test_what_is_no_metrics_is_shown_as_nothing() -> None:
    made = Scene(furnished=False)
    made.run("telemetry set all *")
    made.ask(made.kafka_client(), ApiVersionsRequest(), 0, "shop")
    view = connection(made, "shop")
    telemetry, labels = made.kafka.cluster.telemetry, dict.fromkeys(ATTRIBUTES, "1")
    asked = telemetry.subscribe(bytes(16), labels, view.id)
    telemetry.push(
        asked.instance_id, labels, view.id, asked.subscription_id, 0, b"\xff", terminating=False
    )
    assert rows(made, view, "metrics") == []
    assert [row["bytes"] for row in rows(made, view, "telemetry")] == [1]
