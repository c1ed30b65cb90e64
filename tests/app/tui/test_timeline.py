"""Pane 5 shows the last minute: what faults did beside traffic, lag and errors."""

import re

import pytest
from brokers.misbehaving import Waiting, fault, hold
from hypothesis import given
from hypothesis import strategies as st
from mockforge_brokers.journal import IN, Row
from mockforge_brokers.kafka.wire.frames import encode_request
from mockforge_brokers.kafka.wire.messages.logs import ProduceRequest

from mockforge_tui.tui.timeline import STEP, STEPS, Series, Timeline

from .stage import LARGE, SMALL, Stage, play


@pytest.mark.parametrize(
    ("adds_up", "figures", "values"),
    [
        (True, [(1, 0), (2, 0), (4, 1)], (3, 4)),
        (False, [(1, 0), (9, 0), (4, 0), (2, 1)], (9, 2)),
        (True, [(1, 0), (1, 3)], (1, 0, 0, 1)),
        (False, [], ()),
    ],
)
def test_figures_of_one_step_add_up_or_count_by_the_highest(adds_up, figures, values) -> None:
    series = Series(adds_up=adds_up)
    for figure, fresh in figures:
        series.note(figure, fresh=fresh)
    assert series.values() == values


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 40)), min_size=1, max_size=60))
def test_a_chart_never_has_more_than_a_minute_and_ends_with_now(figures) -> None:
    counter, level = Series(adds_up=True), Series(adds_up=False)
    for figure, fresh in figures:
        counter.note(figure, fresh=fresh)
        level.note(figure, fresh=fresh)
    assert len(counter.values()) == len(level.values()) <= STEPS
    assert counter.values()[-1] >= figures[-1][0]
    assert level.now == figures[-1][0]


def test_a_rule_s_hits_stand_where_they_happened_and_end_with_all_others() -> None:
    timeline = Timeline()
    counts = [0, 0, 3, 3, 4]
    for step, count in enumerate(counts):
        hits = {"rule": count} if step else {}
        timeline.note(step * STEP, rate=step, lag=10 * step, errors=step % 2, hits=hits)
    rate, lag, errors = timeline.tracks()
    assert rate.values == (0, 1, 2, 3, 4)
    assert (lag.values, lag.now) == ((0, 10, 20, 30, 40), 40)
    assert errors.values == (0, 1, 0, 1, 0)
    assert timeline.hits_of("rule") == (0, 3, 0, 1)
    timeline.note(9, 0, 0, 0, {})
    assert timeline.hits_of("rule") == ()


def fire(stage: Stage, times: int) -> None:
    faults = stage.runtime.faults
    for number in range(times):
        row = Row("mqtt", IN, "PUBLISH", client="dev-7", correlation=number)
        faults.ask([row], (set(), False))


def chart_of(stage: Stage, name: str) -> str:
    line = next(line for line in stage.lines() if name in line)
    return line.partition(name)[2]


@pytest.mark.parametrize("size", [LARGE, SMALL])
def test_faults_stand_beside_traffic_lag_and_errors(size: tuple[int, int]) -> None:
    async def act(stage: Stage) -> None:
        stage.runtime.faults.add(fault(scope="client:dev-*"))
        await stage.keys("5")
        for times in (0, 4, 0, 0, 1):
            fire(stage, times)
            await stage.tick()
            await stage.tick()
        text = stage.text()
        for part in ("messages/s", "lag of groups", "errors", "last 60 s", "drop client:dev-*"):
            assert part in text, part
        chart = chart_of(stage, "drop client:dev-*")
        assert "█" in chart
        assert chart.split()[0].endswith("▃"), chart
        assert {len(line) for line in stage.lines()} == {size[0]}

    play(act, size)


@pytest.mark.parametrize("size", [LARGE, SMALL])
def test_a_held_frame_says_what_runs_out_for_its_client(size: tuple[int, int]) -> None:
    request = encode_request(ProduceRequest(timeout_ms=30_000), 9, 1, "shop")

    async def act(stage: Stage) -> None:
        holds = stage.runtime.holds
        rows = [Row("kafka", IN, "Produce", client="shop", destination="orders", frame=request)]
        holds.hold(holds.add(hold()), rows, Waiting())
        await stage.keys("5")
        await stage.tick()
        [line] = [line for line in stage.lines() if "shop Produce orders" in line]
        assert re.search(r"request timeout in (30|29|28)s", line), line

    play(act, size)


def test_the_cursor_passes_the_traffic_over_and_a_click_on_it_chooses_nothing() -> None:
    async def act(stage: Stage) -> None:
        for _ in range(2):
            stage.runtime.faults.add(fault(scope="client:dev-*"))
        await stage.keys("5")
        await stage.tick()
        pane = stage.screen.faults
        await stage.pilot.click(pane, offset=(5, 3))
        assert pane.chosen is None or pane.chosen.id == 1
        await stage.keys("j")
        assert pane.chosen is not None
        first = next(at for at, line in enumerate(stage.lines()) if "drop client" in line)
        top = next(at for at, line in enumerate(stage.lines()) if "5 Faults" in line)
        await stage.pilot.click(pane, offset=(5, first + 1 - top))
        assert pane.chosen.id == 2

    play(act, LARGE)


def test_where_there_is_no_room_for_charts_the_figures_stay() -> None:
    async def act(stage: Stage) -> None:
        for number in range(3):
            stage.runtime.faults.add(fault(scope=f"client:c{number}"))
        await stage.keys("5")
        await stage.tick()
        text = stage.text()
        assert "last 60 s" not in text
        for part in ("messages/s", "client:c0", "client:c2"):
            assert part in text, part

    play(act, (60, 16))


def test_a_run_of_presets_stands_in_the_title_while_it_goes_on() -> None:
    async def act(stage: Stage) -> None:
        # Of a message, or a broker that is stopped for a while, no rule is in force.
        assert stage.app.session.run("chaos start observe,poison-message -s target=mqtt:t").ok
        await stage.keys("5")
        await stage.tick()
        assert "↯ observe, poison-message" in stage.text()
        assert stage.app.session.run("chaos stop").ok
        await stage.tick()
        assert "poison-message" not in str(stage.screen.faults.title_pieces())

    play(act, LARGE)
