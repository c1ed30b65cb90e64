"""What is named twice or in two ways, and odd values, answered as Apache Kafka 4.4 answers."""

import json

from .repeating import RECORDED, play
from .scene import Scene

DIFFERENT = {
    "min.cleanable.dirty.ratio='0.5d'": "only Java takes it for a number",
    "min.cleanable.dirty.ratio='0x0.8p0'": "only Java takes it for a number",
}
"""Why the answers are not the same."""

KAFKAS = json.loads(RECORDED.read_text())


def test_each_is_answered_as_apache_kafka_does():
    ours = json.loads(json.dumps(play(Scene().call)))
    assert ours.keys() == KAFKAS.keys()
    unlike = {name: (ours[name], KAFKAS[name]) for name in KAFKAS if ours[name] != KAFKAS[name]}
    assert {name: both for name, both in unlike.items() if name not in DIFFERENT} == {}
    assert unlike.keys() == DIFFERENT.keys()
    assert len(KAFKAS) > 30
