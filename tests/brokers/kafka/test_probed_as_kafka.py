"""Odd requests that change something, answered one after the other as Apache Kafka 4.4 does."""

import json

from .asked import NOW
from .probing import RECORDED, play
from .scene import Scene

_NO_WORDS = (None, "", "This server does not host this topic-partition.")
_MALFORMED = "This most likely occurs because of a request being malformed"
"""What Kafka says where it has nothing to say."""

KAFKAS = json.loads(RECORDED.read_text())


def _is_alike(ours, kafkas):
    """The same but for words of ours where Kafka has none."""
    return ours.keys() == kafkas.keys() and all(
        ours[field] == said
        or (field.endswith("error_message") and (said in _NO_WORDS or said.startswith(_MALFORMED)))
        for field, said in kafkas.items()
    )


def test_each_is_answered_as_apache_kafka_does():
    ours = json.loads(json.dumps(play(Scene(wall=NOW / 1000).connected())))
    assert ours.keys() == KAFKAS.keys()
    assert len(KAFKAS) > 250
    unlike = {name for name in KAFKAS if not _is_alike(ours[name], KAFKAS[name])}
    assert {name: (ours[name], KAFKAS[name]) for name in unlike} == {}
