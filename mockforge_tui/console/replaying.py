"""Replay as a job: the messages of a recording at their times, or as fast as may be."""

from typing import TYPE_CHECKING

from mockforge_brokers.errors import BrokerError, InvalidInput

from ..entrance import make_room
from ..fixtures.messages import Recorded
from .jobs import Job
from .language import Problem
from .results import Notice, Result, done

if TYPE_CHECKING:
    from .session import Session

_TURN = 200
"""Messages that are published before others get their turn."""


def replay(session: "Session", messages: tuple[Recorded, ...], speed: float) -> Job:
    """Begin; the job's `outcome` says how it went once it has stopped."""
    player = _Player(session, messages, speed)
    player.turn()
    return player.job


def factor(text: str) -> float:
    """`10`, or `max` as infinity. Raises InvalidInput."""
    if text == "max":
        return float("inf")
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not number > 0:
        raise InvalidInput(f"a number above 0, or max, is wanted, not {text}")
    return number


class _Player:
    """Publishes what is due, then waits for the next."""

    def __init__(self, session: "Session", messages: tuple[Recorded, ...], speed: float) -> None:
        # What is refused here leaves no job behind.
        make_room(session.runtime.brokers, (each.message for each in messages))
        self.job: Job = session.jobs.open("replay", f"{len(messages)} messages", self._ended)
        self.job.limit = len(messages)
        self._session = session
        self._messages = messages
        self._speed = speed
        self._began = session.runtime.clock.now()

    def turn(self) -> None:
        job, clock = self.job, self._session.runtime.clock
        job.timer = None
        for _ in range(_TURN):
            if job.steps == len(self._messages):
                self._session.jobs.stop(job)
                return
            recorded = self._messages[job.steps]
            wait = recorded.after / self._speed - (clock.now() - self._began)
            if wait > 1e-9:
                job.timer = clock.call_later(wait, self.turn)
                return
            try:
                self._session.runtime.publish(recorded.message)
            except BrokerError as error:
                self._fail(error)
                return
            job.steps += 1
        job.timer = clock.call_later(0.0, self.turn)

    def _fail(self, error: BrokerError) -> None:
        """What cannot be published ends it: the rest would not be what was recorded."""
        job = self.job
        text = f"replay stopped after {job.steps} of {len(self._messages)}: {error}"
        job.outcome = Result(ok=False, problem=Problem(text, 0, 0))
        self._session.report(Notice("problem", text))
        self._session.jobs.stop(job)

    def _ended(self) -> None:
        job, count = self.job, len(self._messages)
        if job.outcome is None:
            where = {"messages": count, "published": job.steps}
            job.outcome = done(f"{job.steps} of {count} messages replayed", where)
