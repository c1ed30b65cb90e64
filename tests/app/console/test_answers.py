"""What the answers of single commands say."""

import asyncio
import json

import pytest
from mockforge_brokers.events import Warned

from .scene import Scene
from .test_everywhere import request


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("pub amqp:events/nope x", "it reached no queue: no binding of events matches nope"),
        ("pub amqp:other/k x", "nothing is bound to other: bind other QUEUE k"),
        ("pub amqp:/nobody x", "it reached no queue: there is no queue nobody"),
        ("pub queue:nobody x", "it reached no queue: there is no queue nobody; queue add nobody"),
        ("pub amqp:events/nope x -n 3", "all of them reached no queue: no binding of events"),
        ("pub mqtt:nobody/here x", "it reached nobody: nobody subscribes to nobody/here"),
        ("pub mqtt:nobody/here x -r", "it is kept as its retained message"),
    ],
)
def test_who_publishes_for_nobody_learns_it(line: str, text: str) -> None:
    result = Scene().run(line)
    assert text in result.text
    assert result.data["unreached"] == result.data["sent"]


@pytest.mark.parametrize(
    "line", ["pub amqp:events/order.x x", "pub mqtt:sensors/a x", "pub orders x"]
)
def test_who_publishes_for_somebody_is_told_nothing_more(line: str) -> None:
    result = Scene().run(line)
    assert ";" not in result.text
    assert result.data["unreached"] == 0


def test_a_connection_is_shown_and_ended_by_its_clients_name() -> None:
    scene = Scene()
    assert scene.run("conn show dev-7").data["client"] == "dev-7"
    scene.mqtt_client("dev-9")
    assert "did you mean dev-9?" in scene.session.run("conn show dev-99").as_text()
    result = scene.run("conn kill dev-7 -y")
    scene.settle()
    assert "dev-7" not in [each["client"] for each in scene.run("conns").records]
    assert result.data["ended"]


def test_connections_that_ended_are_listed_and_shown_with_their_reason() -> None:
    scene = Scene(furnished=False)
    assert scene.run("conns --ended").text == "no connection has ended"
    client = scene.mqtt_client("dev-1", "a/#", "b")
    scene.advance(5)
    client.vanish("the client left")
    # What happens later to others takes nothing of it away.
    for _ in range(3000):
        scene.spine.emit(Warned("mqtt", "dev-2", "something else"))
    scene.advance(3)
    (ended,) = scene.run("conns --ended").records
    assert (ended["client"], ended["reason"], ended["lasted"]) == ("dev-1", "the client left", 5)
    assert scene.run("conns --ended reason~left").records
    for which in (f"c{ended['id']}", "dev-1"):
        facts = scene.run(f"conn show {which}").data
        assert (facts["state"], facts["ended"], facts["reason"]) == (
            "ended", "3s ago", "the client left",
        )  # fmt: skip
        assert facts["subscriptions"] == 2
    problem = scene.session.run(f"conn kill c{ended['id']} -y").as_text()
    assert "ended 3s ago: the client left" in problem


@pytest.mark.parametrize(
    "line",
    [
        "fault add delay client:x 100",
        "pub mqtt:a x --ttl 5",
        "clock advance 3",
        "every 5: topic ls",
        "hold client:x --timeout 9",
    ],
)
def test_a_duration_without_its_unit_is_asked_for_it(line: str) -> None:
    problem = Scene(furnished=False).session.run(line).problem
    assert problem is not None
    assert "of what? Write" in problem.text


def test_a_tables_page_goes_with_its_commands_help() -> None:
    text = Scene(furnished=False).run("help export").text
    assert text.startswith("export SOURCE")
    assert "# Export" in text


def test_a_sentence_that_is_longer_than_the_terminal_goes_on_in_the_next_line() -> None:
    scene = Scene(furnished=False)
    scene.run("queue add q.mail")
    result = scene.run("why q.mail")
    assert result.as_text(60).splitlines() == [
        "q.mail is bound to no exchange, so only the default exchange",
        "  reaches it, with the routing key q.mail: bind EXCHANGE",
        "  q.mail KEY",
    ]
    assert result.as_text(None) == result.text


def test_http_fits_a_table_to_the_width_that_is_asked_for() -> None:
    scene = Scene()
    for width, fits in ((40, True), (None, False)):
        status, body = asyncio.run(request(scene, "/commands", {"line": "conns", "width": width}))
        assert status == 200
        lines = json.loads(body)["text"].splitlines()
        assert (max(map(len, lines)) <= 40) is fits
    for wrong in ("40", 0, True, [1]):
        status, body = asyncio.run(request(scene, "/commands", {"line": "jobs", "width": wrong}))
        assert (status, "a number of cells is wanted" in body.decode()) == (400, True)


def test_help_on_a_noun_has_each_of_its_commands_once() -> None:
    names = [each["name"] for each in Scene(furnished=False).run("help topic").data]
    assert len(names) == len(set(names)) > 5
