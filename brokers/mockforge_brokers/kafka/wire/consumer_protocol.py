"""What consumers put into the opaque bytes of the classic group protocol."""

from collections.abc import Iterable, Sequence
from typing import TypeVar

from ...errors import BrokerError
from .codec import decode, encode
from .messages.groups import (
    ConsumerProtocolAssignment,
    ConsumerProtocolSubscription,
    TopicPartition,
)
from .schema import Message

M = TypeVar("M", bound=Message)


def subscription(metadata: bytes, most: int) -> ConsumerProtocolSubscription | None:
    """A member's subscription; None where the bytes are something else, or name more things."""
    return _decoded(ConsumerProtocolSubscription, metadata, most)


def assigned_partitions(assignment: bytes, most: int) -> list[tuple[str, tuple[int, ...]]]:
    """The topics of an assignment, each with its partitions."""
    found = _decoded(ConsumerProtocolAssignment, assignment, most)
    if found is None:
        return []
    return [(one.topic, tuple(one.partitions)) for one in found.assigned_partitions]


def assignment(version: int, partitions: Iterable[tuple[str, Sequence[int]]]) -> bytes:
    """The bytes for a member whose subscription came in this version."""
    version = min(version, ConsumerProtocolAssignment.versions.last)
    named = [TopicPartition(topic=topic, partitions=numbers) for topic, numbers in partitions]
    message = ConsumerProtocolAssignment(assigned_partitions=named)
    return version.to_bytes(2, "big") + encode(message, version)


def _decoded(message: type[M], data: bytes, most: int) -> M | None:
    if len(data) < 2:
        return None
    version = min(int.from_bytes(data[:2], "big"), message.versions.last)
    try:
        return decode(message, version, data, 2, most)
    except BrokerError:
        return None
