"""What is forgotten after long silence, on a manual clock."""

import json

import pytest
from mockforge_brokers.errors import RequestRefused
from mockforge_brokers.kafka.codes import ConfigSource, ErrorCode
from mockforge_brokers.kafka.events import GroupDeleted, OffsetsExpired
from mockforge_brokers.kafka.options import KafkaOptions
from mockforge_brokers.kafka.state.configs.broker import started_with
from mockforge_brokers.kafka.state.groups.committed import Committer
from mockforge_brokers.kafka.state.groups.offsets import CommittedOffset
from mockforge_brokers.kafka.wire.messages.consumer_groups import ConsumerGroupHeartbeatRequest

from .asked import described, joined
from .lapsing import CONFIGS, LOOKS, RECORDED, play
from .scene import Scene, produce

MINUTE, DAY = 60.0, 86_400.0


class Quick(Scene):
    """Offsets expire after two minutes; who looks does so every minute."""

    def __init__(self, **configs):
        values = {
            "offsets.retention.minutes": "2",
            "offsets.retention.check.interval.ms": "60000",
        } | {key.replace("_", "."): value for key, value in configs.items()}
        super().__init__(configs=values)
        self.events = []
        self.environment.spine.watch(self.events.append, OffsetsExpired)
        self.environment.spine.watch(self.events.append, GroupDeleted)
        self.broker.create_topic("t", 2)
        self.groups = self.broker.cluster.groups

    def commit(self, group, partition=0, committer=None):
        offsets = {("t", partition): CommittedOffset(1)}
        self.groups.offsets.commit(group, committer or Committer(), offsets)


def test_offsets_of_a_group_that_never_had_members_count_from_their_commit():
    scene = Quick()
    scene.commit("g")
    scene.clock.advance(MINUTE)
    scene.commit("g", 1)
    scene.clock.advance(MINUTE)
    assert list(scene.groups.by_id["g"].offsets.topics["t"]) == [1]
    scene.clock.advance(MINUTE)
    assert "g" not in scene.groups.by_id
    assert [type(event).__name__ for event in scene.events] == [
        "OffsetsExpired",
        "OffsetsExpired",
        "GroupDeleted",
    ]


def heartbeat(scene, epoch, **more):
    request = ConsumerGroupHeartbeatRequest(group_id="g", member_id="m", member_epoch=epoch, **more)
    return scene.call(request, 0)


def test_offsets_of_each_kind_of_group_expire_when_they_do_in_apache_kafka():
    scene = Scene(configs=CONFIGS)
    kafkas = json.loads(RECORDED.read_text())
    assert kafkas.keys() == {f"after {moment} s" for moment in LOOKS}
    assert play(scene.connected(), "x.", scene.clock.advance) == kafkas


def test_offsets_stay_while_members_of_the_consumer_protocol_read_the_topic():
    scene = Quick(group_consumer_session_timeout_ms="600000")
    heartbeat(
        scene, 0, subscribed_topic_names=["t"], rebalance_timeout_ms=60_000, topic_partitions=[]
    )
    scene.commit("g", committer=Committer("m", scene.groups.by_id["g"].members["m"].epoch))
    scene.clock.advance(4 * MINUTE)
    assert scene.groups.by_id["g"].offsets
    heartbeat(scene, -1)
    scene.clock.advance(MINUTE)
    assert "g" not in scene.groups.by_id


def test_a_transactional_id_is_forgotten_when_it_was_not_used_for_a_week():
    scene = Quick()
    transactions = scene.broker.cluster.transactions
    transactions.take("idle", 60)
    scene.clock.advance(6 * DAY)
    transactions.take("used", 60)
    scene.clock.advance(DAY + 3600)
    assert list(transactions.by_id) == ["used"]


def test_a_producer_is_forgotten_by_its_partition_after_a_day():
    scene = Quick()
    log = scene.broker.cluster.topics["t"].logs[0]
    scene.call(produce("t", b"v", producer_id=7, producer_epoch=0, base_sequence=0), 9)
    assert len(log.producers) == 1
    scene.clock.advance(DAY + 600)
    assert len(log.producers) == 0


def test_a_groups_own_session_timeout_and_heartbeat_interval_hold():
    scene = Quick()
    groups = scene.broker.cluster.configuring.groups
    groups.alter("g", {"consumer.session.timeout.ms": "1000"})
    groups.alter("g", {**groups.own["g"], "consumer.heartbeat.interval.ms": "300"})
    answer = heartbeat(
        scene, 0, subscribed_topic_names=["t"], rebalance_timeout_ms=60_000, topic_partitions=[]
    )
    assert answer.heartbeat_interval_ms == 300
    scene.clock.advance(1.5)
    assert scene.groups.by_id["g"].empty


def test_a_session_timeout_that_is_made_shorter_holds_from_the_next_heartbeat_on():
    scene = Quick()
    joins = {"subscribed_topic_names": ["t"], "rebalance_timeout_ms": 60_000}
    answer = heartbeat(scene, 0, **joins, topic_partitions=[])
    scene.broker.cluster.configuring.groups.alter("g", {"consumer.session.timeout.ms": "1000"})
    heartbeat(scene, answer.member_epoch)
    scene.clock.advance(1.5)
    assert scene.groups.by_id["g"].empty


def test_a_broker_is_started_with_lines_of_its_properties():
    options = started_with(
        KafkaOptions(),
        {"num.partitions": "7", "auto.create.topics.enable": "false", "log.retention.hours": "1"},
    )
    assert (options.default_partitions, options.auto_create_topics) == (7, False)
    broker = Scene(configs=dict(options.configs), default_partitions=7).broker
    assert broker.create_topic("x") == 7
    assert broker.cluster.topics["x"].config.value("retention.ms") == "3600000"
    for wrong in ({"nope": "1"}, {"num.partitions": "many"}):
        with pytest.raises(RequestRefused):
            started_with(KafkaOptions(), wrong)


def test_a_session_shorter_than_the_broker_was_started_with_is_refused():
    options = started_with(KafkaOptions(), {"group.min.session.timeout.ms": "6000"})
    scene = Scene(min_session_timeout=options.min_session_timeout, configs=dict(options.configs))
    codes = [
        scene.call(joined("g", session_timeout_ms=milliseconds), 3).error_code
        for milliseconds in (5_999, 6_000)
    ]
    assert codes == [ErrorCode.INVALID_SESSION_TIMEOUT, 0]
    answer = scene.call(described(4, "1", ["group.min.session.timeout.ms"]), 4)
    (entry,) = answer.results[0].configs
    assert (entry.value, entry.config_source) == ("6000", ConfigSource.STATIC_BROKER_CONFIG)
