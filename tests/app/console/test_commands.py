"""Commands and what they do to the brokers."""

import json
from errno import EADDRINUSE
from pathlib import Path

import pytest
from mockforge_brokers.amqp.records import plain
from mockforge_brokers.events import MessageSeen, Warned
from mockforge_brokers.journal import Row
from mockforge_brokers.misbehaviour.actions import Delay, Reorder

from mockforge_tui import MockForge
from mockforge_tui.console.commands import REGISTRY
from mockforge_tui.console.session import Session

from .scene import NoSockets, Scene


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
    assert Scene(busy=False).run(f"help {page}").text.startswith(title)
    assert page in Scene(busy=False).run("help").text.splitlines()[-1]


def test_every_command_has_help_and_an_example() -> None:
    for each in REGISTRY.commands:
        assert each.examples, each.name
        assert each.summary, each.name
        assert Scene(busy=False).run(f"help {each.name}").text.startswith(each.usage)


def test_the_schema_is_json() -> None:
    schema = json.loads(Scene(busy=False).run("help --json").as_line())["data"]
    assert {"pub", "topic add"} <= {each["name"] for each in schema}
    arguments = next(each for each in schema if each["name"] == "topic add")["arguments"]
    assert arguments["required"] == ["name"]
    assert arguments["properties"]["partitions"]["type"] == "integer"


# Objects --------------------------------------------------------------------------------------


def test_destructive_commands_ask_first() -> None:
    scene = Scene(busy=False)
    topics = scene.kafka.cluster.topics
    asked = scene.refused("topic rm orders")
    assert asked.question == "Delete topic orders with all its records?"
    assert "orders" in topics
    scene.run("topic rm orders", confirmed=True)
    assert "orders" not in topics


def test_confirmation_can_be_switched_off() -> None:
    scene = Scene(busy=False)
    assert scene.refused("queue purge q.mail").question
    scene.run("set confirm off")
    scene.run("queue purge q.mail")


def test_a_table_goes_through_a_filter() -> None:
    result = Scene(busy=False).run("conns | client:dev-*")
    assert [row["client"] for row in result.records] == ["dev-7"]
    assert result.text == "4 of 5 left out"


def test_a_filter_of_other_fields_is_refused_at_its_place() -> None:
    line = "conns | topic:a"
    problem = Scene(busy=False).refused(line).problem
    assert problem is not None
    assert "topic does not apply to these records" in problem.text
    assert line[problem.start : problem.end] == "topic"


def test_a_result_goes_to_a_file(tmp_path: Path) -> None:
    scene = Scene(files=True)
    place = tmp_path / "topics.json"
    scene.run(f"topic ls > {place}")
    assert json.loads(place.read_text())["data"][0]["name"] == "orders"
    assert "network" in Scene(busy=False).refused("topic ls > /tmp/x").as_text()


def test_queue_arguments_have_their_types() -> None:
    scene = Scene(busy=False)
    scene.run("queue add q --dlx d --ttl 30s --max 5 --arg x-max-priority=3 --arg x-of-mine=yes")
    assert plain(scene.amqp.vhost().queues["q"].arguments) == {
        "x-dead-letter-exchange": "d",
        "x-message-ttl": 30_000,
        "x-max-length": 5,
        "x-max-priority": 3,
        "x-of-mine": "yes",
    }


def test_conn_kill_by_filter() -> None:
    scene = Scene(busy=False)
    scene.run("conn kill (client:dev-*) --rst -y")
    assert scene.dev_7.peer.ended == "reset"
    assert not scene.billing.peer.ended


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("topic show order", "no Kafka topic order; did you mean orders?"),
        ("queue show q.mial", "did you mean q.mail?"),
        ("group show biling", "did you mean billing?"),
        ("conn show c99", "no connection c99"),
        ("session rm nobody -y", "no session nobody"),
        ("retained rm x/# -y", "nothing is retained at x/#"),
        ("retained rm x/#/y -y", "'x/#/y': # is only legal as the whole last level"),
        ("retained ls x+", "'x+': + is only legal as a whole level"),
        ("topic tree bad/#/x", "'bad/#/x': # is only legal as the whole last level"),
        ('pub mqtt:"a\\xff" 1', "a topic name is UTF-8 [MQTT-1.5.4-1]"),
        ("fault off 9", "no fault 9"),
        ("release h9", "h9 is not held"),
        ("release #9", "#9 is a row of the flow"),
        ("play nothing", "no fixture nothing"),
        ("topic add orders", "Topic 'orders' already exists."),
        ("theme nord", "is for the full screen"),
        ("shot", "is for the full screen"),
        ("filter proto:kafka", "is for the full screen"),
        ("help nobody", "no command nobody"),
        ("help acces", "no command acces; did you mean access?"),
        ("set confirm maybe", "on or off"),
    ],
)
def test_what_is_not_there_is_said(line: str, text: str) -> None:
    assert text in Scene(busy=False).refused(line).as_text()


def test_group_reset_moves_what_was_committed() -> None:
    scene = Scene(busy=False)
    scene.billing.vanish()
    scene.advance(11)

    def committed() -> dict[int, int]:
        offsets = scene.kafka.cluster.groups.known("billing").offsets.topics["orders"]
        return {partition: each.offset for partition, each in offsets.items()}

    before = scene.run("group show billing").data
    text = scene.run("group reset billing kafka:orders --to latest --dry-run").text
    assert "billing would be at orders p0@" in text
    assert scene.run("group show billing").data == before
    scene.run("group reset billing kafka:orders --to end")
    assert committed() == {0: 7, 1: 0}
    scene.run("group reset billing orders[0] --to 3")
    assert committed() == {0: 3, 1: 0}
    scene.run("pub kafka:orders[0] later")
    scene.run("group reset billing orders --to @-5s")
    assert committed() == {0: 7, 1: 0}
    scene.run("group reset billing kafka:orders --to begin")
    assert committed() == {0: 0, 1: 0}
    # The beginning is what is left, not offset 0.
    log = scene.kafka.cluster.topics["orders"].logs[0]
    scene.kafka.cluster.delete_records(log, 2, reason="test")
    scene.run("group reset billing kafka:orders --to begin")
    assert committed() == {0: 2, 1: 0}
    assert "where to?" in scene.refused("group reset billing orders").as_text()
    assert "only Kafka's" in scene.refused("group reset billing q.mail --to 1").as_text()


# Fixtures -------------------------------------------------------------------------------------


def test_play_and_auto() -> None:
    scene = Scene(busy=False)
    seen: list[MessageSeen] = []
    scene.kafka.watch(seen.append)
    scene.mqtt.watch(seen.append)
    scene.run("play order-created -n 3")
    assert [each.payload for each in seen] == [b'{"n":1}', b'{"n":2}', b'{"n":3}']
    seen.clear()
    scene.run("auto on sensors --rate 10/s")
    scene.time.advance(1.05)
    made = len(seen)
    assert 9 <= made <= 11
    scene.run("auto off sensors")
    scene.time.advance(5)
    assert len(seen) == made


def test_auto_add_makes_a_fixture_of_a_line() -> None:
    scene = Scene(busy=False)
    seen: list[MessageSeen] = []
    scene.mqtt.watch(seen.append)
    scene.run('auto add temps mqtt:room{{int 1 1}}/t {"t": "{{int 5 5}}"} --rate 10/s')
    scene.time.advance(0.35)
    assert (seen[0].destination, seen[0].payload) == ("room1/t", b'{"t":5}')
    row = scene.run("fixture ls temps").records[0]
    assert row["on"]
    scene.run("auto rm temps -y")
    assert scene.run("fixture ls temps").records == []


# Faults and holds -----------------------------------------------------------------------------


def test_fault_add_reads_scope_and_duration() -> None:
    scene = Scene(busy=False)
    line = "fault add delay client:billing op:Fetch 250ms --jitter 50ms --p 10% --times 3"
    scene.run(line)
    rule = scene.faults.rules[1]
    assert (rule.scope, rule.action) == ("client:billing op:Fetch", Delay(0.25, 0.05))
    assert (rule.trigger.probability, rule.trigger.times) == (0.1, 3)
    assert "250ms ±50ms 10% 3 times" in scene.run("fault ls").as_text()


def test_why_a_rule_did_not_fire_goes_by_its_times() -> None:
    scene = Scene(busy=False)

    def said(line: str, later: str = "") -> str:
        scene.run("fault clear")
        scene.run(line)
        number = max(scene.faults.rules)
        frame = Row("mqtt", 0, "PUBLISH", destination="t", connection=1)
        scene.faults.ask([frame], (set(), False))
        if later:
            scene.run(f"clock advance {later}")
        (rule,) = scene.run("fault ls").records
        assert rule["id"] == number
        return str(rule["closest"])

    assert said("fault add watch op:PUBLISH --start 1h").startswith("begins in ")
    assert said("fault add watch op:PUBLISH --nth 2") == (
        "matched, but its trigger has not let it fire"
    )
    late = said("fault add watch op:SUBSCRIBE topic:t --window 1m", "2m")
    assert late == "over: nothing that matches came in its time"
    assert said("fault add watch op:SUBSCRIBE topic:t --until 1m", "2m") == late
    assert said("fault add watch op:SUBSCRIBE topic:t") == "PUBLISH t: not op:SUBSCRIBE"
    scene.run("fault clear")
    scene.run("fault add watch op:PUBLISH --nth 3")
    assert "match 3 alone" in scene.run("fault ls").as_text()


@pytest.mark.parametrize(
    ("line", "text", "blamed"),
    [
        ("fault add delay client:x", "a delay's duration comes last", "client:x"),
        ("fault add delay clint:x 1s", "did you mean client?", "clint"),
        ("fault add explode topic:x", "is not one of", "explode"),
        ("fault add inject op:PUBACK bad-utf", "nearest: bad-utf8", "bad-utf"),
        ("fault add inject op:PUBACK 0xZZ", "two hex digits for each", "0xZZ"),
        ("fault add inject op:PUBACK 0xD00", "two hex digits for each", "0xD00"),
        ("fault add inject op:PUBACK 0x", "'0x' is no bytes", "0x"),
        ("fault add set op:PUBLISH qos", "the fields come last: 'qos' is not NAME=VALUE", "qos"),
        ("fault add corrupt op:Fetch tail", 'to search text, write it in "quotes"', "tail"),
        ("fault add truncate op:PUBLISH x", "is not a size", "x"),
        ("fault add block op:basic.publish soon", "is not a duration", "soon"),
        ("fault add throttle op:PUBLISH fast", "is not a size", "fast"),
        ("fault add blackhole 5", "5 of what?", "5"),
    ],
)
def test_mistakes_of_fault_add(line: str, text: str, blamed: str) -> None:
    problem = Scene(busy=False).refused(line).problem
    assert problem is not None
    assert text in problem.text
    assert line[problem.start : problem.end] == blamed


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("hold op:PUBLISH --text full", "give --refuse CODE too"),
        ("hold op:PUBLISH -k x --without key", "key is set and taken out"),
        ("hold op:PUBLISH -H a=b --without header.a", "header.a is set and taken out"),
        ("hold op:PUBLISH --prop a=b --without prop.a", "prop.a is set and taken out"),
        ("hold op:PUBLISH --dir out --refuse QUOTA_EXCEEDED", "only what a client sends"),
        ("hold proto:mqtt --refuse NACK", "NACK is a code of AMQP, not of proto:mqtt"),
        ("fault add drop --start 10s --until 5s", "it would never fire"),
        ("chaos start flaky-wifi --for 0s", "--for is above 0"),
        ("chaos start flaky-wifi -s client=", "--p 1%: client: has no value"),
    ],
)
def test_what_could_do_nothing_is_refused(line: str, text: str) -> None:
    assert text in Scene(busy=False).refused(line).as_text()


def test_what_may_follow_a_scope_without_a_value() -> None:
    scene = Scene(busy=False)
    for line in (
        "fault add blackhole client:a",
        "fault add blackhole (client:a or client:b)",
        'fault add corrupt op:Fetch "tail"',
        "fault add throttle --messages 5/s",
    ):
        scene.run(line)


def test_held_frames_are_released_by_selector() -> None:
    scene = Scene(busy=False)
    for _ in range(3):
        scene.hold_a_frame()
    assert len(scene.run("held").records) == 3
    assert "h2" in scene.run("release h2").text
    scene.run("drop (client:nobody)")
    assert sorted(scene.holds.held) == [1, 3]
    scene.run("release")
    assert scene.holds.held == {}


# The rest -------------------------------------------------------------------------------------


def test_filters_are_shown_saved_and_cleared() -> None:
    scene = Scene(busy=False, screen=True)
    scene.run("filter save busy size>1k")
    scene.run("filter @busy")
    assert scene.screen.filter.text == "size>1k"
    scene.run("filter clear")
    assert scene.screen.filter is None
    assert "@busy" in scene.run("filters").as_text()
    scene.run("hold @busy")
    assert scene.holds.rules[1].scope == "size>1k"
    scene.run("filter proto:kafka")
    scene.run("filter save shown")
    assert scene.session.saved_filters["shown"].text == "proto:kafka"
    assert [each.text for each in scene.session.complete("filter @b")] == ["@busy"]


def test_age_goes_by_the_brokers_clock() -> None:
    scene = Scene(busy=False)
    scene.run("hold age<10s")
    row = Row("mqtt", 0, "PUBLISH", time=scene.clock.wall())
    assert scene.holds.rules[1].match.matches(row)
    scene.run("clock advance 11s")
    assert not scene.holds.rules[1].match.matches(row)


def test_clock_advance_moves_what_is_due() -> None:
    scene = Scene(busy=False)
    scene.run("every 10s: pub kafka:orders x")
    scene.run("clock advance 35s")
    assert len(scene.sent) == 4


def test_a_long_way_of_the_clock_is_gone_in_steps_that_others_come_between() -> None:
    scene = Scene(busy=False)
    calls: list[float] = []

    def tick() -> None:
        calls.append(scene.clock.now())
        scene.clock.call_later(1, tick)

    tick()
    others: list[int] = []
    result = scene.run("clock advance 1h")
    job = scene.session.jobs.of(result)
    assert job is not None
    assert job.awaited
    scene.time.call_later(0, lambda: others.append(len(calls)))
    while not job.stopped:
        scene.time.advance(0)
    assert len(calls) == 3_601
    assert calls == [calls[0] + number for number in range(3_601)]
    assert others[0] < 1_100
    assert job.result(result).text == "1h00m passed, 1h00m in all"
    assert scene.run("clock advance 1s").text.startswith("1s passed, ")


def test_who_else_advances_the_clock_adds_to_a_long_way_and_comes_behind_it() -> None:
    scene = Scene(busy=False)

    def tick() -> None:
        scene.clock.call_later(1, tick)

    tick()
    result = scene.run("clock advance 1h")
    job = scene.session.jobs.of(result)
    assert job is not None
    second = scene.run("clock advance 60s")
    behind = scene.session.jobs.of(second)
    assert behind is not None
    while not job.stopped:
        assert not behind.stopped
        scene.time.advance(0)
    assert job.result(result).text == "1h00m passed, 1h00m in all"
    assert behind.stopped
    assert behind.result(second).text == "1m00s passed, 1h01m in all"


def test_a_clock_that_advances_is_stopped_where_it_came() -> None:
    scene = Scene(busy=False)

    def tick() -> None:
        scene.clock.call_later(1, tick)

    tick()
    result = scene.run("clock advance 1h")
    job = scene.session.jobs.of(result)
    assert job is not None
    scene.run(f"job stop {job.id}")
    assert "in all" in job.result(result).text
    scene.time.advance(0)
    assert 0 < scene.clock.offset < 1_100
    assert scene.run("clock advance 10s").ok


def test_repeat_runs_a_line_so_often() -> None:
    scene = Scene(busy=False)
    result = scene.run("repeat 3: pub kafka:orders {{sequence}}")
    assert len(scene.sent) == 3
    assert result.text.startswith("3 times")
    scene.refused("repeat x: pub kafka:orders 1")


def test_every_stops_at_its_first_failure() -> None:
    scene = Scene(busy=False)
    scene.run("every 1s: pub kafka:orders x")
    scene.refused("every 1s: pub nothing x")
    assert len(scene.session.jobs) == 1


def test_quit_tells_the_front_end() -> None:
    assert Scene(interactive=True).run("quit --code 3").ends == 3


def test_what_needs_a_console_is_refused_without_one() -> None:
    session = Session(Scene(busy=False))
    assert "needs a console" in session.run("tail").as_text()
    assert "quit ends a console" in session.run("quit").as_text()


def test_an_exchange_is_bound_to_another_and_unbound() -> None:
    made = Scene(furnished=False)
    made.run("exchange add events --type topic")
    made.run("queue add q")
    made.run("bind amq.fanout q")
    made.run("bind events amq.fanout order.# --to-exchange")
    made.run("pub amqp:events/order.new x")
    assert len(made.amqp.vhost().queues["q"].messages) == 1
    made.run("unbind events amq.fanout order.# --to-exchange")
    made.run("pub amqp:events/order.new x")
    assert len(made.amqp.vhost().queues["q"].messages) == 1


def test_a_broker_that_is_stopped_is_there_again_after_a_restart() -> None:
    scene = Scene(kafka_nodes=2)
    for name in ("mqtt", "kafka/2"):
        scene.run(f"broker stop {name} --for 5s -y")
        scene.run(f"broker restart {name} -y")
    # All nodes of a cluster start with it, and none of them once more by itself.
    scene.run("broker stop kafka/2 --for 5s -y")
    scene.run("broker stop kafka -y")
    scene.run("broker start kafka")
    assert (scene.brokers.stopped, list(scene.kafka.nodes.stopped)) == (set(), [])
    scene.advance(5)
    assert not [event for _, event in scene.spine.history if isinstance(event, Warned)]


def test_a_restart_of_a_cluster_brings_back_all_of_its_nodes() -> None:
    scene = Scene(kafka_nodes=3)
    scene.run("broker stop kafka/2 -y")
    scene.run("broker stop kafka/3 --for 5s -y")
    scene.run("broker restart kafka -y")
    assert list(scene.kafka.nodes.stopped) == []
    # Its time is over: it is not started once more, nor is one that was stopped since.
    scene.run("broker stop kafka/3 -y")
    scene.advance(5)
    assert list(scene.kafka.nodes.stopped) == [3]
    assert not [event for _, event in scene.spine.history if isinstance(event, Warned)]


def test_a_node_that_cannot_listen_keeps_no_other_from_being_back_after_a_restart(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    scene = Scene(kafka_nodes=3)
    second = scene.kafka.nodes.place(2)

    def listen_again(_: NoSockets, node: int | None = None) -> None:
        if node == second:
            raise OSError(EADDRINUSE, "Address already in use")

    monkeypatch.setattr(NoSockets, "listen_again", listen_again)
    scene.run("broker stop kafka/2 -y")
    scene.run("broker stop kafka/3 -y")
    said = scene.run("broker restart kafka -y").text
    assert said.endswith("; kafka/2 is still stopped")
    assert list(scene.kafka.nodes.stopped) == [2]
    (warning,) = [event for _, event in scene.spine.history if isinstance(event, Warned)]
    assert (warning.about, warning.text) == (
        "kafka/2",
        "kafka/2 cannot listen again: Address already in use",
    )


def test_the_time_of_a_node_is_none_of_a_cluster_that_was_stopped_meanwhile() -> None:
    scene = Scene(kafka_nodes=2)
    scene.run("broker stop kafka/2 --for 5s -y")
    scene.run("broker stop kafka -y")
    scene.advance(5)
    assert (scene.brokers.stopped, list(scene.kafka.nodes.stopped)) == ({"kafka"}, [2])
    assert not [event for _, event in scene.spine.history if isinstance(event, Warned)]
    scene.run("broker start kafka")
    assert (scene.brokers.stopped, list(scene.kafka.nodes.stopped)) == (set(), [])


def test_a_certificate_is_renewed_when_the_last_who_let_it_expire_said_so() -> None:
    scene = Scene(furnished=False)
    scene.run("tls expire --for 30s")
    scene.advance(10)
    scene.run("tls renew")
    assert not scene.places.expired
    scene.run("tls expire")
    scene.advance(60)
    assert scene.places.expired
    scene.run("tls expire --for 30s")
    scene.advance(30)
    assert not scene.places.expired


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("fault add drop client:x --once --times 5", "--once and --nth fire once"),
        ("fault add drop client:x --nth 3 --times 2", "--once and --nth fire once"),
        ("fault add drop client:x --nth 3 --first 2", "either --first or --nth"),
        ("fault add disconnect client:x --after --mid", "not both"),
        ("fault add duplicate client:x --copies 5000", "copies is 1 to 1,000, not 5,000"),
    ],
)
def test_options_of_a_fault_that_gainsay_each_other_are_refused(line: str, text: str) -> None:
    scene = Scene(furnished=False)
    assert text in scene.refused(line).as_text()
    assert scene.faults.rules == {}


def test_a_fault_takes_a_duration_of_nothing() -> None:
    scene = Scene(furnished=False)
    scene.run("fault add reorder client:x --wait 0s")
    assert scene.faults.rules[1].action == Reorder(wait=0.0)


def test_a_fault_by_a_saved_filter_says_what_came_nearest_to_it() -> None:
    scene = Scene(furnished=False)
    scene.run("filter save late client:x op:PINGREQ")
    scene.run("fault add drop @late")
    rule = scene.faults.rules[1]
    assert (rule.scope, [text for text, _ in rule.match.terms]) == (
        "@late",
        ["client:x", "op:PINGREQ"],
    )


def test_who_runs_a_long_way_of_the_clock_gets_its_end_for_an_answer() -> None:
    with MockForge(mqtt=False, amqp=False, kafka=True) as mockforge:
        mockforge.run("topic add t -p 1")
        mockforge.run("every 1s: pub kafka:t x")
        assert mockforge.run("clock advance 20m").text == "20m00s passed, 20m00s in all"
        (topic,) = mockforge.run("topic ls").data
        assert topic["depth"] >= 1_200
