"""Frames that are expected, of what the journal has: at the prompt, in scenarios, in tests."""

from pathlib import Path
from typing import Any

import pytest
from mockforge_brokers.errors import InvalidInput
from mockforge_brokers.mqtt.wire.encode import encode_packet
from mockforge_brokers.mqtt.wire.packets import Publish

from app.console.scene import Scene
from app.scenarios.test_running import Play, fixtures_of
from mockforge_tui import MockForge
from mockforge_tui.embedded import ExpectationFailed
from mockforge_tui.embedded.remote import ProcessForge
from mockforge_tui.expectations.failure import Failure
from mockforge_tui.expectations.waiting import Outcome, Waiting
from mockforge_tui.fault_values import frame_match
from mockforge_tui.fixtures.expected.model import Frames
from mockforge_tui.scenarios.outcome import Status


class Stage:
    """A scene with a device that publishes, and what expectations came to."""

    def __init__(self, **options: Any) -> None:
        self.scene = Scene(furnished=False, **options)
        self.device = self.scene.mqtt_client("dev-7")
        self.outcomes: list[Outcome] = []

    def publish(self, times: int = 1) -> None:
        for number in range(1, times + 1):
            self.device.send(encode_packet(Publish("t", b"x", 1, packet_id=number), 4))

    def expect(self, where: str, way: int | None = None, **options: Any) -> None:
        expectation = Frames(frame_match(where, way), **options)
        Waiting(expectation, self.scene, self.outcomes.append)

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


def test_more_than_a_turn_has_time_for_is_looked_at_in_several(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("mockforge_tui.expectations.frames._BUDGET", -1.0)
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
    assert (
        "--count or --least" in stage.scene.refused("expect frames op:X -n 1 --least 2").as_text()
    )


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
