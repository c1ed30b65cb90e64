"""The first members of a group are collected as long as by Apache Kafka 4.4 (KIP-134)."""

import json

import pytest

from .collecting import DELAY, RECORDED, SCENARIOS
from .gathering import FakeRoom, play

KAFKAS = json.loads(RECORDED.read_text())
ANSWERED_TOO = {("it joins again", 1): ["a", 27, -1, "a"]}
"""By scenario and step whom Kafka never answers: a join that was repeated on another connection."""


@pytest.mark.parametrize("name", SCENARIOS)
def test_each_step_is_answered_as_apache_kafka_does(name):
    wanted = list(KAFKAS[name])
    for (scenario, step), answer in ANSWERED_TOO.items():
        if scenario == name:
            what, answers = wanted[step]
            wanted[step] = [what, [*answers, answer]]
    room = FakeRoom(initial_rebalance_delay=DELAY)
    assert play(room, name, scenario=SCENARIOS[name]) == wanted
