"""Snapshots: brokers go back to what they kept under a name, as often as is asked for."""

from pathlib import Path
from typing import Any

import pytest
from mockforge_brokers.errors import InvalidInput
from mockforge_brokers.events import Warned

from mockforge_tui import MockForge, snapshots
from mockforge_tui.embedded.remote import RemoteForge
from mockforge_tui.fixtures.model import Definition, FixtureSet
from mockforge_tui.fixtures.not_kept import not_kept
from mockforge_tui.fixtures.source.problems import Position

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
        mockforge.kafka.expect("orders", count=3, within=30)
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
        mockforge.kafka.expect("answered", within=30)
        assert len(mockforge.run("peek orders -n 9").data) == 3


SHOP = """\
mockforge: 1
kafka: {topics: {orders: {partitions: 1}}}
mqtt: {retained: {state: {payload: up}}}
amqp:
  queues: [{name: work, durable: true}, {name: passing, durable: false}]
  bindings:
    - {exchange: amq.topic, queue: work, routing_key: a}
    - {exchange: amq.topic, queue: passing, routing_key: b}
faults: [{id: slow, where: {kafka: {api: Fetch}}, do: {delay: 200ms}}]
generators:
  - {id: ticks, to: {mqtt: ticks}, value: 1, rate: {every: 1h}}
  - {id: other, to: {mqtt: other}, value: 1, rate: {every: 1h}}
reactions:
  - {id: answer, when: {kafka: asked}, do: [{publish: {to: {kafka: answered}, value: 1}}]}
"""


def test_what_fixtures_declare_is_as_it_was_in_the_snapshot_and_not_as_they_say(
    tmp_path: Path,
) -> None:
    file = tmp_path / "shop.yaml"
    file.write_text(SHOP)
    with MockForge(file, auto_produce=False) as mockforge:
        for line in (
            "topic rm orders -y",
            "queue rm work -y",
            "queue add work --durable --arg x-max-length=7",
            "auto on ticks",
        ):
            mockforge.run(line)
        mockforge.snapshot("changed")
        for _ in range(2):
            mockforge.run("auto off ticks")
            mockforge.reset(to="changed")
            assert not mockforge.call(lambda: mockforge.runtime.brokers.kafka.has_topic("orders"))
            assert {each["name"] for each in mockforge.run("queue ls").data} == {"work", "passing"}
            bound = mockforge.call(lambda: sorted(mockforge.runtime.brokers.amqp.bindings()))
            assert bound == [("amq.topic", "passing", "b")]
            assert [each["name"] for each in mockforge.run("fault ls").data] == ["slow"]
            on = {each["name"]: each["on"] for each in mockforge.run("fixture ls").data}
            assert (on["ticks"], on["other"]) == (True, False)
            mockforge.kafka.publish("asked", "x")
            mockforge.kafka.expect("answered", within=30)


def test_what_cannot_be_declared_beside_a_snapshot_is_a_warning(tmp_path: Path) -> None:
    file = tmp_path / "shop.yaml"
    file.write_text(SHOP)
    with MockForge(file) as mockforge:
        mockforge.run("queue rm passing -y")
        mockforge.run("queue add passing --durable")
        mockforge.snapshot("changed")
        warned: list[Warned] = []
        mockforge.call(lambda: mockforge.runtime.spine.watch(warned.append, Warned))
        mockforge.reset(to="changed")
        assert [each.protocol for each in warned] == ["fixtures"]
        assert warned[0].about.startswith(f"{file}:5:")
        assert [each["name"] for each in mockforge.run("fault ls").data] == ["slow"]


DEFINITIONS = {
    "vhosts": [{"name": "/"}],
    "policies": [{"name": "p", "pattern": "x", "definition": {}, "vhost": "/"}],
    "queues": [{"name": "work"}, {"name": "passing", "durable": False}],
    "exchanges": [{"name": "shop", "type": "topic", "durable": True}],
    "bindings": [
        {"source": "shop", "destination": "work"},
        {"source": "shop", "destination": "passing"},
    ],
    "parameters": [
        {"component": "operator_policy", "name": "o"},
        {"component": "vhost-limits", "name": "limits"},
    ],
}


def test_of_definitions_that_is_declared_again_which_no_snapshot_has() -> None:
    place = Position("definitions.json", 1, 1)
    given = tuple(
        Definition(section, item, place) for section, items in DEFINITIONS.items() for item in items
    )
    left = not_kept(FixtureSet(definitions=given)).definitions
    assert [(each.section, each.item.get("name") or each.item["destination"]) for each in left] == [
        ("vhosts", "/"),
        ("queues", "passing"),
        ("bindings", "passing"),
        ("parameters", "limits"),
    ]


def test_a_virtual_host_that_was_removed_since_is_there_again() -> None:
    scene = Scene(furnished=False)
    scene.amqp.add_vhost("shop")
    scene.amqp.declare_queue("work", durable=True, vhost="shop")
    scene.run("snapshot take s")
    scene.amqp.remove_vhost("shop")
    scene.run("reset --to s -y")
    assert list(scene.amqp.vhosts["shop"].queues) == ["work"]


def test_the_seed_of_a_snapshot_is_known_from_afar(tmp_path: Path) -> None:
    file = tmp_path / "shop.yaml"
    file.write_text(FILE)
    with MockForge(file, admin=True) as mockforge:
        remote = RemoteForge(mockforge.facts["admin"]["url"])
        remote.snapshot("seeded")
        remote.renew([file], seed=9)
        assert remote.facts["seed"] == 9
        remote.reset(to="seeded")
        assert remote.facts["seed"] == 7
        remote.close()


def test_there_are_none_where_a_folder_keeps_the_state(tmp_path: Path) -> None:
    with (
        MockForge(data_dir=str(tmp_path)) as mockforge,
        pytest.raises(InvalidInput, match="no snapshots with --data-dir"),
    ):
        mockforge.snapshot("s")
