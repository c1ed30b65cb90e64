"""A message in one queue."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

from msgspec import Struct

from ..records import NO_PARTS, Parts

if TYPE_CHECKING:
    from .consumer import Consumer
    from .queues.queue import Queue
    from .routing import Route


class Message(Struct, eq=False, gc=False):
    """Ready in its queue, or unacked at a consumer until it is acknowledged.

    `content` is the raw header and body frames, shared by all queues and carried along unread, so
    that delivery costs nothing; state never looks into it. `size` counts the body's bytes.
    `position` orders a queue, so that what comes back finds its old place. `consumer` is None
    while ready, and for what basic.get took. `failures` is how often clients could not process it,
    here or where it died before.

    There may be millions, which the garbage collector would look at again and again: it does not
    know them. The circles that lead through them end with their queue or their channel.
    """

    queue: Queue
    route: Route
    content: bytes
    size: int
    position: int
    redelivered: bool = False
    consumer: Consumer | None = None
    failures: int = 0

    @property
    def expires(self) -> float:
        """When it is over, by the clock: one of a plain queue never is."""
        return inf

    @property
    def priority(self) -> int:
        return 0

    @property
    def stored(self) -> bytes:
        """Its content as it was published, whatever is added when it is delivered."""
        return self.content


def _joined(message: PartMessage) -> bytes:
    return b"".join(message.parts.pieces)


class PartMessage(Message, eq=False, gc=False):
    """A large one that nobody copied yet. `content` is a copy, for all but one kind of consumer.

    Only a queue with a single consumer that does not acknowledge has such: they leave in their
    order, and so do those of the same read, which they keep.
    """

    parts: Parts = NO_PARTS
    content = property(_joined)

    def copied(self) -> Message:
        """One that may stay for long: it keeps nothing but its own content."""
        made = Message(self.queue, self.route, self.content, self.size, self.position)
        made.redelivered, made.failures = self.redelivered, self.failures
        return made
