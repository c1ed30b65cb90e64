"""Keep alive without a timer for each client."""

from itertools import count
from typing import Any

from mockforge_brokers.clock import ManualClock
from mockforge_brokers.fairness import Chores, Turn
from mockforge_brokers.mqtt.silence_watch import SilenceWatch


class Silent:
    """A connection as the watch sees it."""

    def __init__(self, since: float) -> None:
        self.allowed = 0.0
        self.silent_since = since
        self.ended_at: list[float] = []
        self.watch: SilenceWatch | None = None
        self.clock: ManualClock | None = None

    def silent_too_long(self) -> None:
        assert self.watch is not None
        assert self.clock is not None
        self.ended_at.append(self.clock.now())
        self.watch.allow(self, 0)  # type: ignore[arg-type]


class CountingClock(ManualClock):
    """Counts the timers that are set."""

    def __init__(self) -> None:
        super().__init__()
        self.timers = 0

    def call_later(self, delay: float, callback: Any, *args: Any) -> Any:
        self.timers += 1
        return super().call_later(delay, callback, *args)


def test_connections_of_one_keep_alive_share_a_timer_and_each_ends_in_its_time() -> None:
    clock = CountingClock()
    watch = SilenceWatch(clock, Chores(Turn(), clock.call_later))
    begin = clock.now()
    silent = []
    for _ in range(1_000):
        one = Silent(clock.now())
        one.watch, one.clock = watch, clock
        watch.allow(one, 60.0)  # type: ignore[arg-type]
        silent.append(one)
    assert clock.timers == 1
    other = Silent(begin)
    other.watch, other.clock = watch, clock
    watch.allow(other, 10.0)  # type: ignore[arg-type]
    assert clock.timers == 2, "and one for each other time"
    # One speaks on the way: it alone is due later.
    clock.advance(30.0)
    assert [at - begin for at in other.ended_at] == [10.1]
    silent[7].silent_since = clock.now()
    clock.advance(40.0)
    assert {len(one.ended_at) for number, one in enumerate(silent) if number != 7} == {1}
    assert silent[7].ended_at == []
    clock.advance(30.0)
    assert len(silent[7].ended_at) == 1
    assert 90.0 < silent[7].ended_at[0] - begin <= 90.6
    assert clock.timers < 12


def test_very_many_that_fall_silent_at_once_are_ended_in_several_turns() -> None:
    clock = CountingClock()
    # Time that passes with every look at it: a turn has time for one step.
    turn = Turn(count().__next__)
    turn.length = 0
    watch = SilenceWatch(clock, Chores(turn, clock.call_later))
    silent = [Silent(clock.now()) for _ in range(500)]
    for one in silent:
        one.watch, one.clock = watch, clock
        watch.allow(one, 60.0)  # type: ignore[arg-type]
    # One speaks between two turns, and one goes.
    silent[400].silent_since = clock.now() + 60.0
    clock.call_later(60.7, lambda: watch.allow(silent[300], 0))
    clock.advance(61.0)
    ended = [number for number, one in enumerate(silent) if one.ended_at]
    assert len(ended) in (498, 499)
    assert 400 not in ended
    assert clock.timers > 400
    clock.advance(100.0)
    assert silent[400].ended_at
