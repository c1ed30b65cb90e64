"""Consumers that were cancelled before all was settled that they had: who consumes next under the
same tag stands in for them."""

from collections.abc import Iterable

from ..state.consumer import Consumer
from ..state.message import Message
from ..state.queues.quorum import QuorumQueue


class Cancelled:
    """Those of one channel, by tag.

    To RabbitMQ a consumer of a queue is its channel and tag: what the one before has still to
    settle is the next one's (asked of 3.10.8 with classic queues, of 4.3.6 with both; 3.10.8 fails
    where it is a quorum queue). A quorum queue counts it in the new prefetch; with a classic one
    each acknowledgement of it is one more delivery.
    """

    __slots__ = ("_by_tag",)

    def __init__(self) -> None:
        self._by_tag: dict[str, Consumer] = {}

    def add(self, consumer: Consumer) -> None:
        """It is cancelled, and has some unacked."""
        self._by_tag = {tag: one for tag, one in self._by_tag.items() if one.sink.holds(one)}
        self._by_tag[consumer.tag] = consumer

    def replace(self, consumer: Consumer, unacked: Iterable[Message]) -> None:
        """A new one consumes: `unacked` is all that its channel has."""
        before = self._by_tag.pop(consumer.tag, None)
        if before is None or before.queue is not consumer.queue or consumer.no_ack:
            return
        its = [message for message in unacked if message.consumer is before]
        for message in its:
            message.consumer = consumer
        if isinstance(consumer.queue, QuorumQueue):
            consumer.queue.replace(before, consumer, len(its))
