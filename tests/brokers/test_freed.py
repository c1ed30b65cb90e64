"""Memory that was let go of goes back to the system."""

import ctypes
import subprocess
import sys
from pathlib import Path

import pytest
from mockforge_brokers import freed
from mockforge_brokers.clock import ManualClock
from mockforge_brokers.fairness import Turn
from mockforge_brokers.freed import WORTH, Freed

STATM = Path("/proc/self/statm")
LEFT = """
import os
from pathlib import Path
from mockforge_brokers.bulk import give_back_memory, keep_large_blocks

def size():
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

keep_large_blocks()
# Small ones that live on stand between those that go.
large, small = [], []
for number in range(100_000):
    large.append(bytes(2000))
    if number % 50 == 0:
        small.append(bytes(600))
filled = size()
large.clear()
give_back_memory()
print(filled - size())
"""


def has_malloc_trim() -> bool:
    """As glibc has, and musl has not."""
    return STATM.exists() and hasattr(ctypes.CDLL(None), "malloc_trim")


def test_much_is_given_back_once_a_moment_later() -> None:
    clock, times = ManualClock(), []
    counted = Freed(clock)
    counted.give_back = lambda: times.append(clock.now())
    counted.add(WORTH - 1)
    clock.advance(10)
    assert times == []
    counted.add(1)
    counted.add(5 * WORTH)
    clock.advance(10)
    assert times == [11]
    counted.add(WORTH - 1)
    clock.advance(10)
    assert times == [11], "it is counted anew"


def test_what_took_long_is_done_again_as_much_later() -> None:
    clock, times = ManualClock(), []
    counted = Freed(clock)

    def give_back() -> None:
        times.append(clock.now())
        clock.advance(0.2)

    counted.give_back = give_back
    for _ in range(500):
        # As records do that leave by their age.
        counted.add(WORTH)
        clock.advance(1)
    assert [round(each) for each in times] == [1, 201, 401]


@pytest.mark.skipif(not has_malloc_trim(), reason="only Linux with glibc gives it back and says so")
def test_what_is_free_between_what_is_not_is_given_back() -> None:
    done = subprocess.run([sys.executable, "-c", LEFT], capture_output=True, text=True, check=True)
    assert int(done.stdout) > 150_000_000


def test_deleted_topics_and_records_count_and_what_makes_room_for_others_does_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from .kafka.scene import Scene

    monkeypatch.setattr(freed, "WORTH", 50_000)
    scene = Scene()
    times: list[str] = []
    scene.environment.freed.give_back = lambda: times.append(step)

    def fill(topic: str) -> None:
        for _ in range(60):
            scene.broker.publish(topic, bytes(1000), partition=0)

    scene.broker.create_topic("bounded", 1, {"retention.bytes": "20000"})
    scene.broker.create_topic("t", 1)
    for step in ("makes room", "records", "topic", "age"):
        fill("bounded" if step == "makes room" else "t")
        if step == "records":
            cluster = scene.broker.cluster
            cluster.delete_records(cluster.topics["t"].logs[0], 60, reason="test")
        elif step == "topic":
            scene.broker.delete_topic("t")
            scene.broker.create_topic("t", 1, {"retention.ms": "1000"})
        scene.clock.advance(400)
    assert times == ["records", "topic", "age"]


class Slices:
    """A scene where a slice is up after one step, and how many there were."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        from .kafka.scene import Scene

        self.scene = Scene()
        self.scene.environment.turn.length = -1.0
        self.begun = 0
        begin = Turn.begin

        def counted(turn: Turn) -> None:
            self.begun += 1
            begin(turn)

        monkeypatch.setattr(Turn, "begin", counted)

    def made(self) -> int:
        """Segments of two topics with three partitions each."""
        for name in "tu":
            configs = {"retention.bytes": "100000", "retention.ms": "1000"}
            self.scene.broker.create_topic(name, 3, configs)
            for number in range(150):
                self.scene.broker.publish(name, bytes(1000), partition=number % 3)
        topics = self.scene.broker.cluster.topics.values()
        logs = [log for topic in topics for log in topic.logs]
        assert all(len(log.segments) > 1 for log in logs)
        self.begun = 0
        return sum(len(log.segments) for log in logs)

    def after(self, begun: int = 0) -> int:
        """How many it takes to let go of what left, for which so many were begun."""
        assert self.scene.broker.cluster.bounds.cost == 0
        assert (self.begun, self.scene.environment.chores.waiting) == (begun, 1)
        self.scene.clock.advance(0)
        assert self.scene.environment.chores.waiting == 0
        return self.begun


def test_what_leaves_is_let_go_of_in_slices_however_many_topics_it_is_of(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    slices = Slices(monkeypatch)
    broker = slices.scene.broker
    segments = slices.made()
    for name in "tu":
        broker.delete_topic(name)
    # Each of them is taken out in one step, as it has few partitions.
    assert slices.after(begun=2) > segments
    segments = slices.made()
    broker.cluster.clear()
    assert slices.after(begun=2) > segments
    segments = slices.made()
    for topic in broker.cluster.topics.values():
        for log in topic.logs:
            broker.cluster.delete_records(log, log.high_watermark, reason="test")
    assert slices.after() > segments


def test_what_is_old_is_let_go_of_in_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    slices = Slices(monkeypatch)
    segments = slices.made()
    slices.scene.clock.advance(400)
    assert slices.scene.broker.cluster.bounds.cost == 0
    assert slices.begun > segments
