"""The nodes of the cluster, and which of them answers for what."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from ...environment import Environment
from ...errors import RequestRefused
from ..codes import ErrorCode
from ..events import CoordinatorMoved, LeaderMoved, NodeStarted, NodeStopped
from ..options import KafkaOptions
from .logs.log import PartitionLog
from .logs.topic import Topic

_REPLICAS: Final = 3
"""Of a partition whose creator did not say; fewer where there are fewer nodes."""
NOBODY: Final = -1


class Nodes:
    """Each leads some partitions and coordinates some groups and transactions, until it is moved.

    The logs are the cluster's, whoever leads them: a replica lacks nothing. Handlers ask here and
    nowhere else who answers for a thing.
    """

    def __init__(
        self,
        environment: Environment,
        options: KafkaOptions,
        topics: Mapping[str, Topic],
        changed: Callable[[], object],
    ) -> None:
        """`changed` is called when replicas were placed otherwise, which is kept."""
        first = options.broker_id
        self.ids: Sequence[int] = tuple(range(first, first + options.nodes))
        self.many = options.nodes > 1
        self.stopped: set[int] = set()
        self.placed: dict[str, list[list[int]]] = {}
        """Where the creator of a topic put the replicas of its partitions."""
        self._environment = environment
        self._topics = topics
        self._leaders: dict[PartitionLog, int] = {}
        """Those that are not the first replica."""
        self._coordinators: dict[str, int] = {}
        self._controller = first
        self._changed = changed

    @property
    def usual_replicas(self) -> int:
        """Of a partition whose creator did not say."""
        return min(len(self.ids), _REPLICAS)

    def __contains__(self, node_id: int) -> bool:
        return node_id in self.ids

    @property
    def alive(self) -> Sequence[int]:
        return [node for node in self.ids if node not in self.stopped]

    @property
    def controller(self) -> int:
        return self._first_alive((self._controller, *self.ids))

    def leader(self, log: PartitionLog) -> int:
        """-1: none of its replicas is there."""
        if not self.many:
            return self.ids[0]
        leader = self._leaders.get(log)
        return self.replicas(log)[0] if leader is None else leader

    def replicas(self, log: PartitionLog) -> Sequence[int]:
        """The preferred leader first."""
        placed = self.placed.get(log.topic, ())
        if log.partition < len(placed):
            return placed[log.partition]
        count = len(self.ids)
        places = range(log.partition, log.partition + self.usual_replicas)
        return [self.ids[place % count] for place in places]

    def in_sync(self, log: PartitionLog) -> Sequence[int]:
        """The replicas that are there."""
        return [node for node in self.replicas(log) if node not in self.stopped]

    def coordinator(self, key: str) -> int:
        """Of a group or transactional id; -1: no node is there."""
        hashed = sum(key.encode()) % len(self.ids)
        chosen = self._coordinators.get(key, self.ids[hashed])
        return self._first_alive((chosen, *self.ids[hashed:], *self.ids))

    def _first_alive(self, nodes: Sequence[int]) -> int:
        return next((node for node in nodes if node not in self.stopped), NOBODY)

    # What clients are told.

    def check_leader(self, log: PartitionLog, node: int) -> None:
        """Raises RequestRefused where another node leads."""
        if self.many and self.leader(log) != node:
            raise RequestRefused(
                ErrorCode.NOT_LEADER_OR_FOLLOWER,
                f"{log.topic}/{log.partition} is led by node {self.leader(log)}, not by {node}",
            )

    # What is done to them.

    def check(self, node: int) -> None:
        """Raises RequestRefused for a node that is not there."""
        if node not in self.ids or node in self.stopped:
            state = "is stopped" if node in self.ids else "is not in the cluster"
            there = ", ".join(map(str, self.alive))
            raise RequestRefused(
                ErrorCode.BROKER_NOT_AVAILABLE, f"node {node} {state}; there is {there or 'none'}"
            )

    def move_leader(self, log: PartitionLog, node: int, reason: str) -> None:
        """Begin another epoch, led by `node`: the present leader is another one's follower now.

        The one that leads already is elected anew. Raises RequestRefused.
        """
        self.check(node)
        if node not in self.replicas(log):
            self._place(log, [node, *self.replicas(log)[1:]])
        self._lead(log, node, reason)

    def elect_preferred(self, log: PartitionLog, reason: str) -> bool:
        """Let the first replica lead again; whether that changes anything."""
        preferred = self.replicas(log)[0]
        if preferred in self.stopped or self.leader(log) == preferred:
            return False
        self._lead(log, preferred, reason)
        return True

    def move_coordinator(self, key: str, node: int, reason: str) -> None:
        """Raises RequestRefused."""
        self.check(node)
        self._coordinators[key] = node
        self._environment.spine.emit(CoordinatorMoved("kafka", key, node, reason))

    def move_controller(self, node: int) -> None:
        """Raises RequestRefused."""
        self.check(node)
        self._controller = node

    def place(self, topic: str, replicas: Sequence[Sequence[int]]) -> None:
        """Where the replicas of a topic's next partitions are, each with its leader first."""
        self.placed.setdefault(topic, []).extend(list(each) for each in replicas)
        self._changed()

    def place_partition(self, log: PartitionLog, replicas: Sequence[int], reason: str) -> None:
        """Move one partition's replicas; a leader that is none of them gives way."""
        before = self.leader(log)
        self._place(log, list(replicas))
        if before in replicas:
            self._leaders[log] = before
        else:
            self._lead(log, self._first_alive(replicas), reason)

    def _place(self, log: PartitionLog, replicas: list[int]) -> None:
        logs = self._topics[log.topic].logs
        placed = [list(self.replicas(each)) for each in logs]
        placed[log.partition] = replicas
        self.placed[log.topic] = placed
        self._changed()

    def stop(self, node: int) -> None:
        """It is gone: what it led is led by another replica, or by nobody."""
        self.check(node)
        led = [log for log in self._logs() if self.leader(log) == node]
        self.stopped.add(node)
        for log in led:
            self._lead(log, self._first_alive(self.replicas(log)), f"node {node} stopped")
        self._environment.spine.emit(NodeStopped("kafka", node, len(led)))

    def start(self, node: int) -> None:
        """It is back, as a follower: it leads what nobody could lead without it."""
        self.stopped.discard(node)
        for log in list(self._logs()):
            if self.leader(log) == NOBODY and node in self.replicas(log):
                self._lead(log, node, f"node {node} started")
        self._environment.spine.emit(NodeStarted("kafka", node))

    def forget(self, topic: Topic) -> None:
        """It is gone."""
        self.placed.pop(topic.name, None)
        for log in topic.logs:
            self._leaders.pop(log, None)

    def clear(self) -> None:
        """Everything is where it was at first; a node that is stopped stays so."""
        self._coordinators.clear()
        self._leaders.clear()
        self.placed.clear()
        self._controller = self.ids[0]

    def _lead(self, log: PartitionLog, node: int, reason: str) -> None:
        before = self.leader(log)
        self._leaders[log] = node
        log.begin_epoch()
        event = LeaderMoved("kafka", log.topic, log.partition, before, node, reason)
        self._environment.spine.emit(event)

    def _logs(self) -> Iterator[PartitionLog]:
        for topic in self._topics.values():
            yield from topic.logs
