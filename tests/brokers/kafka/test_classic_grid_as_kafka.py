"""Each request of the classic protocol in each state: Kafka's answers, and the group after them."""

import json

from .classic_grid import RECORDED, play
from .scene import Scene


def test_each_request_in_each_state_is_answered_as_apache_kafka_does():
    kafkas = json.loads(RECORDED.read_text())
    ours = json.loads(json.dumps(play(Scene().connected())))
    assert ours.keys() == kafkas.keys()
    assert len(kafkas) > 700
    unlike = {name: (ours[name], said) for name, said in kafkas.items() if ours[name] != said}
    assert unlike == {}
