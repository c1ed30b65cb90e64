"""Regular expressions of subscriptions mean what they mean to Apache Kafka's RE2/J."""

import json
import sys

import pytest
from mockforge_brokers.kafka.state import patterns

from .patterning import RECORDED, furnish, play
from .scene import Scene

KAFKAS = json.loads(RECORDED.read_text())
BEYOND_PYTHON = {
    *(r"\pL1", r"\p{Greek}", r"\PL", "(?U)a+", "(?-i)a1", "a{1001}", "[[:^alpha:]]+"),
    *(r"\Qa.1\E", r"\Qa.1", r"\x{61}1", r"\141", r"\C1"),
}
"""What Python's expressions take otherwise: `pip install mockforge-tui[re2]` has them all."""


def unlike():
    scene = Scene()
    furnish(scene.call)
    return {p: one for p, one in play(scene.call).items() if one != KAFKAS[p]}


def test_expressions_match_what_apache_kafka_says():
    pytest.importorskip("re2")
    assert unlike() == {}


def test_without_re2_most_of_them_do(monkeypatch):
    monkeypatch.setitem(sys.modules, "re2", None)
    patterns._read.cache_clear()
    try:
        assert unlike().keys() <= BEYOND_PYTHON
    finally:
        patterns._read.cache_clear()
