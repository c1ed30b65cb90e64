"""`tail`: rows as they come."""

import errno
import os
from pathlib import Path

import pytest
from mockforge_brokers.mqtt.wire.encode import encode_packet
from mockforge_brokers.mqtt.wire.packets import Pingreq

from .scene import Scene


def test_tail_shows_what_enters() -> None:
    scene = Scene(busy=False)
    scene.run("tail mqtt:a size>3")
    scene.mqtt.publish("a", b"12")
    scene.mqtt.publish("a", b"1\x1b]0;x\x07")
    scene.mqtt.publish("b", b"other topic")
    scene.time.advance(1)
    assert [line.split(" ", 1)[1] for line in scene.reported()] == ["M→ a 1·]0;x·"]


def test_tail_counts_what_it_leaves_out() -> None:
    scene = Scene(busy=False)
    scene.run("tail mqtt:a")
    for number in range(1000):
        scene.mqtt.publish("a", b"%d" % number)
    scene.time.advance(0.2)
    assert len(scene.reported()) == 20
    assert scene.reported("note") == ["… 980 more (narrow with a filter)"]


def test_tail_ends_after_n_and_by_stop() -> None:
    scene = Scene(busy=False)
    scene.run("tail mqtt:a -n 2")
    for _ in range(3):
        scene.mqtt.publish("a", b"x")
    assert len(scene.reported()) == 2
    assert len(scene.session.jobs) == 0
    scene.run("tail kafka:orders")
    scene.run("tail stop")
    scene.kafka.publish("orders", b"x")
    assert len(scene.reported()) == 2


def test_tail_without_a_target_shows_all_traffic_from_now_on() -> None:
    scene = Scene(busy=False)
    other = scene.mqtt_client("other")
    scene.mqtt_publish(scene.dev_7, "a", b"before")
    scene.time.advance(1)
    scene.run("tail (client:dev-7 or op:PINGREQ)")
    scene.mqtt_publish(scene.dev_7, "a", b"after")
    scene.dev_7.send(encode_packet(Pingreq(), 4))
    scene.mqtt_publish(other, "a", b"x")
    scene.time.advance(1)
    assert [line.split(" ", 1)[1] for line in scene.reported()] == ["M→ PUBLISH a after"]
    scene.run("tail stop")
    scene.mqtt_publish(scene.dev_7, "a", b"late")
    scene.time.advance(1)
    assert len(scene.reported()) == 1


def test_tail_falls_back_on_messages_where_nothing_is_journaled() -> None:
    scene = Scene(busy=False, journal=False)
    scene.run("tail")
    scene.mqtt.publish("a", b"1")
    scene.time.advance(1)
    assert len(scene.reported()) == 1


def test_tail_reads_kafkas_log_first() -> None:
    scene = Scene(busy=False)
    scene.run("tail kafka:orders[0]@1 -f '%t %p@%o %k %v' -n 2")
    assert scene.reported() == ['orders 0@1 o-1 {"id": 2}', 'orders 0@2 o-1 {"id": 3}']


def test_tail_of_one_partition() -> None:
    scene = Scene(busy=False)
    scene.run("tail kafka:orders[1]")
    scene.kafka.publish("orders", b"x", partition=0)
    scene.kafka.publish("orders", b"y", partition=1)
    scene.time.advance(1)
    assert [line.split(" ", 1)[1] for line in scene.reported()] == ["K→ orders p1@0 y"]


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
    assert text in Scene(busy=False).refused(line).as_text()


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


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux's device")
def test_a_full_disk_is_the_files_affair_not_a_bug_nor_the_next_lines() -> None:
    scene = Scene(busy=False, files=True)
    problem = f"/dev/full: {os.strerror(errno.ENOSPC)}"
    for line in ("export kafka:orders > /dev/full", "topics > /dev/full"):
        refused = scene.refused(line).problem
        assert refused is not None
        assert refused.text == problem
    scene.run("tail mqtt:a -n 1 > /dev/full")
    assert scene.run("pub mqtt:a x").ok
    assert scene.reported("problem") == [problem]


def test_the_name_of_a_file_is_not_resolved_for_each_of_its_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = Scene(busy=False, files=True)
    path = tmp_path / "all.txt"
    asked: list[Path] = []
    monkeypatch.setattr(Path, "expanduser", lambda given: asked.append(given) or given)
    scene.run(f"export kafka:orders > {path}")
    # As it is opened, and as it is closed.
    assert len(path.read_text().splitlines()) > len(asked) == 2
