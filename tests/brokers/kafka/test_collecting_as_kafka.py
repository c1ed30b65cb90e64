"""The first members of a group are collected as long as by Apache Kafka 4.4 (KIP-134)."""

import json

import pytest

from .collecting import DELAY, RECORDED, SCENARIOS
from .gathering import FakeRoom, answered_too, play

KAFKAS = json.loads(RECORDED.read_text())
ANSWERED_TOO = {("it joins again", 1): ["a", 27, -1, "a"]}
"""By scenario and step whom Kafka never answers: a join that was repeated on another connection."""


@pytest.mark.parametrize("name", SCENARIOS)
def test_each_step_is_answered_as_apache_kafka_does(name):
    wanted = answered_too(KAFKAS[name], name, ANSWERED_TOO)
    room = FakeRoom(initial_rebalance_delay=DELAY)
    assert play(room, name, scenario=SCENARIOS[name]) == wanted
