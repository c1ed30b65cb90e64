"""Members join again, read something else and go amid a change as by Apache Kafka 4.4."""

import json

import pytest

from .rejoining import RECORDED, SCENARIOS, play
from .scene import Scene

KAFKAS = json.loads(RECORDED.read_text())


@pytest.mark.parametrize("name", SCENARIOS)
def test_answers_are_apache_kafkas(name):
    ours = play(Scene().call, name, "again.")
    assert json.loads(json.dumps(ours)) == KAFKAS[name]
