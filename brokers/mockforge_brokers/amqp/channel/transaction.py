"""What a transactional channel keeps until tx.commit (AMQP 1.9)."""

from msgspec import Struct, field

from ..state.message import Message
from .publication import Uncommitted


class Transaction(Struct):
    """Publishes and settled deliveries in the order in which they came.

    RabbitMQ's meaning: a rollback forgets the publishes, and the settled deliveries are unsettled
    again; nothing is redelivered by it.
    """

    publishes: list[Uncommitted] = field(default_factory=list)
    settled: list[tuple[int, Message, bool, bool]] = field(default_factory=list)
    """(delivery tag, message, acknowledged, requeue)"""
