"""The consumers' own bytes within the classic group protocol, as the state asks for them."""

from .state.groups.embedded import Embedded, Partitions, Subscription
from .wire.consumer_protocol import assigned_partitions, assignment, subscription


class EmbeddedProtocol(Embedded):
    """Java's `ConsumerProtocol`, which all consumers write."""

    def __init__(self, most: int) -> None:
        """`most` topics and partitions of one member are read: as many as of one request."""
        self._most = most

    def subscription(self, metadata: bytes) -> Subscription | None:
        found = subscription(metadata, self._most)
        if found is None:
            return None
        return Subscription(
            int.from_bytes(metadata[:2], "big"),
            frozenset(found.topics),
            tuple((one.topic, tuple(one.partitions)) for one in found.owned_partitions),
            found.rack_id,
        )

    def assigned(self, assignment: bytes) -> Partitions:
        return assigned_partitions(assignment, self._most)

    def assignment(self, version: int, partitions: Partitions) -> bytes:
        return assignment(version, partitions)
