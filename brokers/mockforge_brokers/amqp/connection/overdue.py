"""Deliveries that nobody acknowledges for too long: their channel is closed (consumer_timeout)."""

from collections import deque
from collections.abc import Iterable, Mapping
from math import inf
from typing import Final

from ...clock import Clock
from ...errors import RequestRefused
from ..channel.channel import Channel
from ..codes import ReplyCode
from .connection import Connection
from .phase import Phase

Marks = deque[tuple[float, int]]
"""When which delivery tag was the last one of a channel; times of the clock."""
_BETWEEN_LOOKS: Final = 60.0
_LOOKS: Final = 10
"""At least so many looks within the timeout."""


class Overdue:
    """Looks at all channels from time to time, as RabbitMQ does.

    A delivery costs nothing: what is remembered is which delivery tag was the last one when.
    """

    def __init__(self, clock: Clock, timeout: float, connections: Mapping[int, Connection]) -> None:
        self._clock = clock
        self._timeout = timeout
        self._every = min(_BETWEEN_LOOKS, timeout / _LOOKS)
        self._connections = connections
        self._marks: dict[Channel, Marks] = {}
        self._armed = False

    def watch(self) -> None:
        """A connection came. A timeout of 0 is none."""
        if self._timeout and not self._armed:
            self._armed = True
            self._clock.call_later(self._every, self._look)

    def _look(self) -> None:
        self._armed = False
        before, self._marks = self._marks, {}
        for connection in tuple(self._connections.values()):
            if connection.phase is Phase.OPEN:
                self._close(connection, list(self._overdue(connection, before)))
        if self._connections:
            self.watch()

    def _overdue(
        self, connection: Connection, before: Mapping[Channel, Marks]
    ) -> Iterable[Channel]:
        for channel in connection.channels.open.values():
            if channel.unacked and not channel.closing:
                marks = self._marks[channel] = before.get(channel) or deque()
                if self._is_overdue(channel, marks):
                    yield channel

    def _is_overdue(self, channel: Channel, marks: Marks) -> bool:
        now = self._clock.now()
        if not marks or marks[-1][1] != channel.last_tag:
            marks.append((now, channel.last_tag))
        while len(marks) > 1 and marks[1][0] <= now - self._timeout:
            marks.popleft()
        moment, tag = marks[0]
        return moment <= now - self._timeout and _first(channel) <= tag

    def _close(self, connection: Connection, channels: list[Channel]) -> None:
        for channel in channels:
            text = (
                f"delivery acknowledgement on channel {channel.number} timed out. Timeout value "
                f"used: {self._timeout * 1000:.0f} ms. This timeout value can be configured, see "
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
