"""Deliveries that nobody settles for too long: they are released, as RabbitMQ 4.3 releases them."""

from collections.abc import Mapping

from ..connection.overdue import Marks
from ..connection.phase import Phase
from .connection import Connection
from .links import SERIAL, serial_distance
from .session import Session


class Sessions:
    """Sessions and links live on; releases before 4.3 do not look at them at all."""

    def __init__(self, connections: Mapping[int, Connection]) -> None:
        self._connections = connections
        self._marks: dict[Session, Marks] = {}

    def look(self, now: float, timeout: float) -> bool:
        before, self._marks = self._marks, {}
        for connection in tuple(self._connections.values()):
            if connection.phase is Phase.OPEN and connection.consumers_time_out:
                for session in tuple(connection.sessions.values()):
                    if session.deliveries:
                        marks = self._marks[session] = before.get(session) or Marks()
                        self._release(session, marks, now, now - timeout)
        return bool(self._connections)

    def _release(self, session: Session, marks: Marks, now: float, moment: float) -> None:
        newest = marks.overdue((session.next_delivery - 1) % SERIAL, moment, now)
        if newest is None:
            return
        late = [
            number
            for number in session.deliveries.of_quorum_queues()
            if serial_distance(newest, number) >= 0
        ]
        if late:
            session.release(late)
