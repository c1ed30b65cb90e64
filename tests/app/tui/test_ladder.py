"""The ladder on the screen: a connection drawn as it goes on."""

import pytest
from mockforge_brokers.journal import IN, Row

from .shop import Shop
from .stage import LARGE, SMALL, Stage, play


async def _open(stage: Stage, client: str = "inv-worker") -> None:
    connections = stage.screen.connections
    at = next(at for at, line in enumerate(connections.records) if line.view.client == client)
    await stage.keys("2", *("j" * (at + 1)), "L")
    await stage.tick()


@pytest.mark.parametrize("size", [LARGE, SMALL, (170, 50), (60, 16)])
def test_it_draws_the_chosen_connection_in_the_place_of_the_flow(size: tuple[int, int]) -> None:
    async def act(stage: Stage) -> None:
        await _open(stage)
        lines = stage.lines()
        assert {len(line) for line in lines} == {size[0]}
        text = stage.text()
        assert "Ladder  c7 inv-worker" in text
        assert "│◀─ deliver q." in text
        assert "▶│" in text
        assert "× rej" in text
        assert not stage.flow.display
        await stage.keys("escape")
        assert stage.flow.display or stage.screen.narrow
        assert stage.screen.here is stage.screen.connections

    play(act, size)


def test_what_passes_comes_to_it_and_a_chosen_arrow_stays() -> None:
    async def act(stage: Stage) -> None:
        shop: Shop = stage.runtime
        await _open(stage)
        ladder = stage.screen.ladder
        before = len(ladder.rungs)
        shop.work(1)
        await stage.tick()
        assert len(ladder.rungs) == before + 2
        assert ladder.follow
        await stage.keys("k")
        chosen = ladder.chosen
        assert chosen is not None
        assert stage.screen.inspector.subject is chosen
        shop.work(2)
        await stage.tick()
        assert ladder.chosen is chosen
        assert "▼ 4 new" in stage.text()
        await stage.keys("G")
        assert ladder.follow
        assert "live" in stage.text()

    play(act)


def test_o_goes_from_an_answer_to_what_it_answers_and_back() -> None:
    async def act(stage: Stage) -> None:
        await _open(stage)
        ladder = stage.screen.ladder
        await stage.keys("k")
        answer = ladder.chosen
        await stage.keys("o")
        asked = ladder.chosen
        assert answer is not None
        assert asked is not None
        assert (answer.operation, asked.operation) == ("basic.nack", "basic.deliver")
        await stage.keys("o")
        assert ladder.chosen is answer

    play(act)


def test_the_ladder_of_a_row_is_that_of_its_connection() -> None:
    async def act(stage: Stage) -> None:
        stage.flow.select_row(stage.number_of("mqtt", "PUBLISH"))
        await stage.keys("L")
        assert [view.client for view in stage.screen.ladder.views] == ["dev-7"]
        assert "PINGREQ" not in stage.text()
        await stage.keys("full_stop")
        await stage.shows("PINGREQ")

    play(act)


def test_alike_frames_are_one_arrow_until_s() -> None:
    async def act(stage: Stage) -> None:
        await _open(stage, "hmi")
        await stage.shows("PUB q0 sensors/room1/temp ×")
        await stage.keys("s")
        await stage.hides(" ×")
        assert len(stage.screen.ladder.rungs) == 12

    play(act)


def test_a_connection_among_very_many_rows_is_looked_for_in_slices() -> None:
    async def act(stage: Stage) -> None:
        for _ in range(9_000):
            stage.app.feed.ring.add(Row("mqtt", IN, "PUBLISH", connection=99))
        await _open(stage, "dev-7")
        ladder = stage.screen.ladder
        for _ in range(40):
            ladder.tick()
        assert not ladder._looked_at
        assert any(rung.first.operation == "PUBLISH" for rung in ladder.rungs)

    play(act)


def test_what_comes_while_older_rows_are_looked_for_is_counted_once() -> None:
    async def act(stage: Stage) -> None:
        for _ in range(9_000):
            stage.app.feed.ring.add(Row("mqtt", IN, "PUBLISH", connection=99))
        await _open(stage, "dev-7")
        ladder = stage.screen.ladder
        number = ladder.views[0].id
        stage.app.feed.ring.add(Row("mqtt", IN, "PINGREQ", connection=number))
        ladder.tick()
        await stage.keys("k")
        for _ in range(5):
            stage.app.feed.ring.add(Row("mqtt", IN, "PUBLISH", connection=number))
        ladder.tick()
        assert ladder._looked_at
        assert ladder._new == 5
        for _ in range(40):
            ladder.tick()
        assert not ladder._looked_at
        assert ladder._new == 5
        assert sum(rung.count for rung in ladder.rungs if not rung.first.time) == 6

    play(act)


def test_in_plain_ascii_it_has_no_other_signs() -> None:
    async def act(stage: Stage) -> None:
        await _open(stage)
        text = stage.text()
        assert "|<- deliver q.invoice" in text
        assert "->|" in text
        assert not set(text) & set("│─▶◀┄")

    play(act, ascii_only=True)
