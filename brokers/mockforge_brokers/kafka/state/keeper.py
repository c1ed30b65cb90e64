"""Who hears what changed that outlives the process."""

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
        """What was committed, or the group itself."""

    def transaction_changed(self, transactional_id: str) -> None: ...


FORGETFUL = Keeper()
