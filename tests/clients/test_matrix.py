"""The table of clients: README, the recorded results and the catalogue say the same."""

import json
import sys
import urllib.request

import pytest

from .matrix.__main__ import run
from .matrix.catalogue import CLIENTS, Client
from .matrix.control import Control
from .matrix.results import README, Result, recorded, table, with_table
from .matrix.subjects import Subject


def test_readme_has_the_recorded_table() -> None:
    text = README.read_text()
    assert with_table(text, recorded()) == text, "python -m tests.clients.matrix --record"


def test_each_client_of_the_catalogue_is_recorded_without_failures() -> None:
    results = recorded()
    assert [each.client for each in results] == [each.name for each in CLIENTS]
    assert [each.line() for each in results if each.failed] == []


def test_lines_of_a_program_become_a_row(tmp_path) -> None:
    program = tmp_path / "program.py"
    lines = [
        {"client": "x", "version": "1.2"},
        {"check": "publish", "ok": True},
        {"check": "will", "skipped": "it has none"},
    ]
    program.write_text("".join(f"print({json.dumps(line)!r})\n" for line in lines))
    client = Client("x", "mqtt", "Python", str(program))
    found = run(client, [sys.executable, str(program)], {})
    assert not found.failed
    assert found.line() == "mqtt: x 1.2; publish; will skipped: it has none"
    assert (
        table([found]).splitlines()[-1] == "| MQTT | x 1.2 (Python) | publish | will: it has none |"
    )


@pytest.mark.parametrize(
    ("program", "shown"),
    [
        ("", "mqtt: x; failed: it printed nothing"),
        ("raise SystemExit('no such broker')", "mqtt: x; end failed: status 1: no such broker"),
        (
            """print('{"check": "will", "failed": "none came"}')""",
            "mqtt: x; will failed: none came",
        ),
    ],
)
def test_a_program_that_goes_wrong_is_a_failure(program: str, shown: str) -> None:
    found = run(Client("x", "mqtt", "Python", ""), [sys.executable, "-c", program], {})
    assert found.failed
    assert found.line() == shown


def test_a_client_that_cannot_run_is_no_failure() -> None:
    found = Result("kafka", "x", "Go", skipped="no go")
    assert (found.failed, found.line()) == (False, "kafka: x; skipped: no go")


def test_programs_ask_for_what_happens_to_them() -> None:
    happened: list[str] = []

    class Watched(Subject):
        def end_connections(self, protocol: str) -> None:
            happened.append(f"kill {protocol}")

        def restart(self, protocol: str) -> None:
            happened.append(f"restart {protocol}")

    with Control(Watched()) as control:
        for path in ("kafka/kill", "amqp/restart"):
            with urllib.request.urlopen(f"{control.url}/{path}", timeout=10) as answer:
                assert answer.read() == b"done\n"
    assert happened == ["kill kafka", "restart amqp"]
