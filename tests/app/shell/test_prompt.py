"""The prompt, typed at through a pipe that stands for the terminal."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from prompt_toolkit.application import create_app_session
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.document import Document
from prompt_toolkit.input import PipeInput, create_pipe_input
from prompt_toolkit.output import DummyOutput
from prompt_toolkit.validation import ValidationError

from mockforge_tui.console.history import append_history, read_history
from mockforge_tui.console.results import Notice
from mockforge_tui.shell.prompt import LineCompleter, LineLexer, LineValidator, Prompt

from ..console.scene import Scene


@pytest.fixture
def keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PipeInput]:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setenv("NO_COLOR", "1")
    with create_pipe_input() as pipe, create_app_session(input=pipe, output=DummyOutput()):
        yield pipe


def typed(pipe: PipeInput, text: str, scene: Scene | None = None) -> int:
    pipe.send_text(text)
    scene = scene or Scene(busy=False)

    async def main() -> int:
        prompt = Prompt(scene.session)
        return await asyncio.wait_for(prompt.run(asyncio.Event()), 50)

    return asyncio.run(main())


def test_lines_run_and_quit_ends(keys: PipeInput, capsys: pytest.CaptureFixture[str]) -> None:
    scene = Scene(busy=False)
    assert typed(keys, 'pub kafka:orders {"id": 1}\rquit --code 4\r', scene) == 4
    assert scene.sent[0].payload == b'{"id": 1}'


def test_end_of_input_ends(keys: PipeInput) -> None:
    assert typed(keys, "\x04") == 0


def test_a_deletion_waits_for_a_yes(keys: PipeInput) -> None:
    scene = Scene(busy=False)
    typed(keys, "topic rm orders\rn\rquit\r", scene)
    assert "orders" in scene.kafka.cluster.topics
    typed(keys, "topic rm orders\ry\rquit\r", scene)
    assert "orders" not in scene.kafka.cluster.topics


def test_a_mistake_keeps_the_line_until_it_is_corrected(keys: PipeInput) -> None:
    scene = Scene(busy=False)
    # Enter on the wrong option puts the cursor on it; ctrl+k takes it away.
    typed(keys, "pub kafka:orders 1 --nope\r\x0b\rquit\r", scene)
    assert len(scene.sent) == 1


def test_ctrl_c_stops_what_goes_on(keys: PipeInput) -> None:
    scene = Scene(busy=False)
    typed(keys, "tail\r\x03quit\r", scene)
    assert len(scene.session.jobs) == 0


def test_history_is_shared_with_the_screen(keys: PipeInput, tmp_path: Path) -> None:
    typed(keys, "topic ls\rquit\r")
    path = tmp_path / "mockforge-tui" / "history"
    assert read_history(path) == ["topic ls", "quit"]
    append_history(path, "queue ls")
    assert read_history(path)[-1] == "queue ls"


def test_notices_results_and_mistakes_are_printed_without_escapes(
    keys: PipeInput, capsys: pytest.CaptureFixture[str]
) -> None:
    scene = Scene(busy=False)
    prompt = Prompt(scene.session)
    prompt.report(Notice("row", "12:00 M→ a 1"))
    prompt.report(Notice("note", "… 3 more"))
    prompt.report(Notice("problem", "pub stopped: \x1b[2J"))
    prompt.show("topics", scene.run("topics orders"))
    prompt.show("topics --json", scene.run("topics orders --json"))
    prompt.show("topic show x", scene.refused("topic show x"))
    lines = capsys.readouterr().out.splitlines()
    assert lines[:3] == ["12:00 M→ a 1", "… 3 more", "× pub stopped: ·[2J"]
    assert lines[4].startswith("kafka")
    assert lines[5].startswith('{"_command": "topic ls"')
    assert lines[6:] == ["             ^", "× no Kafka topic x"]


def test_the_toolbar_counts_and_warns(keys: PipeInput) -> None:
    scene = Scene(busy=False)
    prompt = Prompt(scene.session)
    scene.run("every 1s: pub kafka:orders x")
    assert prompt.toolbar() == [("", "kafka:9092 2  mqtt:1883 1  amqp:5672 2  0/s  1 jobs")]
    scene.hold_a_frame()
    scene.run("fault add drop topic:a")
    assert prompt.misbehaviour() == [("class:bottom-toolbar.busy", "‖1 ↯1")]


def test_completion_lexer_and_validator_speak_the_same_language() -> None:
    session = Scene(busy=False).session
    document = Document("topic rm o")
    (first, *_) = LineCompleter(session).get_completions(document, CompleteEvent())
    assert (first.text, first.start_position) == ("orders", -1)
    row = LineLexer(session).lex_document(Document("topic rm x\n# two"))(0)
    assert row[0] == ("class:command", "topic")
    with pytest.raises(ValidationError) as caught:
        LineValidator(session).validate(Document("topic rm"))
    assert caught.value.cursor_position == len("topic rm")


def test_a_line_with_bytes_that_are_no_text_is_kept_in_the_history(
    keys: PipeInput, tmp_path: Path
) -> None:
    keys.send_bytes(b'pub kafka:orders "\xff"\rquit\r')
    assert typed(keys, "") == 0
    assert "\\xff" in (tmp_path / "mockforge-tui" / "history").read_text()


def test_the_file_of_typed_lines_keeps_the_newest_and_stays_small(tmp_path: Path) -> None:
    path, link = tmp_path / "kept", tmp_path / "history"
    link.symlink_to(path)
    line = "pub kafka:orders " + "x" * 9_000
    for number in range(300):
        append_history(link, f"{line}{number}")
        assert path.stat().st_size < 2 * 1024 * 1024 + len(line)
    kept = read_history(link)
    assert kept == [f"{line}{number}" for number in range(300 - len(kept), 300)]
    assert len(kept) > 100
    assert link.is_symlink()
    assert path.stat().st_mode & 0o777 == 0o600
    assert sorted(each.name for each in tmp_path.iterdir()) == ["history", "kept"]
