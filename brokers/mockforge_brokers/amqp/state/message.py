"""A message, and its place in one queue."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .consumer import Consumer
    from .queue import Queue
    from .routing import Route


class Message:
    """What was published, shared by all queues that it went to.

    `content` is the raw header and body frames, carried along unread so that delivery costs
    nothing; state never looks into it. `size` counts the body's bytes.
    """

    __slots__ = ("content", "route", "size")

    def __init__(self, route: Route, content: bytes, size: int) -> None:
        self.route = route
        self.content = content
        self.size = size


class Entry:
    """A message in one queue: ready there, or lent to a consumer until it is acknowledged.

    `position` orders a queue, so that what comes back finds its old place. `consumer` is None
    while ready, and for what basic.get took.
    """

    __slots__ = ("consumer", "message", "position", "queue", "redelivered")

    def __init__(self, queue: Queue, message: Message, position: int) -> None:
        self.queue = queue
        self.message = message
        self.position = position
        self.redelivered = False
        self.consumer: Consumer | None = None
