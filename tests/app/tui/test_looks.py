"""Colours and signs that fit the terminal."""

from itertools import count

import pytest

from mockforge_tui.config.table import THEMES
from mockforge_tui.text import width
from mockforge_tui.tui.documents import Hex, Joined, Line, Plain, Wrapped
from mockforge_tui.tui.driver import in_ascii
from mockforge_tui.tui.palette import ASCII, DAY, NIGHT, PALETTES, UNICODE, Palette, of_terminal

from .stage import Stage, play


def test_every_theme_can_be_asked_for_at_the_start() -> None:
    assert tuple(PALETTES) == THEMES


@pytest.mark.parametrize(
    ("says", "palette"),
    [("0;15", DAY), ("0;default;7", DAY), ("15;0", NIGHT), ("", NIGHT), ("7;8", NIGHT)],
)
def test_a_light_terminal_gets_light_colours_where_it_says_so(says: str, palette: Palette) -> None:
    assert of_terminal({"COLORFGBG": says} if says else {}) is palette


def test_the_screen_begins_in_the_colours_that_it_was_given() -> None:
    async def act(stage: Stage) -> None:
        assert stage.app.theme == "day"
        strips = stage.app.screen._compositor.render_strips()
        grounds = {
            each.style.bgcolor.name for each in strips[3] if each.style and each.style.bgcolor
        }
        assert DAY.ground in grounds
        assert NIGHT.ground not in grounds

    play(act, palette=DAY)


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("abc\x1b[1m", "abc\x1b[1m"),
        ("╭─ 1 Flow ─╮ ▶ › …", "+- 1 Flow -+ > ? ~"),
        ("温度 21", "???? 21"),
        ("e\u0301", "e"),
    ],
)
def test_a_terminal_of_ascii_gets_as_many_cells_of_ascii(text: str, plain: str) -> None:
    assert in_ascii(text) == plain
    assert len(in_ascii(text)) == width(text)


def test_every_sign_has_its_own_stand_in() -> None:
    for name in UNICODE.__slots__:
        assert in_ascii(getattr(UNICODE, name)) == getattr(ASCII, name), name


def test_the_log_has_plain_signs_too() -> None:
    async def act(stage: Stage) -> None:
        stage.app.run_line("theme night")
        stage.app.run_line("nonsense")
        stage.app.note("a note")
        await stage.keys("6")
        await stage.tick()
        shown = [line for line in stage.lines() if "theme night" in line or "a note" in line]
        assert shown
        assert all(line.isascii() for line in shown), shown

    play(act, ascii_only=True)


def test_that_nothing_matches_is_said_once_all_was_looked_at() -> None:
    moments = count()

    async def act(stage: Stage) -> None:
        flow = stage.flow
        while stage.app.feed.newest < 500:
            stage.runtime.work(20)
            await stage.tick()
        # Each look at the clock is a slice of time that is over.
        flow.feed._timer = lambda: float(next(moments))
        flow.show(stage.app.session.filter_of("topic:nowhere"))
        await stage.shows("looking …")
        for _ in range(stage.app.feed.newest // 64 + 2):
            stage.screen.tick()
        assert flow._selection.progress == 1
        await stage.shows("no row matches the filter")
        await stage.hides("looking")
        # Nor do the figures stand still while nothing matches.
        stage.runtime.work(1)
        await stage.tick()
        await stage.shows(f"0/{stage.app.feed.newest:,}".replace(",", " "))

    play(act)


def test_the_frame_of_a_large_message_is_laid_out_without_making_its_lines(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = []
    line = Hex.line

    def counted(document: Hex, number: int) -> Line:
        made.append(number)
        return line(document, number)

    monkeypatch.setattr(Hex, "line", counted)
    plain = Plain([(("x" * 25, "string"),), (("y", "string"),)])
    rows = Wrapped(Joined(plain, Hex(bytes(1 << 20), 80)), 10)
    assert made == []
    assert len(rows) == 4 + (1 << 16)
    assert [rows.number(row) for row in range(6)] == [0, 0, 0, 1, 2, 3]
    assert [rows.row_of(number) for number in range(5)] == [0, 3, 4, 5, 6]
    assert rows.row(4)[0][0].startswith("000000")
    assert rows.row(len(rows) - 1)[0][0].startswith("0ffff0")
    assert len(made) == 2
