"""Retained messages that are over leave in their time, though nobody subscribes to their topics.

Else a limit would be met by what nobody gets any more, and people be shown it.
"""

from bisect import bisect_left, insort
from typing import Final

from ...clock import Timer
from ...environment import Environment
from ...fairness import Steps
from .retained import RetainedMessages

_AT_ONCE: Final = 64
"""Topics that are taken from the front together: all others move up each time."""


class Expiries:
    """When to look at which topic's retained message, and one timer for the next of them."""

    def __init__(self, retained: RetainedMessages, environment: Environment) -> None:
        self._retained = retained
        self._environment = environment
        self._noted: dict[str, float] = {}
        """By topic name: when its message is over, or sooner if that was one before it."""
        self._due: list[tuple[float, str]] = []
        """The same in order. A heap would keep each time that was noted for a topic."""
        self._timer: Timer | None = None
        self._at = 0.0

    def note(self, topic_name: str, expires: float) -> None:
        """A message was retained that is over at this clock time."""
        known = self._noted.get(topic_name)
        if known is not None:
            # One that stays for longer than the last is noted again when that would be over.
            if known <= expires:
                return
            self.forget(topic_name)
        self._noted[topic_name] = expires
        insort(self._due, (expires, topic_name))
        self._wait()

    def forget(self, topic_name: str) -> None:
        """It has no message any more that will be over."""
        due = self._noted.pop(topic_name, None)
        if due is not None:
            del self._due[bisect_left(self._due, (due, topic_name))]

    def clear(self) -> None:
        self._noted.clear()
        self._due.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

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
        while over := [name for due, name in self._due[:_AT_ONCE] if due <= now]:
            del self._due[: len(over)]
            for topic_name in over:
                del self._noted[topic_name]
            for topic_name in over:
                message = self._retained.get(topic_name)
                if message is not None and message.expires is not None:
                    if message.expires <= now:
                        self._retained.remove(topic_name)
                    else:
                        self.note(topic_name, message.expires)
                yield
        if self._due:
            self._wait()
