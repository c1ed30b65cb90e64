"""What a transactional channel keeps until tx.commit (AMQP 1.9)."""

from msgspec import Struct, field

from ..state.message import Message
from .headers import Extra
from .publication import Publication


class Transaction(Struct):
    """Publishes and settled deliveries in the order in which they came.

    RabbitMQ's meaning: a rollback forgets the publishes, and the settled deliveries are unsettled
    again; nothing is redelivered by it.
    """

    publishes: list[tuple[Publication, bytes, int, Extra | None]] = field(default_factory=list)
    settled: list[tuple[int, Message, bool, bool]] = field(default_factory=list)
    """(delivery tag, message, acknowledged, requeue)"""
