"""A topic that was deleted and made anew, for those who know its former id, as Apache Kafka 4.4."""

import json

from .recreating import RECORDED, play
from .scene import Scene


def test_each_answer_of_a_former_id_is_apache_kafkas():
    assert play(Scene().call) == json.loads(RECORDED.read_text())
