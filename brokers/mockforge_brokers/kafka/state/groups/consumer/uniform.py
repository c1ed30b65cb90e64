"""The uniform assignor: as even as can be, and whoever has a partition keeps it where that is even.

Who gets which is Kafka's own choice (4.4), which goes by the order of its hash maps: one way where
all members read the same topics, another one where they do not.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from itertools import islice
from typing import Final

from .....fairness import Stepped, Steps
from ...java_maps import hash_of, hash_of_uuid, in_hash_order, places_of_copy
from .assignment import A_STEP, MEMBERS, Counts, Key, Ordered, Subscriptions, of_each

_NOBODY: Final = -1
_ROUNDS: Final = 16
"""In which partitions are moved to who has less, in a group whose members read other topics."""


def uniform(
    subscriptions: Subscriptions, counts: Counts, current: Ordered, alike: bool
) -> Stepped[Ordered]:
    hashes = yield from of_each(subscriptions, hash_of)
    members = in_hash_order(subscriptions, hashes.__getitem__)

    def kept_by(member: str) -> dict[Key, None]:
        there = (key for key in current.get(member, ()) if key[1] < counts.get(key[0], 0))
        if alike:
            return dict.fromkeys(there)
        return dict.fromkeys(key for key in there if key[0] in subscriptions[member])

    def in_order(member: str) -> list[Key]:
        return _new_topics_first(kept[member], current.get(member, ()))

    kept = yield from of_each(members, kept_by)
    if alike:
        yield from _share(kept, subscriptions[members[0]], counts)
    else:
        yield from _Balance(kept, subscriptions, counts).find()
    return (yield from of_each(members, in_order))


def _new_topics_first(keys: Iterable[Key], before: Iterable[Key]) -> list[Key]:
    """As `HashMap.computeIfAbsent` has them, which puts a new one before those in its place."""
    rank = {topic: 0 for topic, _ in before}
    for topic, _ in keys:
        rank.setdefault(topic, -len(rank))
    return sorted(keys, key=lambda key: rank[key[0]])


# All read the same.


def _share(kept: dict[str, dict[Key, None]], topics: Collection[bytes], counts: Counts) -> Steps:
    """Take from each what is over its quota, and give what nobody has to who is below it."""
    owned = {key for keys in kept.values() for key in keys}
    read = [topic for topic in counts if topic in topics]
    every = in_hash_order(read, hash_of_uuid, places_of_copy(len(read)))
    free: list[Key] = []
    for topic in every:
        for at in range(0, counts[topic], A_STEP):
            numbers = range(at, min(at + A_STEP, counts[topic]))
            free += (key for number in numbers if (key := (topic, number)) not in owned)
            if len(numbers) == A_STEP:
                yield
    quota, odd = divmod(sum(counts[topic] for topic in topics), len(kept))
    unfilled: list[tuple[dict[Key, None], int]] = []
    for place, (member, keys) in enumerate(kept.items()):
        has_odd = odd > 0
        most = quota + has_odd
        held = [key for key in _in_order(keys) if key[0] in topics]
        free += held[most:]
        kept[member] = taken = dict.fromkeys(held[:most])
        missing = most - len(taken)
        # The odd ones stay with who has one, or else go to the last members.
        if missing and has_odd and len(kept) - place > odd:
            missing, has_odd = missing - 1, False
        if missing:
            unfilled.append((taken, missing))
        odd -= has_odd
        if place % MEMBERS == MEMBERS - 1:
            yield
    given = iter(free)
    for place, (taken, missing) in enumerate(unfilled):
        taken.update(dict.fromkeys(islice(given, missing)))
        if place % MEMBERS == MEMBERS - 1:
            yield


def _in_order(keys: Iterable[Key]) -> list[Key]:
    """As a member's assignment is gone through: topic by topic."""
    numbers: dict[bytes, list[int]] = defaultdict(list)
    for topic, number in keys:
        numbers[topic].append(number)
    return [
        (topic, number)
        for topic in in_hash_order(numbers, hash_of_uuid)
        for number in in_hash_order(numbers[topic], int, places_of_copy(len(numbers[topic])))
    ]


# Not all read the same.


class _Balance:
    """Of a group; its members are known by their places."""

    def __init__(
        self, kept: dict[str, dict[Key, None]], subscriptions: Subscriptions, counts: Counts
    ) -> None:
        """`kept` is what they have, and is to have all."""
        self._kept = list(kept.values())
        self._counts = counts
        self._readers: dict[bytes, list[int]] = defaultdict(list)
        for place, member in enumerate(kept):
            for topic in subscriptions[member]:
                self._readers[topic].append(place)
        self._owners = {topic: [_NOBODY] * counts[topic] for topic in self._readers}
        for place, keys in enumerate(self._kept):
            for topic, number in keys:
                self._owners[topic][number] = place
        self._sizes = list(map(len, self._kept))

    def find(self) -> Steps:
        yield from self._give_out()
        yield from self._even_out()

    def _give_out(self) -> Steps:
        """What nobody has, topic by topic, to who has least."""
        free = {
            topic: [number for number, owner in enumerate(owners) if owner == _NOBODY]
            for topic, owners in self._owners.items()
        }
        for topic in self._sorted(topic for topic, numbers in free.items() if numbers):
            loads = _Loads(self._readers[topic], self._sizes)
            for given, number in enumerate(free[topic]):
                self._give((topic, number), loads.least())
                if given % A_STEP == A_STEP - 1:
                    yield

    def _even_out(self) -> Steps:
        """Move what can be moved, round after round, until no topic had anything to move."""
        topics = self._sorted(topic for topic, places in self._readers.items() if len(places) > 1)
        last: int | None = None
        for _ in range(_ROUNDS):
            for at, topic in enumerate(topics):
                if at == last:
                    return
                if (yield from self._even_out_topic(topic)) or last is None:
                    last = at
                if at % MEMBERS == MEMBERS - 1:
                    yield

    def _even_out_topic(self, topic: bytes) -> Stepped[int]:
        """How many partitions moved from who has most to who has least."""
        loads = _Loads(self._readers[topic], self._sizes)
        if loads.difference <= 1:
            return 0
        moved = 0
        owned: dict[int, list[int]] = defaultdict(list)
        for number, owner in enumerate(self._owners[topic]):
            owned[owner].append(number)
        while not loads.are_even:
            giver = loads.most()
            while giver != _NOBODY and not owned.get(giver):
                loads.exclude()
                giver = loads.most()
            if giver == _NOBODY:
                break
            number = owned[giver].pop()
            taker = loads.least()
            if loads.are_even:
                break
            self._give((topic, number), taker)
            moved += 1
            if not moved % A_STEP:
                yield
        return moved

    def _give(self, key: Key, place: int) -> None:
        topic, number = key
        owner = self._owners[topic][number]
        if owner != _NOBODY:
            del self._kept[owner][key]
            self._sizes[owner] -= 1
        self._owners[topic][number] = place
        self._kept[place][key] = None
        self._sizes[place] += 1

    def _sorted(self, topics: Iterable[bytes]) -> list[bytes]:
        """Most partitions for each reader first, then fewest readers."""

        def place(topic: bytes) -> tuple[float, int, int, int]:
            readers = len(self._readers[topic])
            high, low = (
                int.from_bytes(part, "big", signed=True) for part in (topic[:8], topic[8:])
            )
            return -self._counts[topic] / readers, readers, high, low

        return sorted(topics, key=place)


class _Loads:
    """The readers of one topic, by how much each has: who is next to get, and who is next to give.

    Both begin at their end and go on to the next one of as much, so that all are as far before
    anybody is one further.
    """

    def __init__(self, readers: Sequence[int], sizes: Sequence[int]) -> None:
        """`sizes` change with what is given and taken."""
        self._sizes = sizes
        self._places = sorted(readers, key=lambda place: (sizes[place], place))
        first, last = sizes[self._places[0]], sizes[self._places[-1]]
        self.difference = last - first
        self._least_end = self._next_least = 0
        self._least = first - 1
        self._most_start = self._most_end = len(self._places)
        self._most = last + 1
        self._next_most = len(self._places) - 1

    @property
    def are_even(self) -> bool:
        return self._most - self._least <= 1

    def least(self) -> int:
        if self._next_least >= self._least_end:
            self._least += 1
            while (
                self._least_end < len(self._places) and self._size(self._least_end) == self._least
            ):
                self._least_end += 1
            self._next_least = 0
        self._next_least += 1
        return self._places[self._next_least - 1]

    def most(self) -> int:
        """`_NOBODY` where none is left."""
        if self._next_most < self._most_start:
            nobody = self._most_end <= self._most_start and self._most_start > 0
            self._most = self._size(self._most_start - 1) if nobody else self._most - 1
            while self._most_start > 0 and self._size(self._most_start - 1) == self._most:
                self._most_start -= 1
            self._next_most = self._most_end - 1
        if self._next_most < 0:
            return _NOBODY
        self._next_most -= 1
        return self._places[self._next_most + 1]

    def exclude(self) -> None:
        """Who was named by `most` has nothing to give."""
        places, at, end = self._places, self._next_most + 1, self._most_end - 1
        places[at], places[end] = places[end], places[at]
        self._most_end -= 1

    def _size(self, at: int) -> int:
        return self._sizes[self._places[at]]
