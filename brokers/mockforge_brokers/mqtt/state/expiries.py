"""Retained messages that are over leave in their time, though nobody subscribes to their topics.

Else a limit would be met by what nobody gets any more, and people be shown it.
"""

from heapq import heapify, heappop, heappush
from typing import Final

from ...clock import Timer
from ...environment import Environment
from ...fairness import Steps
from .retained import RetainedMessages

_SPARE: Final = 1_000
"""Moments of messages that were replaced since, which are let be."""


class Expiries:
    """When which topic's retained message is over, and one timer for the next of them."""

    def __init__(self, retained: RetainedMessages, environment: Environment) -> None:
        self._retained = retained
        self._environment = environment
        self._due: list[tuple[float, str]] = []
        """A heap. A topic whose message was replaced or cleared stands there all the same."""
        self._timer: Timer | None = None
        self._at = 0.0

    def note(self, topic_name: str, expires: float) -> None:
        """A message was retained that is over at this clock time."""
        if len(self._due) > 2 * self._retained.count + _SPARE:
            self._due = [
                (message.expires, message.topic_name)
                for message in self._retained.all()
                if message.expires is not None
            ]
            heapify(self._due)
        heappush(self._due, (expires, topic_name))
        self._wait()

    def _wait(self) -> None:
        at, clock = self._due[0][0], self._environment.clock
        if self._timer is not None:
            if self._at <= at:
                return
            self._timer.cancel()
        self._at = at
        self._timer = clock.call_later(max(0.0, at - clock.now()), self._begin)

    def _begin(self) -> None:
        self._timer = None
        self._environment.chores.do(self._removing())

    def _removing(self) -> Steps:
        now = self._environment.clock.now()
        while self._due and self._due[0][0] <= now:
            _, topic_name = heappop(self._due)
            message = self._retained.get(topic_name)
            if message is not None and message.expires is not None and message.expires <= now:
                self._retained.remove(topic_name)
            yield
        if self._due:
            self._wait()
