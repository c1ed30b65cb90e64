"""The line shell as a process: pipes, files, signals, imports."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import IO, Any

COMMAND = [sys.executable, "-m", "mockforge_tui", "shell", "--random-ports", "--no-admin"]


def start(tmp_path: Path, stdin: int | IO[Any] = subprocess.PIPE) -> "subprocess.Popen[str]":
    environment = {**os.environ, "XDG_STATE_HOME": str(tmp_path)}
    return subprocess.Popen(
        COMMAND,
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )


def test_lines_from_a_pipe(tmp_path: Path) -> None:
    with start(tmp_path) as shell:
        out, err = shell.communicate("topic add a\npub kafka:a {{sequence}} -n 2\ntopics\n", 30)
    results = [json.loads(line) for line in out.splitlines()]
    assert [result["_command"] for result in results] == ["topic add", "pub", "topic ls"]
    assert results[-1]["data"][0]["messages_in"] == 2
    assert shell.returncode == 0
    assert "kafka 127.0.0.1:" in err


def test_lines_from_a_file_end_at_the_first_mistake(tmp_path: Path) -> None:
    script = tmp_path / "demo.mf"
    script.write_text("# a demo\nqueue add q\nqueue shwo q\nqueue rm q -y\n")
    with script.open() as lines, start(tmp_path, lines) as shell:
        out, err = shell.communicate(timeout=150)
    assert shell.returncode == 2
    assert len(out.splitlines()) == 2
    assert "line 3: no command queue shwo; did you mean queue show?" in err


def test_a_signal_ends_a_tail_gracefully(tmp_path: Path) -> None:
    with start(tmp_path) as shell:
        assert shell.stdin is not None
        assert shell.stdout is not None
        shell.stdin.write("tail mqtt:a\npub mqtt:a 1\n")
        shell.stdin.flush()
        seen = [json.loads(shell.stdout.readline()) for _ in range(3)]
        assert "1" in [line.get("payload") for line in seen]
        shell.send_signal(signal.SIGTERM)
        shell.communicate(timeout=150)
    assert shell.returncode == 0


def test_the_console_brings_no_screen_no_prompt_and_no_templates_along() -> None:
    """Templates wait for the first one that is typed."""
    heavy = ["textual", "rich", "prompt_toolkit", "faker", "starlette", "prometheus_client"]
    heavy.append("mockforge_tui.fixtures.templates.compiler")
    check = (
        "import mockforge_tui.console.session, mockforge_tui.shell, sys\n"
        f"print([each for each in {heavy} if each in sys.modules])"
    )
    ran = subprocess.run(
        [sys.executable, "-c", check], capture_output=True, text=True, check=True, timeout=150
    )
    assert ran.stdout == "[]\n"


def test_the_shell_writes_ready_and_env_files_too(tmp_path: Path) -> None:
    ready, env = tmp_path / "ready.json", tmp_path / "ports.env"
    command = [*COMMAND, "--ready-file", str(ready), "--env-file", str(env)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as shell:
        assert shell.stdin is not None
        assert shell.stdout is not None
        shell.stdin.write("topics\n")
        shell.stdin.flush()
        shell.stdout.readline()
        assert json.loads(ready.read_text())["kafka"]["bootstrap"]
        assert "KAFKA_BOOTSTRAP_SERVERS=" in env.read_text()
        shell.stdin.close()
        shell.wait(30)
    assert not ready.exists()


def test_bytes_that_are_no_text_come_in_as_they_are(tmp_path: Path) -> None:
    script = tmp_path / "bytes.mf"
    script.write_bytes(b'queue add "a\xff"\nqueue show "a\\xff"\n')
    environment = {**os.environ, "XDG_STATE_HOME": str(tmp_path), "PYTHONIOENCODING": "utf-8"}
    for way in ("file", "pipe"):
        with script.open("rb") as lines:
            given = {"stdin": lines} if way == "file" else {"input": script.read_bytes()}
            ran = subprocess.run(  # type: ignore[call-overload]
                COMMAND, **given, capture_output=True, timeout=150, env=environment, check=False
            )
        assert ran.returncode == 0, ran.stderr.decode()
        assert json.loads(ran.stdout.splitlines()[1])["data"]["name"] == "a\\xff"


def test_nothing_is_left_open_when_the_shell_quits_before_its_input_ends(tmp_path: Path) -> None:
    command = [sys.executable, "-W", "always", *COMMAND[1:]]
    environment = {**os.environ, "XDG_STATE_HOME": str(tmp_path)}
    for ending in ("quit\n", "nonsense\n", "tail\nquit\n"):
        ran = subprocess.run(
            command,
            input=f"topics\n{ending}topics\n",
            capture_output=True,
            text=True,
            timeout=150,
            env=environment,
            check=False,
        )
        assert "Warning" not in ran.stderr
        assert "never awaited" not in ran.stderr
