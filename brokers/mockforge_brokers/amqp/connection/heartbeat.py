"""Heartbeats (AMQP 4.2.7): sent at half the agreed time; two of them missed end a connection."""

from collections.abc import Callable
from typing import Final

from ...clock import Clock, Timer

_PATIENCE: Final = 4
"""Ticks of half a heartbeat without a byte from the client."""


class Heartbeat:
    """`quiet` counts ticks since the client's last byte: who receives any sets it to 0.

    While `listening` says no the client's bytes are left unread, and its silence is our doing.
    """

    __slots__ = ("_beat", "_clock", "_interval", "_listening", "_silent", "_timer", "quiet")

    def __init__(
        self,
        clock: Clock,
        seconds: int,
        beat: Callable[[], None],
        silent: Callable[[], None],
        listening: Callable[[], bool],
    ) -> None:
        self._clock = clock
        self._interval = seconds / 2
        self._beat = beat
        self._silent = silent
        self._listening = listening
        self.quiet = 0
        self._timer: Timer | None = None
        if seconds:
            self._timer = clock.call_later(self._interval, self._tick)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _tick(self) -> None:
        self.quiet = self.quiet + 1 if self._listening() else 0
        if self.quiet > _PATIENCE:
            self._timer = None
            self._silent()
            return
        self._timer = self._clock.call_later(self._interval, self._tick)
        self._beat()
