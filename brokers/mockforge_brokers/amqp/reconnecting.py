"""Clients that open a connection for every message, as lint sees them."""

from collections import deque
from typing import Final

from ..clock import Clock
from ..events import ClientIdentified, ConnectionClosed, Event
from ..spine import Spine
from .lint import CHURN, Lint

_AMQP: Final = "amqp"
SHORT: Final = 1.0
"""Seconds that a connection lives which cost more to open than it brought."""
MANY: Final = 50
WITHIN: Final = 10.0
"""So many of one client within so many seconds are no accident."""
_MOST: Final = 1000


class Reconnecting:
    """Remembers when short connections ended, by client; of unnamed ones user and host count."""

    def __init__(self, spine: Spine, clock: Clock, lint: Lint) -> None:
        self._clock = clock
        self._lint = lint
        self._opened: dict[int, float] = {}
        self._short: dict[str, deque[float]] = {}
        spine.watch(self._look, ClientIdentified, ConnectionClosed)

    def _look(self, event: Event) -> None:
        if event.protocol != _AMQP:
            return
        match event:
            case ClientIdentified(connection=number):
                self._opened[number] = self._clock.now()
            case ConnectionClosed(connection=number, client=client) if number in self._opened:
                now = self._clock.now()
                if now - self._opened.pop(number) < SHORT:
                    address, _, port = client.rpartition(":")
                    self._count(number, address if port.isdecimal() else client, now)

    def _count(self, number: int, client: str, now: float) -> None:
        times = self._short.get(client)
        if times is None:
            if len(self._short) >= _MOST:
                del self._short[next(iter(self._short))]
            times = self._short[client] = deque()
        times.append(now)
        while times[0] < now - WITHIN:
            times.popleft()
        if len(times) >= MANY:
            what = f"{len(times)} connections within {WITHIN:g} s, each open for less than 1 s"
            self._lint.report(number, client, CHURN, what)
            times.clear()
