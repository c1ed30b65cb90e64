"""Kafka: why nobody reads or writes a partition whose nodes are stopped."""

from collections.abc import Iterator, Sequence

from mockforge_brokers.kafka.snapshots import PartitionView

from ...units import counted
from .finding import Finding

_NOBODY = -1


def of_partition(who: str, topic: str, partition: PartitionView) -> Finding | None:
    """What keeps records of a partition from everybody; None: nothing of this kind."""
    place = f"{topic} p{partition.partition}"
    missing = [node for node in partition.replicas if node not in partition.in_sync]
    start = ", ".join(f"broker start kafka/{node}" for node in missing)
    if partition.leader == _NOBODY:
        text = (
            f"{place} has no leader, so that nobody reads or writes it: its replicas are on stopped"
            f" nodes; {start}"
        )
        return Finding(who, "no-leader", text)
    if partition.held is not None and partition.held < partition.high_watermark:
        hidden = counted(partition.high_watermark - partition.held, "record")
        text = (
            f"{hidden} of {place} behind offset {partition.held} are read by nobody yet: of its"
            f" {counted(len(partition.replicas), 'replica')} {len(partition.in_sync)} in sync are"
            f" fewer than min.insync.replicas; {start}, or topic set {topic} min.insync.replicas=1"
        )
        return Finding(who, "too-few-in-sync", text)
    return None


def of_topic(topic: str, partitions: Sequence[PartitionView]) -> Iterator[Finding]:
    for partition in partitions:
        found = of_partition(topic, topic, partition)
        if found is not None:
            yield found
