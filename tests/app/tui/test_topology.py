"""The topology on the screen: drawn live, gone through by keys."""

import pytest
from mockforge_brokers.journal import IN, Row
from mockforge_brokers.snapshots import GroupView

from mockforge_tui.tui.palette import ASCII, UNICODE

from ..console.scene import Scene
from .shop import Shop
from .stage import LARGE, SMALL, Stage, play


async def _open(stage: Stage) -> None:
    await stage.keys("T")
    await stage.tick()


@pytest.mark.parametrize("size", [LARGE, SMALL, (170, 50), (60, 16), (100, 30)])
def test_it_has_the_whole_screen_and_the_same_key_leads_back(size: tuple[int, int]) -> None:
    async def act(stage: Stage) -> None:
        await _open(stage)
        lines = stage.lines()
        assert {len(line) for line in lines} <= {size[0], size[0] - 1, size[0] - 2}
        text = stage.text()
        assert "Topology" in text
        assert "orders.created" in text
        assert "order-svc" in text
        assert not stage.screen.connections.display
        await stage.keys("T")
        assert stage.screen.here is stage.flow
        await stage.keys("T", "escape")
        assert stage.screen.here is stage.flow
        assert stage.screen.alone is None

    play(act, size)


def test_it_draws_each_way_in_one_line() -> None:
    async def act(stage: Stage) -> None:
        await _open(stage)
        lines = stage.lines()
        way = next(line for line in lines if "order-svc" in line)
        assert way.index("order-svc") < way.index("orders.created") < way.index("billing")
        assert "2.3/s" in way
        rejected = next(line for line in lines if "inv-worker" in line)
        assert "×2.3/s" in rejected
        assert "4.1k" in next(line for line in lines if "stock.moved" in line)

    play(act)


def test_what_is_sent_comes_to_it_and_frozen_it_stays() -> None:
    async def act(stage: Stage) -> None:
        shop: Shop = stage.runtime
        await _open(stage)
        await stage.keys("space")
        late = shop.mqtt_client("latecomer", "later/#")
        shop.mqtt_publish(late, "later/on", b"1")
        await stage.tick()
        assert "later" not in stage.text()
        assert "frozen" in stage.text()
        await stage.keys("space")
        await stage.tick()
        way = next(line for line in stage.lines() if "later/on" in line)
        assert way.count("latecomer") == 2

    play(act)


def test_keys_go_from_place_to_place_and_to_its_senders_and_consumers() -> None:
    async def act(stage: Stage) -> None:
        await _open(stage)
        topology = stage.screen.topology

        def chosen() -> str:
            found = topology._found()
            assert found is not None
            what = found[1].what
            return getattr(what, "name", "") or what.place.name

        for key, name in (
            ("j", "orders.created"), ("h", "order-svc"), ("h", "order-svc"), ("j", "dev-7"),
            ("l", "sensors/room1/temp"), ("l", "hmi"), ("j", "inv-worker"), ("h", "q.invoice"),
            ("j", "q.mail"), ("g", "orders.created"), ("G", "q.mail"), ("k", "q.invoice"),
        ):  # fmt: skip
            await stage.keys(key)
            assert chosen() == name, key

    play(act)


def test_what_is_chosen_is_inspected_asked_about_and_filtered_by() -> None:
    async def act(stage: Stage) -> None:
        await _open(stage)
        await stage.keys("j", "l", "plus")
        assert stage.app.session.filter.text == "group:billing"
        await stage.keys("W")
        assert any(entry.text == "why billing" for entry in stage.app.record.entries)
        await stage.keys("T", "g", "enter")
        assert stage.screen.here is stage.screen.inspector
        await stage.shows("topic orders.created")
        assert stage.screen.topology.display

    play(act)


def test_a_ladder_can_be_drawn_of_a_client_in_it() -> None:
    async def act(stage: Stage) -> None:
        await _open(stage)
        await stage.keys("j", "h", "L")
        assert [view.client for view in stage.screen.ladder.views] == ["order-svc"]

    play(act)


def test_keys_for_clients_are_for_one_who_consumes_by_a_session() -> None:
    async def act(stage: Stage) -> None:
        await _open(stage)
        await stage.keys("j", "h", "j", "l", "l")
        assert isinstance(stage.screen.subject(), GroupView)
        await stage.keys("L")
        assert [view.client for view in stage.screen.ladder.views] == ["hmi"]
        await stage.keys("T", "f")
        assert stage.screen.prompt.input.value == "fault add delay client:hmi 250ms"

    play(act)


def test_o_leaves_what_has_to_do_with_it_and_a_text_does_too() -> None:
    async def act(stage: Stage) -> None:
        await _open(stage)
        await stage.keys("j", "l", "o")
        await stage.hides("sensors/room1")
        await stage.shows("billing")
        await stage.keys("o")
        await stage.shows("sensors/room1")
        await stage.keys("slash")
        await stage.type("hmi")
        await stage.keys("enter")
        await stage.hides("billing")
        await stage.keys("escape")
        await stage.shows("billing")
        assert stage.screen.here is stage.screen.topology

    play(act)


def test_quiet_places_are_shown_when_asked_for() -> None:
    async def act(stage: Stage) -> None:
        await _open(stage)
        assert "orders.paid" not in stage.text()
        assert "1 quiet" in stage.text()
        await stage.keys("full_stop")
        await stage.shows("orders.paid")

    play(act)


def test_a_click_chooses_and_a_second_one_inspects() -> None:
    async def act(stage: Stage) -> None:
        await _open(stage)
        lines = stage.lines()
        y = next(at for at, line in enumerate(lines) if "inv-worker" in line)
        x = lines[y].index("inv-worker") + 2
        await stage.pilot.click(offset=(x, y))
        await stage.pilot.pause()
        found = stage.screen.topology._found()
        assert found is not None
        assert getattr(found[1].what, "name", "") == "inv-worker"
        await stage.pilot.click(offset=(x, y))
        await stage.until(lambda: stage.screen.here is stage.screen.inspector)

    play(act)


def test_something_moves_where_messages_do_and_stands_where_animations_are_off() -> None:
    async def act(stage: Stage) -> None:
        await _open(stage)
        topology = stage.screen.topology

        def dots() -> list[tuple[int, int]]:
            found = ((y, line.find("•")) for y, line in enumerate(stage.lines()))
            return [(y, x) for y, x in found if x >= 0]

        first = dots()
        assert len(first) == 4
        stage.app.now = lambda: 1000.25
        topology.tick()
        await stage.until(lambda: dots() != first)
        assert [y for y, _ in dots()] == [y for y, _ in first]
        second = dots()
        stage.app.animation_level = "none"
        stage.app.now = lambda: 1000.5
        topology.tick()
        await stage.pilot.pause()
        assert dots() == second

    play(act)


def test_before_anybody_is_there_it_says_where_to_connect() -> None:
    async def act(stage: Stage) -> None:
        await _open(stage)
        assert "nobody is connected yet" in stage.text()
        assert "9092" in stage.text()

    play(act, real=lambda: Scene(furnished=False))


def test_rows_that_came_while_it_was_out_of_sight_are_not_all_looked_at() -> None:
    async def act(stage: Stage) -> None:
        now = stage.runtime.clock.wall()
        for _ in range(9_000):
            stage.app.feed.ring.add(
                Row("kafka", IN, "Produce", 1, "flood", "message", "orders.paid", time=now)
            )
        await _open(stage)
        ((_, flow),) = [each for each in stage.screen.topology._flows if each[0].client == "flood"]
        assert flow.messages(now) == 4_096

    play(act)


def test_clients_have_their_turn_while_it_is_made() -> None:
    async def act(stage: Stage) -> None:
        shop: Shop = stage.runtime
        shop.environment.turn.length = -1.0
        await stage.keys("T")
        topology = stage.screen.topology
        assert not topology.graph.hubs
        # What is made is not begun again by each look, but by what changes it.
        making = topology._making
        topology.look()
        assert topology._making is making is not None
        await stage.keys("full_stop")
        assert topology._making is not making
        shop.clock.advance(0)
        await stage.shows("orders.paid")
        assert topology._making is None
        topology.look()
        await stage.keys("space")
        assert topology._making is None
        await stage.keys("space", "T")
        shop.clock.advance(0)

    play(act)


@pytest.mark.parametrize("glyphs", [UNICODE, ASCII])
def test_hostile_names_do_no_harm(glyphs: object) -> None:
    async def act(stage: Stage) -> None:
        shop: Shop = stage.runtime
        shop.mqtt_client("\x1b[2J[/b]日本", "a/[@click=app.quit]/#")
        await _open(stage)
        text = stage.text()
        assert "\x1b" not in text
        assert "[/b]" in text
        assert ("│" in text) is (glyphs is UNICODE)

    play(act, ascii_only=glyphs is ASCII)
