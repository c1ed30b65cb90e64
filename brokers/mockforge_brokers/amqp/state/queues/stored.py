"""Durable queues that are on disk as well: each persistent message is a row, at its position.

A queue of each type has a class here that does the same and names to the store what came and what
went. `store_in` lets a queue, in place, be one of them, as `govern` does with plain ones; both have
the same slots. Where messages are delivered, requeued or counted nothing is written: what was not
acknowledged is there again after a start, and says that it may have been delivered.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from math import inf
from typing import TYPE_CHECKING, Final, cast

from msgspec import Struct, msgpack

from ....storage.store import Store
from ...records import packed
from .governed import GovernedQueue, Host
from .queue import Queue
from .quorum import QuorumMessage, QuorumQueue
from .stream import StreamQueue

if TYPE_CHECKING:
    from ..consumer import Consumer
    from ..message import Message
    from ..routing import Route


class MessageRow(Struct, array_like=True):
    """A message on disk; `expires` and `moment` are wall times."""

    exchange: bytes
    routing_key: bytes
    content: bytes
    size: int
    expires: float | None = None
    moment: float | None = None


class Keeping(Struct):
    """Where the messages of one queue go."""

    store: Store
    number: int
    is_persistent: Callable[[bytes], bool]
    delivered: int = 0
    """The last position of which a consumer got something, or might have."""


_encode = msgpack.Encoder().encode


def _row(route: Route, content: bytes, size: int, expires: float | None) -> bytes:
    # As a MessageRow, without the object.
    names = raw(route.exchange.name), raw(route.routing_key)
    return _encode((*names, packed(content), size, expires, None))


def raw(name: str) -> bytes:
    """A name as it is on the wire, whatever bytes it has."""
    return name.encode("utf-8", "surrogateescape")


class StoredQueue(Queue):
    """A classic queue without rules."""

    __slots__ = ()
    stored = True

    def enqueue(self, route: Route, content: bytes, size: int) -> None:
        keeping = self.keeping
        if not keeping.is_persistent(content):
            super().enqueue(route, content, size)
            return
        if keeping.store.failing:
            self.host.rejected = True
            return
        position = self._position + 1
        super().enqueue(route, content, size)
        if self._position == position:
            # Not handed at once to somebody who never acknowledges.
            # Its row may be written after it was delivered: an acknowledgement comes later still.
            keeping.store.append_late(
                keeping.number, position, (_row, (route, content, size, None))
            )

    def take(self, no_ack: bool) -> Message | None:
        message = super().take(no_ack)
        if message is not None:
            self._took(message, no_ack)
        return message

    def _took(self, message: Message, no_ack: bool) -> None:
        if no_ack:
            self._settled(message)
        else:
            self.keeping.delivered = max(self.keeping.delivered, message.position)

    def _deliver_no_ack(self, consumer: Consumer, message: Message) -> None:
        self._settled(message)
        super()._deliver_no_ack(consumer, message)

    def _deliver_unacked(self, consumer: Consumer, message: Message) -> None:
        keeping = self.keeping
        if message.position > keeping.delivered:
            keeping.delivered = message.position
        super()._deliver_unacked(consumer, message)

    def acknowledge(self, message: Message) -> None:
        super().acknowledge(message)
        self._settled(message)

    def acknowledge_all(self, messages: Sequence[Message], size: int) -> None:
        super().acknowledge_all(messages, size)
        for message in messages:
            self._settled(message)

    def discard(self, message: Message) -> None:
        self._settled(message)
        super().discard(message)

    def take_all(self) -> deque[Message]:
        messages = super().take_all()
        keeping = self.keeping
        if not self.unacked:
            # Nobody holds one: the whole queue goes by one note, however long it was.
            keeping.store.trim(keeping.number, self._position + 1)
        else:
            for message in messages:
                self._settled(message)
        return messages

    def end(self) -> None:
        super().end()
        self.keeping.store.drop(self.keeping.number)

    def _settled(self, message: Message) -> None:
        """It is done with."""
        keeping = self.keeping
        keeping.store.remove(keeping.number, self.row_of(message))


class StoredGovernedQueue(StoredQueue, GovernedQueue):
    """A classic queue with rules; what they drop or expire goes from disk, too."""

    __slots__ = ()

    def enqueue(self, route: Route, content: bytes, size: int) -> None:
        if self.keeping.store.failing and self.keeping.is_persistent(content):
            self.host.rejected = True
            return
        GovernedQueue.enqueue(self, route, content, size)

    def _put(self, route: Route, content: bytes, size: int, expires: float, priority: int) -> None:
        keeping = self.keeping
        if keeping.is_persistent(content):
            clock = self.host.clock
            until = None if expires == inf else clock.wall() + expires - clock.now()
            row = _row, (route, content, size, until)
            # Before it is there: it may be gone again when this returns.
            keeping.store.append_late(keeping.number, self._position + 1, row)
        super()._put(route, content, size, expires, priority)

    def _bury(self, message: Message, reason: str) -> None:
        self._settled(message)
        super()._bury(message, reason)


class StoredQuorumQueue(StoredGovernedQueue, QuorumQueue):
    """A message keeps the row that it had at first, wherever it comes back to."""

    __slots__ = ()

    def put_back(self, unacked: Sequence[Message], *, ended: bool) -> None:
        for message in cast("Sequence[QuorumMessage]", unacked):
            message.row = message.row or message.position
        super().put_back(unacked, ended=ended)

    def row_of(self, message: Message) -> int:
        return cast("QuorumMessage", message).row or message.position


class StoredStreamQueue(StreamQueue):
    """A stream; it loses rows by its retention only."""

    __slots__ = ()
    stored = True

    def enqueue(self, route: Route, content: bytes, size: int) -> None:
        if self.keeping.store.failing:
            self.host.rejected = True
            return
        super().enqueue(route, content, size)

    def _append(self, route: Route, content: bytes, size: int, moment: float) -> None:
        offset = self.log.end
        super()._append(route, content, size, moment)
        keeping = self.keeping
        names = raw(route.exchange.name), raw(route.routing_key)
        row = _encode(MessageRow(*names, packed(content), size, None, moment))
        keeping.store.append(keeping.number, offset, row)

    def _retain(self) -> None:
        before = self.log.start
        super()._retain()
        if self.log.start != before:
            self.keeping.store.trim(self.keeping.number, self.log.start)

    def end(self) -> None:
        super().end()
        self.keeping.store.drop(self.keeping.number)


_STORED: Final[dict[type[Queue], type[Queue]]] = {
    Queue: StoredQueue,
    GovernedQueue: StoredGovernedQueue,
    QuorumQueue: StoredQuorumQueue,
    StreamQueue: StoredStreamQueue,
}


def store_in(queue: Queue, host: Host, keeping: Keeping) -> None:
    """Let a queue, in place, keep its messages on disk."""
    queue.__class__ = _STORED[type(queue)]
    queue.host = host
    queue.keeping = keeping


StoredQueue.governed_class = StoredGovernedQueue
