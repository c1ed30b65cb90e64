from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from mockforge_brokers.clock import AdjustableClock, ManualClock, Timer
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
        clock.advance_towards(367 * 86_400, 1)
    assert clock.offset == 0
    clock.advance(366 * 86_400)


def test_a_way_in_steps_runs_each_call_at_its_own_time_and_ends_where_it_should():
    inner = ManualClock()
    clock = AdjustableClock(inner)
    seen = []
    for due in (1, 2, 3, 90):
        clock.call_later(due, lambda: seen.append(clock.now()))
    assert not clock.advance_towards(60, 2)
    assert (seen, clock.offset) == ([1, 2], 2)
    # Time that passes meanwhile is none of the way.
    inner.advance(0.5)
    assert clock.advance_towards(60, 2)
    assert (seen, clock.offset) == ([1, 2, 3], 60)
    assert clock.advance_towards(50, 2)
    assert clock.now() == 60.5
    inner.advance(29.5)
    assert seen == [1, 2, 3, 90]
