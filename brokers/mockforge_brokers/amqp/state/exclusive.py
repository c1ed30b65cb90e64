"""Exclusive queues, which end with the connection that declared them."""

from .queues.queue import Queue


class ExclusiveQueues:
    """By the connection that owns them, in the order in which they were declared."""

    def __init__(self) -> None:
        self._owned: dict[int, dict[Queue, None]] = {}

    def add(self, queue: Queue) -> None:
        """A queue was declared; one without an owner is none of them."""
        if queue.owner:
            self._owned.setdefault(queue.owner, {})[queue] = None

    def remove(self, queue: Queue) -> None:
        owned = self._owned.get(queue.owner)
        if owned is not None:
            del owned[queue]
            if not owned:
                del self._owned[queue.owner]

    def oldest(self, connection: int) -> Queue | None:
        """The first of those that a connection has; None if it has none."""
        owned = self._owned.get(connection)
        return next(iter(owned)) if owned else None

    def clear(self) -> None:
        self._owned.clear()
