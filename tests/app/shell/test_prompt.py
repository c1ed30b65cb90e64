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
from mockforge_tui.shell.prompt import LineCompleter, LineLexer, LineValidator, Prompt

from ..console.world import World


@pytest.fixture
def keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PipeInput]:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setenv("NO_COLOR", "1")
    with create_pipe_input() as pipe, create_app_session(input=pipe, output=DummyOutput()):
        yield pipe


def typed(pipe: PipeInput, text: str, world: World | None = None) -> int:
    pipe.send_text(text)
    world = world or World()

    async def main() -> int:
        prompt = Prompt(world.session, {"kafka": 9092})
        return await asyncio.wait_for(prompt.run(asyncio.Event()), 10)

    return asyncio.run(main())


def test_lines_run_and_quit_ends(keys: PipeInput, capsys: pytest.CaptureFixture[str]) -> None:
    world = World()
    assert typed(keys, 'pub kafka:orders {"id": 1}\rquit --code 4\r', world) == 4
    assert world.sent[0].payload == b'{"id": 1}'


def test_end_of_input_ends(keys: PipeInput) -> None:
    assert typed(keys, "\x04") == 0


def test_a_deletion_waits_for_a_yes(keys: PipeInput) -> None:
    world = World()
    typed(keys, "topic rm orders\rn\rquit\r", world)
    assert "orders" in world.kafka.logs
    typed(keys, "topic rm orders\ry\rquit\r", world)
    assert "orders" not in world.kafka.logs


def test_a_mistake_keeps_the_line_until_it_is_corrected(keys: PipeInput) -> None:
    world = World()
    # Enter on the wrong option puts the cursor on it; ctrl+k takes it away.
    typed(keys, "pub kafka:orders 1 --nope\r\x0b\rquit\r", world)
    assert len(world.sent) == 1


def test_ctrl_c_stops_what_goes_on(keys: PipeInput) -> None:
    world = World()
    typed(keys, "tail\r\x03quit\r", world)
    assert len(world.session.jobs) == 0


def test_history_is_shared_with_the_screen(keys: PipeInput, tmp_path: Path) -> None:
    typed(keys, "topic ls\rquit\r")
    path = tmp_path / "mockforge-tui" / "history"
    assert read_history(path) == ["topic ls", "quit"]
    append_history(path, "queue ls")
    assert read_history(path)[-1] == "queue ls"


def test_completion_lexer_and_validator_speak_the_same_language() -> None:
    session = World().session
    document = Document("topic rm o")
    (first, *_) = LineCompleter(session).get_completions(document, CompleteEvent())
    assert (first.text, first.start_position) == ("orders", -1)
    row = LineLexer(session).lex_document(Document("topic rm x\n# two"))(0)
    assert row[0] == ("class:command", "topic")
    with pytest.raises(ValidationError) as caught:
        LineValidator(session).validate(Document("topic rm"))
    assert caught.value.cursor_position == len("topic rm")
