"""Each heartbeat in each state of a group: Apache Kafka's answers, and the group after them."""

import json

from .member_grid import RECORDED, play
from .scene import Scene

DIFFERENT = {
    f"{state} / joins by another instance": "no client has another instance id under the same id"
    for state in ("not given up yet", "static, away")
}
"""Why the answers are not the same."""


def test_each_heartbeat_in_each_state_is_answered_as_apache_kafka_does():
    kafkas = json.loads(RECORDED.read_text())
    ours = json.loads(json.dumps(play(Scene().connected(), "m.")))
    assert ours.keys() == kafkas.keys()
    assert len(kafkas) >= 250
    unlike = {name: (ours[name], said) for name, said in kafkas.items() if ours[name] != said}
    assert {name: found for name, found in unlike.items() if name not in DIFFERENT} == {}
    assert unlike.keys() == DIFFERENT.keys()
