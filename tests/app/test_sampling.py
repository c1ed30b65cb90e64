"""`sample` prints what fixtures would make; `check --format sarif` is what code scanning reads."""

import json
from pathlib import Path

import pytest

from mockforge_tui import cli
from mockforge_tui.exit_codes import ExitCode

SHOP = """
mockforge: 1
seed: 7
generators:
  - id: order
    to: {kafka: orders, key: "o-{{sequence}}"}
    value: {order: "{{sequence}}", id: "{{uuid}}"}
    rate: 2/s
  - id: note
    to: {mqtt: notes}
    value: by hand
reactions:
  - id: pay
    when: {kafka: orders}
    do: [{sleep: 100ms}, {publish: {to: {amqp: payments}, value: {of: "{{in.value.order}}"}}}]
"""


@pytest.fixture
def shop(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("shop.yaml").write_text(SHOP)


def test_messages_come_at_their_rates_with_what_answers_them(capsys, shop):
    assert cli.run(["sample", "shop.yaml", "-n", "4"]) == ExitCode.OK
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in lines] == [
        ["0.000s", "kafka:orders"],
        ["0.100s", "amqp:(default)/payments"],
        ["0.500s", "kafka:orders"],
        ["0.600s", "amqp:(default)/payments"],
    ]
    assert 'key=o-1  {"order":1,' in lines[0]
    assert cli.run(["sample", "shop.yaml", "-n", "4"]) == ExitCode.OK
    assert capsys.readouterr().out.splitlines() == lines
    assert cli.run(["sample", "shop.yaml", "-n", "4", "--seed", "8"]) == ExitCode.OK
    assert capsys.readouterr().out.splitlines() != lines


def test_a_fixture_without_a_rate_is_played(capsys, shop):
    assert cli.run(["sample", "shop.yaml", "-n", "2", "--only", "note"]) == ExitCode.OK
    assert capsys.readouterr().out.count("mqtt:notes  by hand") == 2
    assert cli.run(["sample", "shop.yaml", "--only", "nots"]) == ExitCode.BAD_INPUT
    assert 'there is no fixture "nots", did you mean "note"?' in capsys.readouterr().err


def test_a_sample_is_written_as_a_recording(capsys, shop):
    arguments = ["sample", "shop.yaml", "-n", "2", "--format", "recording", "-o", "s.jsonl"]
    assert cli.run(arguments) == ExitCode.OK
    head, first, second = map(json.loads, Path("s.jsonl").read_text().splitlines())
    assert head["type"] == "header"
    assert (first["t"], first["p"], first["topic"], first["key"]) == (0, "kafka", "orders", "o-1")
    assert (second["t"], second["p"], second["value"]) == (0.1, "amqp", {"of": 1})


def test_a_sample_that_is_refused_leaves_the_file_as_it_was(capsys, shop):
    Path("s.jsonl").write_text("kept")
    arguments = ["sample", "shop.yaml", "--format", "recording", "-o"]
    assert cli.run([*arguments, "s.jsonl", "--only", "nots"]) == ExitCode.BAD_INPUT
    assert Path("s.jsonl").read_text() == "kept"
    capsys.readouterr()
    assert cli.run([*arguments, "none/s.jsonl"]) == ExitCode.BAD_INPUT
    said = capsys.readouterr().err
    assert said == "error: none/s.jsonl: cannot be written: No such file or directory\n"


def test_fixtures_that_make_nothing_end_it(capsys, shop):
    Path("none.yaml").write_text("mockforge: 1\nkafka: {topics: {a: {}}}\n")
    assert cli.run(["sample", "none.yaml"]) == ExitCode.OK
    assert capsys.readouterr().out == ""
    assert cli.run(["sample"]) == ExitCode.USAGE


def test_sarif_names_file_line_and_column(capsys, shop):
    Path("bad file.yaml").write_text("mockforge: 1\nnmae: x\n")
    assert cli.run(["check", "--format", "sarif", "bad file.yaml"]) == ExitCode.BAD_INPUT
    log = json.loads(capsys.readouterr().out)
    assert log["version"] == "2.1.0"
    (run,) = log["runs"]
    assert run["tool"]["driver"]["name"] == "mockforge-tui"
    (result,) = run["results"]
    assert result["level"] == "error"
    assert 'did you mean "name"?' in result["message"]["text"]
    assert result["locations"][0]["physicalLocation"] == {
        "artifactLocation": {"uri": "bad%20file.yaml"},
        "region": {"startLine": 2, "startColumn": 1},
    }
