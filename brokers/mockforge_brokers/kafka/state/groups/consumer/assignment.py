"""What an assignor goes by, and what it makes."""

from collections.abc import Collection, Mapping

Key = tuple[bytes, int]
"""A partition: its topic's id and its number."""

Assignment = dict[str, frozenset[Key]]
"""By member id."""

Ordered = Mapping[str, Collection[Key]]
"""The same with the order in which each member got them, as far as it is known."""

Subscriptions = Mapping[str, frozenset[bytes]]
"""By member id the ids of the topics that it reads, static members first, by their instance ids."""

Counts = Mapping[bytes, int]
"""By topic id how many partitions there are, in the order in which Kafka goes through topics."""
