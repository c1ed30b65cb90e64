"""The ladder on the screen: a connection drawn as it goes on."""

from itertools import pairwise

import pytest
from mockforge_brokers.journal import IN, OUT, Row

from .shop import Shop
from .stage import LARGE, SMALL, Stage, play


async def _open(stage: Stage, client: str = "inv-worker") -> None:
    connections = stage.screen.connections
    at = next(at for at, line in enumerate(connections.records) if line.view.client == client)
    await stage.keys("2", *("j" * (at + 1)), "L")
    await stage.tick()


async def _open_behind_very_many(stage: Stage) -> None:
    for _ in range(9_000):
        stage.app.feed.ring.add(Row("mqtt", IN, "PUBLISH", connection=99))
    await _open(stage, "dev-7")


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


@pytest.mark.parametrize("size", [SMALL, LARGE])
def test_notes_have_the_room_that_they_need_up_to_half(size: tuple[int, int]) -> None:
    async def act(stage: Stage) -> None:
        await _open(stage, "order-svc")
        ladder = stage.screen.ladder
        number = ladder.views[0].id
        for error in ("NOT_LEADER_OR_FOLLOWER", "of no end " * 20):
            stage.app.feed.ring.add(
                Row("kafka", OUT, "Produce", number, error=error, destination="orders.paid")
            )
            await stage.tick()
            assert "NOT_LEADER_OR_FOLLOWER" in stage.text()
            # The arrows have the other half.
            assert {len(line) for line in stage.lines()} == {size[0]}
            assert "Produce orders.paid" in stage.text()

    play(act, size)


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


def test_what_came_by_no_connection_has_no_ladder_and_says_so() -> None:
    async def act(stage: Stage) -> None:
        stage.app.feed.ring.add(Row("mqtt", IN, "PUBLISH", connection=99, client="∗sensors"))
        await stage.tick()
        await stage.keys("1", "k", "L")
        await stage.shows("∗sensors comes by no connection")
        assert not stage.screen.ladder.display

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
        await _open_behind_very_many(stage)
        ladder = stage.screen.ladder
        for _ in range(40):
            ladder.tick()
        assert not ladder._looked_at
        assert any(rung.first.operation == "PUBLISH" for rung in ladder.rungs)

    play(act)


def test_what_comes_while_older_rows_are_looked_for_is_counted_once() -> None:
    async def act(stage: Stage) -> None:
        await _open_behind_very_many(stage)
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


@pytest.mark.parametrize("size", [LARGE, SMALL])
def test_slash_leaves_the_arrows_with_a_text_and_esc_brings_the_others_back(
    size: tuple[int, int],
) -> None:
    async def act(stage: Stage) -> None:
        shop: Shop = stage.runtime
        await _open(stage)
        ladder = stage.screen.ladder
        before = len(ladder.rungs)
        await stage.keys("slash")
        await stage.type("nack")
        assert {rung.first.operation for rung in ladder.rungs} == {"basic.nack"}
        await stage.keys("enter")
        assert stage.screen.here is ladder
        assert ladder.follow
        found = len(ladder.rungs)
        shop.work(1)
        await stage.tick()
        assert len(ladder.rungs) == found + 1
        await stage.shows("/ nack ")
        await stage.shows(f"{found + 1}/{before + 2}")
        # Nothing is said to have come between two of them.
        times = [rung.first.time for rung in ladder.rungs]
        assert [rung.after for rung in ladder.rungs[1:]] == [
            later - earlier for earlier, later in pairwise(times)
        ]
        await stage.keys("escape")
        assert len(ladder.rungs) == before + 2
        assert stage.screen.here is ladder

    play(act, size)


def test_an_error_beside_an_arrow_is_found_and_what_nothing_has_is_said() -> None:
    async def act(stage: Stage) -> None:
        await _open(stage)
        ladder = stage.screen.ladder
        await stage.keys("slash")
        await stage.type("rej")
        assert ladder.rungs
        await stage.type("x")
        await stage.shows("nothing with rejx")
        assert ladder.chosen is None
        await stage.keys("enter", "o")
        await stage.keys("j", "k", "G", "g", "escape")
        await stage.hides("nothing with")

    play(act)


def test_an_answer_that_is_not_among_the_arrows_shown_is_not_gone_to() -> None:
    async def act(stage: Stage) -> None:
        await _open(stage)
        ladder = stage.screen.ladder
        await stage.keys("slash")
        await stage.type("nack")
        await stage.keys("enter", "k")
        chosen = ladder.chosen
        await stage.keys("o")
        await stage.shows("basic.deliver is not among the arrows shown")
        assert ladder.chosen is chosen
        await stage.keys("escape", "o")
        assert ladder.chosen is not None
        assert ladder.chosen.operation == "basic.deliver"

    play(act)


def test_the_ladder_of_another_client_has_all_its_arrows() -> None:
    async def act(stage: Stage) -> None:
        await _open(stage)
        await stage.keys("slash")
        await stage.type("nack")
        await stage.keys("enter", "1")
        stage.flow.select_row(stage.number_of("mqtt", "PUBLISH"))
        await stage.keys("L")
        ladder = stage.screen.ladder
        assert (ladder.sought, [view.client for view in ladder.views]) == ("", ["dev-7"])
        assert ladder.rungs

    play(act)


def test_a_text_is_sought_in_as_many_arrows_as_there_may_be_with_each_read_once() -> None:
    async def act(stage: Stage) -> None:
        for _ in range(2_100):
            stage.app.feed.ring.add(Row("amqp", IN, "basic.ack", connection=7))
        await _open(stage)
        ladder = stage.screen.ladder
        await stage.keys("s")
        assert len(ladder.rungs) == 2_000
        ladder.seek("none of them")
        assert ladder.rungs == []
        feed, ladder.feed = ladder.feed, None  # type: ignore[assignment]  # nothing is read again
        try:
            assert ladder._those_sought(ladder.ladder.rungs(folded=False)) == []
        finally:
            ladder.feed = feed

    play(act)
