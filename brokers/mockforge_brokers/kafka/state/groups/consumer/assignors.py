"""Who of a group gets which partitions: the broker's own assignors of KIP-848."""

from collections.abc import Callable, Mapping
from typing import Final

from .....fairness import Stepped
from .assignment import A_STEP, Counts, Key, Ordered, Subscriptions
from .uniform import uniform


def spread_by_range(
    subscriptions: Subscriptions, counts: Counts, current: Ordered, alike: bool
) -> Stepped[Ordered]:
    """Of each topic neighbouring partitions, so that equal topics are read side by side."""
    chosen: dict[str, list[Key]] = {member: [] for member in subscriptions}
    left = A_STEP
    for topic, count in counts.items():
        # In their order: a static member that comes back under a new id has its partitions again.
        takers = [member for member in subscriptions if topic in subscriptions[member]]
        at = 0
        for place, member in enumerate(takers):
            share = count // len(takers) + (place < count % len(takers))
            chosen[member] += ((topic, partition) for partition in range(at, at + share))
            at += share
            left -= 1 + share
            if left < 0:
                yield
                left = A_STEP
    return chosen


ASSIGNORS: Final[
    Mapping[str, Callable[[Subscriptions, Counts, Ordered, bool], Stepped[Ordered]]]
] = {
    "uniform": uniform,
    "range": spread_by_range,
}
"""The first is the default, as Kafka's `group.consumer.assignors` has it.

The last argument: whether all members asked for the same topics, be they there or not.
"""
