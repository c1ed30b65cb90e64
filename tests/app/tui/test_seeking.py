"""A line of a table with a thousand is found by its name."""

from typing import Any

import pytest

from ..console.scene import Scene
from .stage import LARGE, SMALL, Stage, play


def _many() -> Scene:
    scene = Scene(furnished=False)
    for number in range(60):
        scene.run(f"topic add team.service-{number}.events")
    for number in range(12):
        scene.run(f"pub mqtt:plant/line-{number}/temperature 21")
        scene.mqtt_client(f"device-{number}", "cmd/#")
    return scene


@pytest.mark.parametrize("size", [LARGE, SMALL])
@pytest.mark.parametrize(
    ("pane", "text", "shown"),
    [
        ("3", "service-43", "service-43"),
        ("3", "line-7", "plant/line-7"),
        ("2", "ice-7", "device-7"),
        ("4", "ice-7", "device-7"),
    ],
)
def test_slash_leaves_the_lines_with_a_text_and_esc_brings_the_others_back(
    pane: str, text: str, shown: str, size: tuple[int, int]
) -> None:
    async def act(stage: Stage) -> None:
        await stage.keys(pane)
        await stage.tick()
        here: Any = stage.screen.here
        all_there_are = len(here.records)
        await stage.keys("slash")
        await stage.type(text)
        await stage.until(lambda: len(here.records) == 1)
        await stage.keys("enter")
        assert stage.screen.here is here
        assert stage.app.session.filter.text == ""
        assert shown in here.words(here.chosen)
        await stage.tick()
        assert len(here.records) == 1
        await stage.shows(f"/ {text}")
        await stage.keys("escape")
        assert stage.screen.here is here
        assert len(here.records) >= all_there_are
        assert shown in here.words(here.chosen)

    play(act, size, real=_many)


async def _look_up(stage: Stage, pane: Any) -> None:
    """Click on a pane while typing: the keys are the line's again."""
    await stage.pilot.click(offset=(pane.region.x + 3, pane.region.y + 3))
    await stage.until(lambda: stage.screen.here is pane)
    await stage.until(lambda: stage.screen.focused is stage.screen.prompt.input)


def test_who_clicks_on_another_table_while_finding_finds_on_in_the_first() -> None:
    async def act(stage: Stage) -> None:
        topics, connections = stage.screen.destinations, stage.screen.connections
        await stage.keys("3")
        before = len(topics.records)
        await stage.keys("slash")
        await stage.type("4")
        await _look_up(stage, connections)
        await stage.type("3")
        assert (topics.sought, connections.sought) == ("43", "")
        await stage.keys("escape")
        await stage.until(lambda: not topics.sought)
        assert len(topics.records) == before

    play(act, real=_many)


def test_who_clicks_on_a_table_while_searching_the_inspector_searches_on_there() -> None:
    async def act(stage: Stage) -> None:
        search, connections = stage.screen.inspector.search, stage.screen.connections
        await stage.keys("3", "j", "8", "slash")
        await stage.type("part")
        await _look_up(stage, connections)
        await stage.type("i")
        assert (search.text, connections.sought) == ("parti", "")
        await stage.keys("escape")
        await stage.until(lambda: not search.text)

    play(act, real=_many)


def test_who_clicks_elsewhere_while_filtering_stored_messages_filters_these() -> None:
    async def act(stage: Stage) -> None:
        stored = stage.screen.stored
        await stage.keys("3", "enter")
        await stage.until(lambda: stage.screen.here is stored)
        await stage.keys("slash")
        await stage.type("key:a")
        await _look_up(stage, stage.screen.connections)
        await stage.keys("enter")
        await stage.until(lambda: stored.filter is not None)
        assert stored.filter.text == "key:a"
        assert stage.app.session.filter.text == ""

    play(act)


def test_what_nothing_has_is_said_and_esc_while_typing_leaves_all() -> None:
    async def act(stage: Stage) -> None:
        await stage.keys("3", "slash")
        here: Any = stage.screen.here
        before = len(here.records)
        await stage.type("Service")
        await stage.shows("nothing with Service")
        await stage.keys("escape")
        await stage.until(lambda: len(here.records) == before)

    play(act, real=_many)


@pytest.mark.parametrize("pane", ["2", "3", "4"])
def test_what_is_typed_takes_the_place_of_the_text_from_before(pane: str) -> None:
    async def act(stage: Stage) -> None:
        await stage.keys(pane, "slash")
        here: Any = stage.screen.here
        await stage.type("e-7")
        await stage.keys("enter", "slash")
        assert stage.screen.prompt.input.value == here.sought == "e-7"
        await stage.type("e-8")
        await stage.keys("enter")
        assert here.sought == "e-8"
        await stage.keys("slash", "end")
        await stage.type("x")
        assert here.sought == "e-8x"

    play(act, real=_many)


@pytest.mark.parametrize("leaving", ["escape", "ctrl+c", "enter"])
def test_the_text_from_before_stays_where_nothing_else_is_entered(leaving: str) -> None:
    async def act(stage: Stage) -> None:
        await stage.keys("3", "slash")
        here: Any = stage.screen.here
        await stage.type("line-7")
        await stage.keys("enter", "slash")
        if leaving != "enter":
            await stage.type("other")
            assert here.sought == "other"
        if leaving == "ctrl+c":
            await stage.keys("shift+home")
        await stage.keys(leaving)
        assert stage.screen.here is here
        assert here.sought == "line-7"
        await stage.keys("escape")
        assert here.sought == ""

    play(act, real=_many)


def test_enter_alone_searches_on_in_the_inspector_and_slash_alone_moves_nothing() -> None:
    async def act(stage: Stage) -> None:
        inspector = stage.screen.inspector
        stage.flow.select_row(1)
        await stage.keys("enter", "enter", "w", "slash")
        await stage.type("0")
        await stage.keys("enter")
        first = inspector.search.where
        assert first.startswith("0  1 of ")
        await stage.keys("slash", "enter")
        assert inspector.search.where.startswith("0  2 of ")
        await stage.keys("g")
        top = inspector._cursor
        await stage.keys("slash")
        await stage.type("zzz")
        await stage.keys("escape", "slash", "escape")
        assert inspector.search.text == "0"
        await stage.keys("g", "slash")
        assert inspector._cursor == top

    play(act)
