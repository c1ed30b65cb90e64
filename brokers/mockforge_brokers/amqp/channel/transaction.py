"""What a transactional channel keeps until tx.commit (AMQP 1.9)."""

from collections import deque
from typing import NamedTuple

from msgspec import Struct, field

from ..state.memory import Memory
from ..state.message import Message
from ..state.settlements import Settlement
from .publication import Uncommitted


class SettledDelivery(NamedTuple):
    """`failed`: its client could not process it, as basic.reject says."""

    tag: int
    message: Message
    settlement: Settlement
    failed: bool


class Transaction(Struct):
    """Publishes and settled deliveries in the order in which they came.

    RabbitMQ's meaning: a rollback forgets the publishes, and the settled deliveries are unsettled
    again; nothing is redelivered by it.
    """

    publishes: deque[Uncommitted] = field(default_factory=deque)
    weight: int = 0
    """What the publishes take of the memory that queues have."""
    settled: list[SettledDelivery] = field(default_factory=list)

    def add(self, uncommitted: Uncommitted, memory: Memory) -> None:
        self.publishes.append(uncommitted)
        self._weigh(uncommitted.weight, memory)

    def take(self, memory: Memory) -> Uncommitted:
        """The oldest publish, which goes to its queues."""
        uncommitted = self.publishes.popleft()
        self._weigh(-uncommitted.weight, memory)
        return uncommitted

    def forget(self, memory: Memory) -> None:
        """Its publishes are never committed."""
        self.publishes.clear()
        self._weigh(-self.weight, memory)
        memory.settle()

    def _weigh(self, more: int, memory: Memory) -> None:
        self.weight += more
        memory.used += more
        memory.uncommitted += more
