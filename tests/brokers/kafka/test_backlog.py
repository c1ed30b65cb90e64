"""Requests that wait: their order, and when the client's bytes are left unread."""

import time
from types import SimpleNamespace

import pytest
from mockforge_brokers.clock import ManualClock
from mockforge_brokers.environment import Environment
from mockforge_brokers.kafka.backlog import Backlog
from mockforge_brokers.kafka.events import ClientThrottled
from mockforge_brokers.kafka.throttle import Throttle


class Reading:
    """A peer that notes whether it is read."""

    def __init__(self):
        self.calls = []

    def pause_reading(self):
        self.calls.append("pause")

    def resume_reading(self):
        self.calls.append("resume")


@pytest.mark.parametrize(("count", "size"), [(101, 1), (2, 262_145)], ids=["many", "large"])
def test_a_full_backlog_stops_reading_once_and_reads_on_when_all_were_taken(count, size):
    peer = Reading()
    backlog = Backlog(peer)
    frames = [number.to_bytes(2, "big") * size for number in range(count)]
    for frame in frames[:-1]:
        backlog.add(frame)
    assert peer.calls == []
    backlog.add(frames[-1])
    backlog.add(b"one more")
    assert peer.calls == ["pause"]
    assert [backlog.take() for _ in range(count)] == frames
    assert backlog, "one still waits"
    backlog.take()
    assert not backlog
    backlog.end()
    backlog.end()
    assert peer.calls == ["pause", "resume"]


def test_to_take_one_costs_the_same_however_many_wait():
    backlog, count = Backlog(Reading()), 300_000
    for _ in range(count):
        backlog.add(b"x")
    begun = time.process_time()
    for _ in range(count):
        backlog.take()
    assert time.process_time() - begun < 4, "to move all others each time would take 20 s"


def test_a_throttle_is_on_for_its_time_and_reported_once_in_ten_seconds():
    clock, calls, events = ManualClock(), [], []
    environment = Environment.create(clock, journal=False)
    environment.spine.watch(events.append)
    throttle = Throttle(environment, lambda: calls.append("hold"), lambda: calls.append("go on"))
    caller = SimpleNamespace(peer=SimpleNamespace(id=7), name="shop", user="alice")
    throttle.wait(caller, 4)
    clock.advance(3.9)
    assert (throttle.on, calls) == (True, ["hold"])
    clock.advance(0.2)
    assert (throttle.on, calls) == (False, ["hold", "go on"])
    for _ in range(3):
        throttle.wait(caller, 4)
        clock.advance(4)
    said = [(each.client, each.seconds) for each in events if isinstance(each, ClientThrottled)]
    assert said == [("shop", 4), ("shop", 4)], "at 0 and at 12.1 s, not at 4.1 and 8.1 s"
