"""What `why` says of clients that wait though their topic has records: each cause by itself."""

import pytest
from brokers.fake_peer import FakeClient
from mockforge_brokers.kafka.wire.messages.cluster import MetadataRequest
from mockforge_brokers.kafka.wire.messages.consumer_groups import ConsumerGroupHeartbeatRequest
from mockforge_brokers.kafka.wire.messages.logs import FetchPartition, FetchRequest, FetchTopic
from mockforge_brokers.listener import Listener

from .scene import Scene
from .test_why import causes, said, scene


def fetch(made: Scene, client: FakeClient, min_bytes: int, offset: int, name: str) -> object:
    part = FetchPartition(partition=0, fetch_offset=offset, partition_max_bytes=1 << 20)
    request = FetchRequest(
        max_wait_ms=5000,
        min_bytes=min_bytes,
        max_bytes=1 << 20,
        topics=[FetchTopic(topic="orders", partitions=[part])],
    )
    return made.ask(client, request, 11, name)


def test_a_fetch_that_wants_more_bytes_than_are_there() -> None:
    made = scene()
    made.kafka.reset_offsets("billing", "orders", {0: 3})
    made.time.advance(1)
    client, _ = made.join("billing", "order-svc", {"orders": [0]})
    assert fetch(made, client, 100_000, 3, "order-svc") is None
    assert causes(made, "order-svc") == ["min-bytes"]
    text = said(made, "order-svc")
    assert text.startswith(
        "order-svc waits for more: 4 records of orders p0 are there, but it wants 100,000 bytes and"
    )
    assert text.endswith("it gets them after 5s (fetch.max.wait.ms), or set fetch.min.bytes to 1")
    made.advance(6)
    assert "min-bytes" not in causes(made, "order-svc"), "it was answered"


def test_the_same_without_a_group() -> None:
    made = scene()
    client = made.kafka_client()
    assert fetch(made, client, 100_000, 3, "reader") is None
    assert causes(made, "reader") == ["min-bytes"]


def test_a_member_that_was_silent_or_kicked_was_put_out_and_one_that_left_was_not() -> None:
    made = scene()
    for name, ending in (("silent-svc", "silence"), ("kicked-svc", "kick"), ("left-svc", "leave")):
        made.join(f"g-{ending}", name, {"orders": [0]})
    made.run("group kick g-kick kicked-svc -y")
    made.kafka.cluster.groups.by_id["g-leave"].kick("left-svc", "left (it closed)")
    made.advance(60)
    assert "put-out" in causes(made, "silent-svc")
    (text,) = [line for line in made.run("why silent-svc").text.splitlines() if "put out" in line]
    assert "silent-svc was put out of g-silence" in text
    assert "was silent for its session timeout of" in text
    assert "poll more often than max.poll.interval.ms" in text
    assert "put-out" in causes(made, "kicked-svc")
    assert "put out" not in made.run("why left-svc").text


def heartbeat(made: Scene, client: FakeClient, pattern: str, name: str) -> None:
    request = ConsumerGroupHeartbeatRequest(
        group_id="modern",
        member_id=name,
        member_epoch=0,
        rebalance_timeout_ms=30_000,
        subscribed_topic_regex=pattern,
        topic_partitions=[],
    )
    assert made.ask(client, request, 1, name).error_code == 0


def test_a_pattern_that_no_topic_matches() -> None:
    made = scene()
    heartbeat(made, made.kafka_client(), "order", "order-svc")
    assert causes(made, "order-svc") == ["no-match"]
    assert "subscribes to 'order', which no topic matches as a whole" in said(made, "order-svc")
    heartbeat(made, made.kafka_client(), "order.*", "right-svc")
    assert "no-match" not in causes(made, "right-svc")


def test_a_group_whose_coordinator_is_stopped() -> None:
    made = Scene(furnished=False, kafka_nodes=3)
    made.run("topic add orders -p 1")
    made.run("pub kafka:orders x -n 7")
    coordinator = made.kafka.cluster.nodes.coordinator
    group = next(name for name in ("pay", "stock", "audit") if coordinator(name) == 1)
    made.join(group, "order-svc", {"orders": [0]})
    for node in (1, 2, 3):
        made.kafka.nodes.stop(node)
    assert "no-coordinator" in causes(made, group)
    assert f"no node coordinates {group}: the last one that did is stopped" in said(made, group)
    made.kafka.nodes.start(3)
    assert "no-coordinator" not in causes(made, group)


@pytest.mark.parametrize("comes", [False, True])
def test_a_client_that_was_sent_to_an_advertised_address_and_is_not_there(comes: bool) -> None:
    made = scene()
    client = made.kafka_client()
    client.peer.listener = Listener("kafka", advertised_host="kafka.example")
    made.ask(client, MetadataRequest(topics=None), 9, "order-svc")
    if comes:
        fetch(made, client, 1, 0, "order-svc")
    found = made.run("why order-svc").text
    assert ("was sent to kafka.example:" in found) is not comes
    assert ("reachable from where it runs? (--advertise)" in found) is not comes
