"""Commands against brokers that only remember."""

import json
from pathlib import Path

import pytest
from mockforge_brokers.journal import Row
from mockforge_brokers.misbehaviour.actions import Delay

from mockforge_tui.console.commands import REGISTRY
from mockforge_tui.console.results import Result
from mockforge_tui.console.session import Session

from .world import World


def check(result: Result) -> Result:
    assert result.ok, result.as_text()
    json.loads(result.as_line())
    return result


@pytest.mark.parametrize(
    ("page", "title"),
    [
        ("commands", "# Commands"),
        ("filters", "# Filters"),
        ("screen", "# The screen"),
        ("keys", "# Keys"),
        ("faults", "# Faults and holds"),
    ],
)
def test_help_shows_the_guides_pages(page: str, title: str) -> None:
    assert check(World().run(f"help {page}")).text.startswith(title)
    assert page in check(World().run("help")).text.splitlines()[-1]


def test_every_command_has_help_and_an_example() -> None:
    for each in REGISTRY.commands:
        assert each.examples, each.name
        assert each.summary, each.name
        assert check(World().run(f"help {each.name}")).text.startswith(each.usage)


def test_the_schema_is_json() -> None:
    schema = json.loads(World().run("help --json").as_line())["data"]
    assert {"pub", "topic add"} <= {each["name"] for each in schema}
    arguments = next(each for each in schema if each["name"] == "topic add")["arguments"]
    assert arguments["required"] == ["name"]
    assert arguments["properties"]["partitions"]["type"] == "integer"


# Objects --------------------------------------------------------------------------------------


def test_destructive_commands_ask_first() -> None:
    world = World()
    asked = world.run("topic rm orders")
    assert not asked.ok
    assert asked.question == "Delete topic orders with all its records?"
    assert "orders" in world.kafka.logs
    check(world.run("topic rm orders", confirmed=True))
    assert "orders" not in world.kafka.logs


def test_confirmation_can_be_switched_off() -> None:
    world = World()
    assert world.run("queue purge q.mail").question
    check(world.run("set confirm off"))
    check(world.run("queue purge q.mail"))


def test_a_table_goes_through_a_filter() -> None:
    result = check(World().run("conns | client:dev-*"))
    assert [row["client"] for row in result.records] == ["dev-7"]
    assert result.text == "1 of 2 left out"


def test_a_filter_of_other_fields_is_refused_at_its_place() -> None:
    line = "conns | topic:a"
    problem = World().run(line).problem
    assert problem is not None
    assert "topic does not apply to these records" in problem.text
    assert line[problem.start : problem.end] == "topic"


def test_a_result_goes_to_a_file(tmp_path: Path) -> None:
    world = World(files=True)
    place = tmp_path / "topics.json"
    check(world.run(f"topic ls > {place}"))
    assert json.loads(place.read_text())["data"][0]["name"] == "orders"
    assert "network" in World().run("topic ls > /tmp/x").as_text()


def test_queue_arguments_have_their_types() -> None:
    world = World()
    check(world.run("queue add q --dlx d --ttl 30s --max 5 --type quorum --arg x-priority=3"))
    assert world.amqp.declared["q"] == {
        "x-dead-letter-exchange": "d",
        "x-message-ttl": 30_000,
        "x-max-length": 5,
        "x-queue-type": "quorum",
        "x-priority": 3,
    }


def test_conn_kill_by_filter() -> None:
    world = World()
    check(world.run("conn kill (client:dev-*) --rst -y"))
    assert world.fakes["mqtt"].ended == [(7, True)]
    assert world.fakes["kafka"].ended == []


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("topic show order", "no Kafka topic order; did you mean orders?"),
        ("queue show q.mial", "did you mean q.mail?"),
        ("group show biling", "did you mean billing?"),
        ("conn show c99", "no connection c99"),
        ("session rm nobody -y", "no session nobody"),
        ("retained rm x/# -y", "nothing is retained at x/#"),
        ("fault off 9", "no fault 9"),
        ("release h9", "h9 is not held"),
        ("release #9", "#9 is a row of the flow"),
        ("play nothing", "no fixture nothing"),
        ("topic add orders", "topic orders exists"),
        ("theme nord", "is for the full screen"),
        ("shot", "is for the full screen"),
        ("filter proto:kafka", "is for the full screen"),
        ("help nobody", "no command nobody"),
        ("set confirm maybe", "on or off"),
    ],
)
def test_what_is_not_there_is_said(line: str, text: str) -> None:
    result = World().run(line)
    assert not result.ok
    assert text in result.as_text()


def test_group_reset_moves_what_was_committed() -> None:
    world = World()
    check(world.run("group reset billing kafka:orders --to end"))
    check(world.run("group reset billing orders[1] --to 7"))
    check(world.run("group reset billing orders --to @-5m"))
    assert world.kafka.done == [
        ("billing", "orders", {0: 3, 1: 0}),
        ("billing", "orders", {1: 7}),
        ("billing", "orders", {0: 3, 1: 0}),
    ]
    assert "where to?" in world.run("group reset billing orders").as_text()
    assert "only Kafka's" in world.run("group reset billing q.mail --to 1").as_text()


# Fixtures -------------------------------------------------------------------------------------


def test_play_and_auto() -> None:
    world = World()
    check(world.run("play order-created -n 3"))
    assert [each.payload for each in world.sent] == [b'{"n":1}', b'{"n":2}', b'{"n":3}']
    check(world.run("auto on sensors --rate 10/s"))
    world.time.advance(1.05)
    made = len(world.sent) - 3
    assert 9 <= made <= 11
    check(world.run("auto off sensors"))
    world.time.advance(5)
    assert len(world.sent) - 3 == made


def test_auto_add_makes_a_fixture_of_a_line() -> None:
    world = World()
    check(world.run('auto add temps mqtt:room{{int 1 1}}/t {"t": "{{int 5 5}}"} --rate 10/s'))
    world.time.advance(0.35)
    assert world.sent[0].destination == "room1/t"
    assert world.sent[0].payload == b'{"t":5}'
    row = check(world.run("fixture ls temps")).records[0]
    assert row["on"]
    check(world.run("auto rm temps -y"))
    assert check(world.run("fixture ls temps")).records == []


# Faults and holds -----------------------------------------------------------------------------


def test_fault_add_reads_scope_and_duration() -> None:
    world = World()
    line = "fault add delay client:billing op:Fetch 250ms --jitter 50ms --p 10% --times 3"
    check(world.run(line))
    rule = world.faults.rules[1]
    assert (rule.scope, rule.action) == ("client:billing op:Fetch", Delay(0.25, 0.05))
    assert (rule.trigger.probability, rule.trigger.times) == (0.1, 3)
    assert "250ms ±50ms 10% 3 times" in world.run("fault ls").as_text()


@pytest.mark.parametrize(
    ("line", "text", "blamed"),
    [
        ("fault add delay client:x", "a delay's duration comes last", "client:x"),
        ("fault add delay clint:x 1s", "did you mean client?", "clint"),
        ("fault add explode topic:x", "is not one of", "explode"),
    ],
)
def test_mistakes_of_fault_add(line: str, text: str, blamed: str) -> None:
    problem = World().run(line).problem
    assert problem is not None
    assert text in problem.text
    assert line[problem.start : problem.end] == blamed


def test_held_frames_are_released_by_selector() -> None:
    world = World()
    for _ in range(3):
        world.hold_a_frame()
    assert len(check(world.run("held")).records) == 3
    assert "h2" in check(world.run("release h2")).text
    check(world.run("drop (client:nobody)"))
    assert sorted(world.holds.held) == [1, 3]
    check(world.run("release"))
    assert world.holds.held == {}


# The rest -------------------------------------------------------------------------------------


def test_filters_are_shown_saved_and_cleared() -> None:
    world = World(screen=True)
    check(world.run("filter save busy size>1k"))
    check(world.run("filter @busy"))
    assert world.screen.filter.text == "size>1k"
    check(world.run("filter clear"))
    assert world.screen.filter is None
    assert "@busy" in world.run("filters").as_text()
    check(world.run("hold @busy"))
    assert world.holds.rules[1].scope == "size>1k"
    check(world.run("filter proto:kafka"))
    check(world.run("filter save shown"))
    assert world.session.saved_filters["shown"].text == "proto:kafka"
    assert [each.text for each in world.session.complete("filter @b")] == ["@busy"]


def test_age_goes_by_the_brokers_clock() -> None:
    world = World()
    check(world.run("hold age>10s"))
    row = Row("mqtt", 0, "PUBLISH", time=world.clock.wall())
    assert not world.holds.rules[1].match.matches(row)
    check(world.run("clock advance 11s"))
    assert world.holds.rules[1].match.matches(row)


def test_clock_advance_moves_what_is_due() -> None:
    world = World()
    world.run("every 10s: pub kafka:orders x")
    check(world.run("clock advance 35s"))
    assert len(world.sent) == 4


def test_repeat_runs_a_line_so_often() -> None:
    world = World()
    result = check(world.run("repeat 3: pub kafka:orders {{sequence}}"))
    assert len(world.sent) == 3
    assert result.text.startswith("3 times")
    assert not world.run("repeat x: pub kafka:orders 1").ok


def test_every_stops_at_its_first_failure() -> None:
    world = World()
    world.run("every 1s: pub kafka:orders x")
    assert not world.run("every 1s: pub nothing x").ok
    assert len(world.session.jobs) == 1


def test_quit_tells_the_front_end() -> None:
    assert World(interactive=True).run("quit --code 3").ends == 3


def test_what_needs_a_console_is_refused_without_one() -> None:
    session = Session(World())
    assert "needs a console" in session.run("tail").as_text()
    assert "quit ends a console" in session.run("quit").as_text()
