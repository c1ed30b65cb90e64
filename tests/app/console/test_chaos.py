"""Presets by name: chosen by a seed, run in their time, and taken away at the end."""

import re
from html.parser import HTMLParser
from typing import Any

import pytest
from mockforge_brokers.errors import InvalidInput
from mockforge_brokers.events import ClientIdentified, ConnectionClosed, FaultFired
from mockforge_brokers.journal import Row

from mockforge_tui.brokers import Brokers
from mockforge_tui.console.chaos import run, streams, verdict
from mockforge_tui.console.chaos.aftermath import Causes
from mockforge_tui.console.chaos.presets import PRESETS, lines_of
from mockforge_tui.console.chaos.story import ClientStory
from mockforge_tui.console.chaos.wording import CLEAN
from mockforge_tui.console.session import Session

from .scene import Scene


@pytest.fixture
def scene() -> Scene:
    return Scene(furnished=False)


def lines(scene: Scene) -> list[Any]:
    return [record["line"] for record in scene.run("chaos log").records]


@pytest.mark.parametrize("name", PRESETS)
def test_every_line_of_every_preset_runs(scene: Scene, name: str) -> None:
    scene.run("topic add poison -p 1")
    scene.run(f"chaos start {name} --for 10m")
    scene.advance(300)
    records = scene.run("chaos log").records
    assert len(records) == len(PRESETS[name].steps)
    assert all(each.ok for each in scene.chaos[0].done), records


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_says_what_a_healthy_client_does(name: str) -> None:
    assert PRESETS[name].healthy
    assert all(value for value in PRESETS[name].parameters.values())


def test_a_run_takes_its_faults_away_and_no_others(scene: Scene) -> None:
    scene.run("fault add drop client:mine")
    scene.run("chaos start flaky-wifi")
    assert len(scene.faults.rules) == 3
    assert scene.run("chaos stop").text == "ended after 2 lines"
    assert [rule.scope for rule in scene.faults.rules.values()] == ["client:mine"]
    assert scene.run("chaos stop").text == "no run goes on"


def test_panic_ends_the_run_and_its_later_lines_too(scene: Scene) -> None:
    scene.run("fault add drop client:mine")
    scene.run("hold client:mine")
    scene.run("chaos start subway -s gap=5s -s apart=20s")
    assert scene.run("panic").text == (
        "the chaos run ended, 2 faults removed, 0 held frames released"
    )
    scene.advance(60)
    assert (scene.faults.rules, scene.holds.rules) == ({}, {})


def test_a_run_is_everybodys_and_ends_with_who_began_it(scene: Scene) -> None:
    other = Session(scene)
    scene.run("chaos start subway -s client=nobody")
    assert "a run goes on" in other.run("chaos start observe").as_text()
    assert other.run("chaos log").records == scene.run("chaos log").records
    assert other.run("panic").text.startswith("the chaos run ended, ")
    scene.advance(120)
    assert scene.faults.rules == {}
    other.run("chaos start half-open -s client=nobody")
    scene.session.close()
    assert len(scene.faults.rules) == 1
    other.close()
    assert scene.faults.rules == {}


def test_of_a_run_without_end_the_newest_lines_are_kept(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "_MOST", 3)
    scene.run("chaos start half-open,nack-storm -s client=nobody --every 1s")
    scene.advance(9)
    [known] = scene.chaos
    assert [round(each.at) for each in known.done] == [7, 8, 9]
    assert len(known.rules) == 3
    scene.run("chaos stop")
    assert scene.faults.rules == {}


def test_a_run_ends_by_itself_and_lines_come_in_their_time(scene: Scene) -> None:
    scene.run("chaos start subway -s gap=5s -s apart=20s --for 1m")
    assert len(lines(scene)) == 1
    scene.advance(20)
    assert len(lines(scene)) == 2
    scene.advance(40)
    assert scene.faults.rules == {}
    scene.run("chaos start half-open")


def test_parameters_stand_in_the_lines(scene: Scene) -> None:
    scene.run("chaos start half-open -s client=dev-* -s time=7s")
    assert lines(scene) == ["fault add blackhole client:dev-* conn<=0 7s --for 7s"]


def test_a_parameter_is_one_word_whatever_is_in_it(scene: Scene) -> None:
    scene.run('chaos start flaky-wifi -s client="my (other) app"')
    row = Row("mqtt", 0, "PUBLISH", client="my (other) app")
    assert all(rule.match.matches(row) for rule in scene.faults.rules.values())
    scene.run("chaos stop")


def test_a_fault_of_no_probability_is_left_out() -> None:
    [(_, line)] = lines_of(PRESETS["flaky-wifi"], [("breaks", "0%")])
    assert line.startswith("fault add delay")
    with pytest.raises(InvalidInput, match="flaky-wifi: 'often' is not a share"):
        lines_of(PRESETS["flaky-wifi"], [("breaks", "often")])


def test_lines_about_brokers_that_are_not_served_are_left_out(scene: Scene) -> None:
    scene.brokers = Brokers(None, scene.mqtt, None)
    scene.run("chaos start rolling-restart")
    scene.advance(60)
    assert lines(scene) == ["broker stop mqtt --for 3s -y"]
    scene.run("chaos stop")
    scene.run("chaos start broker-full")
    assert lines(scene) == ["fault add refuse proto:mqtt op:PUBLISH QUOTA_EXCEEDED --for 10s"]
    scene.run("chaos stop")
    said = scene.refused("chaos start broker-full,leader-failover").as_text()
    assert "leader-failover takes kafka: not served here" in said
    assert "takes amqp" in scene.refused("chaos start thundering-herd -s broker=amqp").as_text()


def test_a_mistake_leaves_the_dice_and_the_report_as_they_are(scene: Scene) -> None:
    scene.run("chaos start observe --seed 5")
    scene.run("chaos stop")
    before = scene.faults.random.getstate()
    scene.refused("chaos start flaky-wifi,subway -s cleint=c --seed 6")
    assert scene.faults.random.getstate() == before
    assert scene.chaos[-1].seed == 5


def chosen(seed: int) -> list[str]:
    scene = Scene(furnished=False)
    scene.run(f"chaos start flaky-wifi,half-open,nack-storm --every 10s --seed {seed} --for 2m")
    scene.advance(120)
    assert scene.faults.rules == {}
    return [record["preset"] for record in scene.run("chaos log").records]


def test_a_seed_chooses_the_same_again() -> None:
    assert chosen(7) == chosen(7)
    assert set(chosen(7)) == {"flaky-wifi", "half-open", "nack-storm"}
    assert len({tuple(chosen(seed)) for seed in range(5)}) > 1


def test_one_preset_goes_before_the_next_comes(scene: Scene) -> None:
    scene.run("chaos start half-open --every 10s --for 1m")
    scene.advance(15)
    assert len(scene.faults.rules) == 1


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("chaos start nothing", "no preset nothing"),
        ("chaos start half-open -s cleint=x", "it has client, time"),
        ("chaos start half-open,nack-storm -s a=b", "none has a parameter 'a' of client, time, "),
        ("chaos start half-open -s time=soon", "soon"),
        ("chaos start half-open --every 1ms", "100ms is the least"),
    ],
)
def test_mistakes_are_said_and_leave_nothing(scene: Scene, line: str, text: str) -> None:
    result = scene.session.run(line)
    assert not result.ok
    assert text in result.as_text()
    assert scene.faults.rules == {}
    assert scene.run("chaos stop").text == "no run goes on"


def test_one_run_at_a_time(scene: Scene) -> None:
    scene.run("chaos start half-open")
    assert "chaos stop ends it" in scene.session.run("chaos start half-open").as_text()


def test_steps_are_due_at_their_parameters() -> None:
    found = lines_of(PRESETS["rolling-restart"], [("apart", "4s")])
    assert [after for after, _ in found] == [0.0, 4.0, 20.0]


def test_the_nodes_of_a_cluster_go_away_one_after_the_other() -> None:
    scene = Scene(furnished=False, kafka_nodes=3)
    scene.run("chaos start rolling-restart -s down=2s -s apart=4s -s later=8s")
    seen = []
    for _ in range(20):
        seen.append([*scene.kafka.nodes.stopped, *sorted(scene.brokers.stopped)])
        scene.advance(1)
    # Each is back for as long as it was away before the next one goes; then come other brokers.
    away = [each for each in seen if each]
    assert away == [[1], [1], [2], [2], [3], [3], ["mqtt"], ["mqtt"], ["amqp"], ["amqp"]]
    assert seen[:5] == [[1], [1], [], [], [2]]
    assert lines(scene) == [
        "broker stop kafka/1 --for 2s -y",
        "broker stop kafka/2 --for 2s -y",
        "broker stop kafka/3 --for 2s -y",
        "broker stop mqtt --for 2s -y",
        "broker stop amqp --for 2s -y",
    ]
    assert [round(each.at) for each in scene.chaos[0].done] == [0, 4, 8, 12, 16]
    assert all(each.ok for each in scene.chaos[0].done)


def test_a_node_that_is_away_already_is_not_stopped_again() -> None:
    scene = Scene(furnished=False, kafka_nodes=3)
    scene.run("broker stop kafka/1 -y")
    scene.run("chaos start rolling-restart -s down=1s")
    scene.advance(10)
    assert [line for line in lines(scene) if "kafka" in line] == [
        "broker stop kafka/2 --for 1s -y",
        "broker stop kafka/3 --for 1s -y",
    ]
    assert list(scene.kafka.nodes.stopped) == [1]


# The verdict.


def report(scene: Scene) -> dict[str, Any]:
    return {record["client"]: record for record in scene.run("chaos report").records}


def test_the_report_tells_a_client_that_doubles_from_one_that_does_not(scene: Scene) -> None:
    scene.run("chaos start lossy-answers -s client=nobody")
    good, bad = scene.mqtt_client("good"), scene.mqtt_client("bad")
    for number in range(1, 4):
        scene.mqtt_publish(good, "t", b"o-%d" % number, 1)
        scene.mqtt_publish(bad, "t", b"o-%d" % number, 1)
    scene.mqtt_publish(bad, "t", b"o-3", 1)
    found = report(scene)
    assert found["good"]["verdict"] == "nothing lost, doubled or out of order"
    assert (found["bad"]["verdict"], found["bad"]["sent"]) == ("doubled 1: o-3", 4)


def test_the_report_says_what_was_left_out_or_out_of_order(scene: Scene) -> None:
    scene.run("chaos start half-open -s client=nobody --id json.id")
    client = scene.mqtt_client("c")
    for number in (1, 2, 5, 4):
        scene.mqtt_publish(client, "t", b'{"id": %d}' % number)
    assert report(scene)["c"]["verdict"] == "out of order 1: 4; not sent 1: 3"


def test_the_report_says_how_long_a_client_stayed_away(scene: Scene) -> None:
    client = scene.mqtt_client("c", clean=False)
    scene.run("chaos start half-open -s client=nobody")
    client.vanish()
    # The transport's part.
    [known] = scene.chaos[-1].observer.stories()
    scene.spine.emit(ConnectionClosed("mqtt", next(iter(known.open)), "c", "gone"))
    scene.advance(3)
    assert report(scene)["c"]["away"] is True
    scene.mqtt_client("c", clean=False)
    found = report(scene)["c"]
    assert (found["lost"], found["pauses"], found["away"]) == (1, [3.0], False)


def test_the_report_names_the_backoff_of_who_was_put_out_again_and_again(scene: Scene) -> None:
    scene.run("chaos start observe")
    scene.spine.emit(ClientIdentified("mqtt", 7, "c"))
    scene.spine.emit(FaultFired("mqtt", 1, "disconnect", 7, "c", "PUBLISH"))
    for pause in (1, 2, 4, 8):
        scene.spine.emit(ConnectionClosed("mqtt", 7, "c", "gone"))
        scene.advance(pause)
        scene.spine.emit(ClientIdentified("mqtt", 7, "c"))
    found = report(scene)["c"]
    assert (found["backoff"], found["under"][0]["backoff"]) == ("doubling", "doubling")
    for line in ("chaos report", "chaos report --each", "chaos report --html"):
        assert "doubling" in scene.run(line).as_text()


def test_the_page_names_who_doubles_and_shows_what_hit_it(scene: Scene) -> None:
    scene.run("chaos start observe")
    scene.run("fault add delay client:bad 10ms")
    good, bad = scene.mqtt_client("good"), scene.mqtt_client("<bad>")
    for client in (good, bad, bad):
        scene.mqtt_publish(client, "t", b"o-1", 1)
        scene.advance(2)
    scene.run("chaos stop")
    page = scene.run("chaos report --html").as_text()
    assert "✓ 1 kept all" in page
    assert "✗ 1 did not" in page
    assert "&lt;bad&gt;" in page
    assert "<bad>" not in page
    assert "doubled 1: o-1" in page
    assert page.count('<path class="doubled"') == 1
    assert not re.search(r"(src|href|url)[=(]", page)
    parser = Balanced()
    parser.feed(page)
    assert parser.open == []


class Balanced(HTMLParser):
    """Which tags are open."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        if tag != "meta":
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: Any) -> None: ...

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_of_a_client_that_comes_and_goes_all_day_the_newest_pauses_are_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("mockforge_tui.console.chaos.story._MOST_MOMENTS", 3)
    monkeypatch.setattr("mockforge_tui.console.chaos.aftermath._MOST_APART", 3)
    story = ClientStory("mqtt", "c")
    story.causes.hit("disconnect", "PUBLISH", 0.0)
    for pause in range(10):
        story.causes.lost()
        story.back(float(pause))
    found = story.facts()
    assert found["pauses"] == found["under"][0]["pauses"] == [7.0, 8.0, 9.0]


def test_the_report_says_when_a_message_was_sent_again(scene: Scene) -> None:
    scene.run("chaos start observe")
    client = scene.mqtt_client("c")
    for _ in range(2):
        scene.mqtt_publish(client, "t", b"o-1", 1)
        scene.advance(3)
    found = report(scene)["c"]
    assert found["resent_after"] == [3.0]
    assert found["timeline"] == [{"at": 3.0, "what": "doubled", "text": "o-1"}]


def test_a_rule_of_a_run_ends_on_the_page_when_it_ended(scene: Scene) -> None:
    scene.run("chaos start half-open -s time=5s --for 1m")
    scene.advance(20)
    [rule] = scene.chaos[-1].in_force()
    assert (rule.begun, rule.gone) == (0.0, 5.0)


def test_the_report_stands_after_the_run_and_hears_no_more(scene: Scene) -> None:
    scene.run("chaos start half-open -s client=nobody")
    client = scene.mqtt_client("c")
    scene.mqtt_publish(client, "t", b"1")
    scene.run("chaos stop")
    scene.mqtt_publish(client, "t", b"1")
    assert report(scene)["c"]["sent"] == 1


@pytest.mark.parametrize(
    ("sent", "verdict"),
    [
        ("01 02 03", CLEAN),
        ("a-0098 a-0099 a-0100", CLEAN),
        ("008 010 012", "not sent 2: 009, 011"),
        ("8 9 11", "not sent 1: 10"),
        ("98 99 101", "not sent 1: 100"),
        ("1 2 04", "not sent 1: 3"),
    ],
)
def test_numbers_with_zeros_in_front_are_known_by_all_of_their_digits(
    scene: Scene, sent: str, verdict: str
) -> None:
    scene.run("chaos start observe")
    client = scene.mqtt_client("c")
    for payload in sent.split():
        scene.mqtt_publish(client, "t", payload.encode())
    assert report(scene)["c"]["verdict"] == verdict


def test_what_cannot_tell_messages_apart_is_said(scene: Scene) -> None:
    result = scene.session.run("chaos start half-open --id offset")
    assert "none of key, payload, header.NAME, prop.NAME, json.PATH" in result.as_text()


def test_what_a_client_does_is_put_down_to_the_last_fault_that_hit_it() -> None:
    causes = Causes()
    # Before the first one nothing is.
    causes.doubled("o-0", 1.0)
    causes.hit("delay", "PUBLISH", 0.0)
    causes.doubled("o-1", 2.0)
    causes.hit("drop", "PUBACK", 0.0)
    # A delay hits all the time: what was dropped weighs more.
    causes.hit("delay", "PUBLISH", 0.0)
    causes.doubled("o-2", 3.0)
    causes.disordered("o-1")
    causes.lost()
    causes.back(0.5)
    causes.hit("disconnect", "PUBLISH", 0.0)
    causes.lost()
    found = {each["fault"]: each for each in causes.found(away=True, left=False)}
    assert list(found) == ["delay PUBLISH", "drop PUBACK", "disconnect PUBLISH"]
    slow, lost, ended = found.values()
    assert (slow["hits"], slow["doubled"], slow["ended"]) == (2, ["o-1"], 0)
    assert (lost["doubled"], lost["resent_after"], lost["disordered"]) == (["o-2"], [3.0], ["o-1"])
    assert (lost["ended"], lost["pauses"], lost["gave_up"]) == (1, [0.5], False)
    assert (ended["ended"], ended["pauses"], ended["gave_up"]) == (1, [], True)
    *_, last = causes.found(away=True, left=True)
    assert (last["ended"], last["gave_up"]) == (0, False)


@pytest.mark.parametrize(
    ("protocol", "reason", "left"),
    [
        ("mqtt", "the client disconnected", True),
        # Without DISCONNECT it is gone, whatever it meant by it.
        ("mqtt", "the client closed the connection", False),
        ("amqp", "closed by the client: 200 Normal shutdown", True),
        ("amqp", "fault 1 disconnects everything", False),
        ("kafka", "the client closed the connection", True),
    ],
)
def test_a_client_that_took_its_leave_did_not_give_up(
    scene: Scene, protocol: str, reason: str, left: bool
) -> None:
    scene.run("chaos start observe")
    scene.spine.emit(ClientIdentified(protocol, 7, "c"))
    scene.spine.emit(FaultFired(protocol, 1, "disconnect", 7, "c", "PUBLISH"))
    scene.spine.emit(ConnectionClosed(protocol, 7, "c", reason))
    found = report(scene)["c"]
    assert (found["away"], found["gave_up"]) == (True, not left)
    assert found["verdict"] == ("sent nothing" if left else "gave up")
    assert found["under"][0]["gave_up"] == (not left)
    assert ("gave up" in scene.run("chaos report --each").as_text()) == (not left)


def test_the_report_and_the_page_have_a_line_for_each_kind_of_fault(scene: Scene) -> None:
    scene.run("chaos start observe")
    client = scene.mqtt_client("c")
    scene.spine.emit(FaultFired("mqtt", 1, "drop", 1, "c", "PUBACK"))
    for _ in range(2):
        scene.mqtt_publish(client, "t", b"o-1", 1)
        scene.advance(3)
    [record] = scene.run("chaos report --each").records
    assert (record["fault"], record["hits"], record["doubled"]) == ("drop PUBACK", 1, ["o-1"])
    assert record["resent_after"] == [3.0]
    assert "<td>drop PUBACK</td><td>1</td>" in scene.run("chaos report --html").as_text()


def test_a_series_lacks_what_is_between_its_own_numbers(scene: Scene) -> None:
    """However many messages of other series there are."""
    scene.run("chaos start observe")
    client = scene.mqtt_client("c")
    for name in (*(f"a{number}" for number in range(50)), "b1", "b90", "c1", "c3"):
        scene.mqtt_publish(client, "t", name.encode())
    assert report(scene)["c"]["missing"] == ["c2"]


def test_long_payloads_are_told_apart_and_not_kept(scene: Scene) -> None:
    scene.run("chaos start observe")
    client = scene.mqtt_client("c")
    same, other = b"x" * 100_000, b"x" * 99_999 + b"y"
    for payload in (same, other, same, other + b"1", other + b"3"):
        scene.mqtt_publish(client, "t", payload)
    found = report(scene)["c"]
    assert (len(found["doubled"]), len(found["missing"])) == (1, 1)
    assert all(len(each) < 120 for each in found["doubled"] + found["missing"])
    assert found["missing"][0].endswith("…2")


def test_ids_and_repetitions_are_bounded(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verdict, "_MOST_IDS", 3)
    monkeypatch.setattr(streams, "_MOST_REPEATED", 2)
    scene.run("chaos start observe")
    client = scene.mqtt_client("c")
    for name in ("1", "2", "3", "4", "4", "1", "1", "1"):
        scene.mqtt_publish(client, "t", name.encode())
    scene.mqtt_publish(client, "another", b"1")
    found = report(scene)["c"]
    assert (found["sent"], found["doubled"], len(found["resent_after"])) == (9, ["1", "1"], 2)
