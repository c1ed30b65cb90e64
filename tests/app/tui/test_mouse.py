"""What looks as if it could be clicked can be."""

from mockforge_tui.tui.screens.help import HelpPane, HelpScreen

from .stage import LARGE, SMALL, Stage, play


async def _click(stage: Stage, text: str, *, line: int | None = None) -> None:
    """Click on the first place of a text."""
    lines = stage.lines()
    y = line if line is not None else next(at for at, each in enumerate(lines) if text in each)
    await stage.pilot.click(offset=(lines[y].index(text) + 1, y))
    await stage.pilot.pause()


def test_a_tab_of_a_narrow_screen_shows_its_pane() -> None:
    async def act(stage: Stage) -> None:
        names = ("1Flow", "2Conn", "3Topic", "4Grp", "5Flt", "6Log", "7Lint")
        for number, name in enumerate(names, 1):
            pane = stage.screen.panes[number - 1]
            await _click(stage, name, line=0)
            await stage.until(lambda pane=pane: stage.screen.here is pane)  # type: ignore[misc]
            assert stage.screen.tab == number

    play(act, SMALL)


def test_a_key_of_the_last_line_is_pressed_by_a_click() -> None:
    async def act(stage: Stage) -> None:
        await _click(stage, "zoom", line=LARGE[1] - 1)
        await stage.until(lambda: stage.screen.alone is stage.flow)
        await _click(stage, "z ", line=LARGE[1] - 1)
        await stage.until(lambda: stage.screen.alone is None)
        await _click(stage, "command", line=LARGE[1] - 1)
        await stage.until(lambda: stage.screen.prompt.is_active)
        # The keys are the line's now.
        await _click(stage, "zoom", line=LARGE[1] - 1)
        assert stage.screen.alone is None

    play(act)


def test_a_completion_is_taken_by_a_click() -> None:
    async def act(stage: Stage) -> None:
        await stage.keys("colon")
        await stage.type("topic gr")
        summary = stage.app.session.registry.names["topic grow"].summary
        await stage.shows(summary[:30])
        await _click(stage, summary[:30])
        await stage.until(lambda: stage.screen.prompt.input.value == "topic grow ")
        assert stage.screen.prompt.is_active

    play(act)


def test_a_second_click_on_an_entry_of_the_help_does_it() -> None:
    async def act(stage: Stage) -> None:
        await stage.keys("question_mark")
        await stage.type("partitions")
        await stage.shows("topic grow")
        await _click(stage, "topic grow")
        chosen = stage.app.screen.query_one(HelpPane).chosen
        assert chosen is not None
        assert chosen.typed.startswith("topic grow")
        await _click(stage, "topic grow")
        await stage.until(lambda: not isinstance(stage.app.screen, HelpScreen))
        await stage.until(lambda: stage.screen.prompt.input.value == "topic grow ")

    play(act)


def test_who_clicks_on_a_row_while_typing_types_on() -> None:
    async def act(stage: Stage) -> None:
        await stage.keys("colon")
        await stage.type("pub mqtt")
        await _click(stage, "orders.created")
        await stage.until(lambda: stage.flow.selected is not None)
        await stage.until(lambda: stage.screen.focused is stage.screen.prompt.input)
        await stage.type(":a")
        assert stage.screen.prompt.input.value == "pub mqtt:a"
        await stage.keys("escape")
        await stage.until(lambda: stage.screen.focused is stage.flow)

    play(act)
