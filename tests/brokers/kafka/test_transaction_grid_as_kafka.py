"""Each request in each state of a transaction: what Apache Kafka answers, and how it leaves it."""

import json

from .scene import Scene
from .transaction_grid import RECORDED, play


def test_each_request_in_each_state_is_answered_as_apache_kafka_does():
    kafkas = json.loads(RECORDED.read_text())
    ours = json.loads(json.dumps(play(Scene().connected(), "g.")))
    assert len(kafkas) >= 460
    assert {
        name: (ours.get(name), said) for name, said in kafkas.items() if ours.get(name) != said
    } == {}
    assert ours.keys() == kafkas.keys()
