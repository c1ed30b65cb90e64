"""What `why` says of Kafka clients while nodes are stopped, and what helps who was refused."""

import re

import pytest
from mockforge_brokers.kafka.codes import ErrorCode
from mockforge_brokers.kafka.records import Record, build_batch

from mockforge_tui.console.why.kafka_remedies import remedy

from .scene import Scene
from .test_why import causes, fetch, produce, said


@pytest.fixture
def made() -> Scene:
    """Topic `orders` on three nodes, of which two have to be in sync; one stands."""
    scene = Scene(furnished=False, kafka_nodes=3)
    scene.run("topic add orders -p 1 --config min.insync.replicas=2")
    scene.kafka.publish("orders", b"seen")
    for node in (2, 3):
        scene.kafka.nodes.stop(node)
    return scene


def test_a_producer_that_waits_for_all_is_told_which_nodes_are_missing(made: Scene) -> None:
    batch = build_batch([Record(0, int(made.environment.clock.wall() * 1000), None, b"v")])
    produce(made, made.kafka_client(), "orders", batch, "app")
    assert re.search(
        r"Produce of app was refused just now: orders/0: 1 of 3 replicas in sync are fewer than"
        r" min\.insync\.replicas=2: without node 2, 3; start the nodes it names .*",
        said(made, "app"),
    )


def test_a_consumer_behind_which_too_few_replicas_have_a_record(made: Scene) -> None:
    made.kafka.publish("orders", b"unseen")
    fetch(made, made.kafka_client(), "orders", 1, "late")
    expected = (
        "1 record of orders p0 behind offset 1 are read by nobody yet: of its 3 replicas 1 in sync"
        " are fewer than min.insync.replicas; broker start kafka/2, broker start kafka/3, or topic"
        " set orders min.insync.replicas=1"
    )
    assert said(made, "late") == said(made, "orders") == expected
    made.kafka.nodes.start(2)
    assert "too-few-in-sync" not in causes(made, "late") + causes(made, "orders")


def test_a_partition_that_nobody_leads(made: Scene) -> None:
    made.kafka.nodes.stop(1)
    assert said(made, "orders") == (
        "orders p0 has no leader, so that nobody reads or writes it: its replicas are on stopped"
        " nodes; broker start kafka/1, broker start kafka/2, broker start kafka/3"
    )


@pytest.mark.parametrize(
    "code",
    [
        ErrorCode.TOPIC_AUTHORIZATION_FAILED,
        ErrorCode.MESSAGE_TOO_LARGE,
        ErrorCode.INVALID_TIMESTAMP,
        ErrorCode.NOT_ENOUGH_REPLICAS,
        ErrorCode.PRODUCER_FENCED,
        ErrorCode.INVALID_PRODUCER_EPOCH,
        ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER,
        ErrorCode.INVALID_TXN_STATE,
        ErrorCode.INVALID_REQUIRED_ACKS,
        ErrorCode.FENCED_INSTANCE_ID,
        ErrorCode.INCONSISTENT_GROUP_PROTOCOL,
        ErrorCode.INVALID_SESSION_TIMEOUT,
        ErrorCode.OFFSET_OUT_OF_RANGE,
        ErrorCode.INVALID_REGULAR_EXPRESSION,
    ],
)
def test_each_code_that_keeps_records_from_somebody_has_a_remedy(code: ErrorCode) -> None:
    assert remedy(code, "")
