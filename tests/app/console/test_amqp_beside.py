"""What the inspector looks up of the AMQP queue, exchange or connection that somebody looks at."""

from typing import Any

import pytest
from mockforge_brokers.amqp import consumers
from mockforge_brokers.amqp.channel.channel import Channel
from mockforge_brokers.amqp.state import message_paths
from mockforge_brokers.amqp.state.consumer import Consumer

from mockforge_tui.console.beside import beside
from mockforge_tui.console.kafka_tables import Tables
from mockforge_tui.tui.snapshot import ConnectionLine, DestinationLine
from mockforge_tui.tui.subjects import Sheet

from .scene import Scene
from .test_kafka_tables import shown


def furnished() -> Scene:
    scene = Scene(furnished=False)
    for line in (
        "queue add dead",
        "queue add q --arg x-dead-letter-exchange= --arg x-dead-letter-routing-key=dead",
        "exchange add events --type topic",
        "exchange add all --type fanout",
        "bind events all order.# --to-exchange",
        "bind all q",
        "pub queue:q one",
    ):
        scene.run(line)
    return scene


def tables(scene: Scene, view: object) -> Tables:
    return beside(scene.brokers, scene.access, view)


def view_of(scene: Scene, name: str) -> Any:
    return next(each for each in scene.amqp.destinations() if each.name == name)


def test_a_queue_shows_who_consumes_what_is_bound_and_where_its_dead_letters_go() -> None:
    scene = furnished()
    worker = scene.amqp_client()
    worker.send("basic.qos", prefetch_count=5)
    worker.send("basic.consume", queue="q", consumer_tag="w")
    scene.settle()
    found = tables(scene, view_of(scene, "q"))
    (consumer,) = found["consumers"][1]
    assert (consumer["tag"], consumer["credit"], consumer["unacked"]) == ("w", 4, 1)
    assert found["bound to"][1] == [{"exchange": "all", "key": "an empty key"}]
    assert [(each["shown"], each["by"]) for each in found["dead letters"][1]] == [
        ("(default)", "dead letters (rejected) by dead"),
        ("└ dead", "the queue's name"),
    ]


def test_an_exchange_shows_its_ways_in_place_of_bindings_one_by_one() -> None:
    scene = furnished()
    view = view_of(scene, "events")
    found = tables(scene, view)
    assert [each["shown"] for each in found["ways"][1]][:2] == ["all", "└ q"]
    lines = shown(Sheet(DestinationLine(view, 0.0), tables=found), 80)
    assert any("└ q" in line for line in lines)
    assert not any("routing_key" in line for line in lines)


def test_a_connection_shows_its_channels_and_what_it_consumes() -> None:
    scene = furnished()
    worker = scene.amqp_client()
    worker.send("basic.consume", queue="q", consumer_tag="w")
    scene.settle()
    view = scene.amqp.connections()[0]
    found = tables(scene, view)
    assert [each["number"] for each in found["channels"][1]] == [1]
    assert [each["queue"] for each in found["consumers"][1]] == ["q"]
    lines = shown(Sheet(ConnectionLine(view, 0.0, 0.0), tables=found), 80)
    assert any(line.strip().startswith("channels  1") for line in lines)


def test_a_queue_that_has_gone_since_shows_nothing_more() -> None:
    scene = furnished()
    view = view_of(scene, "q")
    scene.amqp.delete_queue("q")
    assert tables(scene, view) == {}


def test_ways_that_branch_at_each_exchange_have_an_end() -> None:
    """Twenty pairs, each bound to both of the next pair: a million ways lead to the last one."""
    scene = Scene(furnished=False)
    for number in range(20):
        for side in "ab":
            scene.amqp.declare_exchange(f"{side}{number}", "fanout")
    for number in range(19):
        for one in "ab":
            for other in "ab":
                scene.amqp.bind(f"{one}{number}", f"{other}{number + 1}", kind="exchange")
    rows = tables(scene, view_of(scene, "a0"))["ways"][1]
    assert 100 < len(rows) < 5_000
    assert any("too many ways" in each["note"] for each in rows)


def test_an_exchange_of_very_many_bindings_shows_the_first_and_says_so() -> None:
    scene = Scene(furnished=False)
    scene.amqp.declare_exchange("wide", "fanout")
    for number in range(2_100):
        scene.amqp.declare_queue(f"q{number}")
        scene.amqp.bind("wide", f"q{number}")
    assert len(tables(scene, view_of(scene, "wide"))["ways"][1]) < 300
    drawn = scene.run("exchange tree wide").records
    assert len(drawn) < 2_100
    assert "too many ways" in drawn[0]["note"]


def test_only_the_channels_that_consume_from_a_queue_are_looked_at(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    scene = furnished()
    others = [scene.amqp_client() for _ in range(3)]
    for each in others:
        each.send("basic.consume", queue="dead", consumer_tag="w")
    worker = scene.amqp_client().open(2)
    worker.send("basic.consume", queue="q", consumer_tag="w")
    worker.send("basic.consume", channel=2, queue="dead", consumer_tag="other")
    scene.settle()
    counted: list[int] = []
    all_of = consumers._held

    def held(channel: Channel) -> dict[Consumer, tuple[int, int]]:
        counted.append(channel.number)
        return all_of(channel)

    monkeypatch.setattr(consumers, "_held", held)
    (consumer,) = tables(scene, view_of(scene, "q"))["consumers"][1]
    assert consumer["unacked"] == 1
    assert counted == [1]


def test_of_dead_letters_only_so_many_bindings_are_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = Scene(furnished=False)
    scene.amqp.declare_exchange("dlx", "direct")
    scene.amqp.declare_queue("dead")
    scene.amqp.declare_queue("q", arguments={"x-dead-letter-exchange": "dlx"})
    for key in (*map(str, range(1_500)), "q"):
        scene.amqp.bind("dlx", "dead", key)
    tried: list[str] = []
    takes = message_paths._takes

    def counted(exchange: Any, binding: Any, key: str, headers: Any) -> bool:
        tried.append(binding.routing_key)
        return takes(exchange, binding, key, headers)

    monkeypatch.setattr(message_paths, "_takes", counted)
    (dlx,) = tables(scene, view_of(scene, "q"))["dead letters"][1]
    assert "too many ways" in dlx["note"]
    assert len(tried) <= 1_000
    # Who asks once for it is told of the last one too.
    (queue,) = message_paths.from_exchange(scene.amqp.vhost(), "", "q").ahead
    assert [each.name for each in queue.ahead[0].ahead] == ["dead"]
