"""delete.topic.enable, group.max.size and group.consumer.max.size as Apache Kafka 4.4 has them."""

import json

import pytest
from mockforge_brokers.kafka.codes import ErrorCode
from mockforge_brokers.kafka.options import KafkaOptions
from mockforge_brokers.kafka.state.configs.broker import started_with

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
    assert coordinator.join(client="c").result is None, "only who has joined again is counted"
    coordinator.join(first, client="a")
    with refused(ErrorCode.GROUP_MAX_SIZE_REACHED):
        coordinator.join(second, client="b")
