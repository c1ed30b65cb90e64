"""`tail`: rows as they come."""

from pathlib import Path

import pytest

from mockforge_tui.console.results import Result

from .scene import Scene
from .world import World


def check(result: Result) -> Result:
    assert result.ok, result.as_text()
    return result


def test_tail_shows_what_enters() -> None:
    world = World()
    check(world.run("tail mqtt:a size>3"))
    world.fakes["mqtt"].see("a", b"12")
    world.fakes["mqtt"].see("a", b"1\x1b]0;x\x07")
    world.fakes["mqtt"].see("b", b"other topic")
    world.time.advance(1)
    assert [line.split(" ", 1)[1] for line in world.reported()] == ["M→ a 1·]0;x·"]


def test_tail_counts_what_it_leaves_out() -> None:
    world = World()
    world.run("tail mqtt:a")
    for number in range(1000):
        world.fakes["mqtt"].see("a", b"%d" % number)
    world.time.advance(0.2)
    assert len(world.reported()) == 20
    assert world.reported("note") == ["… 980 more (narrow with a filter)"]


def test_tail_ends_after_n_and_by_stop() -> None:
    world = World()
    world.run("tail mqtt:a -n 2")
    for _ in range(3):
        world.fakes["mqtt"].see("a", b"x")
    assert len(world.reported()) == 2
    assert world.fakes["mqtt"].watchers == []
    world.run("tail kafka:orders")
    check(world.run("tail stop"))
    assert world.fakes["kafka"].watchers == []


def test_tail_without_a_target_shows_all_traffic_from_now_on() -> None:
    world = World()
    world.frame("dev-7", op="PUBLISH", to="a", payload="before")
    world.time.advance(1)
    world.run("tail (client:dev-7 or op:PINGREQ)")
    world.frame("dev-7", op="PUBLISH", to="a", payload="after")
    world.frame("dev-7", op="PINGREQ", kind="noise")
    world.frame("other", op="PUBLISH", to="a", payload="x")
    world.time.advance(1)
    assert [line.split(" ", 1)[1] for line in world.reported()] == ["M→ PUBLISH a after"]
    check(world.run("tail stop"))
    world.frame("dev-7", op="PUBLISH", to="a", payload="late")
    world.time.advance(1)
    assert len(world.reported()) == 1


def test_tail_falls_back_on_messages_where_nothing_is_journaled() -> None:
    world = World()
    world.journal = None
    world.run("tail")
    world.fakes["mqtt"].see("a", b"1")
    world.time.advance(1)
    assert len(world.reported()) == 1


def test_tail_reads_kafkas_log_first() -> None:
    world = World()
    check(world.run("tail kafka:orders@1 -f '%t %p@%o %k %v' -n 2"))
    assert world.reported() == ['orders 0@1 o-1 {"id": 1}', 'orders 0@2 o-2 {"id": 2}']


def test_tail_of_one_partition() -> None:
    world = World()
    world.run("tail kafka:orders[1]")
    world.fakes["kafka"].see("orders", b"x", partition=0, offset=1)
    world.fakes["kafka"].see("orders", b"y", partition=1, offset=1)
    world.time.advance(1)
    assert [line.split(" ", 1)[1] for line in world.reported()] == ["K→ orders p1@1 y"]


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("tail mqtt:a --from begin", "only Kafka keeps"),
        ("tail kafka:orders --from soon", "is not an offset"),
        ("tail kafka:orders[9]@begin", "has partitions 0 to 1"),
        ("tail topic:orders", "a target comes first"),
        ("tail kafka:orders sizee>1", "did you mean size?"),
    ],
)
def test_mistakes_of_tail(line: str, text: str) -> None:
    assert text in World().run(line).as_text()


def test_a_long_past_is_shown_in_slices_and_nothing_is_lost_or_doubled_where_the_present_begins(
    tmp_path: Path,
) -> None:
    scene = Scene(furnished=False, files=True)
    scene.run("topic add t -p 2")
    for number in range(1_200):
        scene.kafka.publish("t", b"%d" % number)
    path = tmp_path / "all.txt"
    scene.run(f"tail kafka:t --from begin -f %v > {path}")
    # While the past is still being read, the present goes on.
    scene.kafka.publish("t", b"1200")
    scene.advance(0)
    scene.kafka.publish("t", b"1201")
    scene.advance(1)
    scene.kafka.publish("t", b"1202")
    scene.run("tail stop")
    assert sorted(map(int, path.read_text().split())) == list(range(1_203))
