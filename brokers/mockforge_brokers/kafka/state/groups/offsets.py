"""What a group committed."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from msgspec import Struct

from ....fairness import Steps
from .offsets_log import NO_LOG, OffsetsLog

NO_OFFSET: Final = -1
_A_STEP: Final = 64
"""Offsets of a transaction that are settled at a time."""


class CommittedOffset(Struct, frozen=True):
    """`leader_epoch` is -1 where it is not known; `committed` is wall time in seconds.

    `order` grows with each request that commits, in a transaction or not. `expires` is the wall
    time that the client chose for it, if it did.
    """

    offset: int
    leader_epoch: int = -1
    metadata: str = ""
    committed: float = 0.0
    order: int = 0
    expires: float | None = None


class Committer(Struct, frozen=True):
    """Who commits. Without a member id: somebody outside, into a group without members.

    `knows_epochs`: its request can carry a member epoch (OffsetCommit 9 and later).
    `retention`: seconds after which what it commits expires (OffsetCommit 2 to 4); None: as usual.
    """

    member_id: str = ""
    generation_id: int = -1
    group_instance_id: str | None = None
    knows_epochs: bool = True
    retention: float | None = None


UNCOMMITTED: Final = CommittedOffset(NO_OFFSET)


def _nobody(topic: str) -> None:
    """Nobody is told."""


class GroupOffsets:
    """Committed offsets by topic and partition, and those that open transactions would commit."""

    __slots__ = ("_held", "generation_id", "log", "met", "newest", "on_topic", "pending", "topics")

    def __init__(self) -> None:
        self.topics: dict[str, dict[int, CommittedOffset]] = {}
        self.pending: dict[int, dict[tuple[str, int], CommittedOffset]] = {}
        """By producer id: what counts when its transaction is committed (KIP-98)."""
        self._held: Counter[tuple[str, int]] = Counter()
        """How many transactions would move each: a fetch asks of every partition."""
        self.newest = 0
        """The greatest order of what a restart kept."""
        self.met: set[str] = set()
        """Topics of which something was committed or held, if it is not any more."""
        self.on_topic: Callable[[str], object] = _nobody
        """Told of each that is met."""
        self.log: OffsetsLog = NO_LOG
        self.generation_id: int | None = None
        """The group's, when it was last kept that it has offsets; None: that is not known."""

    def __bool__(self) -> bool:
        return bool(self.topics or self.pending)

    def restore(
        self,
        topics: Mapping[str, Mapping[int, CommittedOffset]],
        pending: Mapping[int, Iterable[tuple[str, int, CommittedOffset]]],
    ) -> None:
        """Take up what a restart kept."""
        for topic, partitions in topics.items():
            for partition, committed in partitions.items():
                self.commit(topic, partition, committed)
                self.newest = max(self.newest, committed.order)
        for producer_id, held in pending.items():
            self.hold(producer_id, {(topic, partition): one for topic, partition, one in held})
            self.newest = max((self.newest, *(one.order for _, _, one in held)))

    def hold(self, producer_id: int, offsets: Mapping[tuple[str, int], CommittedOffset]) -> None:
        """Keep offsets back until the producer's transaction ends."""
        held = self.pending.setdefault(producer_id, {})
        self._held.update(offsets.keys() - held.keys())
        held.update(offsets)
        for (topic, partition), one in offsets.items():
            self.log.hold(producer_id, topic, partition, one)
        for topic in {topic for topic, _ in offsets}:
            self._meet(topic)

    def settle(self, producer_id: int, *, committed: bool) -> Steps:
        """The producer's transaction ended; what was committed after its own commit stands.

        What is not settled yet is unstable as before.
        """
        held = self.pending.get(producer_id, {})
        left = _A_STEP
        while held:
            (topic, partition), one = held.popitem()
            self._let_go(producer_id, topic, partition)
            if committed and one.order > self.fetch(topic, partition).order:
                self.commit(topic, partition, one)
            left -= 1
            if not left:
                yield
                left = _A_STEP
        self.pending.pop(producer_id, None)

    def is_unstable(self, topic: str, partition: int) -> bool:
        """Whether an open transaction would move this offset (KIP-447)."""
        return (topic, partition) in self._held

    def _let_go(self, producer_id: int, topic: str, partition: int) -> None:
        self.log.let_go(producer_id, topic, partition)
        self._held[topic, partition] -= 1
        if not self._held[topic, partition]:
            del self._held[topic, partition]

    def commit(self, topic: str, partition: int, committed: CommittedOffset) -> None:
        partitions = self.topics.get(topic)
        if partitions is None:
            partitions = self.topics[topic] = {}
            self._meet(topic)
        before = partitions.get(partition)
        # A request that commits very much does it by steps: what came after it stands.
        if before is None or before.order <= committed.order:
            partitions[partition] = committed
            self.log.commit(topic, partition, committed)

    def _meet(self, topic: str) -> None:
        if topic not in self.met:
            self.met.add(topic)
            self.on_topic(topic)

    def fetch(self, topic: str, partition: int) -> CommittedOffset:
        """What was committed, or `UNCOMMITTED`, which is no error."""
        return self.topics.get(topic, {}).get(partition, UNCOMMITTED)

    def forget_partition(self, topic: str, partition: int) -> None:
        partitions = self.topics.get(topic, {})
        if partitions.pop(partition, None) is None:
            return
        if partitions:
            self.log.forget(topic, partition)
        else:
            del self.topics[topic]
            self.log.forget_topic(topic)

    def forget(self, topic: str) -> bool:
        """The topic is gone; returns whether anything of it was committed, or would have been."""
        self.met.discard(topic)
        found = self.topics.pop(topic, None) is not None
        if found:
            self.log.forget_topic(topic)
        for producer_id, held in self.pending.items():
            for key in [key for key in held if key[0] == topic]:
                del held[key]
                self._let_go(producer_id, *key)
                found = True
        return found
