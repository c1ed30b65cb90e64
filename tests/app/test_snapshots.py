"""Snapshots: brokers go back to what they kept under a name, as often as is asked for."""

from pathlib import Path
from typing import Any

import pytest
from mockforge_brokers.errors import InvalidInput

from mockforge_tui import MockForge, snapshots

from .console.scene import Scene

FILE = """\
mockforge: 1
seed: 7
kafka: {topics: {orders: {partitions: 1}}}
faults: [{id: slow, where: {kafka: {api: Fetch}}, do: {delay: 200ms}}]
generators:
  - {id: seeds, to: {kafka: orders}, value: {n: 1}, rate: 1000/s, limit: {count: 3}}
  - {id: ticks, to: {mqtt: ticks}, value: 1, rate: {every: 1h}}
reactions:
  - {id: answer, when: {kafka: asked}, do: [{publish: {to: {kafka: answered}, value: 1}}]}
"""


def _kept(scene: Scene) -> list[Any]:
    """What there is of all that lasts; the order of retained messages says nothing."""
    retained, sessions = sorted(scene.mqtt.retained()), scene.mqtt.sessions()
    return [scene.kafka.dump(), scene.amqp.dump(), retained, [each["client"] for each in sessions]]


def test_brokers_have_again_what_each_keeps_however_often() -> None:
    scene = Scene()
    scene.run("snapshot take clean")
    # Once back, since what only lives with a connection is there at first.
    scene.run("reset --to clean -y")
    before = _kept(scene)
    for _ in range(2):
        scene.run("pub kafka:orders more")
        scene.run("pub mqtt:sensors/new 1 --retain")
        scene.run("queue add later --durable")
        scene.run("topic rm payments -y")
        assert _kept(scene) != before
        assert scene.run("reset --to clean -y").text == "back to snapshot clean"
        assert _kept(scene) == before


def test_connections_and_what_lives_with_them_are_gone() -> None:
    scene = Scene(furnished=False)
    scene.mqtt_client("comes and goes", "a/#")
    scene.mqtt_client("lasts", "b/#", clean=False)
    scene.amqp.declare_queue("transient")
    scene.amqp.declare_queue("durable", durable=True)
    scene.amqp.publish("", "durable", b"transient")
    scene.amqp.publish("", "durable", b"persistent", properties={"delivery_mode": 2})
    scene.run("snapshot take s")
    scene.run("reset --to s -y")
    assert [each["client"] for each in scene.mqtt.sessions()] == ["lasts"]
    assert [(each["name"], each["depth"]) for each in scene.run("queue ls").data] == [
        ("durable", 1)
    ]
    assert all(not broker.connections() for broker in scene.brokers.values())


def test_snapshots_are_listed_replaced_and_forgotten() -> None:
    scene = Scene(furnished=False)
    assert "there is no snapshot" in scene.run("snapshot ls").as_text()
    for name in ("one", "two", "one"):
        scene.run(f"snapshot take {name}")
        scene.advance(60)
    rows = scene.run("snapshot ls").data
    assert [(each["name"], each["age"]) for each in rows] == [("two", 120), ("one", 60)]
    scene.run("snapshot rm two")
    said = scene.refused("reset --to onee -y").as_text()
    assert "there is no snapshot onee: did you mean one?" in said
    assert "a name has letters" in scene.refused("snapshot take a/b").as_text()
    scene.run("reset -y")
    assert list(scene.snapshots) == ["one"]


def test_a_name_that_is_not_there_empties_nothing() -> None:
    scene = Scene()
    before = _kept(scene)
    scene.refused("reset --to nowhere -y")
    assert _kept(scene) == before


def test_snapshots_have_a_limit_and_say_what_makes_room(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = Scene(furnished=False)
    monkeypatch.setattr(snapshots, "MOST_BYTES", 5_000)
    scene.run("snapshot take small")
    scene.mqtt.publish("r", bytes(5_000), retain=True)
    assert "snapshot rm NAME makes room" in scene.refused("snapshot take large").as_text()
    assert list(scene.snapshots) == ["small"]


def test_fixtures_of_the_snapshot_are_there_and_those_that_had_ended_stay_so(
    tmp_path: Path,
) -> None:
    file = tmp_path / "shop.yaml"
    file.write_text(FILE)
    with MockForge(file) as mockforge:
        mockforge.kafka.expect("orders", count=3, within=5)
        mockforge.snapshot("seeded")
        mockforge.load(seed=9)
        mockforge.reset(to="seeded")
        assert mockforge.facts["seed"] == 7
        assert mockforge.kafka.messages("*") == []
        assert len(mockforge.run("peek orders -n 9").data) == 3
        on = {each["name"]: each["on"] for each in mockforge.run("fixture ls").data}
        assert on == {"seeds": False, "ticks": True}
        assert [each["name"] for each in mockforge.run("fault ls").data] == ["slow"]
        mockforge.kafka.publish("asked", "x")
        mockforge.kafka.expect("answered", within=5)
        assert len(mockforge.run("peek orders -n 9").data) == 3


def test_there_are_none_where_a_folder_keeps_the_state(tmp_path: Path) -> None:
    with (
        MockForge(data_dir=str(tmp_path)) as mockforge,
        pytest.raises(InvalidInput, match="no snapshots with --data-dir"),
    ):
        mockforge.snapshot("s")
