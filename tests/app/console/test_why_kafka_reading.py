"""What `why` says of what a Kafka client reads, where there is nothing for it, or too fast."""

import re

from brokers.fake_peer import FakeClient
from mockforge_brokers.kafka.records import Record, build_batch
from mockforge_brokers.kafka.wire.messages.offsets import (
    OffsetCommitRequest,
    OffsetCommitRequestPartition,
    OffsetCommitRequestTopic,
)

from .scene import Scene
from .test_why import causes, fetch, produce, said, scene


def test_a_committed_offset_beyond_the_end() -> None:
    """As where a topic was made anew under a member that commits what it had read of the old."""
    made = scene()
    client, member = made.join("billing", "order-svc", {"orders": [0]})
    commit(made, client, member, 7)
    assert "beyond-the-end" not in causes(made, "order-svc")
    commit(made, client, member, 8)
    assert causes(made, "order-svc") == causes(made, "kafka:orders") == ["beyond-the-end"]
    assert said(made, "order-svc") == (
        "billing committed 8 of orders p0, which ends at 7: group reset billing kafka:orders"
        " --to begin (while it has no members)"
    )


def commit(made: Scene, client: FakeClient, member: str, offset: int) -> None:
    part = OffsetCommitRequestPartition(partition_index=0, committed_offset=offset)
    one = OffsetCommitRequestTopic(name="orders", partitions=[part])
    request = OffsetCommitRequest(
        group_id="billing", generation_id_or_member_epoch=1, member_id=member, topics=[one]
    )
    answer = made.ask(client, request, 7)
    assert answer.topics[0].partitions[0].error_code == 0


def test_a_topic_that_is_empty_or_not_there_while_none_has_a_name_like_it() -> None:
    made = scene()
    made.join("empty", "reader", {"parcels": [0]})
    assert causes(made, "reader") == ["topic-empty"]
    assert said(made, "reader") == "reader reads parcels, which does not exist: produce to it"
    made.run("topic add parcels -p 1")
    assert said(made, "reader") == "reader reads parcels, which is empty: produce to it"
    made.run("pub kafka:parcels x")
    assert "topic-empty" not in causes(made, "reader")


def test_a_topic_that_nobody_reads() -> None:
    made = scene()
    assert causes(made, "kafka:orders") == ["no-readers"]
    assert said(made, "kafka:orders") == (
        "nobody reads orders: no group and no consumer has asked for it"
    )
    fetch(made, made.kafka_client(), "orders", 0, "reader")
    assert "no-readers" not in causes(made, "kafka:orders")


def test_a_producer_that_used_up_its_quota() -> None:
    made = scene()
    made.run("quota set client-id:app --producer 100")
    client: FakeClient = made.kafka_client()
    now = int(made.environment.clock.wall() * 1000)
    produce(made, client, "orders", build_batch([Record(0, now, None, bytes(5000))]), "app")
    assert "throttled" in causes(made, "app")
    text = made.run("why app").text
    assert re.search(
        r"app was throttled just now, by \d+\.\ds: a quota of \S+ is used up; quota ls", text
    )
