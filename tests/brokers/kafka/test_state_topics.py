"""How topics are found, how many there may be, and who sees their records."""

import google_crc32c
import pytest
from mockforge_brokers.clock import ManualClock
from mockforge_brokers.environment import Environment
from mockforge_brokers.events import LimitReached, Warned
from mockforge_brokers.kafka.codes import ErrorCode
from mockforge_brokers.kafka.options import KafkaOptions
from mockforge_brokers.kafka.records import Record, build_batch
from mockforge_brokers.kafka.state.configs.broker import BrokerConfig
from mockforge_brokers.kafka.state.configs.topic import TopicConfig
from mockforge_brokers.kafka.state.logs.topic import Topic, Topics
from mockforge_brokers.kafka.state.topic_limits import TopicLimits
from mockforge_brokers.kafka.state.watching import Watchers
from mockforge_brokers.limits import Limits

from .refusals import refused
from .scene import Scene


def make_topic(name, topic_id, partitions=1):
    config = TopicConfig(BrokerConfig(KafkaOptions()), {})
    topic = Topic(name, topic_id, config, 1 << 30, ManualClock().wall)
    topic.grow(partitions)
    return topic


def environment(**limits):
    return Environment.create(ManualClock(), seed=1, limits=Limits(**limits), journal=False)


def test_a_topic_is_found_by_name_and_id_until_it_is_removed():
    topics, topic = Topics(), make_topic("a.b", bytes(15) + b"\1")
    topics.add(topic)
    assert topics.named("a.b") is topics.with_id(topic.topic_id) is topic
    assert topics.colliding("a_b") == "a.b"
    assert list(topics.logs()) == topic.logs
    topics.remove(topic)
    with refused(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION):
        topics.named("a.b")
    with refused(ErrorCode.UNKNOWN_TOPIC_ID):
        topics.with_id(topic.topic_id)
    assert topics.colliding("a_b") is None
    assert topics.name_of(topic.topic_id) == "a.b", "rows of old frames can still name it"


def test_the_version_is_another_one_after_each_topic_that_came_or_went():
    topics, topic, versions = Topics(), make_topic("t", bytes(16)), []
    for change in (topics.add, topics.remove, topics.add):
        change(topic)
        versions.append(topics.version)
    assert len(set(versions)) == len(versions)


def test_only_the_newest_thousand_former_names_are_known():
    topics = Topics()
    for number in range(1001):
        topic = make_topic("t", number.to_bytes(16, "big"), partitions=0)
        topics.add(topic)
        topics.remove(topic)
    known = [bool(topics.name_of(number.to_bytes(16, "big"))) for number in (0, 1, 1000)]
    assert known == [False, True, True]


@pytest.mark.parametrize(
    ("limits", "check"),
    [
        ({"kafka_topics": 1}, lambda topic_limits: topic_limits.check_topics("more")),
        ({"kafka_partitions": 3}, lambda topic_limits: topic_limits.check_partitions("more", 2)),
    ],
)
def test_a_limit_refuses_the_next_topic_or_partition_and_is_reported(limits, check):
    env, events = environment(**limits), []
    env.spine.watch(events.append)
    topics = Topics()
    topic_limits = TopicLimits(env, topics)
    check(topic_limits)
    topics.add(make_topic("t", bytes(16), partitions=2))
    with refused(ErrorCode.POLICY_VIOLATION):
        check(topic_limits)
    assert [event.limit for event in events if isinstance(event, LimitReached)] == [*limits]


def test_another_topic_costs_no_more_where_many_are(monkeypatch):
    broker, asked = Scene().broker, []
    value = TopicConfig.value
    monkeypatch.setattr(
        TopicConfig, "value", lambda self, key: asked.append(key) or value(self, key)
    )
    costs = []
    for number in range(100):
        asked.clear()
        broker.create_topic(f"t{number}", 2)
        costs.append(len(asked))
    assert costs[-1] == costs[1]
    assert broker.cluster.topics.partitions == 200


def test_how_many_partitions_there_are_is_known_after_each_change():
    broker = Scene().broker
    topics = broker.cluster.topics
    for change in (
        lambda: broker.create_topic("a", 2),
        lambda: broker.create_topic("b", 3),
        lambda: broker.cluster.grow_topic("a", 5, source="test"),
        lambda: broker.cluster.delete_topic("b", source="test"),
        lambda: broker.cluster.stop(),
    ):
        change()
        assert topics.partitions == sum(len(topic.logs) for topic in topics.values())


def append(log, values=(b"a", b"b")):
    return log.append(build_batch([Record(at, 1, None, each) for at, each in enumerate(values)]))


def test_watchers_of_one_topic_and_of_all_see_each_record_until_they_stop():
    env = environment()
    watchers, seen = Watchers(env), []
    one, other = make_topic("one", bytes(16)), make_topic("other", bytes(15) + b"\1")
    stop = watchers.watch(lambda message: seen.append(("one", message.payload)), "one")
    stop_all = watchers.watch(lambda message: seen.append(("all", message.payload)))
    for topic in (one, other):
        watchers.show(topic.logs[0], append(topic.logs[0]), "client")
    assert seen == [
        ("one", b"a"),
        ("all", b"a"),
        ("one", b"b"),
        ("all", b"b"),
        ("all", b"a"),
        ("all", b"b"),
    ]
    stop()
    stop_all()
    stop()
    assert not watchers.by_topic
    watchers.show(one.logs[0], append(one.logs[0]), "client")
    assert len(seen) == 6


def test_what_is_shown_names_place_time_and_client():
    env, seen = environment(), []
    watchers = Watchers(env)
    watchers.watch(seen.append)
    topic = make_topic("t", bytes(16), partitions=2)
    watchers.show(topic.logs[1], append(topic.logs[1], [b"x"]), "shop")
    (message,) = seen
    assert (message.destination, message.client, message.time) == ("t", "shop", env.clock.wall())
    assert message.detail == {"partition": 1, "offset": 0, "timestamp": 1}


def test_a_batch_that_cannot_be_decoded_is_reported_and_not_shown():
    env, events, seen = environment(), [], []
    env.spine.watch(events.append)
    watchers = Watchers(env)
    watchers.watch(seen.append)
    log = make_topic("t", bytes(16)).logs[0]
    batch = bytearray(build_batch([Record(0, 1, None, b"a")]))
    batch[61] = 0xFF
    batch[17:21] = google_crc32c.value(bytes(batch[21:])).to_bytes(4, "big")
    # The log looks at the CRC alone: the records are the client's affair.
    watchers.show(log, log.append(bytes(batch)), "client")
    assert not seen
    assert [event.text[:24] for event in events if isinstance(event, Warned)] == [
        "offset 0 cannot be decod"
    ]
