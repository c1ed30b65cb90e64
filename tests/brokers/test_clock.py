from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from mockforge_brokers.clock import AdjustableClock, ManualClock, Timer, Way
from mockforge_brokers.errors import InvalidInput


def test_manual_clock_runs_what_falls_due_in_order_and_at_its_own_time():
    clock = ManualClock()
    seen: list[tuple[str, float]] = []
    clock.call_later(2, lambda: seen.append(("late", clock.now())))
    clock.call_later(1, lambda: seen.append(("early", clock.now())))
    clock.call_later(1, lambda: seen.append(("early too", clock.now())))
    clock.advance(5)
    assert seen == [("early", 1), ("early too", 1), ("late", 2)]
    assert clock.now() == 5


def test_a_call_made_while_time_moves_runs_if_it_is_due_on_the_way():
    clock = ManualClock()
    seen: list[float] = []

    def again() -> None:
        seen.append(clock.now())
        clock.call_later(1, again)

    clock.call_later(1, again)
    clock.advance(3.5)
    assert seen == [1, 2, 3]


def test_a_cancelled_call_does_not_run():
    clock = ManualClock()
    seen: list[int] = []
    timer = clock.call_later(1, seen.append, 1)
    timer.cancel()
    clock.advance(2)
    assert seen == []


def test_wall_time_moves_with_the_clock():
    clock = ManualClock(wall=1000.0)
    clock.advance(2.5)
    assert clock.wall() == 1002.5


def test_adjustable_clock_follows_its_inner_clock():
    inner = ManualClock()
    clock = AdjustableClock(inner)
    seen: list[float] = []
    clock.call_later(2, lambda: seen.append(inner.now()))
    clock.call_later(1, lambda: seen.append(inner.now()))
    inner.advance(3)
    assert seen == [1, 2]


def test_advance_runs_what_is_due_on_the_way_and_keeps_the_rest():
    inner = ManualClock()
    clock = AdjustableClock(inner)
    seen: list[tuple[str, float]] = []
    clock.call_later(60, lambda: seen.append(("minute", clock.now())))
    clock.call_later(100, lambda: seen.append(("later", clock.now())))
    clock.advance(90)
    assert seen == [("minute", 60)]
    assert clock.offset == 90
    inner.advance(10)
    assert seen == [("minute", 60), ("later", 100)]


def test_a_failing_call_does_not_lose_the_calls_behind_it():
    inner = ManualClock()
    clock = AdjustableClock(inner)
    seen: list[str] = []

    def fail() -> None:
        raise RuntimeError("a bug of a callback")

    clock.call_later(1, fail)
    clock.call_later(1, seen.append, "behind")
    with pytest.raises(RuntimeError):
        inner.advance(1)
    inner.advance(0)
    assert seen == ["behind"]


def test_time_does_not_move_backwards():
    with pytest.raises(ValueError, match="only moves forward"):
        AdjustableClock(ManualClock()).advance(-1)


@pytest.mark.parametrize("make", [ManualClock, lambda: AdjustableClock(ManualClock())])
def test_cancelled_calls_are_not_kept_until_their_time(make):
    clock = make()
    kept: list[int] = []
    clock.call_later(50, kept.append, 1)
    for _ in range(10_000):
        clock.call_later(100, kept.append, 0).cancel()
    assert len(clock._agenda) < 300
    clock.advance(200)
    assert kept == [1]


def test_a_call_may_be_cancelled_while_it_runs_and_after():
    clock = ManualClock()
    timer = clock.call_later(1, lambda: timer.cancel())
    clock.advance(1)
    timer.cancel()
    clock.call_later(1, lambda: None)
    assert len(clock._agenda) == 1


class StandingLoop:
    """A loop whose time stands still within a turn, as uvloop's does."""

    def __init__(self) -> None:
        self.calls: list[Call] = []

    def now(self) -> float:
        return 7.0

    wall = now

    def call_later(self, delay: float, callback: Callable[..., object], *args: Any) -> Timer:
        self.calls.append(Call(partial(callback, *args)))
        return self.calls[-1]

    def turn(self) -> None:
        calls, self.calls = self.calls, []
        for call in calls:
            call.run()


class Call:
    def __init__(self, run: Callable[[], object]) -> None:
        self.run = run

    def cancel(self) -> None:
        self.run = lambda: None


def test_work_in_slices_has_a_turn_of_the_loop_for_each() -> None:
    loop = StandingLoop()
    clock = AdjustableClock(loop)
    done: list[int] = []

    def work() -> None:
        done.append(len(done))
        if len(done) < 5:
            clock.call_later(0.0, work)

    clock.call_later(0.0, work)
    clock.call_later(0.0, done.append, 100)
    for seen in ([0, 100], [0, 100, 2], [0, 100, 2, 3]):
        loop.turn()
        assert done == seen


def test_nobody_moves_on_by_more_than_a_year_at_once() -> None:
    clock = AdjustableClock(ManualClock())
    with pytest.raises(InvalidInput, match="367 days are too far: time moves on by 366 at once"):
        clock.advance(367 * 86_400)
    with pytest.raises(InvalidInput, match="367 days are too far"):
        clock.walk(367 * 86_400, nobody)
    assert clock.offset == 0
    clock.advance(366 * 86_400)


def nobody(way: Way) -> None:
    raise AssertionError("a way that is over at once tells nobody")


class Turns:
    """A loop whose turns a test makes: what is asked for in one has its own in the next."""

    def __init__(self) -> None:
        self.time = 0.0
        self.calls: list[tuple[float, Call]] = []

    def now(self) -> float:
        return self.time

    wall = now

    def call_later(self, delay: float, callback: Callable[..., object], *args: Any) -> Timer:
        call = Call(partial(callback, *args))
        self.calls.append((self.time + delay, call))
        return call

    def turn(self) -> None:
        due = [each for each in self.calls if each[0] <= self.time]
        self.calls = [each for each in self.calls if each[0] > self.time]
        for _, call in due:
            call.run()


class Ticking:
    """A clock on which something falls due each second, and at what seconds it did; the ways that
    ended, and where the clock was then."""

    def __init__(self) -> None:
        self.inner = Turns()
        self.clock = AdjustableClock(self.inner)
        self.seen: list[float] = []
        self.ended: list[tuple[Way, float]] = []
        self.turn = self.inner.turn
        self._tick()

    def _tick(self) -> None:
        self.seen.append(self.clock.now())
        self.clock.call_later(1, self._tick)

    def walk(self, seconds: float) -> Way:
        return self.clock.walk(seconds, lambda way: self.ended.append((way, self.clock.offset)))


def test_a_short_way_is_over_at_once() -> None:
    ticking = Ticking()
    way = ticking.clock.walk(60, nobody)
    assert (way.over, way.left, ticking.clock.offset) == (True, 0, 60)
    assert ticking.seen == list(range(61))


def test_a_long_way_is_gone_in_turns_each_call_at_its_own_time() -> None:
    ticking = Ticking()
    way = ticking.walk(3_600)
    turns = 0
    while not way.over:
        ticking.turn()
        turns += 1
    assert 5 < turns < 10
    assert ticking.ended == [(way, 3_600)]
    assert ticking.seen == list(range(3_601))
    assert ticking.clock.walk(10, nobody).over


def test_time_that_passes_between_the_turns_of_a_way_is_none_of_it() -> None:
    ticking = Ticking()
    way = ticking.walk(3_600)
    ticking.inner.time += 100.5
    while not way.over:
        ticking.turn()
    assert ticking.clock.offset == 3_600
    assert ticking.clock.now() == 3_700.5


def test_no_way_overtakes_another_and_all_add_up() -> None:
    ticking = Ticking()
    ways = [ticking.walk(seconds) for seconds in (3_600, 1, 1_800)]
    assert [way.over for way in ways] == [False] * 3
    assert (ways[1].left, ways[2].left) == (1, 1_800)
    while not ways[2].over:
        ticking.turn()
    assert ticking.ended == list(zip(ways, (3_600, 3_601, 5_401), strict=True))
    assert ticking.seen == list(range(5_402))


def test_a_way_begun_by_what_falls_due_on_another_is_gone_behind_it() -> None:
    ticking = Ticking()
    inner: list[Way] = []
    ticking.clock.call_later(5, lambda: inner.append(ticking.walk(100)))
    assert ticking.clock.walk(10, nobody).over
    assert (ticking.clock.offset, inner[0].over) == (10, False)
    ticking.turn()
    assert ticking.ended == [(inner[0], 110)]


def test_what_is_moved_on_at_once_meanwhile_adds_to_a_way() -> None:
    ticking = Ticking()
    way = ticking.walk(3_600)
    ticking.clock.advance(60)
    while not way.over:
        ticking.turn()
    assert (ticking.clock.offset, way.left) == (3_660, 0)


@pytest.mark.parametrize("cancelled", [0, 1])
def test_a_way_that_is_cancelled_ends_where_it_came_and_the_next_goes_on(cancelled: int) -> None:
    ticking = Ticking()
    ways = [ticking.walk(3_600), ticking.walk(7_200)]
    kept, gone = ways[1 - cancelled], ways[cancelled]
    gone.cancel()
    while not kept.over:
        ticking.turn()
    gone.cancel()
    passed = gone.seconds - gone.left
    assert ticking.ended == [(kept, passed + kept.seconds)]
    assert (passed > 0) == (cancelled == 0)


def test_a_way_is_cancelled_by_what_falls_due_on_it() -> None:
    ticking = Ticking()
    way = ticking.walk(3_600)
    ticking.clock.call_later(1, way.cancel)
    for _ in range(10):
        ticking.turn()
    assert (ticking.ended, way.over) == ([], True)
    assert ticking.clock.offset == 3_600 - way.left < 1_000


def test_what_is_raised_on_a_way_ends_it_and_no_other() -> None:
    ticking = Ticking()
    bug = RuntimeError("a bug of a callback")

    def fail() -> None:
        raise bug

    ticking.clock.call_later(1, fail)
    with pytest.raises(RuntimeError, match="a bug"):
        ticking.clock.walk(10, nobody)
    assert ticking.clock.offset == 1
    ticking.clock.call_later(2_000, fail)
    ways = [ticking.walk(seconds) for seconds in (3_600, 10)]
    while not ways[1].over:
        ticking.turn()
    assert ticking.ended == [(ways[0], 2_001), (ways[1], 2_011)]
    assert [way.failure for way in ways] == [bug, None]
