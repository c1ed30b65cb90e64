"""What is typed and pasted at the prompt is what is sent; what is asked is shown whole."""

import asyncio
import contextlib
import shlex
import sys
import tempfile
from pathlib import Path

import pytest
from mockforge_brokers.journal import IN
from mockforge_brokers.misbehaviour.actions import ACTIONS
from textual import events
from textual.events import Paste
from textual.widgets.input import Selection

from mockforge_tui.text import clean, on_one_line
from mockforge_tui.tui import app

from .stage import LARGE, SMALL, Stage, play

FAMILY = "\U0001f468‍\U0001f469‍\U0001f467"
HEART = "❤️"


@pytest.mark.parametrize(
    ("pasted", "line"),
    [
        ('{\n\t"id": 1,\r\n\t"of": [2]\n}', '{  "id": 1,  "of": [2] }'),
        (f'"{FAMILY} {HEART}"', f'"{FAMILY} {HEART}"'),
        ("a\x1b[2J\x9bb", "a·[2J·b"),
    ],
)
def test_a_pasted_text_keeps_its_meaning(pasted: str, line: str) -> None:
    async def act(stage: Stage) -> None:
        await stage.keys("colon")
        prompt = stage.screen.prompt.input
        prompt._on_paste(Paste(pasted))
        await stage.until(lambda: prompt.value == line)
        # Drawn it has nothing that a terminal obeys or hides.
        await stage.shows(clean(line))

    play(act)


def test_who_types_fast_holds_up_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a terminal does that pastes key by key: 3,000 held the brokers for half a minute."""

    async def typed(stage: Stage, for_seconds: float) -> int:
        """The turns that another one had while 30 keys were handled."""
        turns, over = 0, asyncio.Event()
        monkeypatch.setattr(app, "_BURST", for_seconds)

        async def other() -> None:
            nonlocal turns
            while not over.is_set():
                turns += 1
                await asyncio.sleep(0)

        for _ in range(30):
            event = events.Key("x", "x")
            event.set_sender(stage.app)
            stage.app.post_message(event)
        stage.app.call_later(over.set)
        await other()
        await stage.pilot.settled()
        return turns

    async def act(stage: Stage) -> None:
        looks = []
        prompt = stage.screen.prompt
        monkeypatch.setattr(prompt, "_look", lambda: looks.append(prompt.input.value))
        await stage.keys("colon")
        assert await typed(stage, 0.0) >= 30
        looks.clear()
        assert await typed(stage, 1000.0) < 30
        # Nobody looks at what is no longer there.
        assert looks == [60 * "x"]

    play(act)


def test_an_emoji_of_several_characters_is_published_as_it_was_pasted() -> None:
    async def act(stage: Stage) -> None:
        await stage.keys("colon")
        stage.screen.prompt.input._on_paste(Paste(f'pub mqtt:a/b "{FAMILY}"'))
        await stage.keys("enter")
        await stage.tick()
        sent = next(row for row in stage.app.feed.ring.newest_first(50) if row.destination == "a/b")
        assert (sent.direction, sent.payload) == (IN, FAMILY.encode())

    play(act)


def test_the_cursor_stands_where_the_drawn_text_ends() -> None:
    async def act(stage: Stage) -> None:
        await stage.keys("colon")
        prompt = stage.screen.prompt.input
        for text in ("ab", f"x {HEART}", FAMILY, "温度"):
            prompt.put(text)
            assert prompt._position_to_cell(len(text)) == prompt._value.cell_len

    play(act)


@pytest.mark.parametrize(
    "text", ["plain", "tab\there", "\x00\x1b\x7f\x9b", HEART, "\u202e", "\ud800"]
)
def test_a_line_keeps_its_places_whatever_is_drawn_of_it(text: str) -> None:
    line = on_one_line(text)
    assert len(line) == len(text) == len(clean(line))
    assert on_one_line(line) == line


@pytest.mark.parametrize("size", [LARGE, SMALL, (60, 16)])
def test_a_long_question_is_shown_whole_with_its_answers(size: tuple[int, int]) -> None:
    words = [f"word-{number}" for number in range(30)]

    async def act(stage: Stage) -> None:
        stage.app.ask(f"Delete {' '.join(words)}?", lambda: None)
        await stage.shows("y yes   n no")
        text = stage.text()
        assert [word for word in words if word not in text] == []

    play(act, size)


def test_a_question_that_no_screen_has_room_for_still_shows_its_answers() -> None:
    async def act(stage: Stage) -> None:
        stage.app.ask("温度" * 300, lambda: None)
        await stage.shows("y yes   n no")

    play(act, (60, 16))


def test_ctrl_c_leaves_the_line_and_asks_nothing() -> None:
    async def act(stage: Stage) -> None:
        await stage.keys("colon")
        await stage.type("topic ")
        await stage.keys("ctrl+c")
        await stage.until(lambda: not stage.screen.prompt.is_active)
        await stage.hides("quit the app")
        assert len(stage.app.screen_stack) == 1
        assert not stage.app._notifications

    play(act)


def test_the_chosen_completion_has_a_sign_and_a_note() -> None:
    async def act(stage: Stage) -> None:
        await stage.keys("colon")
        await stage.type("fault add re")
        await stage.shows("refuse")
        await stage.hides("▶refuse")
        await stage.keys("down", "down")
        await stage.shows("▶refuse")
        await stage.shows(ACTIONS["refuse"].summary[:40])

    play(act)


def test_a_long_title_leaves_room_for_the_names_of_the_tabs() -> None:
    async def act(stage: Stage) -> None:
        stage.runtime.run("pub mqtt:a/very/long/topic/of/many/levels/to/cut {}")
        await stage.tick()
        await stage.keys("k", "enter")
        await stage.shows("[JSON] Headers  Hex  Wire")

    play(act)


def test_what_is_too_long_for_a_line_is_not_put_into_one() -> None:
    async def act(stage: Stage) -> None:
        large = '{"a": "' + "x" * 100_000 + '"}'
        stage.runtime.run(f"pub mqtt:a/b {large}")
        await stage.tick()
        await stage.keys("k", "e")
        assert not stage.screen.prompt.is_active
        number = stage.app.feed.newest
        await stage.until(
            lambda: (
                f"export #{number} --as raw > FILE, pub mqtt:a/b @FILE" in stage.screen.result.text
            )
        )
        await stage.keys("colon")
        stage.screen.prompt.input._on_paste(Paste(large))
        assert stage.screen.prompt.input.value == ""
        assert "write it to a file" in stage.screen.result.text

    play(act)


@pytest.mark.parametrize("backwards", [False, True])
def test_what_is_pasted_over_a_selection_is_as_long_as_what_is_there_then(backwards: bool) -> None:
    async def act(stage: Stage) -> None:
        await stage.keys("colon")
        line = stage.screen.prompt.input
        line.put("a" * 20_000)
        line.selection = Selection(20_000, 1) if backwards else Selection(1, 20_000)
        line._on_paste(Paste("b" * 20_000))
        assert line.value == "a" + "b" * 20_000

    play(act)


@pytest.mark.parametrize("size", [32_000, 33_000])
def test_what_was_written_in_an_editor_is_the_line_or_is_kept_in_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    editor = f"import sys; open(sys.argv[1], 'a').write('pub mqtt:a/b ' + 'x' * {size})"
    monkeypatch.setenv("VISUAL", shlex.join([sys.executable, "-c", editor]))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr("mockforge_tui.tui.app.ConsoleApp.suspend", contextlib.nullcontext)
    written = "pub mqtt:a/b " + "x" * size

    async def act(stage: Stage) -> None:
        line, result = stage.screen.prompt.input, stage.screen.result
        await stage.keys("colon", "y", "ctrl+o")
        if size < 32_768:
            await stage.until(lambda: line.value == f"y {written}")
            assert not list(tmp_path.iterdir())
            return
        await stage.until(lambda: "32,768 characters at most" in result.text)
        (kept,) = tmp_path.glob("*/line.txt")
        assert kept.read_text() == f"y\n{written}"
        assert str(kept) in result.text
        assert line.value == "y"

    play(act)
