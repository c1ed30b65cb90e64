"""Frames that are expected, of what the journal has: at the prompt, in scenarios, in tests."""

from pathlib import Path
from random import Random
from typing import Any

import pytest
from mockforge_brokers.amqp.wire.frames import HEARTBEAT_FRAME
from mockforge_brokers.errors import InvalidInput
from mockforge_brokers.journal import OUT, Row
from mockforge_brokers.mqtt.wire.encode import encode_packet
from mockforge_brokers.mqtt.wire.packets import Pingreq, Publish

from app.console.scene import Scene
from app.scenarios.test_running import Play, fixtures_of
from mockforge_tui import MockForge
from mockforge_tui.embedded import ExpectationFailed
from mockforge_tui.embedded.remote import ProcessForge
from mockforge_tui.expectations.failure import Failure
from mockforge_tui.expectations.frames import FrameLook
from mockforge_tui.expectations.record import Mark
from mockforge_tui.expectations.waiting import Outcome, Waiting
from mockforge_tui.fault_values import frame_match
from mockforge_tui.fixtures.expected.model import Frames
from mockforge_tui.fixtures.expected.reading import read_expectation
from mockforge_tui.fixtures.requests import expectation_of
from mockforge_tui.fixtures.source.context import Loaded, Reader
from mockforge_tui.fixtures.source.fields import Problems
from mockforge_tui.fixtures.source.tree import Mapping, from_plain
from mockforge_tui.fixtures.templates.names import Names
from mockforge_tui.fixtures.templates.scope import Scope
from mockforge_tui.scenarios.outcome import Status


@pytest.fixture(autouse=True)
def _a_look_takes_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """How fast the machine decodes is no matter of these tests."""
    monkeypatch.setattr("mockforge_tui.expectations.frames._BUDGET", 60.0)


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Each look has time for one step, and leaves here how many frames it has found."""
    monkeypatch.setattr("mockforge_tui.expectations.frames._BUDGET", -1.0)
    counts: list[int] = []
    go_on = FrameLook.go_on

    def counted(look: FrameLook) -> None:
        go_on(look)
        counts.append(look.count)

    monkeypatch.setattr(FrameLook, "go_on", counted)
    return counts


class Stage:
    """A scene with a device that publishes, and what expectations came to."""

    def __init__(self, **options: Any) -> None:
        self.scene = Scene(furnished=False, **options)
        self.device = self.scene.mqtt_client("dev-7")
        self.outcomes: list[Outcome] = []

    def publish(self, times: int = 1) -> None:
        for number in range(1, times + 1):
            self.device.send(encode_packet(Publish("t", b"x", 1, packet_id=number), 4))

    def expect(
        self, where: str, way: int | None = None, since: int | None = None, **options: Any
    ) -> None:
        expectation = Frames(frame_match(where, way), **options)
        Waiting(expectation, self.scene, self.outcomes.append, since)

    def failure(self) -> Failure:
        (outcome,) = self.outcomes
        assert outcome.failure is not None
        return outcome.failure


def test_what_came_before_is_met_at_once_and_counted() -> None:
    stage = Stage()
    stage.publish(3)
    stage.expect("op:PUBACK client:dev-7", 1, least=3, most=3)
    (outcome,) = stage.outcomes
    assert outcome.ok
    assert [row.detail["packet_id"] for row in outcome.frames] == [1, 2, 3]


def test_what_comes_in_time_meets_it() -> None:
    stage = Stage()
    stage.expect("op:PUBACK", least=2)
    for passed in (1, 2):
        assert len(stage.outcomes) == 0, passed
        stage.publish()
        stage.scene.advance(0.1)
    assert stage.outcomes[0].ok


def test_one_too_many_breaks_a_count_also_while_it_settles() -> None:
    stage = Stage()
    stage.publish()
    stage.expect("op:PUBACK", least=1, most=1, settle=1.0)
    assert not stage.outcomes
    stage.publish()
    stage.scene.advance(0.1)
    assert stage.failure().seen == "2 frames"
    assert stage.failure().surplus == ("dev-7 < PUBACK",)


def test_none_waits_its_whole_time_and_ends_at_the_first() -> None:
    stage = Stage()
    stage.expect("op:DISCONNECT", least=0, most=0, within=1)
    stage.scene.advance(0.9)
    assert not stage.outcomes
    stage.scene.mqtt_leave(stage.device)
    stage.scene.advance(0.05)
    assert stage.failure().expected == "no frame op:DISCONNECT within 1s"


def test_what_is_missing_is_shown_with_what_came_nearest() -> None:
    stage = Stage()
    stage.publish()
    stage.expect("op:PUBACK client:dev-8", 1, within=1)
    stage.scene.advance(2)
    failure = stage.failure()
    assert failure.expected == "a frame op:PUBACK client:dev-8 to the client within 1s"
    assert failure.seen == "none"
    assert failure.nearest is not None
    assert failure.nearest.place == "dev-7 < PUBACK"
    assert [each.expected for each in failure.nearest.differences] == ["client:dev-8"]


def test_a_frame_of_several_records_is_one_frame() -> None:
    scene = Scene(furnished=False)
    scene.run("topic add orders -p 1")
    outcomes: list[Outcome] = []
    for number in (1, 2):
        scene.kafka.publish("orders", b"%d" % number)
    Waiting(Frames(frame_match("op:Produce topic:orders"), 2, 2), scene, outcomes.append)
    assert outcomes[0].ok, outcomes


def test_frames_count_from_the_last_reset_or_a_mark_on() -> None:
    stage = Stage()
    stage.publish()
    mark = stage.scene.record.mark()
    Waiting(Frames(frame_match("op:PUBACK"), within=0), stage.scene, stage.outcomes.append, mark)
    assert stage.failure().seen == "none"
    stage.outcomes.clear()
    stage.scene.record.clear()
    stage.expect("op:PUBACK", within=0)
    assert stage.failure().seen == "none"


def test_a_mark_keeps_its_place_whoever_marks_after_it() -> None:
    stage = Stage()
    stage.publish()
    record = stage.scene.record
    marks = [(record.mark(), 3)]
    for times, after in ((1, 2), (0, 2), (2, 0)):
        # No message goes with it: only the journal moves.
        stage.device.send(encode_packet(Pingreq(), 4) * times)
        marks.append((record.mark(), after))
    assert {int(mark) for mark, _ in marks} == {1}
    for mark, after in marks:
        stage.expect("op:PINGRESP", since=mark, least=after, most=after, within=0)
    assert [outcome.ok for outcome in stage.outcomes] == [True] * 4


def test_frames_count_from_a_messages_number_on() -> None:
    stage = Stage()
    for _ in range(3):
        stage.publish()
        stage.device.send(encode_packet(Pingreq(), 4))
    for number, after in ((0, 3), (1, 3), (2, 2), (3, 1), (9, 1)):
        # A message is in the record when its own frame is in the journal.
        stage.expect("op:PINGRESP", since=number, least=after, most=after, within=0)
    stage.scene.record.clear()
    for since in (1, Mark(1, 0)):
        stage.expect("op:PINGRESP", since=since, least=0, most=0, within=0)
    assert [outcome.ok for outcome in stage.outcomes] == [True] * 7


def test_frames_of_the_same_bytes_are_counted_each() -> None:
    scene, outcomes = Scene(furnished=False), list[Outcome]()
    scene.amqp_client()
    assert scene.journal is not None
    tape = next(scene.journal.since(0)).tape
    for _ in range(3):
        tape.add(OUT, HEARTBEAT_FRAME)
    Waiting(Frames(frame_match("op:heartbeat", OUT), 3, 3, 0), scene, outcomes.append)
    assert outcomes[0].ok, outcomes


def test_what_is_met_ends_though_more_is_to_be_looked_at(looks: list[int]) -> None:
    stage = Stage()
    stage.publish(20)
    stage.expect("op:PUBACK")
    stage.scene.advance(0)
    assert stage.outcomes[0].ok
    assert looks[-1] == 1, "the others would not change it"


@pytest.mark.parametrize(("least", "most", "ok"), [(4, 4, True), (5, None, False), (0, 0, False)])
def test_what_came_in_time_counts_and_nothing_that_came_later(
    monkeypatch: pytest.MonkeyPatch, looks: list[int], least: int, most: int | None, ok: bool
) -> None:
    """While it looks more comes than it has looked at, from the end of its time on, too."""
    stage = Stage()
    stage.publish(4)
    go_on = FrameLook.go_on

    def meanwhile(look: FrameLook) -> None:
        go_on(look)
        if len(looks) < 100:
            stage.publish()

    stage.expect("op:PUBACK", least=least, most=most, within=0)
    monkeypatch.setattr(FrameLook, "go_on", meanwhile)
    stage.scene.advance(0)
    assert [outcome.ok for outcome in stage.outcomes] == [ok]


@pytest.mark.usefixtures("looks")
def test_more_than_a_turn_has_time_for_is_looked_at_in_several() -> None:
    stage = Stage()
    stage.publish(20)
    stage.expect("op:PUBACK", least=20, most=20, within=0)
    assert not stage.outcomes
    stage.scene.advance(0)
    assert stage.outcomes[0].ok, stage.outcomes


def test_without_a_journal_it_says_so() -> None:
    stage = Stage(journal=False)
    with pytest.raises(InvalidInput, match="without --no-journal"):
        stage.expect("op:PUBACK")
    said = stage.scene.refused("expect frames op:PUBACK").as_text()
    assert "without --no-journal" in said


def test_at_the_prompt_a_filter_says_which() -> None:
    stage = Stage()
    stage.publish(2)
    result = stage.scene.run("expect frames op:PUBACK client:dev-7 --dir out -n 2")
    assert (result.data["count"], len(result.data["frames"])) == (2, 2)
    assert result.data["frames"][0]["operation"] == "PUBACK"
    stage.scene.run("expect frames op:PINGREQ -n 0 --within 0s")
    refused = stage.scene.refused("expect frames op:PUBACK -n 1 --least 2").as_text()
    assert "--count or --least" in refused
    # Of what there is not there would be none, whatever came.
    refused = stage.scene.refused("expect frames op:PUBAKC -n 0 --within 0s").as_text()
    assert "no operation PUBAKC; did you mean PUBACK" in refused
    # The journal has these, which no rule sees.
    stage.scene.run("expect frames op:ws.ping -n 0 --within 0s")


def test_in_a_scenario_its_texts_may_be_templates(tmp_path: Path) -> None:
    text = """
scenarios:
  - name: acked
    steps:
      - capture: {who: dev-7}
      - expect: {frames: {mqtt: {packet: PUBACK, client: "{{who}}"}}, dir: out, count: 1,
                 within: 1s}
      - expect: {frames: "op:DISCONNECT client:{{who}}", count: 0, within: 10ms}
"""
    play = Play(fixtures_of(tmp_path, text))
    device = play.scene.mqtt_client("dev-7")
    play.scene.clock.call_later(0.2, play.scene.mqtt_publish, device, "t", b"x", 1)
    outcome = play.run()
    assert outcome.ok, outcome.text


NAMES = ["dev 7", 'dev"7', "dev (7", "dev)7", "dev\\7", 'dev\\"7', "", "dev-*", "not op:X"]


@pytest.mark.parametrize("name", NAMES)
def test_a_value_is_one_whatever_is_in_it_or_a_template_gives(name: str) -> None:
    scope = Scope(Random(0), lambda: 0.0)
    scope.names["who"] = name
    by_name = expectation_of({"frames": {"mqtt": {"packet": "PUBACK", "client": name}}}, scope)
    asked = from_plain({"frames": {"mqtt": {"packet": "PUBACK", "client": "{{who}}"}}})
    assert isinstance(asked, Mapping)
    reader = Reader(Loaded(Problems()), lenient=False)
    read = read_expectation(asked, reader, "expect", Names(let=("who",)))
    assert read is not None, reader.problems.errors
    for expected in (by_name, read(scope)):
        assert isinstance(expected, Frames)
        for client in (name.replace("*", "9"), "somebody"):
            row = Row("mqtt", OUT, "PUBACK", client=client)
            assert expected.match.matches(row) is (client != "somebody"), expected.match.scope


@pytest.mark.parametrize(
    ("asked", "problem"),
    [
        ("{frames: {mqtt: {size: x}}}", "frames: "),
        ("{frames: 'size>>'}", "frames: "),
        ("{frames: 'op:x', dir: up}", "dir is in (from the client) or out"),
        ("{frames: 'op:x', count: 1, least: 1}", '"count" is exact'),
        ("{frames: 'op:{{nobody}}'}", "nobody"),
        ("{frames: {mqtt: {client: x}, kafka: {api: y}}}", "one protocol"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(tmp_path: Path, asked: str, problem: str) -> None:
    from mockforge_tui.fixtures.loader import read

    file = tmp_path / "shop.yaml"
    text = f"mockforge: 1\nscenarios: [{{name: s, steps: [{{expect: {asked}}}]}}]\n"
    file.write_text(text)
    _, problems = read([file])
    assert problems.errors, text
    assert problem in str(problems.errors[0])
    assert str(problems.errors[0]).startswith(f"{file}:2:")


@pytest.mark.parametrize("make", [MockForge, ProcessForge])
def test_in_python_they_are_records(make: Any) -> None:
    with make(seed=1, kafka=False, amqp=False) as mockforge:
        mockforge.mqtt.publish("t", b"x")
        (frame,) = mockforge.mqtt.expect_frames(packet="PUBLISH", topic="t", dir="in", count=1)
        assert (frame["operation"], frame["destination"]) == ("PUBLISH", "t")
        mark = mockforge.mark()
        mockforge.mqtt.expect_frames(packet="PUBLISH", count=0, since=mark, within=0)
        with pytest.raises(ExpectationFailed, match=r"nearest +\S+ > PUBLISH t"):
            mockforge.mqtt.expect_frames(packet="PUBLISH", topic="u", within=0)


def test_a_scenario_whose_frames_do_not_come_fails(tmp_path: Path) -> None:
    text = "scenarios: [{name: s, steps: [{expect: {frames: 'op:PUBACK', within: 1s}}]}]\n"
    outcome = Play(fixtures_of(tmp_path, text)).run()
    assert outcome.status is Status.FAILED
    assert "a frame op:PUBACK within 1s" in outcome.text
