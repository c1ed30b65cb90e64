"""What an assignor goes by, and what it makes."""

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Final, TypeVar

from .....fairness import Stepped

Key = tuple[bytes, int]
"""A partition: its topic's id and its number."""

Assignment = dict[str, frozenset[Key]]
"""By member id."""

Ordered = Mapping[str, Collection[Key]]
"""The same with the order in which each member got them, as far as it is known."""

Subscriptions = Mapping[str, frozenset[bytes]]
"""By member id the ids of the topics that it reads, static members first, by their instance ids."""

A_STEP: Final = 256
"""Partitions that are given at a time, of groups that have very many."""

MEMBERS: Final = 16
"""Members of whom something is made at a time."""

T = TypeVar("T")

Counts = Mapping[bytes, int]
"""By topic id how many partitions there are, in the order in which Kafka goes through topics."""


def of_each(members: Iterable[str], make: Callable[[str], T]) -> Stepped[dict[str, T]]:
    """What is made of each of them."""
    made = {}
    for member in members:
        made[member] = make(member)
        if not len(made) % MEMBERS:
            yield
    return made
