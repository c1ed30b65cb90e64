"""Keys of one listener and keys of nobody, altered and shown as Apache Kafka 4.4 does."""

import json

import pytest

from .listener_keys import RECORDED, play
from .scene import Scene

KAFKAS = json.loads(RECORDED.read_text())


@pytest.fixture(scope="module")
def ours():
    return json.loads(json.dumps(play(Scene().call)))


@pytest.mark.parametrize("name", KAFKAS)
def test_each_is_taken_and_shown_as_by_apache_kafka(ours, name):
    assert ours[name] == KAFKAS[name]


def test_nothing_else_was_asked(ours):
    assert ours.keys() == KAFKAS.keys()
