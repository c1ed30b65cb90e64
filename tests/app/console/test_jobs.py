"""Jobs on a clock that a test moves."""

import pytest
from mockforge_brokers.clock import AdjustableClock, ManualClock

from mockforge_tui.console.jobs import Jobs


class Bench:
    def __init__(self) -> None:
        self.time = ManualClock()
        self.jobs = Jobs(AdjustableClock(self.time))
        self.steps = 0

    def step(self) -> bool:
        self.steps += 1
        return True


def test_the_first_step_is_at_once_and_no_delay_adds_up() -> None:
    bench = Bench()
    bench.jobs.run("pub", "x", bench.step, per_second=3)
    assert bench.steps == 1
    for _ in range(100):
        bench.time.advance(0.1)
    assert 30 <= bench.steps <= 31


def test_a_high_rate_comes_in_small_batches() -> None:
    bench = Bench()
    bench.jobs.run("pub", "x", bench.step, per_second=10_000)
    bench.time.advance(1)
    assert 9_900 <= bench.steps <= 10_001


def test_a_count_ends_it() -> None:
    bench = Bench()
    job = bench.jobs.run("pub", "x", bench.step, count=3, per_second=1)
    bench.time.advance(100)
    assert (bench.steps, job.stopped, len(bench.jobs)) == (3, True, 0)


def test_false_ends_it() -> None:
    bench = Bench()
    job = bench.jobs.run("every", "x", lambda: False, per_second=1)
    assert (job.steps, job.stopped) == (1, True)


def test_an_error_leaves_no_job_behind() -> None:
    bench = Bench()

    def fail() -> bool:
        raise ValueError("x")

    with pytest.raises(ValueError, match="x"):
        bench.jobs.run("pub", "x", fail, per_second=1)
    assert len(bench.jobs) == 0


def test_stopping_by_kind_runs_what_was_to_run_at_the_end() -> None:
    bench = Bench()
    ended: list[str] = []
    bench.jobs.open("tail", "a", lambda: ended.append("a"))
    bench.jobs.run("pub", "b", bench.step, per_second=1)
    assert bench.jobs.stop_all("tail") == 1
    assert ended == ["a"]
    assert [job.kind for job in bench.jobs] == ["pub"]
