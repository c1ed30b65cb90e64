"""A queue: messages in order, and consumers in rotation."""

from collections import deque
from collections.abc import Iterable
from operator import attrgetter

from ..records import Table
from .consumer import Consumer
from .memory import Memory
from .message import Entry, Message

_by_position = attrgetter("position")


class Queue:
    """While messages wait no consumer is ready, and the other way round.

    `owner` is the connection of an exclusive queue, else 0; `gone` is set once it is deleted.
    `messages` are the ready ones, `unacked` counts the lent ones. The counters only grow.
    """

    __slots__ = (
        "_position",
        "_rotation",
        "acknowledged",
        "arguments",
        "auto_delete",
        "consumers",
        "delivered",
        "durable",
        "gone",
        "memory",
        "messages",
        "name",
        "owner",
        "published",
        "redelivered",
        "unacked",
    )

    def __init__(
        self,
        name: str,
        memory: Memory,
        *,
        durable: bool = False,
        owner: int = 0,
        auto_delete: bool = False,
        arguments: Table | None = None,
    ) -> None:
        self.name = name
        self.memory = memory
        self.durable = durable
        self.owner = owner
        self.auto_delete = auto_delete
        self.arguments = arguments or {}
        self.gone = False
        self.messages: deque[Entry] = deque()
        self.consumers: list[Consumer] = []
        self.unacked = 0
        self.published = 0
        self.delivered = 0
        self.redelivered = 0
        self.acknowledged = 0
        self._rotation: deque[Consumer] = deque()
        self._position = 0

    # Messages in and out.

    def enqueue(self, message: Message) -> None:
        """Give the message to the consumer whose turn it is, or keep it."""
        self.published += 1
        rotation = self._rotation
        if not rotation:
            self._position = position = self._position + 1
            self.memory.used += message.size
            self.messages.append(Entry(self, message, position))
            return
        consumer = rotation[0] if len(rotation) == 1 else self._next()
        if consumer.no_ack:
            self.delivered += 1
            consumer.delivered += 1
            consumer.sink.deliver(message, False, None)
            return
        self._position = position = self._position + 1
        self.memory.used += message.size
        self._lend(consumer, Entry(self, message, position))

    def take(self, no_ack: bool) -> Entry | None:
        """The oldest ready message for basic.get; it is lent unless `no_ack`."""
        if not self.messages:
            return None
        entry = self.messages.popleft()
        self.delivered += 1
        if no_ack:
            self.memory.used -= entry.message.size
        else:
            self.unacked += 1
        return entry

    def acknowledge(self, entry: Entry) -> None:
        """A lent message is done with."""
        self.unacked -= 1
        self.acknowledged += 1
        self.memory.used -= entry.message.size

    def discard(self, entry: Entry) -> None:
        """A lent message was rejected for good."""
        self.unacked -= 1
        self.memory.used -= entry.message.size

    def requeue(self, entries: Iterable[Entry]) -> None:
        """Lent messages come back to where they stood, marked as redelivered."""
        back = sorted(entries, key=_by_position)
        for entry in back:
            entry.redelivered = True
            entry.consumer = None
        self.unacked -= len(back)
        if self.gone:
            self.memory.used -= sum(entry.message.size for entry in back)
            return
        messages = self.messages
        if not messages or back[-1].position < messages[0].position:
            messages.extendleft(reversed(back))
        else:
            self.messages = deque(sorted((*back, *messages), key=_by_position))
        self.drain()

    def purge(self) -> int:
        """Drop what is ready; returns how many."""
        count = len(self.messages)
        self.memory.used -= sum(entry.message.size for entry in self.messages)
        self.messages.clear()
        return count

    def drain(self) -> None:
        """Hand out ready messages as long as a consumer takes them."""
        rotation = self._rotation
        # `messages` is looked up each time: a sink that requeues may replace it.
        while rotation and self.messages:
            consumer = rotation[0] if len(rotation) == 1 else self._next()
            entry = self.messages.popleft()
            if consumer.no_ack:
                self.delivered += 1
                consumer.delivered += 1
                self.memory.used -= entry.message.size
                consumer.sink.deliver(entry.message, entry.redelivered, None)
            else:
                self._lend(consumer, entry)

    def _lend(self, consumer: Consumer, entry: Entry) -> None:
        entry.consumer = consumer
        self.unacked += 1
        self.delivered += 1
        consumer.delivered += 1
        consumer.credit = credit = consumer.credit - 1
        if not credit:
            self._rotation.remove(consumer)
            consumer.ready = False
        consumer.sink.deliver(entry.message, entry.redelivered, entry)

    # Consumers.

    def add(self, consumer: Consumer) -> None:
        """A new consumer; it gets nothing before `resume`."""
        self.consumers.append(consumer)

    def remove(self, consumer: Consumer) -> None:
        self.pause(consumer)
        if consumer in self.consumers:
            self.consumers.remove(consumer)

    def pause(self, consumer: Consumer) -> None:
        """Give this consumer nothing until `resume`."""
        consumer.paused = True
        if consumer.ready:
            consumer.ready = False
            self._rotation.remove(consumer)

    def resume(self, consumer: Consumer) -> None:
        """It has credit again, or its peer reads again: it may stand in the rotation."""
        consumer.paused = False
        self.refresh(consumer)

    def refresh(self, consumer: Consumer) -> None:
        """Put the consumer into the rotation if nothing speaks against it."""
        if consumer.credit > 0 and not (consumer.paused or consumer.ready):
            consumer.ready = True
            self._insert(consumer)
            self.drain()

    @property
    def exclusive_consumer(self) -> bool:
        return any(consumer.exclusive for consumer in self.consumers)

    def _next(self) -> Consumer:
        """Round robin among the ready consumers of the highest priority."""
        consumer = self._rotation.popleft()
        self._insert(consumer)
        return consumer

    def _insert(self, consumer: Consumer) -> None:
        rotation = self._rotation
        at = len(rotation)
        while at and rotation[at - 1].priority < consumer.priority:
            at -= 1
        if at == len(rotation):
            rotation.append(consumer)
        else:
            rotation.insert(at, consumer)
