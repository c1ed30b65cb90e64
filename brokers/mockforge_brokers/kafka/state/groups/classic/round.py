"""One rebalance of a classic group: who is waited for, and for how long."""

from collections.abc import Callable
from typing import Final

from .....clock import Clock
from ..sessions import Alarm
from .member import Members

_LEAST_WAIT: Final = 1.0
"""Seconds between two looks whether an absent static member is back, whatever its timeout says."""


class Round:
    """First for joins, then for syncs; of both the group says when they have all come.

    The first members of an empty group are collected for a while before anybody is answered, so
    that ten that start together rebalance once (KIP-134).
    """

    __slots__ = ("_alarm", "_delay", "_joined", "_late", "_left", "_members", "newcomer")

    def __init__(
        self,
        clock: Clock,
        members: Members,
        delay: float,
        joined: Callable[[], object],
        late: Callable[[], object],
    ) -> None:
        """`joined`: nobody else is waited for to join. `late`: the time for syncs is over.

        `delay`: seconds for which an empty group waits for more members, again after each newcomer.
        """
        self.newcomer = False
        """Set by the group when somebody came who was not in it."""
        self._members = members
        self._delay = delay
        self._joined = joined
        self._late = late
        self._alarm = Alarm(clock)
        self._left: float | None = None
        """Seconds for which the delay may be prolonged; None: nobody is collected."""

    @property
    def collects(self) -> bool:
        """Who joins now is not answered yet, though all others wait as well."""
        return self._left is not None

    def begin(self, *, first: bool) -> None:
        """Members are to join; `first`: the group was empty until now."""
        timeout = self._members.rebalance_timeout
        if not first:
            # Members hear of it by their next heartbeat, and finish what they are at before they
            # join: the slowest of them has the say.
            self._alarm.arm(timeout, self._joined)
        elif self._delay > 0:
            # The first member's JoinGroup is parked, and it waits no longer than that.
            self._left = max(0.0, timeout - self._delay)
            self.newcomer = False
            self._alarm.arm(self._delay, self._collect)
        else:
            # group.initial.rebalance.delay.ms=0: the first one leads a generation of its own.
            self._joined()

    def wait_for_joins(self) -> None:
        """For another rebalance timeout, again and again until somebody is back or all are gone."""
        # A member may say 0 or less: without a pause nothing else would ever have its turn.
        self._alarm.arm(max(_LEAST_WAIT, self._members.rebalance_timeout), self._joined)

    def wait_for_syncs(self) -> None:
        self._alarm.arm(self._members.rebalance_timeout, self._late)

    def over(self) -> None:
        """Nobody is waited for."""
        self._alarm.disarm()
        self._left = None

    def _collect(self) -> None:
        """The delay is over, unless somebody came meanwhile: then it is added, up to the most."""
        if self.newcomer and self._left:
            self.newcomer = False
            more = min(self._delay, self._left)
            self._left -= more
            self._alarm.arm(more, self._collect)
        else:
            self._joined()
