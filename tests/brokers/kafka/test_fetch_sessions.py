"""Fetch sessions (KIP-227): what is remembered, what is said, and what is refused."""

import pytest
from mockforge_brokers.kafka.codes import ApiKey, ErrorCode
from mockforge_brokers.kafka.records import Record, build_batch
from mockforge_brokers.kafka.state.fetch_sessions import IDLE, PARTITION_COST
from mockforge_brokers.kafka.state.logs.transactions import Marker
from mockforge_brokers.kafka.wire.messages.logs import (
    FetchPartition,
    FetchRequest,
    FetchTopic,
    ForgottenTopic,
)
from mockforge_brokers.limits import Limits

from .scene import Scene

V = 12


class Consumer:
    """One connection; `fetch` says of which partitions the answer speaks, and with what."""

    def __init__(self, scene):
        self.scene = scene
        self.client = scene.network.connect()
        self.session_id = 0

    def send(self, epoch, offsets=(), *, forget=(), wait=0, session_id=None, version=V, **more):
        topics = [
            FetchTopic(
                topic=topic,
                topic_id=self.scene.broker.cluster.topics[topic].topic_id,
                partitions=[
                    FetchPartition(
                        partition=partition,
                        fetch_offset=offset,
                        partition_max_bytes=1 << 20,
                        **more,
                    )
                ],
            )
            for (topic, partition), offset in dict(offsets).items()
        ]
        request = FetchRequest(
            max_wait_ms=wait,
            min_bytes=1,
            session_id=self.session_id if session_id is None else session_id,
            session_epoch=epoch,
            topics=topics,
            forgotten_topics_data=[
                ForgottenTopic(topic=topic, partitions=[partition]) for topic, partition in forget
            ],
        )
        self.scene.ask(self.client, request, version)

    def answer(self, version=V):
        self.client.flush()
        answer = self.scene.answer(self.client, ApiKey.FETCH, version)
        self.session_id = answer.session_id or self.session_id
        return answer

    def fetch(self, epoch, offsets=(), **more):
        self.send(epoch, offsets, **more)
        answer = self.answer()
        assert not answer.error_code
        return said(answer)


def said(answer):
    """By partition, the end and the size of its records."""
    return {
        (topic.topic, one.partition_index): (one.high_watermark, len(bytes(one.records or b"")) > 0)
        for topic in answer.responses
        for one in topic.partitions
    }


def met(scene, limit):
    return next(one.met for one in scene.environment.usage.views() if one.name == limit)


A, B = ("a", 0), ("b", 0)


@pytest.fixture
def scene():
    scene = Scene()
    for name in ("a", "b"):
        scene.broker.create_topic(name, 2)
    return scene


def test_a_session_is_told_whole_and_then_only_what_changed(scene):
    consumer = Consumer(scene)
    assert consumer.fetch(0, {A: 0, B: 0}) == {A: (0, False), B: (0, False)}
    assert consumer.session_id > 0
    assert consumer.fetch(1) == {}
    scene.broker.publish("b", b"v", partition=0)
    assert consumer.fetch(2) == {B: (1, True)}
    assert consumer.fetch(3, {B: 1}) == {}
    scene.broker.publish("a", b"v", partition=0)
    scene.broker.publish("b", b"v", partition=0)
    assert consumer.fetch(4) == {A: (1, True), B: (2, True)}


def test_partitions_come_and_are_forgotten(scene):
    consumer = Consumer(scene)
    consumer.fetch(0, {A: 0})
    assert consumer.fetch(1, {B: 0}) == {B: (0, False)}
    scene.broker.publish("a", b"v", partition=0)
    assert consumer.fetch(2, forget=[A]) == {}
    consumer.send(3, forget=[B])
    assert consumer.answer().session_id == 0, "an empty session is over"
    assert not scene.broker.cluster.fetch_sessions.by_id


def test_without_a_session_all_is_said_each_time(scene):
    consumer = Consumer(scene)
    for _ in range(2):
        assert consumer.fetch(-1, {A: 0}) == {A: (0, False)}
    assert consumer.session_id == 0


def test_a_lost_or_repeated_request_is_noticed(scene):
    consumer = Consumer(scene)
    consumer.fetch(0, {A: 0})
    for epoch in (2, 7):
        consumer.send(epoch)
        assert consumer.answer().error_code == ErrorCode.INVALID_FETCH_SESSION_EPOCH
    consumer.send(1, session_id=5)
    assert consumer.answer().error_code == ErrorCode.FETCH_SESSION_ID_NOT_FOUND
    assert consumer.fetch(1) == {}


def test_a_session_is_closed_by_its_client_or_begun_anew(scene):
    consumer = Consumer(scene)
    consumer.fetch(0, {A: 0})
    first = consumer.session_id
    consumer.fetch(0, {A: 0})
    assert consumer.session_id != first
    sessions = scene.broker.cluster.fetch_sessions.by_id
    assert list(sessions) == [consumer.session_id]
    consumer.fetch(-1)
    assert not sessions


def test_a_session_goes_on_over_another_connection_and_not_over_a_restart(scene):
    consumer = Consumer(scene)
    consumer.fetch(0, {A: 0})
    other = Consumer(scene)
    other.session_id = consumer.session_id
    assert other.fetch(1) == {}
    scene.broker.restart()
    again = Consumer(scene)
    again.send(2, session_id=consumer.session_id)
    assert again.answer().error_code == ErrorCode.FETCH_SESSION_ID_NOT_FOUND


def test_a_session_keeps_to_names_or_to_ids(scene):
    consumer = Consumer(scene)
    consumer.fetch(0, {A: 0})
    consumer.send(1, version=13)
    assert consumer.answer(13).error_code == ErrorCode.FETCH_SESSION_TOPIC_ID_ERROR


def test_an_error_is_said_each_time_and_the_whole_after_it(scene):
    consumer = Consumer(scene)
    consumer.fetch(0, {A: 0})
    consumer.send(1, {A: 9})
    partition = consumer.answer().responses[0].partitions[0]
    assert partition.error_code == ErrorCode.OFFSET_OUT_OF_RANGE
    consumer.send(2)
    assert consumer.answer().responses[0].partitions[0].error_code
    assert consumer.fetch(3, {A: 0}) == {A: (0, False)}


def test_a_session_waits_for_any_of_its_partitions(scene):
    consumer = Consumer(scene)
    consumer.fetch(0, {A: 0, B: 0})
    consumer.send(1, wait=500)
    scene.broker.publish("b", b"v", partition=0)
    assert said(consumer.answer()) == {B: (1, True)}
    consumer.send(2, {B: 1}, wait=500)
    scene.clock.advance(0.5)
    assert said(consumer.answer()) == {}


def test_what_had_records_is_read_last_next_time(scene):
    consumer = Consumer(scene)
    consumer.fetch(0, {A: 0, B: 0})
    for name in ("a", "b"):
        scene.broker.publish(name, b"v", partition=0)
    session = scene.broker.cluster.fetch_sessions.by_id[consumer.session_id]
    session.move_last("a", 0)
    assert list(session.partitions) == [B, A]
    assert list(consumer.fetch(1)) == [B, A]
    assert list(consumer.fetch(2)) == [B, A]


def test_who_waits_longest_is_answered_first(scene):
    log = scene.broker.cluster.topics["a"].logs[0]
    consumers = [Consumer(scene) for _ in range(3)]
    for consumer in consumers:
        consumer.send(-1, {A: 0}, wait=500)
    answered = []
    for number, waiter in enumerate(list(log.watchlist.waiting)):
        came = log.watchlist.waiting[waiter]
        log.watchlist.waiting[waiter] = lambda size, number=number, came=came: (
            answered.append(number),
            came(size),
        )
    scene.broker.publish("a", b"v", partition=0)
    assert answered == [0, 1, 2]
    assert all(said(consumer.answer()) == {A: (1, True)} for consumer in consumers)


def test_a_full_cache_gives_no_session_unless_one_is_idle_or_smaller_and_old():
    scene = Scene(limits=Limits(kafka_fetch_sessions=1))
    for name in ("a", "b"):
        scene.broker.create_topic(name, 2)
    sessions = scene.broker.cluster.fetch_sessions
    first, second = Consumer(scene), Consumer(scene)
    first.fetch(0, {A: 0})
    assert second.fetch(0, {A: 0, B: 0}) == {A: (0, False), B: (0, False)}
    assert second.session_id == 0, "it is served without a session"
    scene.clock.advance(121)
    first.fetch(1)
    assert second.fetch(0, {B: 0}) == {B: (0, False)}
    assert second.session_id == 0, "the one in use is as large"
    second.fetch(0, {A: 0, B: 0})
    assert list(sessions.by_id) == [second.session_id], "the smaller one made room"
    scene.clock.advance(121)
    first.fetch(0, {A: 0})
    assert list(sessions.by_id) == [first.session_id], "the idle one made room"
    assert sessions.evicted == 2


def test_sessions_take_no_more_bytes_than_their_limit():
    scene = Scene(limits=Limits(kafka_fetch_session_bytes=4 * PARTITION_COST))
    sessions = scene.broker.cluster.fetch_sessions
    for name in ("a", "b"):
        scene.broker.create_topic(name, 3)
    first, second = Consumer(scene), Consumer(scene)
    places = [("a", 0), ("a", 1), ("b", 0), ("b", 1)]
    assert len(first.fetch(0, dict.fromkeys(places[:2], 0))) == 2
    assert len(second.fetch(0, dict.fromkeys(places[:2], 0))) == 2
    assert sessions.cost == 4 * PARTITION_COST
    second.send(1, {("b", 0): 0})
    assert second.answer().error_code == ErrorCode.FETCH_SESSION_ID_NOT_FOUND
    assert sessions.cost == 2 * PARTITION_COST
    second.session_id = 0
    assert len(second.fetch(0, dict.fromkeys([*places, ("a", 2)], 0))) == 5
    assert second.session_id == 0, "whole, without a session"
    assert met(scene, "kafka_fetch_session_bytes") == 2
    scene.clock.advance(IDLE + 1)
    assert len(second.fetch(0, dict.fromkeys(places, 0))) == 4
    assert [one.client for one in sessions.by_id.values()] == ["shop"]
    assert second.session_id in sessions.by_id, "who was idle made room"
    second.send(1, forget=places)
    assert not second.answer().error_code
    assert sessions.cost == 0


def test_nobody_loses_a_session_for_one_that_gets_no_room_all_the_same():
    scene = Scene(limits=Limits(kafka_fetch_session_bytes=4 * PARTITION_COST))
    sessions = scene.broker.cluster.fetch_sessions
    scene.broker.create_topic("a", 4)
    idle, young, asking = Consumer(scene), Consumer(scene), Consumer(scene)
    idle.fetch(0, {("a", 0): 0})
    scene.clock.advance(IDLE + 1)
    young.fetch(0, {("a", each): 0 for each in range(3)})
    asking.fetch(0, {("a", each): 0 for each in range(2)})
    assert asking.session_id == 0, "the idle one alone is not enough"
    assert list(sessions.by_id) == [idle.session_id, young.session_id]
    assert (sessions.evicted, met(scene, "kafka_fetch_session_bytes")) == (0, 1)
    asking.fetch(0, {("a", 0): 0})
    assert list(sessions.by_id) == [young.session_id, asking.session_id]
    assert sessions.evicted == 1


def test_room_for_one_and_for_its_partitions_is_made_together_or_not_at_all():
    limits = Limits(kafka_fetch_sessions=2, kafka_fetch_session_bytes=4 * PARTITION_COST)
    scene = Scene(limits=limits)
    sessions = scene.broker.cluster.fetch_sessions
    scene.broker.create_topic("a", 4)
    idle, young, asking = Consumer(scene), Consumer(scene), Consumer(scene)
    idle.fetch(0, {("a", 0): 0})
    scene.clock.advance(IDLE + 1)
    young.fetch(0, {("a", each): 0 for each in range(3)})
    asking.fetch(0, {("a", each): 0 for each in range(2)})
    assert list(sessions.by_id) == [idle.session_id, young.session_id]
    asking.fetch(0, {("a", 0): 0})
    assert list(sessions.by_id) == [young.session_id, asking.session_id]


def test_a_client_that_read_what_the_log_never_had_is_told_where_it_parts(scene):
    scene.broker.publish("a", b"v", partition=0)
    consumer = Consumer(scene)
    consumer.send(-1, {A: 5}, last_fetched_epoch=0)
    partition = consumer.answer().responses[0].partitions[0]
    assert not partition.error_code
    assert (partition.diverging_epoch.epoch, partition.diverging_epoch.end_offset) == (0, 1)
    consumer.send(-1, {A: 1}, last_fetched_epoch=4)
    partition = consumer.answer().responses[0].partitions[0]
    assert partition.error_code == ErrorCode.OFFSET_OUT_OF_RANGE


def test_what_was_compacted_is_still_consumed_in_a_session(scene):
    scene.broker.configure_topic("a", "cleanup.policy", "compact")
    for number in range(4):
        scene.broker.publish("a", b"%d" % number, key=b"k", partition=0)
    consumer = Consumer(scene)
    consumer.fetch(0, {A: 1})
    scene.broker.compact_topic("a")
    assert consumer.fetch(1, {A: 1}) == {A: (4, True)}


def test_records_of_an_open_transaction_do_not_count_as_news_to_who_reads_committed(scene):
    log = scene.broker.cluster.topics["a"].logs[0]
    request = FetchRequest(
        max_wait_ms=0,
        min_bytes=1,
        session_epoch=0,
        isolation_level=1,
        topics=[
            FetchTopic(
                topic="a",
                partitions=[
                    FetchPartition(partition=0, fetch_offset=0, partition_max_bytes=1 << 20)
                ],
            )
        ],
    )
    consumer = Consumer(scene)
    scene.ask(consumer.client, request, V)
    consumer.answer()
    batch = build_batch(
        [Record(0, 1, b"k", b"v")],
        producer_id=7,
        producer_epoch=0,
        base_sequence=0,
        transactional=True,
    )
    scene.broker.cluster.append(log, batch, begin=lambda log, header: None)
    request.topics, request.session_epoch, request.session_id = [], 1, consumer.session_id
    scene.ask(consumer.client, request, V)
    assert said(consumer.answer()) == {A: (1, False)}, "the end moved, no records are shown"


def test_a_marker_brings_what_was_held_back_before_the_wait_to_who_reads_committed(scene):
    cluster = scene.broker.cluster
    log = cluster.topics["a"].logs[0]

    def append(number, size):
        batch = build_batch(
            [Record(0, 1, b"k", bytes(size))],
            producer_id=7,
            producer_epoch=0,
            base_sequence=number,
            transactional=True,
        )
        cluster.append(log, batch, begin=lambda log, header: None)

    append(0, 5000)
    append(1, 5000)
    consumer = Consumer(scene)
    part = FetchPartition(partition=0, fetch_offset=0, partition_max_bytes=1 << 20)
    request = FetchRequest(
        max_wait_ms=60_000,
        min_bytes=5000,
        isolation_level=1,
        session_epoch=-1,
        topics=[FetchTopic(topic="a", partitions=[part])],
    )
    scene.ask(consumer.client, request, V)
    consumer.client.flush()
    assert not consumer.client.take()
    # A marker has less than a hundred bytes: what it lets through is what counts.
    cluster.append_marker(log, Marker(7, 0, committed=True))
    assert said(consumer.answer()) == {A: (3, True)}
