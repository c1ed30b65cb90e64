"""A consumer of a queue, and the sink through which it gets its messages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from ..records import Parts, Table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from .message import Message
    from .queues.queue import Queue
    from .routing import Route

UNLIMITED: Final = 1 << 62
"""The credit of a consumer without prefetch limit."""


class Sink(Protocol):
    """Where a consumer's messages go; the channel has one for each of its consumers."""

    def deliver(
        self, route: Route, content: bytes, size: int, redelivered: bool, unacked: Message | None
    ) -> None:
        """Send a message; `unacked` comes back by acknowledgement or requeue (None: it is gone)."""
        ...

    def deliver_all(self, route: Route, contents: Sequence[bytes], size: int) -> int:
        """`deliver` some of these, the first ones, which are of one length and gone by that.

        Returns how many; 0: they are to come one by one.
        """
        ...

    def deliver_parts(self, route: Route, contents: Iterable[Parts]) -> int:
        """`deliver` some of these, the first ones, which are gone by that.

        Returns how many; 0: they are to come one by one.
        """
        ...

    def deliver_messages(self, messages: Iterable[Message], *, no_ack: bool) -> int:
        """`deliver` some of these, the first ones; unless `no_ack` each of them comes back.

        Returns how many; 0: they are to come one by one.
        """
        ...

    def work(self, call: Callable[[], object]) -> None:
        """Do it in the consumer's name: what it sends then waits for what this keeps on disk."""
        ...

    def holds(self, consumer: Consumer) -> bool:
        """Whether its consumer has messages that are not settled."""
        ...

    def activated(self, *, active: bool) -> None:
        """Its consumer is the single active one of its queue from now on, or is it no more."""
        ...

    def cancelled(self, reason: str) -> None:
        """The broker ended the consumer; its queue has already forgotten it."""
        ...


class Consumer:
    """`credit` is how many more messages it takes before it acknowledges one.

    `paused` stops it for another reason: its peer does not read, or its channel's common prefetch
    is used up. `ready` is true while it stands in its queue's rotation. `wants` says which messages
    of a stream it takes; other queues do not ask.
    """

    __slots__ = (
        "arguments",
        "connection",
        "credit",
        "delivered",
        "exclusive",
        "no_ack",
        "paused",
        "prefetch",
        "priority",
        "queue",
        "ready",
        "sink",
        "tag",
        "wants",
    )

    def __init__(
        self,
        tag: str,
        queue: Queue,
        sink: Sink,
        *,
        connection: int = 0,
        no_ack: bool = False,
        exclusive: bool = False,
        prefetch: int = 0,
        priority: int = 0,
        arguments: Table | None = None,
        wants: Callable[[Message], bool] | None = None,
    ) -> None:
        self.tag = tag
        self.queue = queue
        self.sink = sink
        self.connection = connection
        self.no_ack = no_ack
        self.exclusive = exclusive
        self.prefetch = prefetch
        self.priority = priority
        self.arguments = arguments or {}
        self.wants = wants
        # RabbitMQ ignores the prefetch of consumers that do not acknowledge.
        self.credit = UNLIMITED if no_ack or not prefetch else prefetch
        self.paused = False
        self.ready = False
        self.delivered = 0
