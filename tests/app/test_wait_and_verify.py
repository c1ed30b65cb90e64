"""`mockforge-tui wait` and `verify` against an instance that runs."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from mockforge_tui import MockForge
from mockforge_tui.cli import run
from mockforge_tui.exit_codes import ExitCode


@pytest.fixture(scope="module")
def running() -> Iterator[MockForge]:
    with MockForge(admin=True, seed=1) as running:
        yield running


@pytest.fixture
def at(running: MockForge) -> list[str]:
    running.reset()
    return ["--attach", running.facts["admin"]["url"]]


def test_wait_alone_is_for_readiness(at: list[str]) -> None:
    assert run(["wait", *at]) == ExitCode.OK


def test_nobody_there_in_time_is_status_5(capsys: pytest.CaptureFixture[str]) -> None:
    status = run(["wait", "--attach", "http://127.0.0.1:1", "--timeout", "10ms"])
    assert status == ExitCode.TIMED_OUT
    assert "no instance is ready at http://127.0.0.1:1: " in capsys.readouterr().err


def test_a_message_that_came_is_status_0_and_one_that_did_not_1(
    at: list[str], running: MockForge, capsys: pytest.CaptureFixture[str]
) -> None:
    running.kafka.publish("orders", {"id": 1}, key="o-1")
    assert run(["verify", *at, "kafka:orders", "key:o-1"]) == ExitCode.OK
    assert run(["verify", *at, "--", "kafka:orders", "--count", "1"]) == ExitCode.OK
    assert run(["verify", *at, "none", "kafka:dlq"]) == ExitCode.OK
    assert run(["wait", *at, "kafka:orders"]) == ExitCode.OK
    capsys.readouterr()
    assert run(["verify", *at, "kafka:orders", "key:o-2"]) == ExitCode.EXPECTATION_FAILED
    shown = capsys.readouterr()
    assert "expected  a message to kafka:orders key:o-2" in shown.err
    assert "nearest   orders" in shown.err
    late = ["wait", *at, "--", "kafka:none", "--within", "10ms"]
    assert run(late) == ExitCode.EXPECTATION_FAILED


@pytest.mark.parametrize(
    "words", [["verify"], ["wait", "--timeout", "soon"], ["wait", "--attach", "nowhere"]]
)
def test_what_is_no_command_is_status_2(words: list[str]) -> None:
    assert run(words) == ExitCode.USAGE


@pytest.mark.parametrize(
    ("lines", "speed", "status"),
    [
        ('{"t":0,"p":"mqtt","op":"publish","topic":"a","value":"1"}', "max", ExitCode.OK),
        ('{"t":0,"p":"mqtt","op":"publish","topic":"a/+","value":"1"}', "max", ExitCode.USAGE),
        ('{"t":0,"p":"mqtt","op":"publish","topic":"a","value":"1"}', "-1", ExitCode.USAGE),
        ("no recording", "max", ExitCode.USAGE),
    ],
    ids=["replayed", "refused", "backwards", "none"],
)
def test_a_replay_leaves_no_recording_behind(
    at: list[str], tmp_path: Path, lines: str, speed: str, status: ExitCode
) -> None:
    file = tmp_path / "r.mfrec"
    file.write_text(lines)
    assert run(["replay", *at, "--speed", speed, str(file)]) == status
    assert run(["do", *at, "record ls > " + str(tmp_path / "ls.json")]) == ExitCode.OK
    assert json.loads((tmp_path / "ls.json").read_text())["data"] == []
