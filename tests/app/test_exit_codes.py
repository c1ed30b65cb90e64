"""Every exit status, and what is said with it: one table, each row by the command line itself."""

import asyncio
import os
import signal
import socket
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from mockforge_tui import MockForge, cli, headless
from mockforge_tui.admin.app import Routes
from mockforge_tui.cli import files
from mockforge_tui.exit_codes import ExitCode

HEAD = "mockforge: 1\n"
SCENARIO = HEAD + "scenarios: [{name: s, "
FILES = {
    "good.yaml": HEAD + "kafka: {topics: {a: {}}}\n",
    "warns.yaml": "- {identifier: a, name: a, topic: t, value_template: 1, colour: red}\n",
    "bad.yaml": HEAD + "nmae: x\n",
    "passes.yaml": SCENARIO + "steps: [{publish: {to: {kafka: a}, value: 1}}]}]\n",
    "fails.yaml": SCENARIO + "steps: [{expect: {kafka: b, within: 1ms}}]}]\n",
    "breaks.yaml": SCENARIO + "steps: [{run: fault rm 9}]}]\n",
    "slow.yaml": SCENARIO + "timeout: 10ms, steps: [{sleep: 1h}]}]\n",
    "bad-config.yaml": "kafka: {port: many}\n",
    "no-config.yaml": "kafka: [\n",
    "r.mfrec": '{"t":0,"p":"kafka","op":"publish","topic":"t","enc":"text","value":"hi"}\n',
    "bad.mfrec": "{\n",
}  # fmt: skip
RUN = ["run", "--random-ports", "--no-admin"]
SERVE = ["--headless", "--random-ports", "--no-admin"]
ONCE = [*SERVE, "--exit-after", "1ms"]
NOBODY = ["--attach", "http://127.0.0.1:1"]
OK, FAILED, USAGE, BAD = (
    ExitCode.OK,
    ExitCode.EXPECTATION_FAILED,
    ExitCode.USAGE,
    ExitCode.BAD_INPUT,
)
LISTEN, LATE = ExitCode.CANNOT_LISTEN, ExitCode.TIMED_OUT

TABLE: list[tuple[ExitCode, list[str], str]] = [
    (OK, ONCE, '"event":"ready"'),
    (OK, [*ONCE[1:], "good.yaml"], "standard output is not a terminal: running as with --headless"),
    (OK, ["check", "good.yaml"], "0 errors, 0 warnings"),
    (OK, ["check", "warns.yaml"], "1 warning"),
    (OK, [*RUN, "passes.yaml"], "1 scenario: 1 passed"),
    (OK, [*SERVE, "--exit-when", "scenarios", "passes.yaml"], "1 passed"),
    (OK, ["record", "all.mfrec", *ONCE[1:]], '"event":"ready"'),
    (FAILED, [*RUN, "fails.yaml"], "expected  a message to kafka:b"),
    (FAILED, [*SERVE, "--exit-when", "scenarios", "fails.yaml"], "1 failed"),
    (FAILED, ["verify", "LIVE", "kafka:none"], "expected  a message to kafka:none"),
    (FAILED, ["wait", "LIVE", "--", "kafka:none", "--within", "1ms"], "seen      none"),
    (FAILED, ["do", "LIVE", "expect kafka:none --within 0s"], "seen      none"),
    (USAGE, ["--nonsense"], "No such option '--nonsense'"),
    (USAGE, ["nowhere"], "no command, file or folder is called nowhere"),
    (USAGE, ["--kafka-port", "70000"], "a port is 0 to 65535 (0 takes a free one), not 70000"),
    (USAGE, ["--exit-when", "never"], "idle:5s, scenarios or messages"),
    (USAGE, ["--exit-after", "soon"], "--exit-after"),
    (USAGE, ["--fail-on", "rain"], "one of lint:error, lint:warning, protocol-error is wanted"),
    (USAGE, ["--log-format", "xml"], "one of text, json is wanted, not 'xml'"),
    (USAGE, ["--data-sync", "never"], "one of os, commit is wanted, not 'never'"),
    (USAGE, ["--time-scale", "0"], "a number above 0 is wanted"),
    (USAGE, ["check"], "Missing argument 'PATH...'"),
    (USAGE, ["sample"], "sample needs a PATH of fixtures"),
    (USAGE, ["demo", "nothing"], "is not one of 'shop', 'iot', 'rpc', 'chaos'"),
    (USAGE, ["wait", "--timeout", "soon"], "--timeout: "),
    (USAGE, ["do", *NOBODY, "topic ls"], "no instance answers at http://127.0.0.1:1"),
    (USAGE, ["do", "LIVE", "topic rm none -y"], "error: no Kafka topic none"),
    (USAGE, ["do", "LIVE", "topci ls"], "did you mean"),
    (USAGE, ["replay", "nowhere"], "File 'nowhere' does not exist"),
    (USAGE, ["replay", "r.mfrec", *NOBODY], "no instance answers"),
    (USAGE, ["replay", "r.mfrec", "LIVE", "--speed", "fast"], "a number above 0, or max"),
    (USAGE, ["replay", "bad.mfrec", "LIVE"], "1: not JSON"),
    (BAD, [*SERVE, "bad.yaml"],
     'bad.yaml:2:1: the file: key "nmae" is not known, did you mean "name"?'),
    (BAD, ["check", "bad.yaml"], "bad.yaml:2:1: error: "),
    (BAD, ["check", "--strict", "warns.yaml"], "1 warning"),
    (BAD, ["check", "none.yaml"], "none.yaml:1:1: error: no such file or folder"),
    (BAD, [*SERVE, "none.yaml"], "none.yaml:1:1: no such file or folder"),
    (BAD, ["sample", "bad.yaml"], "bad.yaml:2:1: "),
    (BAD, ["sample", "good.yaml", "--only", "x"], 'there is no fixture "x"'),
    (BAD, [*SERVE, "--config", "bad-config.yaml"], "bad-config.yaml:1:15: kafka.port"),
    (BAD, [*SERVE, "--config", "no-config.yaml"], "not YAML"),
    (BAD, [*SERVE, "--config", "none"], "none: cannot be read: No such file or directory"),
    (BAD, [*SERVE, "--no-kafka", "--no-mqtt", "--no-amqp"], "nothing to serve"),
    (BAD, [*SERVE, "--tls-only"], "--tls-only is of no use without TLS"),
    (BAD, [*SERVE[:2], "--admin-host", "0.0.0.0"], "give --admin-token"),
    (BAD, [*RUN, "good.yaml"], "there is no scenario to run: `scenarios:` in a fixture file"),
    (BAD, [*RUN, "passes.yaml", "--only", "x"], "there is no scenario x; there is s"),
    (BAD, [*RUN, "breaks.yaml"], "no fault 9"),
    (BAD, [*RUN, "passes.yaml", "--junit", "/dev/full"], "--junit /dev/full: cannot be written"),
    (BAD, [*RUN, "passes.yaml", "--ctrf", "/nowhere/x"], "--ctrf /nowhere/x: cannot be written"),
    (BAD, [*RUN, "passes.yaml", "--record", "/dev/full"], "--record /dev/full: cannot be written"),
    (BAD, [*ONCE, "--record", "/nowhere/x"], "/nowhere/x: cannot be written: No such file"),
    (BAD, [*ONCE, "--ready-file", "/nowhere/x"], "--ready-file /nowhere/x: cannot be written"),
    (BAD, [*ONCE, "--env-file", "/nowhere/x"], "--env-file /nowhere/x: cannot be written"),
    (BAD, ["init", "good.yaml"], "good.yaml"),
    (LISTEN, [*SERVE, "--mqtt-port", "TAKEN"], "holds the port; choose another with --mqtt-port"),
    (LISTEN, [*SERVE[:2], "--admin-port", "TAKEN"], "--admin-port (0 takes a free one, --no-admin"),
    (LISTEN, [*RUN, "passes.yaml", "--amqp-port", "TAKEN"], "another with --amqp-port"),
    (LISTEN, [*SERVE, "--host", "192.0.2.1"], "give an address of this machine with --host"),
    (LATE, [*RUN, "slow.yaml"], "not done within its timeout of 0.01s"),
    (LATE, ["wait", *NOBODY, "--timeout", "1ms"], "no instance is ready at http://127.0.0.1:1"),
    (LATE, [*ONCE, "--exit-when", "messages:1"], "messages:1 did not come within --exit-after"),
]  # fmt: skip


@pytest.fixture(scope="module")
def running() -> Iterator[MockForge]:
    with MockForge(admin=True, seed=1) as running:
        yield running


@pytest.fixture(autouse=True)
def folder(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in [each for each in os.environ if each.startswith("MOCKFORGE_")]:
        monkeypatch.delenv(name)
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)


@pytest.mark.parametrize(
    ("status", "words", "said"), TABLE, ids=[" ".join(words) for _, words, _ in TABLE]
)
def test_the_status_says_how_it_ended_and_one_line_why(
    running: MockForge,
    capsys: pytest.CaptureFixture[str],
    status: ExitCode,
    words: list[str],
    said: str,
) -> None:
    url = running.facts["admin"]["url"]
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        given: list[str] = []
        for each in words:
            given += ["--attach", url] if each == "LIVE" else [each.replace("TAKEN", port)]
        assert cli.run(given) == status, capsys.readouterr()
    out, error = capsys.readouterr()
    assert said in out + error
    assert "Traceback" not in error
    if status in (USAGE, LISTEN):
        # Standard output is for data: nothing of a refusal is there.
        assert out == ""


def test_a_bug_of_ours_is_status_6(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: Any) -> None:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(files, "resolve", broken)
    assert cli.run(["check", "good.yaml"]) == ExitCode.BUG
    error = capsys.readouterr().err
    assert "ZeroDivisionError: a bug" in error
    assert error.endswith("error: this is a bug of mockforge-tui, not of yours\n")


def test_the_second_interruption_ends_at_once_with_130(monkeypatch: pytest.MonkeyPatch) -> None:
    ended: list[int] = []
    monkeypatch.setattr(os, "_exit", ended.append)

    async def interrupted() -> None:
        interruption = headless.Interruption()
        os.kill(os.getpid(), signal.SIGINT)
        await interruption.asked.wait()
        assert ended == []
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGINT)
        while not ended:
            await asyncio.sleep(0)

    asyncio.run(interrupted())
    assert ended == [ExitCode.INTERRUPTED] == [130]


def test_every_status_is_in_the_table() -> None:
    apart = {ExitCode.BUG, ExitCode.INTERRUPTED}
    assert {status for status, _, _ in TABLE} | apart == set(ExitCode)


@pytest.mark.parametrize(("listening", "status"), [(False, 503), (True, 200)])
def test_http_is_ready_once_all_listen(listening: bool, status: int) -> None:
    runtime: Any = SimpleNamespace(listeners=SimpleNamespace(accepting=listening))
    answer = asyncio.run(Routes(runtime, None, {}).ready(None))  # type: ignore[arg-type]
    assert answer.status_code == status
