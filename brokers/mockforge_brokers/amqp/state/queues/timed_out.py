"""What stands for a quorum queue in deliveries that went back to it since they were not settled."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from ....fairness import Steps
from ..message import Message
from .queue import Queue

if TYPE_CHECKING:
    from ..consumer import Consumer
    from .quorum import QuorumQueue


class TimedOut(Queue):
    """Deliveries of one consumer, whose tags the client may still settle (RabbitMQ 4.3).

    That changes nothing for the messages: others may have them. The consumer gets messages again
    once all of its late deliveries are settled.
    """

    __slots__ = ("consumer", "late_for")
    kind: ClassVar[str] = "timed out"

    def __init__(self, consumer: Consumer, queue: QuorumQueue) -> None:
        super().__init__(queue.name, queue.memory)
        self.consumer = consumer
        self.late_for = queue

    def stand_in(self, message: Message) -> Message:
        """What a channel keeps under the delivery tag."""
        return Message(self, message.route, b"", 0, 0)

    def acknowledge(self, message: Message) -> None:
        self.late_for.forgive(self.consumer, 1)

    def acknowledge_all(self, messages: Sequence[Message], size: int) -> None:
        self.late_for.forgive(self.consumer, len(messages))

    def discard(self, message: Message) -> None:
        self.late_for.forgive(self.consumer, 1)

    def requeuing(self, unacked: Sequence[Message], *, ended: bool, failed: bool) -> Steps:
        if not ended:
            self.late_for.forgive(self.consumer, len(unacked))
        yield
