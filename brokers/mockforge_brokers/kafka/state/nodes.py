"""The nodes of the cluster, and which of them answers for what."""

from collections.abc import Sequence

from ..options import KafkaOptions
from .logs.log import PartitionLog


class Nodes:
    """Node ids, of which there is one: it leads every partition and coordinates every group.

    Handlers ask here and nowhere else who answers for a thing.
    """

    def __init__(self, options: KafkaOptions) -> None:
        self.ids: Sequence[int] = (options.broker_id,)

    @property
    def controller(self) -> int:
        return self.ids[0]

    def __contains__(self, node_id: int) -> bool:
        return node_id in self.ids

    def leader(self, log: PartitionLog) -> int:
        return self.ids[log.partition % len(self.ids)]

    def replicas(self, log: PartitionLog) -> Sequence[int]:
        """The preferred leader first."""
        return (self.leader(log),)

    def coordinator(self, key: str) -> int:
        """Of a group or transactional id."""
        return self.ids[sum(key.encode()) % len(self.ids)]
