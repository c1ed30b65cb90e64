"""What no client library sends is answered as Apache Kafka does, code by code."""

import json

import pytest

from .asked import NOW
from .asked_oddly import RECORDED, play
from .scene import Scene

_RUNS_INTO_IT = "Kafka says UNKNOWN_SERVER_ERROR"
_NAMES_IT = "our words name the topic"
DIFFERENT = {
    "DescribeTopicPartitions: no name": _RUNS_INTO_IT,
    "Metadata: of neither name nor id": _RUNS_INTO_IT,
    "Fetch: bytes below nothing": _RUNS_INTO_IT,
    "Fetch: bytes below nothing of a partition": _RUNS_INTO_IT,
    "Fetch: an isolation of 7": _RUNS_INTO_IT,
    "ListOffsets: an isolation of 7": _RUNS_INTO_IT,
    "DeleteTopics: an id that is not there": _NAMES_IT,
    "DeleteTopics: no name": _NAMES_IT,
}
"""Why the answers are not the same."""

_NO_WORDS = (None, "", "This most likely occurs because of a request being malformed")
"""What Kafka says where it has nothing to say."""

KAFKAS = json.loads(RECORDED.read_text())


@pytest.fixture(scope="module")
def ours():
    return json.loads(json.dumps(play(Scene(wall=NOW / 1000).call)))


def _is_alike(ours, kafkas):
    """The same but for words of ours where Kafka has none."""
    return ours.keys() == kafkas.keys() and all(
        ours[field] == said or (field.endswith("error_message") and _is_nothing(said))
        for field, said in kafkas.items()
    )


def _is_nothing(said):
    return said in _NO_WORDS or said.startswith(_NO_WORDS[-1])


def test_all_that_was_asked_was_recorded(ours):
    assert ours.keys() == KAFKAS.keys()
    assert len(KAFKAS) > 250


def test_what_is_odd_is_answered_as_apache_kafka_does(ours):
    unlike = {name for name in KAFKAS if not _is_alike(ours[name], KAFKAS[name])}
    assert {name: (ours[name], KAFKAS[name]) for name in unlike - DIFFERENT.keys()} == {}
    assert unlike == DIFFERENT.keys()
