"""Jump mode: letters beside panes and lines, which go there."""

import pytest
from textual.events import MouseScrollUp

from mockforge_tui.tui.screens.jumping import labels

from .shop import Shop
from .stage import LARGE, SMALL, Stage, play


@pytest.mark.parametrize("count", [0, 1, 25, 26, 27, 51, 52, 53, 400, 675, 676, 900])
def test_no_label_begins_another_and_the_first_are_the_shortest(count: int) -> None:
    found = labels(count)
    assert len(found) == len(set(found)) == min(count, 676)
    assert [*found] == sorted(found, key=len)
    ones = {each for each in found if len(each) == 1}
    assert not any(each[0] in ones for each in found if len(each) == 2)
    if count <= 26:
        assert ones == set(found)


def _label(stage: Stage, pane: object, y: int) -> str:
    """The letters on a line of a pane."""
    ((_, label), *_) = pane._letters[y]  # type: ignore[attr-defined]
    return str(label)


@pytest.mark.parametrize("size", [LARGE, SMALL, (60, 16)])
def test_a_letter_goes_to_the_pane_that_it_stands_on(size: tuple[int, int]) -> None:
    async def act(stage: Stage) -> None:
        screen = stage.screen
        shown = [pane for pane in screen.panes if pane.display]
        for pane in shown:
            await stage.keys("J")
            label = _label(stage, pane, 0)
            assert label in stage.lines()[pane.region.y]
            await stage.keys(*label)
            assert screen.here is pane
            assert not screen.jumping

    play(act, size)


def test_a_letter_goes_to_the_line_that_it_stands_beside() -> None:
    async def act(stage: Stage) -> None:
        screen = stage.screen
        await stage.keys("J")
        label = _label(stage, screen.connections, 3)
        await stage.keys(*label)
        assert screen.here is screen.connections
        assert screen.connections.chosen is screen.connections.records[1]
        await stage.keys("J")
        await stage.keys(*_label(stage, screen.connections, 2))
        assert screen.connections.chosen is screen.connections.records[0]
        await stage.keys("J")
        number = screen.flow._page[4]
        await stage.keys(*_label(stage, screen.flow, 6))
        assert screen.here is screen.flow
        assert screen.flow.cursor == number

    play(act)


def test_what_the_letters_stand_beside_stays_there_and_goes_on_behind_them() -> None:
    async def act(stage: Stage) -> None:
        shop: Shop = stage.runtime
        flow = stage.flow
        await stage.keys("J")
        page = list(flow._page)
        shop.work(5)
        await stage.tick()
        assert list(flow._page) == page
        await stage.keys("escape")
        await stage.tick()
        assert list(flow._page) != page

    play(act)


def test_neither_wheel_nor_scrollbar_moves_lines_from_under_their_letters() -> None:
    async def act(stage: Stage) -> None:
        shop: Shop = stage.runtime
        flow = stage.flow
        shop.work(200)
        await stage.tick()
        moved: list[float] = []
        flow.scroll_lines = moved.append  # type: ignore[method-assign]
        flow.scrolled_to = moved.append  # type: ignore[method-assign]

        async def turn_and_drag() -> None:
            wheel = MouseScrollUp(flow, 5, 5, 0, -1, 0, False, False, False)
            flow.on_mouse_scroll_up(wheel)
            bar = (flow.outer_size.width - 1, 5)
            await stage.pilot.mouse_down(flow, offset=bar)
            await stage.pilot.mouse_up(flow, offset=bar)

        await stage.keys("J")
        await turn_and_drag()
        assert not moved
        await stage.keys("J")
        await turn_and_drag()
        assert not stage.screen.jumping
        assert moved[0] < 0
        assert len(moved) > 1

    play(act)


def test_points_of_the_topology_have_letters_too() -> None:
    async def act(stage: Stage) -> None:
        await stage.keys("T")
        await stage.tick()
        topology = stage.screen.topology
        y = next(at for at, line in enumerate(topology._lines) if "billing" in str(line))
        await stage.keys("J")
        letters = [label for _, label in topology._letters[y + 1]]
        assert len(letters) == 3
        await stage.keys(*letters[2])
        found = topology._found()
        assert found is not None
        assert getattr(found[1].what, "name", "") == "billing"

    play(act)


def test_any_other_key_leaves_and_does_nothing_else() -> None:
    async def act(stage: Stage) -> None:
        screen = stage.screen
        for key in ("escape", "1", "colon", "enter"):
            await stage.keys("J", key)
            assert not screen.jumping
            assert not screen.prompt.is_active
            assert screen.here is screen.flow
            assert not any(pane._letters for pane in screen.panes)
        await stage.keys("J")
        await stage.resize(90, 30)
        await stage.until(lambda: not screen.jumping)

    play(act)


def test_a_command_goes_to_a_pane_by_its_name() -> None:
    async def act(stage: Stage) -> None:
        screen, run = stage.screen, stage.app.run_line
        for name, pane in (
            ("groups", screen.groups), ("topology", screen.topology), ("flow", screen.flow),
            ("faults", screen.faults), ("inspector", screen.inspector),
        ):  # fmt: skip
            run(f"jump {name}")
            await stage.until(lambda pane=pane: screen.here is pane)  # type: ignore[misc]
        assert not stage.app.session.run("jump ladder").ok
        assert stage.app.session.run("jump").ok
        assert screen.jumping

    play(act)
