"""`shell --attach`: lines run in an instance that is there already."""

import io
import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from prompt_toolkit.application import create_app_session
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output import DummyOutput

from mockforge_tui import MockForge, cli
from mockforge_tui.console.history import history_file, read_history
from mockforge_tui.exit_codes import ExitCode
from mockforge_tui.shell import attached


@pytest.mark.parametrize(
    ("lines", "asked", "patient", "status"),
    [
        (["topics", "", "# a comment", "queues"], ["topics", "queues"], False, ExitCode.OK),
        (["topics", "fail 2", "queues"], ["topics", "fail 2"], False, ExitCode.USAGE),
        (["fail 1", "queues"], ["fail 1"], False, ExitCode.EXPECTATION_FAILED),
        (["fail 2", "queues"], ["fail 2", "queues"], True, ExitCode.OK),
        (["topics", "quit", "queues"], ["topics"], False, ExitCode.OK),
        (["exit --code 7", "queues"], [], True, 7),
        # What cannot be read here is explained there.
        (["quit --code x"], ["quit --code x"], True, ExitCode.OK),
        ([], [], False, ExitCode.OK),
    ],
)
def test_lines_are_asked_one_after_another(capsys, lines, asked, patient, status):
    seen: list[str] = []

    def ask(line: str) -> int:
        seen.append(line)
        return int(line[-1]) if line.startswith("fail") else 0

    assert attached.converse(lines, ask, patient=patient) == status
    assert seen == asked
    failed = next((each for each in asked if each.startswith("fail")), "")
    said = f"line {lines.index(failed) + 1}: {failed}\n" if failed and not patient else ""
    assert capsys.readouterr().err == said


@pytest.fixture(scope="module")
def there() -> Iterator[MockForge]:
    with MockForge(admin=True, admin_port=0, admin_token="secret", seed=1) as running:
        yield running


def shell(there: MockForge, *more: str) -> int:
    return cli.run(["shell", "--attach", there.facts["admin"]["url"], "--token", "secret", *more])


def test_a_pipe_has_results_of_that_instance_a_line_each(capsysbinary, monkeypatch, there):
    monkeypatch.setattr("sys.stdin", io.StringIO("topic add a\npub kafka:a one\n\ntopic read a\n"))
    assert shell(there) == ExitCode.OK
    out, err = capsysbinary.readouterr()
    added, sent, *rows = map(json.loads, out.splitlines())
    assert (added["_command"], sent["data"]["sent"]) == ("topic add", 1)
    assert '"one"' in json.dumps(rows)
    assert there.kafka.messages("a")[0].payload == b"one"
    monkeypatch.setattr("sys.stdin", io.StringIO("topics\ntopic rm a\ntopic rm a -y\n"))
    assert shell(there) == ExitCode.USAGE
    out, err = capsysbinary.readouterr()
    assert err.decode().splitlines()[-1] == "line 2: topic rm a"
    assert "partition" in there.run("topic show a").text


def test_an_instance_that_is_slow_to_answer_is_attached_to_all_the_same(monkeypatch):
    class Slow(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            time.sleep(0.2)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *about: object) -> None:
            pass

    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    with ThreadingHTTPServer(("127.0.0.1", 0), Slow) as server:
        threading.Thread(target=server.serve_forever).start()
        try:
            url = f"http://127.0.0.1:{server.server_port}"
            assert cli.run(["shell", "--attach", url]) == ExitCode.OK
        finally:
            server.shutdown()


def test_what_cannot_be_attached_to_says_so(capsys, monkeypatch, there):
    monkeypatch.setattr("sys.stdin", io.StringIO("topics\n"))
    assert cli.run(["shell", "--attach", "http://127.0.0.1:1"]) == ExitCode.TIMED_OUT
    assert "no instance is ready at http://127.0.0.1:1" in capsys.readouterr().err
    assert shell(there, "shop.yaml") == ExitCode.USAGE
    assert "start that instance with it" in capsys.readouterr().err


def test_a_person_has_history_and_completion_of_commands(tmp_path: Path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    with create_pipe_input() as pipe, create_app_session(input=pipe, output=DummyOutput()):
        # ^C leaves a line, ^D ends them.
        pipe.send_text("queues\rhalf\x03")
        lines = attached.typed()
        assert next(lines) == "queues"
        pipe.send_text("topics\r\x04")
        assert list(lines) == ["topics"]
    assert "queues" in read_history(history_file())
    offered = [each.text for each in attached.Commands().complete("topic a")]
    assert "add" in offered
    # Names are known over there only.
    assert attached.Commands().complete("topic rm o") == []
