"""Producers and their transactions, also those that no coordinator knows."""

from __future__ import annotations

from ...environment import Environment
from ...errors import PlainRefusals
from ..records import Record, build_batch
from ..snapshots import ProducerView, TransactionView
from ..state.cluster import Cluster
from ..views import producer_views, transaction_view
from .source import PROMPT


class ProducerVerbs:
    cluster: Cluster
    environment: Environment

    def transactions(self) -> list[TransactionView]:
        """What the coordinator knows of each transactional id, the open ones first."""
        wall = self.environment.clock.wall()
        known = self.cluster.transactions.by_id.values()
        return [
            transaction_view(one, wall) for one in sorted(known, key=lambda one: not one.is_open)
        ]

    def abort_transaction(self, transactional_id: str, *, source: str = PROMPT) -> None:
        """End an open transaction; its producer is fenced."""
        with PlainRefusals():
            self.cluster.transactions.abort(transactional_id, source=source)

    def begin_hanging(self, topic: str, partition: int, value: bytes = b"hanging") -> int:
        """Begin a transaction that no coordinator knows and nobody will end; its producer id."""
        with PlainRefusals():
            log = self.cluster.topics.named(topic).log(partition)
            number = self.cluster.next_producer_id()
            record = Record(0, int(self.environment.clock.wall() * 1000), None, value)
            batch = build_batch(
                [record], producer_id=number, producer_epoch=0, base_sequence=0, transactional=True
            )
            self.cluster.append(log, batch, begin=lambda log, header: None)
        return number

    def abort_hanging(self, topic: str, partition: int) -> int:
        """End what is open in a partition and known to no coordinator; returns how many."""
        with PlainRefusals():
            log = self.cluster.topics.named(topic).log(partition)
            return self.cluster.transactions.abort_hanging(log)

    def producers(self, topic: str) -> list[tuple[int, ProducerView]]:
        """(partition, producer) of all that produce into a topic by a producer id."""
        with PlainRefusals():
            logs = self.cluster.topics.named(topic).logs
        owners = self.cluster.transactions.by_producer()
        return [(log.partition, one) for log in logs for one in producer_views(log, owners)]
