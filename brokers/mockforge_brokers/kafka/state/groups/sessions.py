"""A group's timers: its members' sessions, ids not yet used, and the end of a phase."""

from collections.abc import Callable
from typing import Final, Generic, Protocol, TypeVar
from uuid import UUID

from ....clock import Clock, Timer
from ....environment import Environment

_MOST_PENDING: Final = 1_000
_EARLY: Final = 0.0005
"""Seconds by which a loop's timer may ring too soon."""


class Living(Protocol):
    """A member with a session; times are seconds. `waits`: a request of its is parked."""

    deadline: float
    timer: Timer | None
    session_timeout: float

    @property
    def waits(self) -> bool: ...


L = TypeVar("L", bound=Living)


class Sessions(Generic[L]):
    """`expired(member, reason)` is called when a session ends. A parked request keeps it alive."""

    __slots__ = ("_clock", "_expired")

    def __init__(self, clock: Clock, expired: Callable[[L, str], object]) -> None:
        self._clock = clock
        self._expired = expired

    def touch(self, member: L) -> None:
        """The member is alive. Its timer is not moved: when it rings, it looks at the deadline."""
        before, member.deadline = member.deadline, self._clock.now() + member.session_timeout
        if member.deadline < before:
            # Its timeout is shorter than it was, and the timer would ring too late.
            self.end(member)
        if member.timer is None:
            member.timer = self._clock.call_later(member.session_timeout, self._check, member)

    def end(self, member: L) -> None:
        if member.timer is not None:
            member.timer.cancel()
            member.timer = None

    def _check(self, member: L) -> None:
        if member.waits:
            member.deadline = self._clock.now() + member.session_timeout
        left = member.deadline - self._clock.now()
        if left > _EARLY:
            member.timer = self._clock.call_later(left, self._check, member)
            return
        member.timer = None
        self._expired(member, f"was silent for its session timeout of {member.session_timeout:g} s")


def new_member_id(environment: Environment, prefix: str = "") -> str:
    number = UUID(bytes=environment.random.randbytes(16), version=4)
    return f"{prefix}-{number}" if prefix else str(number)


class PendingIds:
    """Member ids that were given out and whose owners have not joined yet (KIP-394)."""

    __slots__ = ("_environment", "_expired", "_timers")

    def __init__(self, environment: Environment, expired: Callable[[], object]) -> None:
        self._environment = environment
        self._expired = expired
        self._timers: dict[str, Timer] = {}

    def __len__(self) -> int:
        return len(self._timers)

    def __contains__(self, member_id: str) -> bool:
        return member_id in self._timers

    def new_id(self, prefix: str) -> str:
        return new_member_id(self._environment, prefix)

    def give_out(self, member_id: str, session_timeout: float) -> None:
        """Its owner is expected within its session timeout.

        Of very many ids the oldest is not waited for any more: who comes with it joins anew.
        """
        if len(self._timers) >= _MOST_PENDING:
            self.take(next(iter(self._timers)))
        clock = self._environment.clock
        self._timers[member_id] = clock.call_later(session_timeout, self._expire, member_id)

    def take(self, member_id: str) -> bool:
        """Whether this id was pending; it no longer is."""
        timer = self._timers.pop(member_id, None)
        if timer is not None:
            timer.cancel()
        return timer is not None

    def clear(self) -> None:
        for member_id in tuple(self._timers):
            self.take(member_id)

    def _expire(self, member_id: str) -> None:
        self._timers.pop(member_id, None)
        self._expired()


class Alarm:
    """One call at a later time; a new one takes the place of the old one."""

    __slots__ = ("_clock", "_timer")

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._timer: Timer | None = None

    def arm(self, delay: float, callback: Callable[[], object]) -> None:
        self.disarm()
        self._timer = self._clock.call_later(delay, callback)

    def disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
