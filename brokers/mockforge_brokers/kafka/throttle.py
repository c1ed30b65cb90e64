"""What quotas do to one connection: each request is charged, and the client waits (KIP-219)."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

from ..clock import Clock, Timer
from ..environment import Environment
from .apis.caller import Caller
from .apis.handler import Handler, Pieces
from .apis.throttling import charge
from .events import ClientThrottled
from .state.purgatory import Parked
from .wire.frames import RequestHeader

_PAUSE: Final = 10.0
"""Seconds between two events about one connection that is throttled."""


class Throttle:
    """While it is on, answers still go out, and no request is handled.

    Kafka answers at once, with the time in it, and then does not read: a client of KIP-219 waits
    by itself, an older one meets a broker that is slow.
    """

    __slots__ = ("_begin", "_clock", "_end", "_environment", "_said", "_timer", "_until", "on")

    def __init__(
        self,
        environment: Environment,
        begin: Callable[[], object],
        end: Callable[[], object],
    ) -> None:
        """`begin` stops the requests behind the one in hand, `end` lets them go on."""
        self.on = False
        self._environment = environment
        self._clock: Clock = environment.clock
        self._begin = begin
        self._end = end
        self._said = -_PAUSE
        self._until = 0.0
        self._timer: Timer | None = None

    def handle(
        self, caller: Caller, handler: Handler, header: RequestHeader, frame: bytes, at: int
    ) -> Pieces | Parked[Pieces]:
        """Where there are quotas no request goes by the short path, and each is charged."""
        caller.begin_charged()
        answer = handler.answer(caller, frame, at, header.correlation_id)
        caller.end_charged()
        # What a request is charged depends on its time: the short path measures none.
        caller.leave_short_path()

        def charged(pieces: Pieces) -> None:
            # Without the four bytes that say its size.
            size = len(frame) - 4
            seconds = charge(caller, header.api_key, header.api_version, size, pieces)
            if seconds > 0:
                self.wait(caller, seconds)

        if isinstance(answer, Parked):
            return answer.map(partial(_passed, charged))
        charged(answer)
        return answer

    def wait(self, caller: Caller, seconds: float) -> None:
        """No request is handled for so long."""
        if self._clock.now() - self._said >= _PAUSE:
            self._said = self._clock.now()
            event = ClientThrottled("kafka", caller.peer.id, caller.name, caller.user, seconds)
            self._environment.spine.emit(event)
        self.on = True
        self._begin()
        until = self._clock.now() + seconds
        # A quota and a fault may both let it wait: the one that lasts longer ends it.
        if until > self._until:
            self._until = until
            if self._timer is not None:
                self._timer.cancel()
            self._timer = self._clock.call_later(seconds, self._over)

    def stop(self) -> None:
        """The connection is over. What it owes would keep it for as long as that takes."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _over(self) -> None:
        self._timer = None
        self.on = False
        self._end()


def _passed(charged: Callable[[Pieces], None], pieces: Pieces) -> Pieces:
    charged(pieces)
    return pieces
