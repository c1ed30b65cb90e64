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
