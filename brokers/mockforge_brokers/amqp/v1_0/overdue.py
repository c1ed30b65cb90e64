"""Deliveries that nobody settles for too long: they are released, as RabbitMQ 4.3 releases them."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf
from typing import TYPE_CHECKING

from ..connection.overdue import Ages, Marks, Shortest, timeout_of_consumer
from ..connection.phase import Phase
from ..state.arguments import CONSUMER_TIMEOUT
from ..state.consumer import Consumer
from .serial_numbers import SERIAL, serial_distance

if TYPE_CHECKING:
    from .connection import Connection
    from .session import Session


class Sessions:
    """Sessions and links live on; releases before 4.3 never call a delivery late."""

    def __init__(self, connections: Mapping[int, Connection]) -> None:
        self._connections = connections
        self._marks: dict[Session, Marks] = {}

    def look(self, now: float, timeout: float) -> None:
        before, self._marks = self._marks, {}
        shortest = Shortest(timeout)
        for connection in tuple(self._connections.values()):
            if connection.phase is Phase.OPEN:
                for session in tuple(connection.sessions.open.values()):
                    if session.deliveries:
                        marks = self._marks[session] = before.get(session) or Marks()
                        self._note(session, marks, now, timeout, shortest)

    def since(self, session: Session, number: int) -> float | None:
        marks = self._marks.get(session)
        return None if marks is None else marks.since(number, serial_distance)

    def _note(
        self, session: Session, marks: Marks, now: float, timeout: float, shortest: Shortest
    ) -> None:
        oldest = session.deliveries.oldest
        marks.note(now, (session.next_delivery - 1) % SERIAL)
        # Links and queues have timeouts of their own: only what is settled is needless.
        marks.forget(-inf, lambda number: serial_distance(oldest, number) > 0)
        if not session.connection.consumers_time_out:
            return
        ages, timeouts = Ages(marks, now, serial_distance), dict[Consumer, float]()
        asked = [
            field.value / 1000
            for link in session.links.outgoing.values()
            if (field := link.consumer.arguments.get(CONSUMER_TIMEOUT)) is not None
        ]
        least = min((shortest[session.vhost], *asked))
        late = []
        # Of a million younger ones none is looked at.
        for number, consumer in session.deliveries.of_quorum_queues(lambda at: ages[at] >= least):
            if consumer not in timeouts:
                queue = consumer.queue
                timeouts[consumer] = timeout_of_consumer(session.vhost, consumer, queue, timeout)
            if ages[number] >= timeouts[consumer]:
                late.append(number)
        if late:
            session.release(late)
