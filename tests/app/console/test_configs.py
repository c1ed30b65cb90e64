"""`config show`: what holds for a topic, a group and a node of Kafka, and who said so."""

import pytest
from mockforge_brokers.kafka.codes import AlterConfigOp

from .scene import Scene


@pytest.fixture
def scene() -> Scene:
    made = Scene(furnished=False)
    made.run("topic add orders -p 1 --config retention.ms=60000")
    return made


def rows(scene: Scene, line: str) -> dict[str, tuple[str, str, str]]:
    return {
        row["key"]: (row["value"], row["source"], row["otherwise"])
        for row in scene.run(f"config show {line}").data
    }


def test_a_topics_own_value_stands_before_the_nodes_and_the_default(scene: Scene) -> None:
    assert rows(scene, "topic orders") == {
        "retention.ms": ("60000", "topic", "retention.ms=604800000"),
        "min.insync.replicas": ("1", "all nodes", "min.insync.replicas=1"),
    }
    config = scene.kafka.cluster.configuring
    config.node("", [("log.retention.ms", AlterConfigOp.SET, "5000")], source="test")
    config.node("1", {"log.retention.ms": "6000"}, source="test")
    assert rows(scene, "topic orders")["retention.ms"] == (
        "60000",
        "topic",
        "log.retention.ms=6000",
    )
    scene.run("topic set orders retention.ms=")
    assert rows(scene, "topic orders")["retention.ms"] == ("6000", "node", "log.retention.ms=5000")
    assert rows(scene, "broker 1")["log.retention.ms"] == ("6000", "node", "log.retention.ms=5000")
    config.node("1", {}, source="test")
    assert rows(scene, "broker kafka/1")["log.retention.ms"][:2] == ("5000", "all nodes")


def test_defaults_are_shown_where_all_are_asked_for(scene: Scene) -> None:
    every = rows(scene, "topic orders --all")
    assert len(every) == 37
    assert every["cleanup.policy"][:2] == ("delete", "default")
    assert rows(scene, "group billing") == {}
    assert "billing has its defaults: --all shows" in scene.run("config show group billing").text
    scene.kafka.cluster.configuring.groups.alter("billing", {"consumer.session.timeout.ms": "9000"})
    assert rows(scene, "group billing")["consumer.session.timeout.ms"][:2] == ("9000", "group")
    assert len(rows(scene, "broker 1 --all")) > 300


def test_a_secret_is_hidden(scene: Scene) -> None:
    scene.kafka.cluster.configuring.node("1", {"sasl.jaas.config": "a secret"}, source="test")
    assert rows(scene, "broker 1")["sasl.jaas.config"] == ("(hidden)", "node", "")
    assert "a secret" not in scene.run("config show broker 1 --all").text


def test_who_is_not_there_is_named(scene: Scene) -> None:
    assert "orders" in scene.refused("config show topic order").as_text()
    assert "no node 7; there are: 1" in scene.refused("config show broker 7").as_text()


def test_names_are_completed_by_the_kind_that_stands_before(scene: Scene) -> None:
    scene.kafka.cluster.configuring.groups.alter("billing", {"consumer.session.timeout.ms": "9000"})
    for line, names in {
        "config show topic ": ["orders"],
        "config show topic or": ["orders"],
        "config show --all group ": ["billing"],
        "config show broker ": ["1"],
        "describe configs topic bil": [],
    }.items():
        found = [each.text for each in scene.session.complete(line)]
        assert [each for each in found if not each.startswith("--")] == names, line
