"""The command line: which words win, what is refused, and with which exit status."""

import json
import os
import socket
from pathlib import Path

import pytest

from mockforge_tui import cli
from mockforge_tui.exit_codes import ExitCode

QUIET = ("--random-ports", "--no-admin", "--exit-after", "0.01s")
GENERATOR = """
mockforge: 1
name: small
generators:
  - id: beat
    to: {mqtt: small/beat}
    value: {n: "{{int 1 5}}"}
    rate: 1/s
"""


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in tuple(os.environ):
        if name.startswith("MOCKFORGE_"):
            monkeypatch.delenv(name)


def test_headless_prints_one_ready_line_on_standard_output(capsys):
    assert cli.run(["--headless", *QUIET, "--seed", "7"]) == ExitCode.OK
    (line,) = capsys.readouterr().out.splitlines()
    facts = json.loads(line)
    assert facts["event"] == "ready"
    assert facts["seed"] == 7
    assert facts["pid"] == os.getpid()
    assert set(facts) == {
        "event", "version", "pid", "startup_ms", "seed", "kafka", "mqtt", "amqp", "fixtures",
    }  # fmt: skip


def test_without_a_terminal_it_runs_headless_and_says_so(capsys):
    assert cli.run(list(QUIET)) == ExitCode.OK
    captured = capsys.readouterr()
    assert json.loads(captured.out)["event"] == "ready"
    assert "not a terminal" in captured.err


def test_what_is_switched_off_is_not_in_the_ready_line(capsys):
    assert cli.run(["--headless", *QUIET, "--no-kafka", "--no-amqp"]) == ExitCode.OK
    facts = json.loads(capsys.readouterr().out)
    assert "mqtt" in facts
    assert "kafka" not in facts
    assert "amqp" not in facts


def test_paths_and_fixtures_add_up(capsys, tmp_path):
    Path("one.yaml").write_text(GENERATOR)
    Path("two.yaml").write_text(GENERATOR.replace("beat", "pulse"))
    assert cli.run(["--headless", *QUIET, "one.yaml", "--fixtures", "two.yaml"]) == ExitCode.OK
    facts = json.loads(capsys.readouterr().out)
    assert facts["fixtures"] == {"files": 2, "generators": 2, "warnings": 0}


def test_the_first_word_that_is_a_command_wins(capsys):
    assert cli.run(["--headless", *QUIET, "demo", "shop"]) == ExitCode.OK
    facts = json.loads(capsys.readouterr().out)
    assert facts["fixtures"]["generators"] > 2


def test_fixtures_that_are_given_beside_a_show_are_loaded_too(capsys):
    Path("one.yaml").write_text(GENERATOR)
    counts = []
    for more in ((), ("--fixtures", "one.yaml")):
        assert cli.run(["--headless", *QUIET, "demo", "rpc", *more]) == ExitCode.OK
        counts.append(json.loads(capsys.readouterr().out)["fixtures"]["generators"])
    assert counts[1] == counts[0] + 1


def test_a_path_named_like_a_command_needs_its_folder(capsys):
    Path("demo").write_text(GENERATOR)
    Path("demo").rename("demo.yaml")
    assert cli.run(["--headless", *QUIET, "./demo.yaml"]) == ExitCode.OK
    assert json.loads(capsys.readouterr().out)["fixtures"]["files"] == 1


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["--kafka-port", "many"], ExitCode.USAGE, "a whole number is wanted, not 'many'"),
        (["--nonsense"], ExitCode.USAGE, "No such option"),
        (["demo", "nothing"], ExitCode.USAGE, "is not one of 'shop', 'iot', 'rpc', 'chaos'"),
        (["--config", "none.yaml"], ExitCode.BAD_INPUT, "none.yaml: cannot be read"),
        (["--admin-host", "0.0.0.0"], ExitCode.BAD_INPUT, "give --admin-token"),
        (["--headless", "nowhere.yaml"], ExitCode.BAD_INPUT, "nowhere.yaml"),
    ],
)
def test_wrong_use_ends_with_one_clear_error(capsys, arguments, status, message):
    assert cli.run(arguments) == status
    captured = capsys.readouterr()
    assert captured.out == ""
    assert message in captured.err
    assert "Traceback" not in captured.err


def test_a_bad_fixture_names_its_place(capsys):
    Path("bad.yaml").write_text("mockforge: 1\nkafka:\n  topics: {orders: {partitions: 0}}\n")
    assert cli.run(["--headless", "bad.yaml"]) == ExitCode.BAD_INPUT
    error = capsys.readouterr().err
    assert "bad.yaml:3:33" in error
    assert "partitions" in error


def test_a_taken_port_names_its_holder_and_the_option(capsys):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        status = cli.run(["--headless", "--no-admin", "--random-ports", "--exit-after", "1s"])
        assert status == ExitCode.OK
        arguments = ["--headless", "--no-admin", "--no-kafka", "--no-amqp"]
        assert cli.run([*arguments, "--mqtt-port", str(port)]) == ExitCode.CANNOT_LISTEN
    error = capsys.readouterr().err
    assert f"mqtt cannot listen at 127.0.0.1:{port}" in error
    assert f"(pid {os.getpid()}, this process itself)" in error
    assert "--mqtt-port" in error


@pytest.mark.parametrize("option", ["--host", "--admin-host"])
def test_an_address_that_is_not_here_names_its_option(capsys, option):
    words = ["--headless", "--random-ports", "--admin-token", "t", option, "192.0.2.1"]
    assert cli.run(words) == ExitCode.CANNOT_LISTEN
    error = capsys.readouterr().err
    assert f"give an address of this machine with {option}" in error
    assert "Cannot assign requested address" in error


def test_demo_takes_the_next_free_port_and_says_so(capsys):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        arguments = ["demo", "--headless", "--no-admin", "--no-kafka", "--no-amqp"]
        status = cli.run([*arguments, "--mqtt-port", str(port), "--exit-after", "0.01s"])
    assert status == ExitCode.OK
    captured = capsys.readouterr()
    assert f"port {port} is taken: mqtt is at" in captured.err
    assert not json.loads(captured.out)["mqtt"]["url"].endswith(f":{port}")


def test_print_config_shows_values_with_their_origin(capsys):
    assert cli.run(["--print-config", "--seed", "3"]) == ExitCode.OK
    assert "seed = 3  # command line" in capsys.readouterr().out


def test_version_and_help(capsys):
    assert cli.run(["--version"]) == ExitCode.OK
    assert "0.1.0" in capsys.readouterr().out
    assert cli.run(["--help"]) == ExitCode.OK
    shown = capsys.readouterr().out
    for command in ("check", "console", "demo", "do", "record", "replay", "shell"):
        assert command in shown
    # Help on what stands before it, though no word of it is a command.
    assert cli.run(["--headless", "--help"]) == ExitCode.OK
    assert "--kafka-port" in capsys.readouterr().out


def test_check_finds_errors_with_their_place(capsys):
    Path("good.yaml").write_text(GENERATOR)
    Path("bad.yaml").write_text(GENERATOR.replace("{{int 1 5}}", "{{itn 1 5}}"))
    assert cli.run(["check", "good.yaml"]) == ExitCode.OK
    assert cli.run(["check", "good.yaml", "bad.yaml"]) == ExitCode.BAD_INPUT
    shown = capsys.readouterr().out
    assert "bad.yaml:7:" in shown
    assert 'did you mean "int"' in shown


def test_do_says_when_nobody_answers(capsys):
    status = cli.run(["do", "topic ls", "--attach", "http://127.0.0.1:9"])
    assert status == ExitCode.USAGE
    assert "no instance answers at http://127.0.0.1:9" in capsys.readouterr().err


def test_ready_and_env_files_are_written_and_the_ready_file_goes(tmp_path, monkeypatch):
    seen = {}
    from mockforge_tui import headless

    def announce(line):
        seen["ready"] = Path("ready.json").read_text()
        seen["env"] = Path("env").read_text()
        seen["line"] = line

    monkeypatch.setattr(
        headless.serve, "__kwdefaults__", {"next_free": False, "announce": announce}
    )
    files = ("--ready-file", "ready.json", "--env-file", "env")
    assert cli.run(["--headless", *QUIET, *files]) == ExitCode.OK
    assert seen["ready"] == seen["line"] + "\n"
    assert "KAFKA_BOOTSTRAP_SERVERS=127.0.0.1:" in seen["env"]
    assert not Path("ready.json").exists()


@pytest.mark.parametrize(
    ("word", "hint"),
    [("frobnicate", "mockforge-tui --help lists commands"), ("dmeo", "did you mean demo?")],
)
def test_a_word_that_is_neither_command_nor_file_is_called_so(capsys, word, hint):
    assert cli.run([word]) == ExitCode.USAGE
    said = capsys.readouterr().err
    assert f"no command, file or folder is called {word}; {hint}" in said
    assert ":1:1:" not in said


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        ((), "help COMMAND explains one"),
        (("access",), "# Users"),
        (("topic", "add"), "topic add NAME"),
        (("fault",), "fault add KIND"),
    ],
)
def test_help_reads_the_guide_and_commands_without_an_instance(capsys, words, shown):
    assert cli.run(["help", *words]) == ExitCode.OK
    assert shown in capsys.readouterr().out


def test_help_on_what_is_not_there_says_what_is_near(capsys):
    assert cli.run(["help", "acces"]) == ExitCode.USAGE
    assert "no command acces; did you mean access?" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "at", "offered"),
    [
        ("mockforge-tui ver", 1, "verify"),
        ("mockforge-tui check --for", 2, "--format"),
        ("mockforge-tui help fau", 2, "faults"),
    ],
)
def test_a_shell_completes_commands_and_options(capsys, monkeypatch, words, at, offered):
    assert cli.run(["completion", "bash"]) == ExitCode.OK
    assert "_MOCKFORGE_TUI_COMPLETE=bash_complete" in capsys.readouterr().out
    monkeypatch.setenv("_MOCKFORGE_TUI_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", words)
    monkeypatch.setenv("COMP_CWORD", str(at))
    cli.run([])
    assert f"plain,{offered}" in capsys.readouterr().out
