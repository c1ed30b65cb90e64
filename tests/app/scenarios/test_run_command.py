"""`mockforge-tui run` and `--exit-when`: what they print, write and exit with.

Signals and a reader that goes away meet a process; all else is asked of the command line in here.
"""

import asyncio
import json
import logging
import signal
import socket
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mockforge_tui import cli
from mockforge_tui.cli import scenario_run
from mockforge_tui.exit_codes import ExitCode

HEAD = "mockforge: 1\nname: shop\nseed: 1\n"
PASSES = "- {name: passes, steps: [{publish: {to: {kafka: a}, value: 1}}, {expect: {kafka: a}}]}"
FAILS = """- name: "fails & <how>"
    steps: [{publish: {to: {kafka: a}, value: 1}}, {expect: {kafka: b, within: 10ms}}]"""
BREAKS = "- {name: breaks, steps: [{expect: {fault: {id: nope}}}]}"
SLOW = "- {name: slow, timeout: 50ms, steps: [{sleep: 1h}]}"
FOREVER = "- {name: forever, timeout: 1h, steps: [{sleep: 1h}]}"


def file_of(tmp_path: Path, *scenarios: str) -> str:
    path = tmp_path / "shop.yaml"
    path.write_text(HEAD + "scenarios:\n" + "".join(f"  {each}\n" for each in scenarios))
    return str(path)


def start(*arguments: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "mockforge_tui", *arguments, "--random-ports"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


Run = Callable[..., tuple[int, str, str]]
"""Words of the command line to its status and what it wrote."""


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", [])
    level = root.level

    def run(*arguments: str) -> tuple[int, str, str]:
        status = cli.run([*arguments, "--random-ports"])
        return status, *capfd.readouterr()

    yield run
    root.setLevel(level)


@pytest.fixture(autouse=True)
def _not_on_github(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)


@pytest.mark.parametrize(
    ("scenarios", "status", "shown"),
    [
        ([PASSES], ExitCode.OK, "1 scenario: 1 passed in"),
        ([PASSES, FAILS], ExitCode.EXPECTATION_FAILED, "2 scenarios: 1 passed, 1 failed in"),
        ([PASSES, BREAKS], ExitCode.BAD_INPUT, "there is no fault nope"),
        ([SLOW, PASSES], ExitCode.TIMED_OUT, "not done within its timeout of 0.05s"),
        ([FAILS, BREAKS, SLOW], ExitCode.EXPECTATION_FAILED, "1 failed, 1 broken, 1 timed out"),
    ],
    ids=["passed", "failed", "broken", "timed-out", "all-kinds"],
)
def test_the_exit_status_says_how_it_went(
    tmp_path: Path, scenarios: list[str], status: ExitCode, shown: str, run: Run
) -> None:
    code, out, err = run("run", file_of(tmp_path, *scenarios))
    assert (code, err) == (status, "")
    assert shown in out


def test_a_failure_is_shown_whole_with_its_place(tmp_path: Path, run: Run) -> None:
    _, out, _ = run("run", file_of(tmp_path, FAILS))
    lines = out.splitlines()
    assert lines[0] == "fails & <how>"
    assert lines[1].startswith("  ✓ publish to kafka:a")
    assert lines[2].startswith("  × expect {kafka: b, within: 10ms}")
    assert any(line.startswith("  at ") and "shop.yaml:6:52" in line for line in lines)
    assert "    came      kafka:a ×1" in lines


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["run"], ExitCode.BAD_INPUT, "there is no scenario to run"),
        (["run", "none.yaml"], ExitCode.BAD_INPUT, "none.yaml:1:1: no such file or folder"),
        (["run", "FILE", "--only", "x"], ExitCode.BAD_INPUT, "there is no scenario x; there is p"),
        (["run", "FILE", "--bogus"], ExitCode.USAGE, "--bogus"),
        (["run", "FILE", "--app", "/no/such"], ExitCode.BAD_INPUT, "--app /no/such: "),
        (["run", "FILE", "--app", ""], ExitCode.BAD_INPUT, "--app : "),
        (["run", "FILE", "--junit", "/no/dir/x.xml"], ExitCode.BAD_INPUT, "cannot be written"),
        (["run", "FILE", "--junit", "/dev/full"], ExitCode.BAD_INPUT, "No space left on device"),
        (["run", "FILE", "--ctrf", "/dev/full"], ExitCode.BAD_INPUT, "No space left on device"),
        (["run", "FILE", "--exit-when", "never"], ExitCode.USAGE, "idle:5s, scenarios or messages"),
        (["--headless", "--exit-when", "scenarios"], ExitCode.BAD_INPUT, "no scenario to run"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_what_cannot_be_run_is_said_in_one_line(
    tmp_path: Path, arguments: list[str], status: ExitCode, said: str, run: Run
) -> None:
    file = file_of(tmp_path, PASSES)
    code, _, err = run(*(file if each == "FILE" else each for each in arguments))
    assert code == status, err
    assert said in err
    assert "Traceback" not in err


def test_a_taken_port_is_status_4(tmp_path: Path, run: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        code, _, err = run("run", file_of(tmp_path, PASSES), "--kafka-port", port)
    assert code == ExitCode.CANNOT_LISTEN
    assert "--kafka-port" in err


def test_junit_and_ctrf_have_each_scenario_with_its_failure(tmp_path: Path, run: Run) -> None:
    xml, report = tmp_path / "junit.xml", tmp_path / "ctrf.json"
    file = file_of(tmp_path, PASSES, FAILS, BREAKS)
    run("run", file, "--junit", str(xml), "--ctrf", str(report))
    root = ET.parse(xml).getroot()
    assert {k: root.get(k) for k in ("tests", "failures", "errors")} == {
        "tests": "3",
        "failures": "1",
        "errors": "1",
    }
    passed, failed, broken = root.iter("testcase")
    assert (passed.get("name"), passed.find("failure")) == ("passes", None)
    failure = failed.find("failure")
    assert failed.get("name") == "fails & <how>"
    assert failure is not None
    assert "kafka:a ×1" in (failure.text or "")
    assert broken.find("error") is not None
    results = json.loads(report.read_text())["results"]
    assert results["summary"]["tests"] == 3
    assert [each["status"] for each in results["tests"]] == ["passed", "failed", "failed"]
    assert [each["name"] for each in results["tests"][0]["steps"]] == [
        "publish to kafka:a",
        "expect {kafka: a}",
    ]


def test_on_github_a_failure_is_an_annotation_at_its_step(
    tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    _, out, _ = run("run", file_of(tmp_path, PASSES, FAILS))
    (line,) = [line for line in out.splitlines() if line.startswith("::error ")]
    assert "shop.yaml,line=7,col=52,title=fails & <how>%3A failed::expected" in line
    assert "%0A" in line


def test_the_program_under_test_gets_the_addresses_and_is_ended(tmp_path: Path, run: Run) -> None:
    app = tmp_path / "app.py"
    app.write_text(
        "import os, socket, time\n"
        "host, _, port = os.environ['KAFKA_BOOTSTRAP_SERVERS'].rpartition(':')\n"
        "print('connecting', os.environ['AMQP_URL'], flush=True)\n"
        "held = socket.create_connection((host, int(port)))\n"
        "time.sleep(3600)\n"
    )
    scenario = "- {name: x, steps: [{expect: {client: '*', within: 50s}}]}"
    code, out, err = run("run", file_of(tmp_path, scenario), "--app", f"{sys.executable} {app}")
    assert code == ExitCode.OK, out + err
    assert "connecting amqp://" in err


@pytest.mark.parametrize(
    ("status", "said"),
    [(3, "--app a b: ended before the scenarios, status 3\n"), (0, ""), (None, "")],
)
def test_a_program_that_ended_too_early_with_an_error_is_named(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    status: int | None,
    said: str,
) -> None:
    class Process:
        returncode = status

        def terminate(self) -> None:
            raise ProcessLookupError("it ended just now")

        async def wait(self) -> int:
            return 0

    async def start(*words: str, **_: object) -> Process:
        assert words == ("a", "b")
        return Process()

    async def main() -> None:
        async with scenario_run._programs(["a b"], {}):
            pass

    monkeypatch.setattr(asyncio, "create_subprocess_exec", start)
    asyncio.run(main())
    assert capsys.readouterr().err == said


def test_sigterm_stops_a_scenario_and_still_writes_the_report(tmp_path: Path) -> None:
    xml = tmp_path / "junit.xml"
    ready = tmp_path / "ready.json"
    process = start(
        "run", file_of(tmp_path, FOREVER, PASSES), "--junit", str(xml), "--ready-file", str(ready)
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "forever\n"
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=150)
    assert process.returncode == ExitCode.EXPECTATION_FAILED
    assert "– forever stopped" in out
    assert "2 scenarios: 2 stopped" in out
    assert err == ""
    assert len(list(ET.parse(xml).getroot().iter("error"))) == 2


def test_a_reader_that_goes_away_ends_it_without_a_traceback(tmp_path: Path) -> None:
    process = start("run", file_of(tmp_path, PASSES, PASSES.replace("passes", "again")))
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    with process.stderr as stderr:
        err = stderr.read()
    process.wait(timeout=150)
    assert "Traceback" not in err


# --exit-when ----------------------------------------------------------------------------------


def test_headless_ends_when_its_scenarios_have_run(tmp_path: Path, run: Run) -> None:
    file = file_of(tmp_path, PASSES, FAILS)
    code, out, err = run("--headless", "--exit-when", "scenarios", file)
    assert code == ExitCode.EXPECTATION_FAILED
    assert json.loads(out)["event"] == "ready"
    assert "2 scenarios: 1 passed, 1 failed" in err


def test_headless_ends_when_so_many_messages_came(tmp_path: Path, run: Run) -> None:
    path = tmp_path / "tick.yaml"
    path.write_text(f"{HEAD}generators: [{{id: tick, to: {{mqtt: t}}, value: 1, rate: 100/s}}]\n")
    code, _, err = run("--headless", "--exit-when", "messages:5", str(path))
    assert (code, err) == (ExitCode.OK, "")


def test_headless_ends_when_nothing_comes_any_more(tmp_path: Path, run: Run) -> None:
    code, _, err = run("--headless", "--exit-when", "idle:100ms")
    assert (code, err) == (ExitCode.OK, "")


def test_exit_after_before_the_occasion_is_status_5(run: Run) -> None:
    code, _, err = run("--headless", "--exit-when", "messages:5", "--exit-after", "100ms")
    assert code == ExitCode.TIMED_OUT
    assert "messages:5 did not come within --exit-after" in err


def test_exit_after_ends_scenarios_that_report_themselves(tmp_path: Path, run: Run) -> None:
    for arguments in (("--headless", "--exit-when", "scenarios"), ("run",)):
        xml = tmp_path / "junit.xml"
        file = file_of(tmp_path, FOREVER, PASSES)
        code, out, err = run(*arguments, file, "--exit-after", "300ms", "--junit", str(xml))
        assert code == ExitCode.TIMED_OUT, out + err
        assert "did not" in err
        (suite,) = ET.parse(xml).getroot()
        assert [case.get("name") for case in suite] == ["forever", "passes"]
        assert len(list(suite.iter("error"))) == 2


@pytest.mark.parametrize("occasion", ["messages:5", "idle:1h"])
def test_a_signal_ends_a_run_whose_occasion_did_not_come(occasion: str) -> None:
    process = start("--headless", "--exit-when", occasion)
    assert process.stdout is not None
    assert json.loads(process.stdout.readline())["event"] == "ready"
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=150)
    assert (process.returncode, err) == (ExitCode.OK, "")


def test_a_report_that_cannot_be_written_does_not_keep_the_other_back(
    tmp_path: Path, run: Run
) -> None:
    file, other = file_of(tmp_path, PASSES), tmp_path / "ctrf.json"
    code, _, err = run("run", file, "--junit", "/nowhere/junit.xml", "--ctrf", str(other))
    assert code == ExitCode.BAD_INPUT
    assert "--junit /nowhere/junit.xml: cannot be written" in err
    assert json.loads(other.read_text())["results"]["summary"]["tests"] == 1
