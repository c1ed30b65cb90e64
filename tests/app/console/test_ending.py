"""`conn kill` with a code: what each protocol's close can say, and what it cannot."""

import gc
import weakref

import pytest

from .scene import MADE, Scene


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("conn kill (proto:kafka) --code 3", "Kafka closes without a code"),
        ("conn kill (proto:mqtt) --code CONNECTION_FORCED", "speaks mqtt, which has no"),
        ("conn kill (proto:amqp) --code NACK", "NACK answers a publish"),
        ("conn kill (proto:mqtt) --code SERVER_BUSY --rst", "a reset says nothing"),
        ("conn kill (proto:mqtt) --code SERVER_BUZY", "nearest: SERVER_BUSY"),
    ],
)
def test_a_close_says_only_what_its_protocol_has_a_word_for(line: str, problem: str) -> None:
    scene = Scene()
    before = len(scene.session.connections())
    result = scene.session.run(line, confirmed=True)
    assert not result.ok
    assert problem in result.as_text()
    assert len(scene.session.connections()) == before


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("conn kill (proto:mqtt) --code SESSION_TAKEN_OVER", "closed at the console"),
        ("conn kill (proto:mqtt) --code 0x8b --text maintenance", "maintenance"),
    ],
)
def test_connections_end_with_the_words_that_were_given(line: str, reason: str) -> None:
    scene = Scene()
    assert scene.session.run(line, confirmed=True).ok
    last = scene.session.run("conns --ended (proto:mqtt)").records[0]
    assert last["reason"] == reason


def test_nothing_of_a_scene_stays_in_memory_once_it_let_go() -> None:
    scene = Scene()
    brokers = [weakref.ref(each) for each in scene.brokers.values()]
    scene.forget()
    MADE.remove(scene)
    del scene
    gc.collect()
    assert [each() for each in brokers] == [None, None, None]
