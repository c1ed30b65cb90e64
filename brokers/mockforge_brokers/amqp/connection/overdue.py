"""Deliveries that nobody acknowledges for too long: their channel is closed (consumer_timeout)."""

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from math import inf
from operator import sub
from typing import Final

from ...errors import RequestRefused
from ..channel.channel import Channel
from ..codes import ReplyCode
from .connection import Connection
from .phase import Phase

_FINENESS: Final = 64


class Marks:
    """When which delivery was the newest one of a channel or session; times of the clock.

    A delivery costs nothing: what is remembered is which one was the last one when, the more
    coarsely, the longer ago the oldest one was. A delivery may seem younger than it is.
    """

    def __init__(self) -> None:
        self._marks: deque[tuple[float, int]] = deque()

    def note(self, now: float, last: int) -> None:
        marks = self._marks
        if marks and marks[-1][1] == last:
            return
        if len(marks) > 2 and marks[-1][0] - marks[-2][0] < (now - marks[0][0]) / _FINENESS:
            marks.pop()
        marks.append((now, last))

    def forget(self, moment: float, settled: Callable[[int], bool]) -> None:
        """Marks of what is settled, and those that a later one makes needless at that moment."""
        marks = self._marks
        while len(marks) > 1 and (marks[1][0] <= moment or settled(marks[0][1])):
            marks.popleft()

    def newest(self, moment: float) -> int | None:
        """The newest delivery that was there at a moment which `forget` was given."""
        return self._marks[0][1] if self._marks and self._marks[0][0] <= moment else None

    def since(self, number: int, ahead: Callable[[int, int], int] = sub) -> float | None:
        """When this delivery was there for certain; None if it came after the last look."""
        return next((time for time, last in self._marks if ahead(last, number) >= 0), None)


class Channels:
    """Those of AMQP 0-9-1: a late one is closed."""

    def __init__(self, connections: Mapping[int, Connection]) -> None:
        self._connections = connections
        self._marks: dict[Channel, Marks] = {}

    def look(self, now: float, timeout: float) -> None:
        before, self._marks = self._marks, {}
        for connection in tuple(self._connections.values()):
            if connection.phase is Phase.OPEN:
                late = list(self._late(connection, before, now, now - timeout))
                _close(connection, late, timeout)

    def since(self, channel: Channel, tag: int) -> float | None:
        marks = self._marks.get(channel)
        return None if marks is None else marks.since(tag)

    def _late(
        self, connection: Connection, before: Mapping[Channel, Marks], now: float, moment: float
    ) -> Iterable[Channel]:
        for channel in connection.channels.open.values():
            if channel.unacked and not channel.closing:
                marks = self._marks[channel] = before.get(channel) or Marks()
                marks.note(now, channel.last_tag)
                marks.forget(moment, next(iter(channel.unacked)).__gt__)
                tag = marks.newest(moment)
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
