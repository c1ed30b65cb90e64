"""`check` and a start say the same of the same fixtures, with the places in their files."""

from pathlib import Path

import pytest

from mockforge_tui import cli
from mockforge_tui.config import Config
from mockforge_tui.exit_codes import ExitCode
from mockforge_tui.rehearsal import read_fixtures

REFUSED = [
    (
        'kafka: {topics: {"sensors/temperature": {partitions: 1}}}',
        "2:18: Topic name is invalid: 'sensors/temperature' contains",
    ),
    (
        "kafka: {topics: {a: {config: {retention.ms: -7}}}}",
        "2:18: Invalid value -7 for configuration retention.ms",
    ),
    ("kafka: {topics: {a: {config: {retention.mss: 7}}}}", "2:18: "),
    ("kafka: {topics: {a: {partitions: 0}}}", "2:34: "),
    ("amqp: {queues: [{name: q, arguments: {x-max-length: many}}]}", "2:17: invalid arg"),
    ("amqp: {exchanges: [{name: amq.mine}]}", "2:20: "),
    ("amqp: {bindings: [{exchange: none, queue: q}]}", "2:19: no queue 'q'"),
    ("generators: [{id: a, to: {kafka: t}, value: {v: .inf}}]", "2:49: JSON has no number"),
]


@pytest.mark.parametrize(("text", "said"), REFUSED, ids=[each[0][:40] for each in REFUSED])
def test_what_check_refuses_a_start_refuses_in_the_same_words(
    capsys, monkeypatch, tmp_path, text, said
):
    monkeypatch.chdir(tmp_path)
    Path("f.yaml").write_text(f"mockforge: 1\n{text}\n")
    assert cli.run(["check", "f.yaml"]) == ExitCode.BAD_INPUT
    checked = capsys.readouterr().out.splitlines()[0].replace(": error: ", ": ", 1)
    assert checked.startswith(f"f.yaml:{said}")
    assert cli.run(["--headless", "--random-ports", "f.yaml"]) == ExitCode.BAD_INPUT
    started = capsys.readouterr()
    assert started.out == ""
    assert started.err.splitlines()[-1] == f"error: {checked}"


def test_all_that_is_wrong_is_shown_at_once(capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    Path("f.yaml").write_text('mockforge: 1\nkafka: {topics: {"a/b": {}, "c/d": {}}}\n')
    assert cli.run(["--headless", "--random-ports", "f.yaml"]) == ExitCode.BAD_INPUT
    error = capsys.readouterr().err
    assert "error: f.yaml:2:18: Topic name is invalid: 'a/b'" in error
    assert "error: f.yaml:2:29: Topic name is invalid: 'c/d'" in error


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ("retention.hours: 3", "Unknown topic config name: retention.hours"),
        ("retention.ms: -7", "Invalid value -7 for configuration retention.ms"),
    ],
)
def test_a_topic_declared_again_is_refused_what_no_topic_can_have(tmp_path, config, said):
    topics = ("t: {}", f"t: {{config: {{{config}}}}}")
    files = [tmp_path / f"{number}.yaml" for number in range(2)]
    for file, topic in zip(files, topics, strict=True):
        file.write_text(f"mockforge: 1\nkafka: {{topics: {{{topic}}}}}\n")
    (error,) = read_fixtures(files, Config()).errors
    assert str(error.position) == f"{files[1]}:2:18"
    assert error.text.startswith(said)


def warnings(tmp_path, text: str, config: Config | None = None) -> list[str]:
    file = tmp_path / "f.yaml"
    file.write_text(text)
    report = read_fixtures([file], config or Config())
    assert report.errors == ()
    assert report.fixtures.warnings == report.problems
    return [f"{one.position.line}:{one.position.column}: {one.text}" for one in report.warnings]


def test_what_a_broker_stores_but_does_not_act_on_is_a_warning_at_its_place(tmp_path):
    text = "mockforge: 1\nkafka: {topics: {t: {config: {preallocate: true}}}}\n"
    (warning,) = warnings(tmp_path, text)
    assert warning == "2:18: topic t: preallocate=true is kept and shown, but not acted on"


def test_a_generator_whose_messages_no_broker_takes_is_warned_of(tmp_path):
    text = """mockforge: 1
generators:
  - {id: a, to: {kafka: "a b"}, value: 1}
  - {id: b, to: {amqp: {exchange: none, routing_key: k}}, value: 1}
  - {id: c, to: {mqtt: t}, value: 1}
"""
    first, second = warnings(tmp_path, text)
    assert first.startswith("3:5: \"a\" cannot publish: Topic name is invalid: 'a b' contains")
    assert second.startswith("4:5: \"b\" cannot publish: no exchange 'none' in vhost '/'")
    (third,) = warnings(
        tmp_path, text.replace("a b", "ab").replace("none", "amq.topic"), Config(mqtt=False)
    )
    assert third.startswith('5:5: "c" cannot publish: mqtt is not served here')
