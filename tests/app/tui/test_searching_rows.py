"""A new filter looks through all rows in slices, between the frames as well."""

from itertools import count

from mockforge_brokers.journal import IN, Row

from mockforge_tui.feed.selection import Selection
from mockforge_tui.filters import compile_filter

from .stage import Stage, play


def test_old_rows_are_looked_through_without_waiting_for_frames() -> None:
    async def act(stage: Stage) -> None:
        feed, flow = stage.app.feed, stage.flow
        for number in range(6_400):
            feed.ring.add(Row("mqtt", IN, "PUBLISH", destination=f"t{number % 50}"))
        # Each look at the time is a second later: a slice is one look long.
        ticks = count()
        feed._timer = lambda: next(ticks)
        flow.show(compile_filter("topic:t7"))
        assert flow._selection.progress < 1
        seen = flow._selection.count
        await stage.until(lambda: flow._selection.progress == 1, "all was looked at")
        assert flow._selection.count == 128 > seen
        # The next frame shows them, though it finds no more.
        await stage.tick()
        assert "  128/" in stage.text()
        assert len(flow._page) == min(128, flow.rows_shown)
        assert flow._search is None

    play(act)


def test_another_filter_ends_the_search_of_the_one_before() -> None:
    async def act(stage: Stage) -> None:
        feed, flow = stage.app.feed, stage.flow
        for _ in range(6_400):
            feed.ring.add(Row("mqtt", IN, "PUBLISH", destination="t"))
        ticks = count()
        feed._timer = lambda: next(ticks)
        flow.show(compile_filter("topic:t"))
        first, search = flow._selection, flow._search
        flow.show(compile_filter("topic:u"))
        assert search is not None
        assert search.cancelled()
        await stage.until(lambda: flow._selection.progress == 1, "all was looked at")
        assert first.progress < 1

    play(act)


def test_what_matched_is_counted_though_it_has_left() -> None:
    from mockforge_tui.feed.ring import Ring

    ring = Ring(slots=10)
    selection = Selection(ring)
    for _ in range(30):
        ring.add(Row("mqtt", IN, "PUBLISH"))
        selection.tick()
    assert (selection.count, selection.found) == (10, 30)
