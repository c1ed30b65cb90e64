"""Who hears what changed that outlives the process."""

from .groups.offsets_log import NO_LOG, OffsetsLog
from .logs.log import PartitionLog


class Keeper:
    """Where nothing is kept: a cluster that is in memory only."""

    def make_log(self, topic: str, partition: int) -> PartitionLog:
        return PartitionLog(topic, partition)

    def log_gone(self, log: PartitionLog) -> None:
        """Its topic was deleted."""

    def cluster_changed(self) -> None:
        """Its features, or the next producer id."""

    def topic_changed(self, name: str) -> None:
        """It is new, gone, larger or configured otherwise; not its records."""

    def group_changed(self, group_id: str) -> None:
        """It is new or gone, or has other logs of offsets; not what was committed."""

    def make_offsets_log(self, group_id: str) -> OffsetsLog:
        return NO_LOG

    def transaction_changed(self, transactional_id: str) -> None: ...


FORGETFUL = Keeper()
