"""connections.max.idle.ms: who sends and gets nothing for so long is hung up on, as by Kafka."""

import pytest
from mockforge_brokers.clock import AdjustableClock, ManualClock
from mockforge_brokers.kafka.codes import ApiKey
from mockforge_brokers.kafka.wire.messages.cluster import MetadataRequest

from .scene import Scene, fetch, produce

REASON = "idle for longer than connections.max.idle.ms=2000"


def begun(**more):
    return Scene(configs={"connections.max.idle.ms": "2000"}, **more)


def speak(scene, client):
    scene.ask(client, MetadataRequest(topics=[]), 12)
    assert scene.answer(client, ApiKey.METADATA, 12).topics == []


@pytest.mark.parametrize("speaks", [False, True])
def test_who_is_silent_for_long_is_hung_up_on(speaks):
    scene = begun()
    client = scene.network.connect()
    if speaks:
        speak(scene, client)
    scene.clock.advance(1.9)
    assert client.peer.reason == ""
    scene.clock.advance(0.6)
    assert client.peer.reason == REASON
    assert scene.clock._agenda.next_due() is None


def test_a_fetch_that_waits_is_no_reason_to_stay():
    scene = begun()
    scene.broker.create_topic("t", 1)
    client = scene.network.connect()
    scene.ask(client, fetch("t", 0, wait=60_000), 12)
    scene.clock.advance(2.5)
    assert client.peer.reason == REASON


def test_who_speaks_or_is_answered_now_and_then_stays():
    scene = begun()
    scene.broker.create_topic("t", 1)
    speaker, waiter = scene.network.connect(), scene.network.connect()
    for number in range(10):
        scene.ask(waiter, fetch("t", number, wait=60_000), 12)
        scene.clock.advance(1.5)
        scene.ask(speaker, produce("t", b"1"), 8)
        scene.network.settle()
        waiter.take(), speaker.take()
    assert (speaker.peer.reason, waiter.peer.reason) == ("", "")


def test_time_that_a_person_moves_on_is_nobodys_silence():
    inner = ManualClock()
    clock = AdjustableClock(inner)
    scene = begun(clock=clock)
    client = scene.network.connect()
    clock.advance(3600)
    assert client.peer.reason == ""
    speak(scene, client)
    inner.advance(2.5)
    assert client.peer.reason == REASON


def test_for_time_that_a_person_moves_on_nobody_looks(monkeypatch):
    inner = ManualClock()
    clock = AdjustableClock(inner)
    scene = begun(clock=clock)
    client = scene.network.connect()
    looks, look = [], scene.broker._idle._round

    def counted(passed):
        looks.append(passed)
        return look(passed)

    monkeypatch.setattr(scene.broker._idle, "_round", counted)
    inner.advance(0.05)
    clock.advance(3600)
    assert looks == []
    # What passed before is not forgotten.
    inner.advance(0.2)
    assert looks == [pytest.approx(0.2)]
    clock.advance(3600)
    assert len(looks) == 1
    client.vanish()
    clock.advance(1)
    assert (len(looks), clock._agenda.next_due()) == (2, None)


def test_time_in_which_the_process_stood_still_counts_as_one_look():
    scene = begun()
    client = scene.network.connect()
    scene.clock._now += 3600
    scene.clock.advance(0)
    assert client.peer.reason == ""
    scene.clock.advance(2.5)
    assert client.peer.reason == REASON


@pytest.mark.parametrize(
    ("given", "seconds"), [({}, 600), ({"connections.max.idle.ms": "-1"}, 1e5)]
)
def test_the_usual_time_is_ten_minutes_and_minus_one_is_never(given, seconds):
    scene = Scene(configs=given)
    client = scene.network.connect()
    scene.clock.advance(seconds - 1)
    assert client.peer.reason == ""
    scene.clock.advance(121)
    assert (client.peer.reason == "") == bool(given)


def test_without_connections_nobody_looks():
    scene = begun()
    client = scene.network.connect()
    client.vanish()
    scene.clock.advance(10)
    assert scene.clock._agenda.next_due() is None
