"""Damaged packets, always the same ones: our decoder and mqtt5's agree but where a clause decides.

`python -m tests.fuzzing.mqtt_second_opinion` asks for as long as one likes.
"""

from random import Random

import pytest

from tests.fuzzing.mqtt_second_opinion import damaged, disagreement


# Where mqtt5 panics, which is for a text that is no UTF-8, Python hears of it once more.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_two_decoders_take_the_same_packets_but_where_a_clause_decides() -> None:
    random = Random(7)
    assert [text for _ in range(3_000) if (text := disagreement(damaged(random)))] == []


def test_an_auth_that_is_written_shorter_than_it_came_is_known_not_to_be_read_by_mqtt5() -> None:
    assert disagreement(bytes.fromhex("f0020000")) == ""
