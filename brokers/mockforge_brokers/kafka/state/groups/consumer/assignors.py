"""Who of a group gets which partitions: the broker's own assignors of KIP-848."""

from collections import Counter
from collections.abc import Callable, Mapping
from heapq import heapify, heapreplace
from typing import Final

Key = tuple[bytes, int]
"""A partition: its topic's id and its number."""

Assignment = dict[str, frozenset[Key]]
"""By member id."""

Subscriptions = Mapping[str, frozenset[bytes]]
"""By member id the ids of the topics that it reads, static members first, by their instance ids."""

Counts = Mapping[bytes, int]
"""By topic id how many partitions there are."""


def uniform(subscriptions: Subscriptions, counts: Counts, current: Assignment) -> Assignment:
    """As even as can be, and whoever has a partition keeps it where that is even as well."""
    kept = {
        member: {key for key in current.get(member, ()) if key[0] in topics and _is(key, counts)}
        for member, topics in sorted(subscriptions.items())
    }
    if len(set(subscriptions.values())) == 1:
        topics = sorted(next(iter(subscriptions.values())))
        _cut_to_quota(kept, sum(counts[topic] for topic in topics))
        _hand_out(kept, [(topic, one) for topic in topics for one in range(counts[topic])])
    owned = {key for keys in kept.values() for key in keys}
    readers = Counter(topic for topics in subscriptions.values() for topic in topics)
    # Topics with few readers first, or their readers would be full with what others could take.
    for topic in sorted(readers, key=lambda one: (readers[one], one)):
        free = [one for one in range(counts[topic]) if (topic, one) not in owned]
        if not free:
            continue
        takers = [member for member in kept if topic in subscriptions[member]]
        # Whoever has least takes the next one, of several the first: a search among all for each
        # partition would hold up the loop in a large group.
        least = [(len(kept[member]), place) for place, member in enumerate(takers)]
        heapify(least)
        for partition in free:
            load, place = least[0]
            kept[takers[place]].add((topic, partition))
            heapreplace(least, (load + 1, place))
    _even_out(kept, subscriptions)
    return {member: frozenset(keys) for member, keys in kept.items()}


def spread_by_range(
    subscriptions: Subscriptions, counts: Counts, current: Assignment
) -> Assignment:
    """Of each topic neighbouring partitions, so that equal topics are read side by side."""
    chosen: dict[str, set[Key]] = {member: set() for member in subscriptions}
    for topic, count in counts.items():
        # In their order: a static member that comes back under a new id has its partitions again.
        takers = [member for member in subscriptions if topic in subscriptions[member]]
        at = 0
        for place, member in enumerate(takers):
            share = count // len(takers) + (place < count % len(takers))
            chosen[member] |= {(topic, partition) for partition in range(at, at + share)}
            at += share
    return {member: frozenset(keys) for member, keys in chosen.items()}


ASSIGNORS: Final[Mapping[str, Callable[[Subscriptions, Counts, Assignment], Assignment]]] = {
    "uniform": uniform,
    "range": spread_by_range,
}
"""The first is the default, as Kafka's `group.consumer.assignors` has it."""


def _is(key: Key, counts: Counts) -> bool:
    return key[1] < counts.get(key[0], 0)


def _cut_to_quota(kept: dict[str, set[Key]], partitions: int) -> None:
    """Take from each what is over its share; who has most keeps one of the odd ones."""
    share, odd = divmod(partitions, len(kept))
    for keys in kept.values():
        most = share + 1 if odd and len(keys) > share else share
        odd -= most > share
        for key in sorted(keys)[most:]:
            keys.discard(key)


def _hand_out(kept: dict[str, set[Key]], every: list[Key]) -> None:
    """Give each its share of what nobody has, from the last member and the last partition on, as
    Kafka does: there the odd ones go."""
    share, odd = divmod(len(every), len(kept))
    odd -= sum(len(keys) > share for keys in kept.values())
    owned = {key for keys in kept.values() for key in keys}
    free = [key for key in every if key not in owned]
    for keys in reversed(kept.values()):
        if len(keys) <= share:
            most = share + (odd > 0)
            odd -= odd > 0
            while free and len(keys) < most:
                keys.add(free.pop())


def _even_out(kept: dict[str, set[Key]], subscriptions: Subscriptions) -> None:
    """Move partitions from who has more to who has less, while the difference is two or more.

    In each round everybody takes at most one from each of the others: so no single one gives all,
    and there are few rounds.
    """
    moved = True
    while moved:
        moved = False
        by_load = sorted(kept, key=lambda member: len(kept[member]))
        held = [(member, {key[0] for key in kept[member]}) for member in reversed(by_load)]
        # Who reads other topics has nothing to give: to look for it with each of them would hold
        # up the loop in a large group.
        givers: dict[frozenset[bytes], list[str]] = {}
        for poor in by_load:
            topics = subscriptions[poor]
            if topics not in givers:
                givers[topics] = [rich for rich, has in held if not topics.isdisjoint(has)]
            for rich in givers[topics]:
                if len(kept[rich]) - len(kept[poor]) < 2:
                    # Or so it seems by the order before this round: the next one looks again.
                    break
                readable = (key for key in kept[rich] if key[0] in topics)
                key = max(readable, default=None)
                if key is not None:
                    kept[rich].discard(key)
                    kept[poor].add(key)
                    moved = True
