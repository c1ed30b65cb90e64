"""Transactions answered as Apache Kafka 4.4 answered them (recorded/transactions.json)."""

import json

import pytest

from .scene import Scene
from .transacting import RECORDED, SCENARIOS, play

KAFKAS = json.loads(RECORDED.read_text())


@pytest.mark.parametrize("name", SCENARIOS)
def test_answers_are_apache_kafkas(name):
    scene = Scene()
    ours = play(scene.call, name, "r")
    assert json.loads(json.dumps(ours)) == KAFKAS[name]
