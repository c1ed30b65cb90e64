"""Who is silent for too long: connections by the time that they have."""

from typing import TYPE_CHECKING, Final

from ..clock import Clock
from ..fairness import Chores, Steps

if TYPE_CHECKING:
    from .connection import MqttConnection

_SOONEST: Final = 0.01
"""The part of their time after which a group is looked at again at the earliest."""
_A_STEP: Final = 64
"""Connections that are looked at in one step."""


class SilenceWatch:
    """Calls `connection.silent_too_long()` at, or shortly after, the time that each one has.

    Connections of the same time are one group with one timer, which is set for the one that was
    silent for the longest when somebody last looked: who comes or speaks later is due later.
    All may fall silent at once, as when their network is gone: they are ended in steps.
    """

    def __init__(self, clock: Clock, chores: Chores) -> None:
        self._clock = clock
        self._chores = chores
        self._groups: dict[float, set[MqttConnection]] = {}

    def allow(self, connection: "MqttConnection", seconds: float) -> None:
        """End the connection when nothing comes for so long; 0: never."""
        before = connection.allowed
        if seconds == before:
            return
        connection.allowed = seconds
        groups = self._groups
        # An empty group goes when its timer is due: one timer for each time, however often a
        # client comes and goes.
        if before and (group := groups.get(before)) is not None:
            group.discard(connection)
        if seconds:
            group = groups.get(seconds)
            if group is None:
                group = groups[seconds] = set()
                self._clock.call_later(seconds, self._look, seconds)
            group.add(connection)

    def _look(self, seconds: float) -> None:
        self._chores.do(self._looking(seconds))

    def _looking(self, seconds: float) -> Steps:
        now = oldest = self._clock.now()
        group = self._groups[seconds]
        for number, connection in enumerate(tuple(group)):
            since = connection.silent_since
            if connection not in group:
                # It went between two steps.
                continue
            if now - since > seconds:
                connection.silent_too_long()
                yield
            elif since < oldest:
                oldest = since
            if not number % _A_STEP:
                yield
        if group:
            wait = max(oldest + seconds - self._clock.now(), seconds * _SOONEST)
            self._clock.call_later(wait, self._look, seconds)
        else:
            del self._groups[seconds]
