"""`config`: what holds for a topic, a group and a node of Kafka, and who said so."""

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


def test_a_secret_that_is_set_is_not_said(scene: Scene) -> None:
    key = "listener.name.plaintext.ssl.key.password"
    said = scene.run(f"config set broker 1 {key}=sesame")
    assert said.text == f"broker 1: {key} is (hidden)"
    assert said.data["config"] == {key: "(hidden)"}


def test_values_of_each_kind_are_set_and_put_back(scene: Scene) -> None:
    for kind, name, key in (
        ("topic", "orders", "retention.ms"),
        ("group", "billing", "consumer.session.timeout.ms"),
        ("broker", "1", "log.retention.ms"),
    ):
        said = scene.run(f"config set {kind} {name} {key}=50000").as_text()
        assert said == f"{kind} {name}: {key} is 50000"
        assert rows(scene, f"{kind} {name}")[key][0] == "50000"
        scene.run(f"config set {kind} {name} {key}=")
        assert key not in rows(scene, f"{kind} {name}")
    scene.run("config set broker all log.retention.ms=7000")
    assert rows(scene, "broker kafka/1")["log.retention.ms"][:2] == ("7000", "all nodes")
    assert rows(scene, "topic orders")["retention.ms"][:2] == ("7000", "all nodes")
    scene.run("config set broker 1 log.retention.ms=8000")
    assert rows(scene, "broker 1")["log.retention.ms"][:2] == ("8000", "node")
    assert rows(scene, "broker all")["log.retention.ms"][:2] == ("7000", "all nodes")


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("topic order retention.ms=1", "orders"),
        ("topic orders retention.ms=soon", "soon"),
        ("group billing nope=1", "Unknown group config name: nope"),
        ("broker 7 log.retention.ms=1", "no node 7; there are: 1"),
        ("broker all node.id=2", "Cannot update these configs dynamically: [node.id]"),
        ("broker all", "K=V is missing"),
    ],
)
def test_what_cannot_be_set_is_said(scene: Scene, line: str, problem: str) -> None:
    assert problem in scene.refused(f"config set {line}").as_text()


def test_keys_that_act_are_completed_by_the_kind_that_stands_before(scene: Scene) -> None:
    for line, first in {
        "config set topic orders reten": ["retention.bytes=", "retention.ms="],
        "topic set orders reten": ["retention.bytes=", "retention.ms="],
        "config set group billing consumer.heart": ["consumer.heartbeat.interval.ms="],
        "config set broker all log.retention.m": ["log.retention.ms="],
    }.items():
        found = [each.text for each in scene.session.complete(line)]
        assert sorted(found[: len(first)]) == first, line
    assert scene.session.complete("config set broker 1 node.i") == []


def test_who_is_not_there_is_named(scene: Scene) -> None:
    assert "orders" in scene.refused("config show topic order").as_text()
    assert "no node 7; there are: 1" in scene.refused("config show broker 7").as_text()


def test_names_are_completed_by_the_kind_that_stands_before(scene: Scene) -> None:
    scene.kafka.cluster.configuring.groups.alter("billing", {"consumer.session.timeout.ms": "9000"})
    for line, names in {
        "config show topic ": ["orders"],
        "config show topic or": ["orders"],
        "config show --all group ": ["billing"],
        "config show broker ": ["all", "1"],
        "describe configs topic bil": [],
    }.items():
        found = [each.text for each in scene.session.complete(line)]
        assert [each for each in found if not each.startswith("--")] == names, line
