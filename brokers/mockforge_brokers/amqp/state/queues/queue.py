"""A queue: messages in order, and consumers in rotation."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from operator import attrgetter
from typing import TYPE_CHECKING, ClassVar, Final

from ....fairness import Stepped, Steps
from ...records import Alike, Parts, Table
from ..consumer import Consumer
from ..memory import COST, Memory, do_all
from ..message import Message, PartMessage
from .store import Returning, return_to

if TYPE_CHECKING:
    from ..routing import Route
    from .host import Host
    from .message_rows import Keeping

_by_position = attrgetter("position")
_size_of = attrgetter("size")
_redelivered_of = attrgetter("redelivered")
AT_ONCE: Final = 256
"""Messages that come back in one step."""
_MANY: Final = 4096
"""Messages from which on those that come back do so in steps, up to a short last one."""
_TOGETHER: Final = 256
"""Messages that a consumer is given together."""


class Queue:
    """While messages wait no consumer is ready, and the other way round.

    `owner` is the connection of an exclusive queue, else 0; `gone` is set once it is deleted.
    `messages` are the ready ones, `unacked` counts what consumers have. The counters only grow.
    """

    __slots__ = (
        "_delivered",
        "_position",
        "_reached",
        "_rotation",
        "acknowledged",
        "active",
        "ageing",
        "arguments",
        "auto_delete",
        "consumers",
        "dead_lettered",
        "dead_letters_lost",
        "declarer",
        "draining",
        "dropped",
        "due",
        "durable",
        "expired",
        "gone",
        "host",
        "idle_timer",
        "keeping",
        "memory",
        "messages",
        "name",
        "owner",
        "policy",
        "published",
        "redelivered",
        "shortening",
        "timer",
        "unacked",
    )
    kind: ClassVar[str] = "classic"
    stored: ClassVar[bool] = False
    """Its persistent messages are on disk (stored.py)."""
    plain: ClassVar[bool] = True
    """It can become one with rules, which is of `governed_class`."""
    governed_class: ClassVar[type[Queue]]
    reach = 1
    """Queues that a message goes to which dies here."""
    back_at_once = AT_ONCE
    """Messages that `come_back` is asked for together."""
    # active, ageing, dead_lettered, due and the like are a governed queue's (governed.py), and
    # keeping is a stored one's (stored.py): they stand here since a plain queue can become one.
    host: Host
    keeping: Keeping

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
        self.declarer = ""
        """The client that made it; empty where that is not known, as after a restart."""
        self.gone = False
        self.messages: deque[Message] = deque()
        self.consumers: list[Consumer] = []
        self.unacked = 0
        self.published = 0
        self._delivered = 0
        self.redelivered = 0
        self.acknowledged = 0
        self._rotation: deque[Consumer] = deque()
        self._position = 0

    # Messages in and out.

    def enqueue(self, route: Route, content: bytes, size: int) -> None:
        """Give the message to the consumer whose turn it is, or keep it."""
        self.published += 1
        rotation = self._rotation
        if rotation:
            consumer = rotation[0] if len(rotation) == 1 else self._next()
            if consumer.no_ack:
                consumer.delivered += 1
                consumer.sink.deliver(route, content, size, False, None)
                return
            self._position = position = self._position + 1
            self.memory.used += size + COST
            self._deliver_unacked(consumer, Message(self, route, content, size, position))
            return
        self._position = position = self._position + 1
        self.memory.used += size + COST
        self.messages.append(Message(self, route, content, size, position))

    def enqueue_failed(self, route: Route, content: bytes, size: int, failures: int) -> None:
        """`enqueue` a dead letter that clients could not process so often: it is redelivered.

        Queues with rules do; a stream forgets it.
        """
        self.enqueue(route, content, size)

    @property
    def takes_all(self) -> bool:
        """Whether `enqueue_all` may be asked: none of many is dropped or refused."""
        return self.plain

    @property
    def takes_parts(self) -> bool:
        """Whether `enqueue_parts` may be asked: they leave in their order, and for good."""
        consumers = self.consumers
        return self.plain and len(consumers) == 1 and consumers[0].no_ack

    def enqueue_all(self, route: Route, alike: Alike, size: int) -> None:
        """`enqueue` each; they are alike also in what a header says to a queue."""
        contents, rotation = alike.contents, self._rotation
        if not rotation:
            self._keep_all(route, contents, size)
            return
        consumer, done = rotation[0], 0
        if len(rotation) == 1:
            if not consumer.no_ack:
                self._keep_all(route, contents, size)
                self.drain()
                return
            done = consumer.sink.deliver_all(route, contents, size)
            self.published += done
            consumer.delivered += done
        for content in contents[done:]:
            self.enqueue(route, content, size)

    def enqueue_parts(self, route: Route, contents: Sequence[Parts], size: int) -> None:
        """`enqueue` each, which nobody copied yet."""
        rotation, done = self._rotation, 0
        if rotation:
            consumer = rotation[0]
            done = consumer.sink.deliver_parts(route, contents)
            self.published += done
            consumer.delivered += done
        if rotation:
            for parts in contents[done:]:
                self.enqueue(route, b"".join(parts.pieces), size)
            return
        first = self._position + 1
        self._keep(
            [
                PartMessage(self, route, b"", size, position, parts=parts)
                for position, parts in enumerate(contents[done:], first)
            ],
            size,
        )

    def _keep_all(self, route: Route, contents: Sequence[bytes], size: int) -> list[Message]:
        """Nobody takes them yet."""
        first = self._position + 1
        return self._keep(
            [
                Message(self, route, content, size, position)
                for position, content in enumerate(contents, first)
            ],
            size,
        )

    def _keep(self, messages: list[Message], size: int) -> list[Message]:
        count = len(messages)
        self.published += count
        self._position += count
        self.memory.used += (size + COST) * count
        self.messages += messages
        return messages

    def row_of(self, message: Message) -> int:
        """Where a message is on disk."""
        return message.position

    def continue_at(self, position: int) -> None:
        """What is restored next had this position."""
        self._position = position - 1

    def restore(
        self, route: Route, content: bytes, size: int, redelivered: bool, failures: int = 0
    ) -> None:
        """Put in, behind the others, what was there before a restart."""
        self._position = position = self._position + 1
        self.memory.used += size + COST
        message = Message(self, route, content, size, position)
        message.redelivered, message.failures = redelivered, failures
        self.messages.append(message)

    def expiring(self) -> Steps:
        """What goes before somebody may `take` a message, where it may be very much."""
        return iter(())

    def take(self, no_ack: bool) -> Message | None:
        """The oldest ready message for basic.get; it is unacked unless `no_ack`."""
        if not self.messages:
            return None
        message = self.messages.popleft()
        self._delivered += 1
        if no_ack:
            self.memory.used -= message.size + COST
            return message
        self.unacked += 1
        return message.copied() if isinstance(message, PartMessage) else message

    def acknowledge(self, message: Message) -> None:
        """An unacked message is done with."""
        self.unacked -= 1
        self.acknowledged += 1
        self.memory.used -= message.size + COST

    def acknowledge_all(self, messages: Sequence[Message], size: int) -> None:
        """These, of `size` bytes in all."""
        count = len(messages)
        self.unacked -= count
        self.acknowledged += count
        self.memory.used -= size + count * COST

    def discard(self, message: Message) -> None:
        """An unacked message was rejected for good."""
        self.unacked -= 1
        self.memory.used -= message.size + COST

    def requeue(self, unacked: Iterable[Message]) -> None:
        """Unacked messages come back to where they stood, marked as redelivered."""
        do_all(self.requeuing(tuple(unacked), ended=False, failed=False))

    def requeuing(self, unacked: Sequence[Message], *, ended: bool, failed: bool) -> Steps:
        """The steps of `requeue`, or, for messages of a channel that `ended`, of what is alike.

        `failed`: they could not be processed, as far as their client says. Nobody gets any of them
        before the last step, in which nothing is done for each by itself.
        """
        back: list[Message] = []
        at, left, size = 0, AT_ONCE, 0
        while at < len(unacked):
            some = unacked[at : at + self.back_at_once]
            at += len(some)
            for message in some:
                message.redelivered = True
            ready = some if self.gone else self.come_back(some, ended=ended, failed=failed)
            for message in some:
                message.consumer = None
            back += ready
            size += sum(map(_size_of, ready))
            left -= len(ready) + (len(some) - len(ready)) * self.reach
            if left <= 0 or at == len(unacked):
                left = AT_ONCE
                yield
        put = (yield from self.returning(back, size)) if len(back) > _MANY else None
        self.unacked -= len(unacked)
        if self.gone:
            self.memory.release(deque(back))
        elif put is not None:
            self.returned(put)
        elif unacked:
            self.returned(lambda: self.put_back(back))

    def come_back(
        self, unacked: Sequence[Message], *, ended: bool, failed: bool
    ) -> Sequence[Message]:
        """Some of those that are to be ready again; returns which of them really are."""
        if ended or failed:
            for message in unacked:
                message.failures += 1
        return unacked

    def put_back(self, back: Sequence[Message]) -> None:
        """These are ready again; they are no longer counted as unacked."""
        return_to(self.messages, sorted(back, key=_by_position))

    def returning(self, back: list[Message], size: int) -> Stepped[Callable[[], object]]:
        """The steps of `put_back`, of so many bytes; what it returns is the last, short one."""
        returning = Returning(self.messages, back)
        yield from returning.prepare()

        def put() -> None:
            if self.plain:
                self.messages = returning.put(self.messages)
            else:
                self.put_back(back)

        return put

    def returned(self, put: Callable[[], object]) -> None:
        """Do so, and go on."""
        put()
        self.drain()

    def touch(self) -> None:
        """Somebody declared it again."""

    def end(self) -> None:
        """It is gone: nothing is due any more."""

    def purge(self) -> int:
        """Drop what is ready; returns how many."""
        gone = self.take_all()
        count = len(gone)
        self.memory.release(gone)
        return count

    def take_all(self) -> deque[Message]:
        """The ready messages, which are no longer in it."""
        messages, self.messages = self.messages, deque()
        return messages

    def drain(self) -> None:
        """Hand out ready messages as long as a consumer takes them."""
        rotation = self._rotation
        # `messages` is looked up each time: a purge replaces it.
        while rotation and self.messages:
            if len(rotation) > 1:
                self._deliver_next(self._next())
            elif not self._deliver_some(rotation[0]):
                self._deliver_next(rotation[0])

    def _deliver_some(self, consumer: Consumer) -> bool:
        """The next ones to the only consumer that takes any; False: to be delivered one by one."""
        messages, most = self.messages, min(consumer.credit, _TOGETHER)
        if most < 2 or len(messages) < 2 or not self.plain:
            return False
        if not isinstance(messages[0], PartMessage):
            count = consumer.sink.deliver_messages(islice(messages, most), no_ack=consumer.no_ack)
        elif consumer.no_ack:
            route = messages[0].route
            count = consumer.sink.deliver_parts(route, self._parts(route))
        else:
            count = 0
        if count:
            self._delivered_some(consumer, [messages.popleft() for _ in range(count)])
        return count > 0

    def _parts(self, route: Route) -> Iterator[Parts]:
        """Those of the next messages, as long as they have such and one route."""
        for message in self.messages:
            if not isinstance(message, PartMessage) or message.route is not route:
                break
            # Somebody who acknowledges had it, and came between.
            if message.redelivered:
                break
            yield message.parts

    def _delivered_some(self, consumer: Consumer, messages: Sequence[Message]) -> None:
        """As `_deliver_next` of each, but that they are with the consumer already."""
        count = len(messages)
        self.redelivered += sum(map(_redelivered_of, messages))
        consumer.delivered += count
        if consumer.no_ack:
            self.memory.used -= sum(map(_size_of, messages)) + COST * count
            return
        for message in messages:
            message.consumer = consumer
        self.unacked += count
        consumer.credit -= count
        # It may be held back, and out of the rotation, for what it was given.
        if not consumer.credit and consumer.ready:
            self._rotation.remove(consumer)
            consumer.ready = False

    def _deliver_next(self, consumer: Consumer) -> None:
        message = self.messages.popleft()
        if message.redelivered:
            self.redelivered += 1
        if consumer.no_ack:
            self._deliver_no_ack(consumer, message)
        else:
            self._deliver_unacked(consumer, message)

    def _deliver_no_ack(self, consumer: Consumer, message: Message) -> None:
        """To somebody who does not acknowledge."""
        consumer.delivered += 1
        self.memory.used -= message.size + COST
        consumer.sink.deliver(
            message.route, message.content, message.size, message.redelivered, None
        )

    def _deliver_unacked(self, consumer: Consumer, message: Message) -> None:
        message.consumer = consumer
        self.unacked += 1
        consumer.delivered += 1
        consumer.credit = credit = consumer.credit - 1
        if not credit:
            # Out of the rotation until an acknowledgement gives credit: nobody asks it in vain.
            self._rotation.remove(consumer)
            consumer.ready = False
        consumer.sink.deliver(
            message.route, message.content, message.size, message.redelivered, message
        )

    # Consumers.

    def add(self, consumer: Consumer) -> None:
        """A new consumer; it gets nothing before `resume`."""
        self.consumers.append(consumer)

    def remove(self, consumer: Consumer) -> None:
        self.pause(consumer)
        if consumer in self.consumers:
            self.consumers.remove(consumer)
            self._delivered += consumer.delivered

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
    def delivered(self) -> int:
        """Deliveries in all, redelivered ones too; each consumer counts its own."""
        return self._delivered + sum(consumer.delivered for consumer in self.consumers)

    @property
    def counted(self) -> int:
        """How many consumers it has, as queue.declare-ok says it."""
        return len(self.consumers)

    @property
    def consumers_in_all(self) -> int:
        """As the management interface says it."""
        return len(self.consumers)

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
        # Behind those of its own priority: the front of the rotation is always the highest.
        while at and rotation[at - 1].priority < consumer.priority:
            at -= 1
        if at == len(rotation):
            rotation.append(consumer)
        else:
            rotation.insert(at, consumer)
