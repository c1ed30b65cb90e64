"""A process of its own: signals, HTTP, and the end."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mockforge_tui import MockForge, cli


class Instance:
    """A running `mockforge-tui --headless`, and what its ready line said."""

    def __init__(self, *arguments: str) -> None:
        command = [sys.executable, "-m", "mockforge_tui", "--headless", "--random-ports"]
        self.process = subprocess.Popen(
            [*command, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, self.process.stderr.read()  # type: ignore[union-attr]
        self.facts = json.loads(line)

    @property
    def url(self) -> str:
        return str(self.facts["admin"]["url"])

    def get(self, path: str, **headers: str) -> tuple[int, str]:
        return self._send(urllib.request.Request(f"{self.url}/{path}", headers=headers))

    def post(self, path: str, body: bytes, **headers: str) -> tuple[int, Any]:
        request = urllib.request.Request(f"{self.url}/{path}", body, headers, method="POST")
        status, text = self._send(request)
        return status, json.loads(text)

    def command(self, line: str) -> Any:
        status, answer = self.post("commands", json.dumps({"line": line}).encode())
        assert status == 200, answer
        return answer

    def end(self, number: int = signal.SIGTERM) -> tuple[int, str]:
        self.process.send_signal(number)
        _, error = self.process.communicate(timeout=150)
        return self.process.returncode, error

    def _send(self, request: urllib.request.Request) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(request, timeout=150) as response:
                return response.status, response.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()


@pytest.fixture(scope="module")
def instance() -> Iterator[Instance]:
    running = Instance("--seed", "1")
    yield running
    status, error = running.end()
    assert status == 0, error


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_first_signal_ends_gracefully(number):
    status, error = Instance("--no-admin").end(number)
    assert status == 0, error
    assert "Traceback" not in error


@pytest.mark.skipif(sys.platform == "win32", reason="speaks of a Unix shell")
@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_standard_streams_may_be_closed(closed):
    line = f"exec {sys.executable} -m mockforge_tui --headless --random-ports --exit-after 0.1s"
    done = subprocess.run(["sh", "-c", f"{line} {closed}"], capture_output=True, timeout=150)
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_reader_that_went_away_is_no_error():
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "mockforge_tui", "--print-config"]
    done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, timeout=150)
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no /dev/full")
@pytest.mark.parametrize("arguments", ["--help", "--headless --random-ports --no-admin"])
def test_output_that_cannot_be_written_is_one_clear_line(arguments):
    with open("/dev/full", "wb") as full:
        command = [sys.executable, "-m", "mockforge_tui", *arguments.split()]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, timeout=150)
    assert done.returncode == 3
    assert done.stderr == b"error: No space left on device\n"


def test_health_and_ready(instance):
    assert instance.get("health") == (200, '{"status":"ok"}')
    assert instance.get("ready") == (200, '{"status":"ready"}')


def test_info_has_what_the_ready_line_had(instance):
    status, text = instance.get("info")
    assert status == 200
    facts = json.loads(text)
    facts.pop("unserved")
    assert {"event": "ready", **facts} == instance.facts


def test_info_counts_what_clients_asked_for_that_is_not_served(instance):
    with socket.create_connection(("127.0.0.1", int(instance.facts["mqtt"]["url"][17:]))) as client:
        # CONNECT of MQTT 5 with the authentication method SCRAM.
        client.sendall(bytes.fromhex("1016 0004 4d515454 05 02 0000 08 15 0005 534352414d 0001 61"))
        assert client.recv(1) == b"\x20"
        while client.recv(1000):
            pass
    asked = json.loads(instance.get("info")[1])["unserved"]
    assert asked == [
        {
            "protocol": "mqtt",
            "client": "a",
            "feature": "authentication method SCRAM",
            "reason": "authentication method 'SCRAM' is not served; those that are: "
            "none: SCRAM needs a --user",
            "count": 1,
        }
    ]


def test_metrics_are_true_to_the_last_message(instance):
    for number in range(3):
        instance.command(f"pub mqtt:metrics/test {number}")
    instance.command("pub kafka:metrics.test hello")
    status, text = instance.get("metrics")
    assert status == 200
    assert 'mqtt_messages_published_total{topic="metrics/test"} 3.0' in text
    assert 'kafka_messages_produced_total{topic="metrics.test"} 1.0' in text
    assert "mqtt_clients_connected 0.0" in text
    assert "mockforge_event_loop_lag_seconds" in text


def test_commands_run_what_the_prompt_takes(instance):
    answer = instance.command("topic add http.made -p 2")
    assert answer["ok"] is True
    topics = instance.command("topic ls http.*")["data"]
    assert [topic["name"] for topic in topics] == ["http.made"]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"no json", "a JSON body is wanted"),
        (b"{}", "a JSON body is wanted"),
        (b'{"line": 5}', "line: a text is wanted"),
        (b'["line"]', "a JSON body is wanted"),
        (b"[" * 100_000, "a JSON body is wanted"),
        (b'{"line": "nonsense"}', "nonsense"),
    ],
)
def test_a_wrong_command_is_a_400_that_says_why(instance, body, message):
    status, answer = instance.post("commands", body)
    assert status == 400
    assert message in answer["error"]


def test_a_foreign_host_header_is_refused(instance):
    assert instance.get("health", Host="evil.example")[0] == 421
    assert instance.get("health", Host="localhost:1")[0] == 200


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("https://evil.example", 403),
        ("null", 403),
        ("http://localhost.evil.example:80", 403),
        ("http://localhost:3000", 200),
        ("http://[::1]:3000", 200),
    ],
)
def test_commands_from_pages_of_other_sites_are_refused(instance, origin, status):
    answer, _ = instance.post("commands", b'{"line": "help"}', Origin=origin)
    assert answer == status


@pytest.mark.parametrize("into", ["", " > rows.jsonl"])
@pytest.mark.parametrize(
    "last", [b"", b'{"topic":"ord', b'{"error":"no topic","topic":"x","_text":"refused"}\n']
)
def test_do_says_when_the_instance_ends_while_it_answers(
    into: str,
    last: bytes,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As one that is killed: its connection ends in the middle of an answer, or of a line."""
    monkeypatch.chdir(tmp_path)
    row = b'{"topic":"orders","_text":"a row"}\n' + last
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/jsonl\r\ntransfer-encoding: chunked\r\n"

    def answer(listener: socket.socket) -> None:
        accepted, _ = listener.accept()
        with accepted:
            accepted.recv(65_536)
            accepted.sendall(head + b"\r\n%x\r\n%s\r\n" % (len(row), row))

    with socket.create_server(("127.0.0.1", 0)) as listener:
        answering = threading.Thread(target=answer, args=(listener,))
        answering.start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        assert cli.run(["do", f"tail kafka:orders{into}", "--attach", url]) == 2
        answering.join()
    said = capsys.readouterr()
    assert f"error: no instance answers at {url}: it ended meanwhile" in said.err
    shown = (tmp_path / "rows.jsonl").read_text() if into else said.out
    assert "orders" in shown if into else shown.startswith("a row\n")
    assert ("refused" in shown or "no topic" in shown) == last.endswith(b"\n")


@pytest.mark.parametrize("token", ["secret", "größer", "日本"])
def test_a_token_of_any_characters_is_asked_for_where_there_is_one(token, capsys):
    with MockForge(admin=True, admin_token=token, kafka=False, amqp=False) as guarded:
        url = guarded.facts["admin"]["url"]
        for given in ({}, {"Authorization": "Bearer wrong"}):
            with pytest.raises(urllib.error.HTTPError) as refused:
                urllib.request.urlopen(urllib.request.Request(f"{url}/health", headers=given))
            with refused.value:
                assert refused.value.code == 401
        assert cli.run(["do", "help", "--attach", url, "--token", token]) == 0
        assert cli.run(["do", "help", "--attach", url, "--token", f"{token}x"]) == 2
        assert "a bearer token is wanted" in capsys.readouterr().err


def test_do_runs_a_command_in_the_instance(instance, capsys):
    assert cli.run(["do", "topic add by.do", "--attach", instance.url]) == 0
    assert cli.run(["do", "--json", "topic ls by.*", "--attach", instance.url]) == 0
    assert '"by.do"' in capsys.readouterr().out
    assert cli.run(["do", "topic nonsense", "--attach", instance.url]) != 0


@pytest.mark.parametrize(("cause", "status"), [("lint:error", 1), ("protocol-error", 0)])
def test_fail_on_makes_the_exit_status_1_and_names_what_happened(cause, status):
    running = Instance("--fail-on", cause, "--no-kafka", "--no-amqp")
    host, port = running.facts["mqtt"]["url"].removeprefix("mqtt://").split(":")
    with socket.create_connection((host, int(port)), 20) as client:
        client.settimeout(20)
        # CONNECT dev, PUBLISH with QoS 0 and DUP, PINGREQ.
        client.sendall(bytes.fromhex("100f00044d515454040200000003646576 380400017478 c000"))
        received = b""
        while not received.endswith(b"\xd0\x00"):
            received += client.recv(100)
    findings = running.command("lint ls dev")["data"]
    ended, error = running.end()
    assert [each["statement"] for each in findings] == ["MQTT-3.3.1-2", "keep-alive-0"]
    assert ended == status, error
    line = "failed on lint:error: dev: MQTT-3.3.1-2: PUBLISH: DUP with QoS 0\n"
    assert (line in error) is bool(status)


def test_fail_on_takes_only_what_it_knows(capsys):
    assert cli.run(["--headless", "--fail-on", "lint:error,rain"]) == 2
    assert "protocol-error is wanted, not 'rain'" in capsys.readouterr().err
