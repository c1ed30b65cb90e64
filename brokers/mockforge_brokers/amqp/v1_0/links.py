"""The two kinds of links as we see them: `Incoming` brings messages, `Outgoing` takes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct

from ..state.consumer import Consumer
from ..state.message import Message
from ..state.queues.governed import GovernedQueue
from ..state.queues.quorum import QuorumMessage, QuorumQueue
from ..state.queues.stream import StreamQueue
from ..state.routing import Route
from .addresses import Target
from .mapping import from_content
from .serial_numbers import SERIAL, serial_distance
from .wire import values
from .wire.frames import HEAD_SIZE, frame

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from ..records import Parts
    from .session import Session

LINK_CREDIT: Final = 170
"""What a sender is granted, topped up when half of it is used (RabbitMQ's max_link_credit)."""
MAX_MESSAGE: Final = 16 * 1024 * 1024
"""RabbitMQ's max_message_size, in bytes; a lower limit of amqp_message holds in its place."""


class Partial(Struct):
    """A delivery of several transfers, of which more are to come."""

    delivery_id: int
    settled: bool
    pieces: list[bytes]
    size: int


class Incoming:
    """A link on which the client sends.

    `settles`: 0 unsettled, 1 settled, 2 as each transfer says. `max_message`: bytes of the largest
    message that we take.
    """

    __slots__ = (
        "address",
        "credit",
        "delivery_count",
        "dynamic",
        "handle",
        "max_message",
        "name",
        "partial",
        "settles",
        "tag",
        "target",
    )

    def __init__(
        self,
        name: str,
        handle: int,
        target: Target,
        settles: int,
        delivery_count: int,
        max_message: int,
    ) -> None:
        self.name = name
        self.handle = handle
        self.target = target
        self.settles = settles
        self.delivery_count = delivery_count
        self.max_message = max_message
        self.credit = LINK_CREDIT
        self.tag = b""
        """Of the delivery that came last, or comes."""
        self.partial: Partial | None = None
        self.address: str | None = None
        """As the client's attach has it, or as it was made."""
        self.dynamic = ""
        """The queue that was declared for this link and ends with it."""

    def took(self) -> bool:
        """A delivery is whole; True when the client is to be granted more."""
        self.partial = None
        self.delivery_count = (self.delivery_count + 1) % SERIAL
        self.credit -= 1
        if self.credit > LINK_CREDIT // 2:
            return False
        self.credit = LINK_CREDIT
        return True


class Outgoing:
    """A link on which we send: the `Sink` of one consumer, whose credit is the link's.

    `settled`: what is sent is settled by it, and nothing comes back. `max_message`: bytes of the
    largest message that the client takes; 0 is no limit (2.7.3). `late`: deliveries that went back
    to the queue since the client let the consumer timeout pass; it gets no more before it settled
    them.
    """

    __slots__ = (
        "address",
        "asks_again",
        "consumer",
        "delivery_count",
        "draining",
        "dynamic",
        "filters",
        "handle",
        "late",
        "max_message",
        "name",
        "session",
        "settled",
        "tag",
        "unsettled",
    )

    consumer: Consumer

    def __init__(
        self, session: Session, name: str, handle: int, *, settled: bool, max_message: int = 0
    ) -> None:
        self.session = session
        self.name = name
        self.handle = handle
        self.settled = settled
        self.max_message = max_message
        self.late: set[int] = set()
        self.unsettled = 0
        """Deliveries that its client has still to settle; its session has them."""
        self.address: str | None = None
        self.filters: dict[Any, Any] | None = None
        self.delivery_count = 0
        self.draining = False
        self.asks_again = False
        """Whether it is drained is looked at in the loop's next turn."""
        self.tag = 0
        self.dynamic = ""

    def deliver(
        self, route: Route, content: bytes, size: int, redelivered: bool, unacked: Message | None
    ) -> None:
        consumer = self.consumer
        self.delivery_count = (self.delivery_count + 1) % SERIAL
        if self.settled:
            # The queue counts no credit of consumers that do not acknowledge: links do.
            consumer.credit -= 1
            if consumer.credit <= 0:
                consumer.queue.pause(consumer)
        failures = None
        if isinstance(unacked, QuorumMessage):
            failures = unacked.failures
        elif not isinstance(consumer.queue, QuorumQueue):
            counts = self.session.vhost.profile.counts_failures
            failures = unacked.failures if counts and unacked is not None else 0
        payload = from_content(
            content,
            route.exchange.name,
            route.routing_key,
            redelivered=redelivered,
            failures=failures,
        )
        if self.max_message and len(payload) > self.max_message:
            self.session.too_large(len(payload), self, unacked)
        else:
            self.session.send(self, payload, unacked)

    def deliver_all(self, route: Route, contents: Sequence[bytes], size: int) -> int:
        return 0

    def deliver_parts(self, route: Route, contents: Iterable[Parts]) -> int:
        return 0

    def deliver_messages(self, messages: Iterable[Message], *, no_ack: bool) -> int:
        return 0

    def work(self, call: Callable[[], object]) -> None:
        self.session.connection.peer.work(call)

    def holds(self, consumer: Consumer) -> bool:
        return self.unsettled > 0

    def activated(self, *, active: bool) -> None:
        self.session.tell_active(self, active=active)

    def cancelled(self, reason: str) -> None:
        self.session.links.cancelled(self, reason)

    def grant(self, credit: int, *, drain: bool) -> None:
        """The client's newest word on how many more it takes."""
        self.consumer.credit = credit
        self.draining = drain
        if credit > 0:
            self.go_on()
        else:
            self.consumer.queue.pause(self.consumer)

    def go_on(self) -> None:
        """Let the queue send, as far as session and connection do not stand in the way."""
        if self.session.flowing and self.consumer.credit > 0 and not self.late:
            self.consumer.queue.resume(self.consumer)

    @property
    def served_in_steps(self) -> bool:
        """Its queue has more for it, for which there was no time yet."""
        consumer = self.consumer
        queue = consumer.queue
        if isinstance(queue, StreamQueue):
            return queue.is_looking_for(consumer)
        draining = isinstance(queue, GovernedQueue) and queue.draining
        return draining and consumer.ready and bool(queue.messages)

    def let_go(self) -> None:
        """Its consumer ended. The two know each other, and would stay until the collector comes."""
        self.consumer.sink = _NOWHERE

    def drained(self) -> int:
        """The queue has no more for it: all credit is used up. Returns how much that was."""
        left = max(0, self.consumer.credit)
        self.consumer.queue.pause(self.consumer)
        self.consumer.credit = 0
        self.delivery_count = (self.delivery_count + left) % SERIAL
        self.draining = False
        return left


class _Nowhere:
    """The sink of a consumer that ended: it takes nothing any more."""

    def deliver(
        self, route: Route, content: bytes, size: int, redelivered: bool, unacked: Message | None
    ) -> None: ...

    def deliver_all(self, route: Route, contents: Sequence[bytes], size: int) -> int:
        return 0

    def deliver_parts(self, route: Route, contents: Iterable[Parts]) -> int:
        return 0

    def deliver_messages(self, messages: Iterable[Message], *, no_ack: bool) -> int:
        return 0

    def work(self, call: Callable[[], object]) -> None: ...

    def holds(self, consumer: Consumer) -> bool:
        return False

    def activated(self, *, active: bool) -> None: ...

    def cancelled(self, reason: str) -> None: ...


_NOWHERE: Final = _Nowhere()


def transfers(
    channel: int,
    handle: int,
    delivery_id: int,
    tag: bytes,
    payload: bytes,
    max_frame: int,
    *,
    settled: bool,
) -> list[bytes]:
    """A delivery's frames, each of at most `max_frame` bytes (0: no limit)."""
    fields = [
        values.write_uint(handle),
        values.write_uint(delivery_id),
        values.write_binary(tag),
        b"\x43",
        b"\x41" if settled else b"\x42",
    ]
    last = values.described(0x14, values.write_list(fields))
    if not max_frame or HEAD_SIZE + len(last) + len(payload) <= max_frame:
        return [frame(channel, last + payload)]
    more = values.described(0x14, values.write_list([*fields, b"\x41"]))
    room = max_frame - HEAD_SIZE - len(more)
    found = []
    at = 0
    while len(payload) - at > room:
        found.append(frame(channel, more + payload[at : at + room]))
        at += room
    found.append(frame(channel, last + payload[at:]))
    return found


def link_credit(count: Any, credit: int, sent: int) -> int:
    """The sender's view of what a receiver granted (2.6.7), who may not know the count yet."""
    return max(0, serial_distance(((count or 0) + credit) % SERIAL, sent))
