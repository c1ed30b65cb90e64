"""Quotas: how long each API lets a client wait, and what is read meanwhile, as Apache Kafka 4.4."""

import json

import pytest

from .slowing import RECORDED, ours, play, recorded

KAFKAS = json.loads(RECORDED.read_text())
DIFFERENT = {
    "AddPartitionsToTxn v4": "Kafka never answers an empty batch of transactions",
    "AddPartitionsToTxn v5": "Kafka never answers an empty batch of transactions",
}


@pytest.fixture(scope="module")
def said():
    return recorded(play(ours()))


@pytest.mark.parametrize("name", [name for name in KAFKAS if name not in DIFFERENT])
def test_each_answer_lets_wait_as_long_as_apache_kafkas(said, name):
    assert said[name] == KAFKAS[name]
