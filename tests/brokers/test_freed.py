"""Memory that was let go of goes back to the system."""

import ctypes
import subprocess
import sys
from pathlib import Path

import pytest
from mockforge_brokers import freed
from mockforge_brokers.clock import ManualClock
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


def test_a_deleted_topic_is_let_go_of_in_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    from .kafka.scene import Scene

    scene = Scene()
    scene.broker.create_topic("t", 1, {"retention.bytes": "100000"})
    for _ in range(200):
        scene.broker.publish("t", bytes(1000), partition=0)
    (log,) = scene.broker.cluster.topics["t"].logs
    assert len(log.segments) > 2
    # A slice is up after one step.
    chores = scene.environment.chores
    scene.environment.turn.length = -1.0
    scene.broker.delete_topic("t")
    assert (log.segments, scene.broker.cluster.bounds.cost) == ([], 0)
    assert chores.waiting == 1
    scene.clock.advance(0)
    assert chores.waiting == 0
