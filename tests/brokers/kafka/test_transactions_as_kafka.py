"""Transactions answered as Apache Kafka 4.4 answered them (recorded/transactions.json)."""

import json

import pytest

from .stage import Stage
from .transacting import RECORDED, SCENARIOS, play

KAFKAS = json.loads(RECORDED.read_text())


@pytest.mark.parametrize("name", SCENARIOS)
def test_answers_are_apache_kafkas(name):
    stage = Stage()
    ours = play(stage.call, name, "r")
    assert json.loads(json.dumps(ours)) == KAFKAS[name]
