"""Which partitions each member of the consumer protocol has, as Apache Kafka 4.4 assigns them."""

import json

import pytest

from .balancing import RECORDED, SCENARIOS, play
from .scene import Scene

KAFKAS = json.loads(RECORDED.read_text())


@pytest.mark.parametrize("name", SCENARIOS)
def test_members_have_the_partitions_that_apache_kafka_gives_them(name):
    assert play(Scene().connected(), name) == KAFKAS[name]
