"""Classic groups of several members: who is answered when, as Apache Kafka 4.4 does it."""

import json

import pytest

from .gathering import RECORDED, SCENARIOS, FakeRoom, answered_too, play

KAFKAS = json.loads(RECORDED.read_text())
ANSWERED_TOO = {
    ("joins from two connections", 7): ["b", 27, -1, "b"],
    ("a follower leaves before it was assigned", 4): ["b", 25, None, None, ""],
}
"""By scenario and step whom Kafka never answers: a join that the same member repeated on another
connection, and the sync of one that left. Nothing else would be served on those connections."""


@pytest.mark.parametrize("name", SCENARIOS)
def test_each_step_is_answered_as_apache_kafka_does(name):
    wanted = answered_too(KAFKAS[name], name, ANSWERED_TOO)
    assert play(FakeRoom(), name) == wanted
