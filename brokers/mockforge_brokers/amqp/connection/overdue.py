"""Deliveries that nobody acknowledges for too long: their channel is closed (consumer_timeout)."""

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from math import inf
from typing import Final, Protocol

from ...clock import Clock
from ...errors import RequestRefused
from ..channel.channel import Channel
from ..codes import ReplyCode
from .connection import Connection
from .phase import Phase

_BETWEEN_LOOKS: Final = 60.0
_LOOKS: Final = 10
"""At least so many looks within the timeout."""


class Marks:
    """When which delivery was the newest one of a channel or session; times of the clock.

    A delivery costs nothing: what is remembered is which one was the last one when.
    """

    def __init__(self) -> None:
        self._marks: deque[tuple[float, int]] = deque()

    def overdue(self, last: int, moment: float, now: float) -> int | None:
        """The newest delivery that was there at a moment; `last` is the newest one now."""
        marks = self._marks
        if not marks or marks[-1][1] != last:
            marks.append((now, last))
        while len(marks) > 1 and marks[1][0] <= moment:
            marks.popleft()
        return marks[0][1] if marks[0][0] <= moment else None


class Side(Protocol):
    """The connections of one version of AMQP."""

    def look(self, now: float, timeout: float) -> bool:
        """See to what was delivered before the timeout; False while it has no connections."""


class Overdue:
    """Looks at all connections from time to time, as RabbitMQ does."""

    def __init__(self, clock: Clock, timeout: float, sides: Sequence[Side]) -> None:
        self._clock = clock
        self._timeout = timeout
        self._every = min(_BETWEEN_LOOKS, timeout / _LOOKS)
        self._sides = sides
        self._armed = False

    def watch(self) -> None:
        """A connection came. A timeout of 0 is none."""
        if self._timeout and not self._armed:
            self._armed = True
            self._clock.call_later(self._every, self._look)

    def _look(self) -> None:
        self._armed = False
        now = self._clock.now()
        for side in self._sides:
            if side.look(now, self._timeout):
                self.watch()


class Channels:
    """Those of AMQP 0-9-1: a late one is closed."""

    def __init__(self, connections: Mapping[int, Connection]) -> None:
        self._connections = connections
        self._marks: dict[Channel, Marks] = {}

    def look(self, now: float, timeout: float) -> bool:
        before, self._marks = self._marks, {}
        for connection in tuple(self._connections.values()):
            if connection.phase is Phase.OPEN:
                late = list(self._late(connection, before, now, now - timeout))
                _close(connection, late, timeout)
        return bool(self._connections)

    def _late(
        self, connection: Connection, before: Mapping[Channel, Marks], now: float, moment: float
    ) -> Iterable[Channel]:
        for channel in connection.channels.open.values():
            if channel.unacked and not channel.closing:
                marks = self._marks[channel] = before.get(channel) or Marks()
                tag = marks.overdue(channel.last_tag, moment, now)
                if tag is not None and _first(channel) <= tag:
                    yield channel


def _close(connection: Connection, channels: list[Channel], timeout: float) -> None:
    for channel in channels:
        text = (
            f"delivery acknowledgement on channel {channel.number} timed out. Timeout value "
            f"used: {timeout * 1000:.0f} ms. This timeout value can be configured, see "
            "consumers doc guide to learn more"
        )
        if not connection.out:
            connection.peer.wake()
        refusal = RequestRefused(ReplyCode.PRECONDITION_FAILED, text)
        connection.channels.refuse(channel, refusal, None)


def _first(channel: Channel) -> float:
    """The oldest delivery that the timeout is for."""
    if channel.vhost.profile.classic_consumers_time_out:
        return next(iter(channel.unacked))
    tags = (tag for tag, message in channel.unacked.items() if message.queue.kind == "quorum")
    return next(tags, inf)
