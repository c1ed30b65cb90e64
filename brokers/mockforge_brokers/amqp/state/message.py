"""A message in one queue."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .consumer import Consumer
    from .queues.queue import Queue
    from .routing import Route


class Message:
    """Ready in its queue, or unacked at a consumer until it is acknowledged.

    `content` is the raw header and body frames, shared by all queues and carried along unread, so
    that delivery costs nothing; state never looks into it. `size` counts the body's bytes.
    `position` orders a queue, so that what comes back finds its old place. `consumer` is None
    while ready, and for what basic.get took.
    """

    __slots__ = ("consumer", "content", "position", "queue", "redelivered", "route", "size")

    def __init__(
        self, queue: Queue, route: Route, content: bytes, size: int, position: int
    ) -> None:
        self.queue = queue
        self.route = route
        self.content = content
        self.size = size
        self.position = position
        self.redelivered = False
        self.consumer: Consumer | None = None

    @property
    def stored(self) -> bytes:
        """Its content as it was published, whatever is added when it is delivered."""
        return self.content
