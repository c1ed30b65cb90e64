"""What Apache Kafka says of the topics that it keeps its own state in, and of their names.

`python -m tests.brokers.kafka.internal_topics HOST:PORT` keeps what a new Apache Kafka answers in
`recorded/internal_topics.json`.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from mockforge_brokers.kafka.wire.messages import cluster, logs, topics, transactions
from mockforge_brokers.kafka.wire.schema import ZERO_UUID, Message

from .asked import altered, created, described, produced, said_of, served, until
from .batching import CASES

RECORDED = Path(__file__).parent / "recorded" / "internal_topics.json"
NAMES = (
    *("__consumer_offsets", "__transaction_state", "__share_group_state"),
    *("__cluster_metadata", "__of_ours"),
)
"""The last two are internal to nobody: one is no topic's name, the other as any."""

_BATCH, _ = CASES["good"]
Call = Callable[[Message, int], Any]


def shown(name: str, *, create: bool = False) -> Message:
    wanted = cluster.MetadataRequestTopic(name=name)
    return cluster.MetadataRequest(topics=[wanted], allow_auto_topic_creation=create)


def deleted(name: str) -> Message:
    one = topics.DeleteTopicState(name=name, topic_id=ZERO_UUID)
    return topics.DeleteTopicsRequest(topics=[one], topic_names=[name], timeout_ms=5000)


def _emptied(name: str) -> Message:
    part = logs.DeleteRecordsPartition(partition_index=0, offset=0)
    one = logs.DeleteRecordsTopic(name=name, partitions=[part])
    return logs.DeleteRecordsRequest(topics=[one], timeout_ms=1000)


def _in_a_transaction(name: str) -> Message:
    return transactions.AddPartitionsToTxnRequest(
        v3_and_below_transactional_id=f"to{name}",
        v3_and_below_producer_id=1,
        v3_and_below_topics=[transactions.AddPartitionsToTxnTopic(name=name, partitions=[0])],
    )


STEPS: dict[str, tuple[Callable[[str], Message], int]] = {
    "show before": (shown, 12),
    "produce before": (lambda name: produced(name, _BATCH), 9),
    "create as a trial": (created, 5),
    "create": (lambda name: created(name, dry=False), 5),
    "create again": (lambda name: created(name, dry=False), 5),
    "show": (shown, 12),
    "partitions": (
        lambda name: topics.DescribeTopicPartitionsRequest(
            topics=[topics.DescribeTopicPartitionsTopic(name=name)], response_partition_limit=10
        ),
        0,
    ),
    "produce": (lambda name: produced(name, _BATCH), 9),
    "delete records": (_emptied, 2),
    "add to a transaction": (_in_a_transaction, 3),
    "alter": (lambda name: altered(name, {"retention.ms": "1000"}), 1),
    "describe": (lambda name: described(2, name, ["retention.ms"]), 4),
    "delete": (deleted, 6),
}
"""What is asked of each name, in this order."""


def play(call: Call) -> dict[str, dict[str, Any]]:
    """What a broker says, by name and step; fields that must differ are left out."""
    said = {}
    for name in NAMES:
        call(deleted(name), 6)
        until(lambda name=name: bool(call(shown(name), 12).topics[0].error_code))
        for step, (message, version) in STEPS.items():
            if step == "add to a transaction" and name == "__of_ours":
                continue  # What comes next is a matter of the coordinator.
            said[f"{name}: {step}"] = said_of(call(message(name), version))
            if step == "create again" and name != "__cluster_metadata":
                until(lambda name=name: served(call, name))
    return said


if __name__ == "__main__":
    from .asking import record

    record(play, RECORDED)
