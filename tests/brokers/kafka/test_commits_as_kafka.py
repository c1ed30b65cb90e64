"""Who may commit what at which epoch: Apache Kafka's answers."""

import json

from .committing import RECORDED, play
from .scene import Scene


def test_each_epoch_may_commit_what_it_may_in_apache_kafka():
    kafkas = json.loads(RECORDED.read_text())
    ours = play(Scene().connected(), "c.")
    assert ours.keys() == kafkas.keys()
    assert len(kafkas) >= 400
    assert {name: (ours[name], said) for name, said in kafkas.items() if ours[name] != said} == {}
