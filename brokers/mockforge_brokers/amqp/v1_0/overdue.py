"""Deliveries that nobody settles for too long: they are released, as RabbitMQ 4.3 releases them."""

from collections.abc import Mapping

from ..connection.overdue import Marks
from ..connection.phase import Phase
from .connection import Connection
from .links import SERIAL, serial_distance
from .session import Session


class Sessions:
    """Sessions and links live on; releases before 4.3 never call a delivery late."""

    def __init__(self, connections: Mapping[int, Connection]) -> None:
        self._connections = connections
        self._marks: dict[Session, Marks] = {}

    def look(self, now: float, timeout: float) -> None:
        before, self._marks = self._marks, {}
        for connection in tuple(self._connections.values()):
            if connection.phase is Phase.OPEN:
                for session in tuple(connection.sessions.open.values()):
                    if session.deliveries:
                        marks = self._marks[session] = before.get(session) or Marks()
                        self._note(session, marks, now, now - timeout)

    def since(self, session: Session, number: int) -> float | None:
        marks = self._marks.get(session)
        return None if marks is None else marks.since(number, serial_distance)

    def _note(self, session: Session, marks: Marks, now: float, moment: float) -> None:
        deliveries = session.deliveries
        oldest = deliveries.oldest
        marks.note(now, (session.next_delivery - 1) % SERIAL)
        marks.forget(moment, lambda number: serial_distance(oldest, number) > 0)
        newest = marks.newest(moment)
        if newest is None or not session.connection.consumers_time_out:
            return
        late = [
            number
            for number in deliveries.of_quorum_queues()
            if serial_distance(newest, number) >= 0
        ]
        if late:
            session.release(late)
