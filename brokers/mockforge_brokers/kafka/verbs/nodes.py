"""What people may ask of the nodes of the cluster: who leads, who coordinates, who is there."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from fnmatch import fnmatchcase
from random import Random

from ...errors import InvalidInput, PlainRefusals, RequestRefused
from ..apis.topics.assignments import check_assignment
from ..connection import KafkaConnection
from ..snapshots import LeaderView, NodeView
from ..state.cluster import Cluster
from ..state.logs.log import PartitionLog
from .source import PROMPT


class NodeVerbs:
    """The verbs of console, fixtures and HTTP; each raises InvalidInput for what cannot be."""

    def __init__(
        self,
        cluster: Cluster,
        connections: Callable[[], Sequence[KafkaConnection]],
        random: Random,
    ) -> None:
        self._cluster = cluster
        self._connections = connections
        self._random = random

    @property
    def ids(self) -> Sequence[int]:
        return self._cluster.nodes.ids

    @property
    def stopped(self) -> Sequence[int]:
        return sorted(self._cluster.nodes.stopped)

    def __iter__(self) -> Iterator[NodeView]:
        """Each node, with what it answers for now."""
        nodes = self._cluster.nodes
        leader = self._cluster.replication.leader
        leaders = [leader(log) for log in self._logs("*", None)]
        keys = (*self._cluster.groups.by_id, *self._cluster.transactions.by_id)
        coordinators = [nodes.coordinator(key) for key in keys]
        connected = [one.caller.node for one in self._connections()]
        for node in nodes.ids:
            yield NodeView(
                node,
                node not in nodes.stopped,
                nodes.controller == node,
                leaders.count(node),
                coordinators.count(node),
                connected.count(node),
                nodes.rack(node) or "",
            )

    def leaders(self, topic: str) -> Iterable[LeaderView]:
        """Of each partition of a topic, or of all (*)."""
        replication = self._cluster.replication
        for log in self._logs(topic, None):
            yield LeaderView(
                log.topic,
                log.partition,
                replication.leader(log),
                log.leader_epoch,
                replication.replicas(log),
                replication.in_sync(log),
            )

    def move_leader(
        self, topic: str, partition: int | None, node: int | None, *, source: str = PROMPT
    ) -> int:
        """Begin another epoch of a partition (None: of all), led by `node`.

        Without a node it is another replica that is there, or the same leader elected anew where
        there is none. Returns how many partitions moved.
        """
        replication, moved = self._cluster.replication, 0
        with PlainRefusals():
            for log in self._logs(topic, partition):
                chosen = self._another(log) if node is None else node
                replication.move_leader(log, chosen, f"moved by {source}")
                moved += 1
        return moved

    def move_replicas(
        self, topic: str, partition: int | None, nodes: Sequence[int], *, source: str = PROMPT
    ) -> int:
        """Reassign a partition (None: all), as AlterPartitionReassignments; the first is preferred.

        At once where all nodes are there, else when they are. Returns how many partitions.
        """
        cluster, moved = self._cluster, 0
        with PlainRefusals():
            check_assignment(nodes, cluster.nodes, len(nodes))
            for log in self._logs(topic, partition):
                cluster.replication.reassign(log, nodes, f"moved by {source}")
                moved += 1
        return moved

    def _another(self, log: PartitionLog) -> int:
        replication = self._cluster.replication
        leader = replication.leader(log)
        others = [node for node in replication.in_sync(log) if node != leader]
        return self._random.choice(others) if others else leader

    def elect(self, topic: str, *, source: str = PROMPT) -> int:
        """Let preferred leaders lead again; returns how many partitions moved."""
        elect = self._cluster.replication.elect
        elected = 0
        for log in self._logs(topic, None):
            # Who leads already, or whose preferred leader is not there, stays as it is.
            with suppress(RequestRefused):
                elect(log, f"elected by {source}")
                elected += 1
        return elected

    def move_coordinator(self, key: str, node: int, *, source: str = PROMPT) -> None:
        """Of a group or transactional id, whether there is one by now or not."""
        with PlainRefusals():
            self._cluster.nodes.move_coordinator(key, node, f"moved by {source}")

    def move_controller(self, node: int) -> None:
        with PlainRefusals():
            self._cluster.nodes.move_controller(node)

    def move_to_rack(self, node: int, rack: str | None, *, source: str = PROMPT) -> None:
        """None: into none. Clients see it with their next look at the cluster.

        Members of the classic protocol see to it by themselves (KIP-881), others by a new epoch.
        """
        cluster = self._cluster
        with PlainRefusals():
            cluster.nodes.check(node)
        if rack != cluster.nodes.rack(node):
            cluster.configuring.move_to_rack(node, rack, source=source)
            where = f"rack {rack}" if rack else "no rack"
            cluster.groups.look_again(f"node {node} is in {where} now")

    def stop(self, node: int, *, hard: bool = False) -> int:
        """Its connections end and others lead its partitions; returns how many clients it had."""
        with PlainRefusals():
            self._cluster.replication.stop(node)
        gone = [one for one in self._connections() if one.caller.node == node]
        for connection in gone:
            connection.end(f"node {node} was stopped", reset=hard)
        return len(gone)

    def start(self, node: int) -> None:
        """It is there again."""
        self._cluster.replication.start(node)

    def place(self, node: int) -> int:
        """The number of its listeners (`Listener.node`)."""
        return self._cluster.nodes.place(node)

    def add(self, node: int) -> None:
        """Clients find it with their next look at the cluster."""
        with PlainRefusals():
            self._cluster.replication.add(node)

    def remove(self, node: int, *, hard: bool = False) -> int:
        """It goes for good, as `stop`, and others take over its replicas."""
        with PlainRefusals():
            self._cluster.nodes.check_removable(node)
        ended = 0 if node in self.stopped else self.stop(node, hard=hard)
        with PlainRefusals():
            self._cluster.replication.remove(node)
        return ended

    def _logs(self, topic: str, partition: int | None) -> list[PartitionLog]:
        topics = self._cluster.topics
        if "*" in topic or "?" in topic:
            found = [each for name, each in topics.items() if fnmatchcase(name, topic)]
            return [log for each in found for log in each.logs]
        if topic not in topics:
            raise InvalidInput(f"there is no topic {topic!r}")
        with PlainRefusals():
            one = topics[topic]
            return list(one.logs) if partition is None else [one.log(partition)]
