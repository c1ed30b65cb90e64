"""A Kafka group's members are an enter away, on a screen of any size."""

import pytest

from .stage import LARGE, SMALL, Stage, play


@pytest.mark.parametrize("size", [LARGE, SMALL])
def test_enter_on_a_kafka_group_shows_its_members_with_what_they_read(
    size: tuple[int, int],
) -> None:
    async def act(stage: Stage) -> None:
        await stage.keys("4")
        await stage.tick()
        for _ in range(9):
            await stage.keys("down")
            if getattr(stage.screen.groups.chosen, "name", "") == "billing":
                break
        await stage.keys("enter")
        await stage.tick()
        assert stage.screen.inspector.display
        await stage.shows("K group billing")
        # The members stand below the facts.
        await stage.keys("end")
        await stage.shows("orders.created")
        assert not stage.app.session.filter.text
        await stage.keys("escape", "escape")
        assert stage.screen.here is (stage.screen.groups if size == SMALL else stage.screen.flow)

    play(act, size)
