"""Who of a group gets which partitions: the broker's own assignors of KIP-848."""

from collections.abc import Callable, Mapping
from typing import Final

from .assignment import Counts, Key, Ordered, Subscriptions
from .uniform import uniform


def spread_by_range(subscriptions: Subscriptions, counts: Counts, current: Ordered) -> Ordered:
    """Of each topic neighbouring partitions, so that equal topics are read side by side."""
    chosen: dict[str, list[Key]] = {member: [] for member in subscriptions}
    for topic, count in counts.items():
        # In their order: a static member that comes back under a new id has its partitions again.
        takers = [member for member in subscriptions if topic in subscriptions[member]]
        at = 0
        for place, member in enumerate(takers):
            share = count // len(takers) + (place < count % len(takers))
            chosen[member] += ((topic, partition) for partition in range(at, at + share))
            at += share
    return chosen


ASSIGNORS: Final[Mapping[str, Callable[[Subscriptions, Counts, Ordered], Ordered]]] = {
    "uniform": uniform,
    "range": spread_by_range,
}
"""The first is the default, as Kafka's `group.consumer.assignors` has it."""
