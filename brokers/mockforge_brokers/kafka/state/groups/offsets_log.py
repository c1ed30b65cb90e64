"""Where each change of what one group committed is written: nowhere, or on disk."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from .offsets import CommittedOffset, GroupOffsets


class KeptOffsetsLog(Struct):
    """`logs` has the number of the log of each topic, in which a row's position is its partition.

    `held` is that of what open transactions would commit, and `held_at` has the position in there
    by producer id, topic and partition.
    """

    logs: dict[str, int]
    held: int = 0
    held_at: list[tuple[int, str, int, int]] = []


class OffsetsLog:
    """Of a cluster that is in memory only. Who changes `GroupOffsets` tells it each change."""

    __slots__ = ()

    def commit(self, topic: str, partition: int, committed: CommittedOffset) -> None: ...

    def forget(self, topic: str, partition: int) -> None: ...

    def forget_topic(self, topic: str) -> None:
        """All that was committed of it; not what is held."""

    def hold(
        self, producer_id: int, topic: str, partition: int, committed: CommittedOffset
    ) -> None: ...

    def let_go(self, producer_id: int, topic: str, partition: int) -> None: ...

    def drop(self) -> None:
        """The group is no more."""

    def dump(self) -> KeptOffsetsLog | None:
        return None

    def restore(self, kept: KeptOffsetsLog | None, offsets: GroupOffsets) -> None:
        """It is restored next from what stands there; None: from where there were no logs yet."""


NO_LOG = OffsetsLog()
