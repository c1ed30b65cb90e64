"""What is wrong about a request is refused with Apache Kafka's codes, in its words."""

import json

import pytest

from .asked import NOW
from .asked_wrongly import RECORDED, play
from .scene import Scene

DIFFERENT = {
    "IncrementalAlterConfigs: an operation that is none": "Kafka says UNKNOWN_SERVER_ERROR",
    "IncrementalAlterConfigs: a session too short": "so that tests need not wait for 45 s",
    "AlterConfigs: a group": "so that tests need not wait for 45 s",
}
"""Why the answers are not the same."""

KAFKAS = json.loads(RECORDED.read_text())


@pytest.fixture(scope="module")
def ours():
    return play(Scene(wall=NOW / 1000).call)


def test_all_that_was_asked_was_recorded(ours):
    assert ours.keys() == KAFKAS.keys()
    assert len(KAFKAS) > 120


def test_what_is_wrong_is_refused_as_apache_kafka_does(ours):
    pytest.importorskip("re2")
    unlike = {name for name in KAFKAS if ours[name] != KAFKAS[name]}
    assert {name: (ours[name], KAFKAS[name]) for name in unlike - DIFFERENT.keys()} == {}
    assert unlike == DIFFERENT.keys()
