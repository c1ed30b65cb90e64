"""Which nodes have each partition, who of them leads it, and who is in sync (KIP-966)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from ...errors import RequestRefused
from ..codes import ErrorCode
from .logs.log import PartitionLog
from .logs.topic import Topics
from .nodes import Nodes
from .placement import Placement
from .standing import NOBODY, Move, Standing


class Leadership:
    """What handlers and clients ask; nothing here changes anything (`Replication` does)."""

    def __init__(self, nodes: Nodes, topics: Topics, changed: Callable[[], object]) -> None:
        """`changed` is called when replicas were placed otherwise, which is kept."""
        self.placement = Placement(nodes, topics, changed)
        self.held: dict[PartitionLog, int] = {}
        """The high watermark of partitions with too few replicas in sync: it stands still."""
        self._standings: dict[PartitionLog, Standing] = {}
        """Of those that are not led by their first replica with all of them in sync."""
        self._nodes = nodes
        self._topics = topics

    def leader(self, log: PartitionLog) -> int:
        """-1: none of its replicas is there."""
        if not self._nodes.many:
            return self._nodes.ids[0]
        standing = self._standings.get(log)
        return self.replicas(log)[0] if standing is None else standing.leader

    def replicas(self, log: PartitionLog) -> Sequence[int]:
        """The preferred leader first; those that are to go last."""
        move = self.move(log)
        if move is not None:
            return [*move.target, *move.removing]
        return self.placement.of(log)

    def in_sync(self, log: PartitionLog) -> Sequence[int]:
        standing = self._standings.get(log)
        return self.replicas(log) if standing is None else standing.in_sync

    def eligible(self, log: PartitionLog) -> Sequence[int]:
        """Who may lead next though it is not in sync (KIP-966)."""
        standing = self._standings.get(log)
        return () if standing is None else standing.eligible

    def last_leader(self, log: PartitionLog) -> int:
        """Of a partition that nobody leads."""
        standing = self._standings.get(log)
        return NOBODY if standing is None else standing.last_leader

    def move(self, log: PartitionLog) -> Move | None:
        """The reassignment under way."""
        standing = self._standings.get(log)
        return None if standing is None else standing.move

    def moving(self) -> list[tuple[PartitionLog, Move]]:
        found = ((log, standing.move) for log, standing in self._standings.items())
        return [(log, move) for log, move in found if move is not None]

    def least_in_sync(self, log: PartitionLog) -> int:
        """`min.insync.replicas`, which counts no further than there are replicas."""
        least = self._topics[log.topic].config.number("min.insync.replicas")
        return min(least, len(self.replicas(log)))

    def visible_end(self, log: PartitionLog) -> int:
        """The high watermark as the leader knows it."""
        return self.held.get(log, log.high_watermark) if self.held else log.high_watermark

    # What clients hear.

    def check_replica(self, log: PartitionLog, node: int) -> None:
        """Raises RequestRefused where a node has no replica of a partition."""
        if self._nodes.many and node not in (replicas := self.replicas(log)):
            raise RequestRefused(
                ErrorCode.NOT_LEADER_OR_FOLLOWER,
                f"{log.topic}/{log.partition} is on nodes {_listed(replicas)}, not on {node}",
            )

    def check_in_sync(self, log: PartitionLog) -> None:
        """Raises RequestRefused where too few replicas are in sync for acks=all."""
        if not self._standings:
            return
        there, least = len(self.in_sync(log)), self.least_in_sync(log)
        if there < least:
            missing = [node for node in self.replicas(log) if node not in self.in_sync(log)]
            raise RequestRefused(
                ErrorCode.NOT_ENOUGH_REPLICAS,
                f"{there} of {len(self.replicas(log))} replicas in sync are fewer than"
                f" min.insync.replicas={least}: without node {_listed(missing)}",
            )

    def check_leader(self, log: PartitionLog, node: int) -> None:
        """Raises RequestRefused where another node leads."""
        if self._nodes.many and self.leader(log) != node:
            raise RequestRefused(
                ErrorCode.NOT_LEADER_OR_FOLLOWER,
                f"{log.topic}/{log.partition} is led by node {self.leader(log)}, not by {node}",
            )


def _listed(nodes: Iterable[int]) -> str:
    return ", ".join(map(str, nodes))
