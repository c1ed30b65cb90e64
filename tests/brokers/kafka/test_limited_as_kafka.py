"""delete.topic.enable, group.max.size and group.consumer.max.size as Apache Kafka 4.4 has them."""

import json

import pytest
from mockforge_brokers.kafka.codes import ErrorCode
from mockforge_brokers.kafka.options import KafkaOptions
from mockforge_brokers.kafka.state.configs.broker import BrokerConfig, started_with
from mockforge_brokers.kafka.wire.messages.topics import DeleteTopicsRequest

from .limiting import RECORDED, STARTED, play
from .refusals import refused
from .scene import Scene
from .test_state_groups import Coordinator

KAFKAS = json.loads(RECORDED.read_text())


@pytest.fixture(scope="module")
def ours():
    options = started_with(KafkaOptions(), STARTED)
    return json.loads(json.dumps(play(Scene(configs=dict(options.configs)).call)))


@pytest.mark.parametrize("name", KAFKAS)
def test_each_answer_is_apache_kafkas(ours, name):
    assert ours[name] == KAFKAS[name]


def test_who_waits_in_a_rebalance_takes_the_room_of_who_has_not_come_back():
    coordinator = Coordinator(configs={"group.max.size": "2"})
    first, second = coordinator.stable("a", "b")
    coordinator.group.rebalance("by hand")
    third = coordinator.join(client="c")
    assert third.result is None, "only who has joined again is counted"
    again = coordinator.join(first, client="a")
    with refused(ErrorCode.GROUP_MAX_SIZE_REACHED):
        coordinator.join(second, client="b")
    # Who found no room is no member any more, and nobody waits for it.
    assert (third.result.error_code, again.result.error_code) == (0, 0)
    assert [each.client_id for each in coordinator.group.members] == ["a", "c"]
    with refused(ErrorCode.UNKNOWN_MEMBER_ID):
        coordinator.heartbeat(second)


def test_nobody_waits_for_who_was_given_an_id_and_found_no_room():
    coordinator = Coordinator(configs={"group.max.size": "2"})
    first, second = coordinator.stable("a", "b")
    coordinator.group.rebalance("by hand")
    given = coordinator.join(client="c", must_know_id=True).result
    answers = [coordinator.join(first, client="a"), coordinator.join(second, client="b")]
    assert [each.result for each in answers] == [None, None]
    with refused(ErrorCode.GROUP_MAX_SIZE_REACHED):
        coordinator.join(given.member_id, client="c")
    assert [each.result.error_code for each in answers] == [0, 0]


@pytest.mark.parametrize("value", ["false", "False", "FALSE", " false "])
def test_a_switch_is_read_as_kafka_reads_it(value):
    for name in ("delete.topic.enable", "transaction.partition.verification.enable"):
        assert not BrokerConfig(started_with(KafkaOptions(), {name: value})).switch(name)
    scene = Scene(configs={"delete.topic.enable": value})
    scene.broker.create_topic("t", 1)
    request = DeleteTopicsRequest(topic_names=["t"], timeout_ms=1000)
    (answer,) = scene.call(request, 5).responses
    assert answer.error_code == ErrorCode.TOPIC_DELETION_DISABLED
    options = started_with(KafkaOptions(), {"auto.create.topics.enable": " TRUE "})
    assert options.auto_create_topics
