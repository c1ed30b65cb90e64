"""What one group committed, on disk: a row for each partition, in place of the one before.

So does Kafka's own `__consumer_offsets`, which it compacts: here the cleaner gives back the room of
rows that others took the place of. All rows that one turn of the loop brings are on disk together
or not at all, and those of a request that takes several turns in their order: who is killed amid a
commit of thousands, of which nobody was told, finds some of it, each offset whole. The end of a
transaction goes on at the next start from where it was.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from msgspec import Struct, msgpack

from ....storage.store import Store
from .offsets import CommittedOffset, GroupOffsets
from .offsets_log import KeptOffsetsLog, OffsetsLog

_OWNER: Final = "kafka"
_encode = msgpack.encode
_Row = tuple[int, int, str, float, int, float | None]
"""Fields of a `CommittedOffset`."""
Topics = dict[str, dict[int, CommittedOffset]]
Pending = dict[int, list[tuple[str, int, CommittedOffset]]]


class _HeldRow(Struct, array_like=True):
    producer_id: int
    topic: str
    partition: int
    committed: _Row


class StoredOffsets(OffsetsLog):
    """`changed` is called when its logs are others than before: the group's own row names them."""

    __slots__ = ("_changed", "_held", "_held_at", "_logs", "_next", "_store", "_whole")

    def __init__(self, store: Store, changed: Callable[[], object]) -> None:
        self._store = store
        self._changed = changed
        self._logs: dict[str, int] = {}
        self._held = 0
        self._held_at: dict[tuple[int, str, int], int] = {}
        self._next = 0
        """The next position of what is held."""
        self._whole: GroupOffsets | None = None
        """Of a folder in which the group's row has all of it, until any of it changes."""

    def commit(self, topic: str, partition: int, committed: CommittedOffset) -> None:
        if self._store.is_still:
            return
        self._begin()
        number = self._logs.get(topic)
        if number is None:
            number = self._logs[topic] = self._store.new_log(_OWNER)
            self._changed()
        self._store.replace(number, partition, _encode(_row(committed)))

    def forget(self, topic: str, partition: int) -> None:
        self._begin()
        if topic in self._logs:
            self._store.remove(self._logs[topic], partition)

    def forget_topic(self, topic: str) -> None:
        self._begin()
        number = self._logs.pop(topic, None)
        if number is not None:
            self._store.drop(number)
            self._changed()

    def hold(
        self, producer_id: int, topic: str, partition: int, committed: CommittedOffset
    ) -> None:
        if self._store.is_still:
            return
        self._begin()
        if not self._held:
            self._held = self._store.new_log(_OWNER)
            self._changed()
        key = (producer_id, topic, partition)
        row = _encode(_HeldRow(producer_id, topic, partition, _row(committed)))
        position = self._held_at.get(key)
        if position is None:
            # Most are gone again soon, and those that nobody wrote yet need no removal.
            position = self._held_at[key] = self._next
            self._next += 1
            self._store.append(self._held, position, row)
        else:
            self._store.replace(self._held, position, row)

    def let_go(self, producer_id: int, topic: str, partition: int) -> None:
        self._begin()
        position = self._held_at.pop((producer_id, topic, partition), None)
        if position is not None:
            self._store.remove(self._held, position)

    def drop(self) -> None:
        self._whole = None
        for number in (*self._logs.values(), self._held):
            if number:
                self._store.drop(number)
        self._logs.clear()
        self._held_at.clear()
        self._held = 0

    def _begin(self) -> None:
        """Write all of it at the first change, if it stands in the group's own row."""
        whole, self._whole = self._whole, None
        if whole is None:
            return
        for topic, partitions in whole.topics.items():
            for partition, committed in partitions.items():
                self.commit(topic, partition, committed)
        for producer_id, held in whole.pending.items():
            for (topic, partition), committed in held.items():
                self.hold(producer_id, topic, partition, committed)
        self._changed()

    def dump(self) -> KeptOffsetsLog | None:
        if self._whole is not None:
            return None
        held_at = sorted((*key, position) for key, position in self._held_at.items())
        return KeptOffsetsLog(dict(self._logs), self._held, held_at)

    def restore(self, kept: KeptOffsetsLog | None, offsets: GroupOffsets) -> None:
        if kept is None:
            self._whole = offsets
            return
        self._logs, self._held = dict(kept.logs), kept.held
        for number in (*self._logs.values(), self._held):
            self._store.known_log(number, _OWNER)
        for producer_id, topic, partition, position in kept.held_at:
            self._held_at[producer_id, topic, partition] = position
            self._next = max(self._next, position + 1)


def _row(committed: CommittedOffset) -> _Row:
    return (
        committed.offset,
        committed.leader_epoch,
        committed.metadata,
        committed.committed,
        committed.order,
        committed.expires,
    )


def read_rows(
    kept: KeptOffsetsLog, log: Callable[[int], Iterable[tuple[int, bytes]]]
) -> tuple[Topics, Pending]:
    """What stands on disk, by topic and by producer id; `log` has the rows of one by its number.

    `kept` gets the positions of what is held.
    """
    topics: Topics = {}
    for topic, number in kept.logs.items():
        rows = ((at, msgpack.decode(row, type=_Row)) for at, row in log(number))
        topics[topic] = {partition: CommittedOffset(*row) for partition, row in rows}
    pending: Pending = {}
    for position, row in log(kept.held) if kept.held else ():
        held = msgpack.decode(row, type=_HeldRow)
        one = (held.topic, held.partition, CommittedOffset(*held.committed))
        pending.setdefault(held.producer_id, []).append(one)
        kept.held_at.append((held.producer_id, held.topic, held.partition, position))
    return topics, pending
