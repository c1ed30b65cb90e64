"""Help over the screen is a palette too: what is found there can be done from there."""

import pytest

from mockforge_tui.tui.screens.help import HelpPane, HelpScreen
from mockforge_tui.tui.widgets.prompt import FILTER

from .stage import LARGE, SMALL, Stage, play


def _pane(stage: Stage) -> HelpPane:
    return stage.app.screen.query_one(HelpPane)


@pytest.mark.parametrize("size", [LARGE, SMALL])
@pytest.mark.parametrize("key", ["question_mark", "ctrl+p", "f1"])
def test_enter_begins_the_command_that_was_searched(key: str, size: tuple[int, int]) -> None:
    async def act(stage: Stage) -> None:
        await stage.keys(key)
        await stage.type("theme")
        chosen = _pane(stage).chosen
        assert chosen is not None
        assert chosen.typed.startswith("theme")
        await stage.shows("▶ theme")
        await stage.keys("enter")
        await stage.until(lambda: stage.screen.prompt.is_active)
        assert stage.screen.prompt.input.value == "theme "

    play(act, size)


def test_enter_presses_the_key_that_was_searched() -> None:
    async def act(stage: Stage) -> None:
        await stage.keys("question_mark")
        await stage.type("this pane alone")
        await stage.keys("enter")
        await stage.until(lambda: stage.screen.alone is stage.flow)

    play(act)


def test_enter_begins_a_filter_behind_the_one_in_force() -> None:
    async def act(stage: Stage) -> None:
        stage.app.run_line("filter proto:kafka")
        await stage.keys("question_mark")
        await stage.type("redelivered")
        await stage.keys("enter")
        await stage.until(lambda: stage.screen.prompt.is_active)
        assert stage.screen.prompt.mode == FILTER
        assert stage.screen.prompt.input.value == "proto:kafka redelivered:"

    play(act)


def test_arrows_choose_and_enter_without_a_choice_only_closes() -> None:
    async def act(stage: Stage) -> None:
        await stage.keys("question_mark", "enter")
        assert not isinstance(stage.app.screen, HelpScreen)
        assert not stage.screen.prompt.is_active
        await stage.keys("question_mark", "down")
        first = _pane(stage).chosen
        await stage.keys("down")
        second = _pane(stage).chosen
        assert None not in (first, second)
        assert first != second
        await stage.keys("up")
        assert _pane(stage).chosen == first
        await stage.keys("pagedown")
        assert _pane(stage).chosen not in (first, second)

    play(act)


def test_every_entry_can_be_come_to_and_is_on_the_screen_then() -> None:
    async def act(stage: Stage) -> None:
        await stage.keys("question_mark")
        pane = _pane(stage)
        pane.move(1)
        for _ in pane._places:
            assert pane._chosen is not None
            assert pane._top <= pane._chosen < pane._top + pane.body_height
            pane.move(1)
        assert pane._chosen == pane._places[-1]
        for _ in pane._places:
            pane.move(-1)
            assert pane._chosen is not None
            assert pane._top <= pane._chosen < pane._top + pane.body_height
        assert pane._chosen == pane._places[0]

    play(act, SMALL)


def test_the_key_that_opened_it_closes_it_unless_it_is_searched() -> None:
    async def act(stage: Stage) -> None:
        await stage.keys("question_mark", "question_mark")
        assert not isinstance(stage.app.screen, HelpScreen)
        await stage.keys("question_mark")
        await stage.type("why")
        await stage.keys("question_mark")
        assert isinstance(stage.app.screen, HelpScreen)

    play(act)
