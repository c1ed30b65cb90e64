"""What a group committed."""

from typing import Final

from msgspec import Struct

NO_OFFSET: Final = -1


class CommittedOffset(Struct, frozen=True):
    """`leader_epoch` is -1 where it is not known; `committed` is wall time in seconds."""

    offset: int
    leader_epoch: int = -1
    metadata: str = ""
    committed: float = 0.0


UNCOMMITTED: Final = CommittedOffset(NO_OFFSET)


class GroupOffsets:
    """Committed offsets by topic and partition."""

    __slots__ = ("topics",)

    def __init__(self) -> None:
        self.topics: dict[str, dict[int, CommittedOffset]] = {}

    def __bool__(self) -> bool:
        return bool(self.topics)

    def commit(self, topic: str, partition: int, committed: CommittedOffset) -> None:
        self.topics.setdefault(topic, {})[partition] = committed

    def fetch(self, topic: str, partition: int) -> CommittedOffset:
        """What was committed, or `UNCOMMITTED`, which is no error."""
        return self.topics.get(topic, {}).get(partition, UNCOMMITTED)

    def forget_partition(self, topic: str, partition: int) -> None:
        partitions = self.topics.get(topic, {})
        partitions.pop(partition, None)
        if not partitions:
            self.topics.pop(topic, None)

    def forget(self, topic: str) -> None:
        self.topics.pop(topic, None)
