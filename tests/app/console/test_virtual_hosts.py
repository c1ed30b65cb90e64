"""Queues of one name in several virtual hosts: each is addressed, shown and explained by itself."""

from urllib.parse import quote

import pytest

from mockforge_tui.console.targets import AmqpTarget, QueueTarget, parse_target

from ..tui.stage import Stage, play
from .scene import Scene


def _two() -> Scene:
    scene = Scene(furnished=False)
    scene.run("vhost add shop")
    scene.run("vhost add a/b")
    for vhost in ("/", "shop"):
        scene.amqp.declare_queue("orders", vhost=vhost)
    scene.amqp.declare_queue("far", vhost="shop")
    for vhost in ("shop", "a/b"):
        scene.amqp.declare_queue("near", vhost=vhost)
    scene.run("repeat 3: pub queue:orders one")
    for body in ("two", "three"):
        scene.run(f"pub queue://shop/orders {body}")
    return scene


def _payloads(scene: Scene, line: str) -> list[str]:
    return [each["payload"] for each in scene.run(line).records]


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("queue:q", QueueTarget("q")),
        ("queue://shop/q", QueueTarget("q", "shop")),
        ("queue://a%2Fb/q/r", QueueTarget("q/r", "a/b")),
        ("queue:////q", QueueTarget("/q", "/")),
        ("amqp://shop/events/order.paid", AmqpTarget("events", "order.paid", "shop")),
        ("amqp:/q", AmqpTarget("", "q")),
    ],
)
def test_a_target_may_name_its_virtual_host(text: str, target: object) -> None:
    found = parse_target(text)
    assert found == target
    assert parse_target(str(found)) in (found, QueueTarget("/q"))


@pytest.mark.parametrize("name", ["q", "//q", "/", "a//b", "//%2F/x"])
@pytest.mark.parametrize("vhost", [None, "shop", "a/b", "//"])
def test_every_queue_has_an_address_that_means_it(name: str, vhost: str | None) -> None:
    found = parse_target(str(QueueTarget(name, vhost)))
    assert isinstance(found, QueueTarget)
    assert (found.name, found.vhost or "/") == (name, vhost or "/")


def test_a_virtual_host_alone_is_no_target() -> None:
    with pytest.raises(ValueError, match="//shop is a virtual host alone"):
        parse_target("queue://shop")


def test_each_queue_is_read_by_itself() -> None:
    scene = _two()
    assert _payloads(scene, "peek queue:orders") == ["one"] * 3
    assert _payloads(scene, "peek queue://shop/orders --last") == ["two", "three"]
    scene.run("pub queue:far x")
    assert _payloads(scene, "peek far") == ["x"]


def test_what_means_two_queues_or_none_is_asked_back() -> None:
    scene = _two()
    said = scene.refused("peek queue:near").as_text()
    assert f"write queue://shop/near or queue://{quote('a/b', safe='')}/near" in said
    assert "did you mean shop?" in scene.refused("peek queue://shpo/orders").as_text()
    assert "no virtual host" in scene.refused("pub queue://guest:guest@localhost/q x").as_text()


def test_queue_commands_are_about_the_queue_of_its_virtual_host() -> None:
    scene = _two()
    assert {each["name"] for each in scene.run("queue ls *orders").records} == {
        "orders",
        "//shop/orders",
    }
    assert scene.run("queue show //shop/orders").data["ready"] == 2
    assert scene.run("queue show orders").data["ready"] == 3
    scene.run("queue purge //shop/orders -y")
    assert [scene.run(f"queue show {name}").data["ready"] for name in ("orders", "far")] == [3, 0]
    scene.run("queue rm far -y")
    assert "no queue" in scene.refused("queue show //shop/far").as_text()
    scene.run("queue add //shop/new")
    assert "new" in scene.amqp.vhosts["shop"].queues
    assert "a virtual host alone" in scene.refused("queue add //shop").as_text()


def test_exchanges_and_bindings_are_those_of_their_virtual_host() -> None:
    scene = _two()
    scene.run("exchange add //shop/events --type topic")
    assert "events" in scene.amqp.vhosts["shop"].exchanges
    assert "events" not in scene.amqp.vhosts["/"].exchanges
    scene.run("bind //shop/events orders order.#")
    scene.run("bind events far far.# --arg note=x")
    assert scene.run("exchange ls *events").records == [
        {"name": "//shop/events", "type": "topic", "messages_in": 0, "bindings": 2}
    ]
    shown = scene.run("exchange show events").records
    assert [(each["kind"], each["queue"], each["arguments"]) for each in shown] == [
        ("queue", "orders", {}),
        ("queue", "far", {"note": "x"}),
    ]
    scene.run("pub amqp://shop/events/order.paid four")
    assert _payloads(scene, "peek queue://shop/orders --last -n 1") == ["four"]
    assert [each["name"] for each in scene.run("route //shop/events order.paid").records][:2] == [
        "events",
        "orders",
    ]
    scene.run("unbind events //shop/orders order.#")
    assert len(scene.run("exchange show //shop/events").records) == 1
    scene.run("exchange rm events -y")
    assert "events" not in scene.amqp.vhosts["shop"].exchanges


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("bind //shop/amq.topic //a%2Fb/near k", "a binding stays in one virtual host"),
        ("bind amq.topic near k", "near is in several virtual hosts: write //shop/near or"),
        ("bind //shpo/amq.topic near k", "did you mean shop?"),
        ("bind amq.topic nowhere k", "no queue 'nowhere' in vhost '/'"),
        ("exchange show //shop/evnets", "no exchange //shop/evnets"),
        ("exchange add //shop --type topic", "a virtual host alone"),
        ("exchange rm nosuch -y", "no exchange nosuch"),
        ("queue add //shop/q --dlx //a%2Fb/dlx", "dead letters stay in their virtual host"),
        ("consumer cancel //shop/nosuch", "no queue //shop/nosuch"),
    ],
)
def test_what_is_not_there_in_a_virtual_host_is_named(line: str, said: str) -> None:
    assert said in _two().refused(line).as_text()


def test_exchanges_complete_to_names_that_the_commands_take() -> None:
    scene = _two()
    scene.run("exchange add //shop/events --type topic")
    offered = [each.text for each in scene.session.complete("exchange show //sh")]
    assert "//shop/events" in offered
    assert scene.run("exchange show //shop/events").ok
    # Those that somebody declared come before RabbitMQ's own.
    scene.run("exchange add own")
    scene.time.advance(1)
    offered = [each.text for each in scene.session.complete("exchange show ")]
    assert offered[:3] == ["own", "//shop/events", "amq.direct"]


def test_why_is_about_the_queue_of_its_virtual_host() -> None:
    scene = _two()
    assert "orders holds 2 messages" in scene.run("why queue://shop/orders").text
    assert "orders holds 3 messages" in scene.run("why queue:orders").text
    assert "no queue nobody" in scene.run("why amqp://shop//nobody").text


def test_each_has_its_line_its_rate_and_its_messages() -> None:
    async def act(stage: Stage) -> None:
        await stage.tick()
        lines = {
            line.view.detail["vhost"]: line
            for line in stage.app.snapshot.destinations
            if line.view.name == "orders"
        }
        # Counters of one name under one key would take turns, and each turn would be a rate.
        assert [lines[each].rate for each in ("/", "shop")] == [0, 0]
        await stage.shows("//shop/orders")
        pane = stage.screen.destinations
        await stage.keys("3")
        while (
            pane.chosen is None
            or pane.chosen.view.detail.get("vhost") != "shop"
            or (pane.chosen.view.name != "orders")
        ):
            await stage.keys("j")
        await stage.keys("p")
        await stage.until(lambda: stage.screen.prompt.input.value == "pub queue://shop/orders ")
        await stage.keys("escape", "enter")
        await stage.shows("newest 2 of 2")
        await stage.keys("escape", "plus")
        assert stage.app.session.filter.text == "topic:orders vhost:shop"

    play(act, real=_two)
