"""What a restart keeps and what it does not."""

import msgspec
import pytest
from mockforge_brokers.events import BrokerRestarted
from mockforge_brokers.kafka.codes import ApiKey, ErrorCode
from mockforge_brokers.kafka.events import MemberLeft, RebalanceStarted
from mockforge_brokers.kafka.wire.messages.cluster import MetadataRequest
from mockforge_brokers.kafka.wire.messages.producers import InitProducerIdRequest

from .migrating import ALL, Mover
from .scene import Scene, fetch, produce

FIRST_ID = 1000


def furnished() -> Scene:
    scene = Scene()
    broker = scene.broker
    broker.create_topic("orders", 3, {"retention.ms": "-1"})
    broker.create_topic("empty", 1)
    for number in range(9):
        broker.publish("orders", b"%d" % number, key=b"k%d" % number, headers=[("h", None)])
    broker.cluster.delete_records(broker.cluster.topics["orders"].logs[0], 1, reason="")
    for sequence in range(3):
        scene.call(
            produce("empty", b"v", producer_id=FIRST_ID, producer_epoch=2, base_sequence=sequence),
            9,
        )
    scene.call(InitProducerIdRequest(transactional_id=None, transaction_timeout_ms=0), 4)
    broker.reset_offsets("billing", "orders", {0: 1, 2: 0})
    return scene


def records(broker):
    return {
        (name, log.partition): (
            log.log_start_offset,
            log.high_watermark,
            broker.read(name, log.partition, 0, 100),
        )
        for name, topic in broker.cluster.topics.items()
        for log in topic.logs
    }


def test_all_that_kafka_writes_down_is_there_again():
    scene = furnished()
    broker, cluster = scene.broker, scene.broker.cluster
    before = broker.dump()
    kept = records(broker)
    ids = {name: topic.topic_id for name, topic in cluster.topics.items()}
    cost, cluster_id = cluster.bounds.cost, cluster.cluster_id
    event = broker.restart()
    assert broker.dump() == before
    assert records(broker) == kept
    assert {name: topic.topic_id for name, topic in cluster.topics.items()} == ids
    assert cluster.topics["orders"].config.own == {"retention.ms": "-1"}
    assert (cluster.bounds.cost, cluster.cluster_id) == (cost, cluster_id)
    assert cluster.groups.by_id["billing"].offsets.fetch("orders", 0).offset == 1
    assert cluster.next_producer_id() == FIRST_ID + 1
    assert isinstance(event, BrokerRestarted)
    assert event.kept == "2 topics with 11 records, 1 groups with members"


def said_after(scene, *steps):
    """What the given steps of a `Mover` note down."""
    scene.said.clear()
    for step, *given in steps:
        step(*given)
    return [outcome for _, outcome in scene.said]


def test_members_of_a_classic_group_go_on_as_if_there_had_been_no_restart():
    scene = Scene()
    at = Mover(scene.call)
    at.create(4)
    first = at.join()
    at.sync(first, {first[0]: ALL})
    events = []
    scene.environment.spine.watch(events.append, MemberLeft, RebalanceStarted)
    scene.broker.restart()
    said = said_after(at, (at.beat, first), (at.commit, first[0], first[1], 8), (at.sync, first))
    assert said == [[0], [0], [0, "consumer", "range", 1, [["t", [0, 1, 2, 3]]]]]
    assert events == []
    scene.clock.advance(60)
    assert said_after(at, (at.beat, first)) == [[25]]


def test_a_classic_group_in_the_midst_of_a_rebalance_begins_it_again():
    scene = Scene()
    at = Mover(scene.call)
    at.create(4)
    first = at.join()
    scene.broker.restart()
    assert said_after(at, (at.beat, first), (at.sync, first)) == [[27], [27, None, None, 0, []]]
    again = at.join(first[0])
    assert said_after(at, (at.sync, again, {first[0]: ALL}), (at.beat, again))[1] == [0]


def test_members_of_both_protocols_in_one_group_go_on_after_a_restart():
    scene = Scene()
    at = Mover(scene.call)
    at.create(4)
    first = at.join()
    at.sync(first, {first[0]: ALL})
    at.heartbeat("b", 0, [])
    at.describe()
    before = at.said[-1]
    scene.broker.restart()
    at.describe()
    assert at.said[-1] == before
    # The classic one has to give up half of what it has: it hears so as before.
    assert said_after(at, (at.beat, first)) == [[27]]


def test_values_go_through_bytes_into_another_broker():
    source, target = furnished().broker, Scene().broker
    values = msgspec.msgpack.encode(source.dump())
    target.restore(msgspec.msgpack.decode(values))
    assert target.dump() == source.dump()
    with pytest.raises(msgspec.ValidationError):
        Scene().broker.restore({"format": 1, "topics": 5})


def test_a_batch_that_was_stored_but_not_confirmed_is_not_doubled():
    scene = furnished()
    again = produce("empty", b"v", producer_id=FIRST_ID, producer_epoch=2, base_sequence=2)
    scene.broker.restart()
    part = scene.call(again, 9).responses[0].partition_responses[0]
    assert (part.error_code, part.base_offset) == (0, 2)
    old = produce("empty", b"v", producer_id=FIRST_ID, producer_epoch=1, base_sequence=3)
    part = scene.call(old, 9).responses[0].partition_responses[0]
    assert part.error_code == ErrorCode.INVALID_PRODUCER_EPOCH
    assert scene.broker.offsets("empty") == [(0, 3)]


def test_connections_end_and_what_they_waited_for_never_comes():
    scene = furnished()
    client = scene.network.connect()
    scene.ask(client, fetch("empty", 3, wait=1000), 11)
    scene.ask(client, produce("empty", b"zombie"), 9)
    event = scene.broker.restart()
    scene.network.settle()
    assert event.connections == len(scene.network.clients)
    assert (client.peer.ended, client.take()) == ("closed", b"")
    scene.clock.advance(2)
    assert scene.broker.offsets("empty") == [(0, 3)]


def test_records_are_appended_behind_what_was_kept():
    scene = furnished()
    end = scene.broker.offsets("empty")[0][1]
    scene.broker.restart()
    assert scene.broker.publish("empty", b"new", partition=0) == (0, end)
    answer = scene.call(fetch("empty", 0), 11)
    assert answer.responses[0].partitions[0].high_watermark == end + 1
    assert len(scene.broker.read("empty", 0, 0, 10)) == end + 1


def test_twenty_restarts_among_10_000_confirmed_records_lose_none_and_double_none():
    scene = Scene()
    scene.broker.create_topic("t", 1)
    client = scene.network.connect()
    idempotent = {"producer_id": 7, "producer_epoch": 0}
    for number in range(10_000):
        request = produce("t", b"%d" % number, base_sequence=number, **idempotent)
        if number % 500 == 250:
            # Stored, and the broker ends before the client has its answer: it asks again.
            scene.ask(client, request, 9)
            scene.broker.restart()
            scene.network.settle()
            client = scene.network.connect()
        scene.ask(client, request, 9)
        part = scene.answer(client, ApiKey.PRODUCE, 9).responses[0].partition_responses[0]
        assert (part.error_code, part.base_offset) == (0, number)
    values = [int(record.value) for record in scene.broker.read("t", 0, 0, 20_000)]
    assert values == list(range(10_000))


def test_a_client_finds_everything_at_its_old_place():
    scene = furnished()
    before = scene.call(MetadataRequest(topics=None), 12)
    scene.broker.restart()
    after = scene.call(MetadataRequest(topics=None), 12)
    assert after.cluster_id == before.cluster_id
    assert [topic.topic_id for topic in after.topics] == [t.topic_id for t in before.topics]
