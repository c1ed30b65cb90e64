"""Work that goes on behind the prompt: sending at a rate, repeating a line, tailing."""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from mockforge_brokers.clock import Clock, Timer

from .results import Result

_SLICE = 200
"""Steps in one turn of the loop, so that a large count does not hold up the brokers."""
_SHORTEST = 0.005


@dataclass(slots=True, eq=False)
class Job:
    """One piece of work; `kind` is what stops it by name: pub, play, every, tail."""

    id: int
    kind: str
    what: str
    started: float
    steps: int = 0
    limit: int | None = None
    per_second: float = math.inf
    stopped: bool = False
    timer: Timer | None = None
    awaited: bool = False
    """What comes after it wants its `outcome` first."""
    outcome: Result | None = None
    """What it came to, where that is more than having run."""
    on_stop: list[Callable[[], object]] = field(default_factory=list)

    def result(self, began: Result) -> Result:
        """What a line comes to whose first answer was that this job runs."""
        if self.outcome is not None:
            return replace(self.outcome, command=began.command)
        text = f"{self.steps} of {self.what}"
        return Result(began.command, text=text, data={"shown": self.steps})


class Jobs:
    """The jobs of one session, by number."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._jobs: dict[int, Job] = {}
        self._last = 0

    def __iter__(self) -> Iterator[Job]:
        return iter(tuple(self._jobs.values()))

    def __len__(self) -> int:
        return len(self._jobs)

    def open(self, kind: str, what: str, on_stop: Callable[[], object] | None = None) -> Job:
        """A job that goes on until it is stopped; something else moves it."""
        self._last += 1
        job = Job(self._last, kind, what, self._clock.now())
        if on_stop is not None:
            job.on_stop.append(on_stop)
        self._jobs[job.id] = job
        return job

    def run(
        self,
        kind: str,
        what: str,
        step: Callable[[], bool],
        *,
        count: int | None = None,
        per_second: float = math.inf,
    ) -> Job:
        """Call `step` at a rate until it has run `count` times or returned False.

        The first steps run before this returns: a short job is over by then.
        """
        job = self.open(kind, what)
        job.limit = count
        job.per_second = per_second
        self._turn(job, step)
        return job

    def stop(self, job: Job) -> None:
        """End a job; once is enough, more do no harm."""
        if job.stopped:
            return
        job.stopped = True
        self._jobs.pop(job.id, None)
        if job.timer is not None:
            job.timer.cancel()
        for callback in job.on_stop:
            callback()

    def stop_all(self, kind: str | None = None) -> int:
        """End the jobs of a kind (or all); returns how many."""
        chosen = [job for job in self if kind in (None, job.kind)]
        for job in chosen:
            self.stop(job)
        return len(chosen)

    def find(self, number: int) -> Job | None:
        return self._jobs.get(number)

    def of(self, result: Result) -> Job | None:
        """The job that goes on behind a line's result."""
        number = result.data.get("job") if isinstance(result.data, Mapping) else None
        return None if number is None else self.find(number)

    def _turn(self, job: Job, step: Callable[[], bool]) -> None:
        job.timer = None
        try:
            for _ in range(self._due(job)):
                job.steps += 1
                if not step():
                    self.stop(job)
                if job.stopped:
                    return
        except BaseException:
            self.stop(job)
            raise
        if job.limit is not None and job.steps >= job.limit:
            self.stop(job)
            return
        job.timer = self._clock.call_later(self._pause(job), self._turn, job, step)

    def _due(self, job: Job) -> int:
        """Steps to make now: by deadlines from the start, so that no delay adds up."""
        left = _SLICE if job.limit is None else min(_SLICE, job.limit - job.steps)
        if math.isinf(job.per_second):
            return left
        elapsed = self._clock.now() - job.started
        # The first step is due at once; the hair keeps 0.1 * 10 from being less than 1.
        return max(0, min(left, int(elapsed * job.per_second + 1e-9) + 1 - job.steps))

    def _pause(self, job: Job) -> float:
        if math.isinf(job.per_second):
            return 0.0
        due = job.started + job.steps / job.per_second
        return max(_SHORTEST if job.per_second > 100 else 0.0, due - self._clock.now())
