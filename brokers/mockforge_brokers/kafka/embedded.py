"""The consumers' own bytes within the classic group protocol, as the state asks for them."""

from functools import lru_cache
from typing import Final

from .state.groups.embedded import Embedded, Partitions, Subscription
from .wire.consumer_protocol import assigned_partitions, assignment, subscription

_KEPT: Final = 4096
_SHORT: Final = 256
"""Bytes of which is kept what they say: those of most members, and not those that name much."""


class EmbeddedProtocol(Embedded):
    """Java's `ConsumerProtocol`, which all consumers write."""

    def __init__(self, most: int) -> None:
        """`most` topics and partitions of one member are read: as many as of one request."""
        self._most = most
        # Members of one group say the same, and each look at them asks anew.
        self._short_subscription = lru_cache(_KEPT)(self._subscription)
        self._short_assignment = lru_cache(_KEPT)(self._assigned)

    def subscription(self, metadata: bytes) -> Subscription | None:
        if len(metadata) <= _SHORT:
            return self._short_subscription(metadata)
        return self._subscription(metadata)

    def assigned(self, assignment: bytes) -> Partitions:
        if len(assignment) <= _SHORT:
            return self._short_assignment(assignment)
        return self._assigned(assignment)

    def assignment(self, version: int, partitions: Partitions) -> bytes:
        return assignment(version, partitions)

    def _subscription(self, metadata: bytes) -> Subscription | None:
        found = subscription(metadata, self._most)
        if found is None:
            return None
        return Subscription(
            int.from_bytes(metadata[:2], "big"),
            frozenset(found.topics),
            tuple((one.topic, tuple(one.partitions)) for one in found.owned_partitions),
            found.rack_id,
        )

    def _assigned(self, assignment: bytes) -> Partitions:
        return tuple(assigned_partitions(assignment, self._most))
