"""What a restart keeps and what it does not."""

import msgspec
import pytest
from mockforge_brokers.events import BrokerRestarted
from mockforge_brokers.kafka.codes import ApiKey, ErrorCode
from mockforge_brokers.kafka.events import MemberLeft, RebalanceStarted
from mockforge_brokers.kafka.wire.messages.cluster import MetadataRequest
from mockforge_brokers.kafka.wire.messages.producers import InitProducerIdRequest

from .migrating import ALL, Mover
from .stage import Stage, fetch, produce

FIRST_ID = 1000


def furnished() -> Stage:
    stage = Stage()
    broker = stage.broker
    broker.create_topic("orders", 3, {"retention.ms": "-1"})
    broker.create_topic("empty", 1)
    for number in range(9):
        broker.publish("orders", b"%d" % number, key=b"k%d" % number, headers=[("h", None)])
    broker.cluster.delete_records(broker.cluster.topics["orders"].logs[0], 1, reason="")
    for sequence in range(3):
        stage.call(
            produce("empty", b"v", producer_id=FIRST_ID, producer_epoch=2, base_sequence=sequence),
            9,
        )
    stage.call(InitProducerIdRequest(transactional_id=None, transaction_timeout_ms=0), 4)
    broker.reset_offsets("billing", "orders", {0: 1, 2: 0})
    return stage


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
    stage = furnished()
    broker, cluster = stage.broker, stage.broker.cluster
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


def said_after(house, *steps):
    """What the given steps of a `Mover` note down."""
    house.said.clear()
    for step, *given in steps:
        step(*given)
    return [outcome for _, outcome in house.said]


def test_members_of_a_classic_group_go_on_as_if_there_had_been_no_restart():
    stage = Stage()
    at = Mover(stage.call)
    at.create(4)
    first = at.join()
    at.sync(first, {first[0]: ALL})
    events = []
    stage.environment.spine.watch(events.append, MemberLeft, RebalanceStarted)
    stage.broker.restart()
    said = said_after(at, (at.beat, first), (at.commit, first[0], first[1], 8), (at.sync, first))
    assert said == [[0], [0], [0, "consumer", "range", 1, [["t", [0, 1, 2, 3]]]]]
    assert events == []
    stage.clock.advance(60)
    assert said_after(at, (at.beat, first)) == [[25]]


def test_a_classic_group_in_the_midst_of_a_rebalance_begins_it_again():
    stage = Stage()
    at = Mover(stage.call)
    at.create(4)
    first = at.join()
    stage.broker.restart()
    assert said_after(at, (at.beat, first), (at.sync, first)) == [[27], [27, None, None, 0, []]]
    again = at.join(first[0])
    assert said_after(at, (at.sync, again, {first[0]: ALL}), (at.beat, again))[1] == [0]


def test_members_of_both_protocols_in_one_group_go_on_after_a_restart():
    stage = Stage()
    at = Mover(stage.call)
    at.create(4)
    first = at.join()
    at.sync(first, {first[0]: ALL})
    at.heartbeat("b", 0, [])
    at.describe()
    before = at.said[-1]
    stage.broker.restart()
    at.describe()
    assert at.said[-1] == before
    # The classic one has to give up half of what it has: it hears so as before.
    assert said_after(at, (at.beat, first)) == [[27]]


def test_values_go_through_bytes_into_another_broker():
    source, target = furnished().broker, Stage().broker
    values = msgspec.msgpack.encode(source.dump())
    target.restore(msgspec.msgpack.decode(values))
    assert target.dump() == source.dump()
    with pytest.raises(msgspec.ValidationError):
        Stage().broker.restore({"format": 1, "topics": 5})


def test_a_batch_that_was_stored_but_not_confirmed_is_not_doubled():
    stage = furnished()
    again = produce("empty", b"v", producer_id=FIRST_ID, producer_epoch=2, base_sequence=2)
    stage.broker.restart()
    part = stage.call(again, 9).responses[0].partition_responses[0]
    assert (part.error_code, part.base_offset) == (0, 2)
    old = produce("empty", b"v", producer_id=FIRST_ID, producer_epoch=1, base_sequence=3)
    part = stage.call(old, 9).responses[0].partition_responses[0]
    assert part.error_code == ErrorCode.INVALID_PRODUCER_EPOCH
    assert stage.broker.offsets("empty") == [(0, 3)]


def test_connections_end_and_what_they_waited_for_never_comes():
    stage = furnished()
    client = stage.network.connect()
    stage.ask(client, fetch("empty", 3, wait=1000), 11)
    stage.ask(client, produce("empty", b"zombie"), 9)
    event = stage.broker.restart()
    stage.network.settle()
    assert event.connections == len(stage.network.clients)
    assert (client.peer.ended, client.take()) == ("closed", b"")
    stage.clock.advance(2)
    assert stage.broker.offsets("empty") == [(0, 3)]


def test_records_are_appended_behind_what_was_kept():
    stage = furnished()
    end = stage.broker.offsets("empty")[0][1]
    stage.broker.restart()
    assert stage.broker.publish("empty", b"new", partition=0) == (0, end)
    answer = stage.call(fetch("empty", 0), 11)
    assert answer.responses[0].partitions[0].high_watermark == end + 1
    assert len(stage.broker.read("empty", 0, 0, 10)) == end + 1


def test_twenty_restarts_among_10_000_confirmed_records_lose_none_and_double_none():
    stage = Stage()
    stage.broker.create_topic("t", 1)
    client = stage.network.connect()
    idempotent = {"producer_id": 7, "producer_epoch": 0}
    for number in range(10_000):
        request = produce("t", b"%d" % number, base_sequence=number, **idempotent)
        if number % 500 == 250:
            # Stored, and the broker ends before the client has its answer: it asks again.
            stage.ask(client, request, 9)
            stage.broker.restart()
            stage.network.settle()
            client = stage.network.connect()
        stage.ask(client, request, 9)
        part = stage.answer(client, ApiKey.PRODUCE, 9).responses[0].partition_responses[0]
        assert (part.error_code, part.base_offset) == (0, number)
    values = [int(record.value) for record in stage.broker.read("t", 0, 0, 20_000)]
    assert values == list(range(10_000))


def test_a_client_finds_everything_at_its_old_place():
    stage = furnished()
    before = stage.call(MetadataRequest(topics=None), 12)
    stage.broker.restart()
    after = stage.call(MetadataRequest(topics=None), 12)
    assert after.cluster_id == before.cluster_id
    assert [topic.topic_id for topic in after.topics] == [t.topic_id for t in before.topics]
