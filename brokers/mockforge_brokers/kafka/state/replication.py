"""Changes of which nodes have a partition, of who leads it and of who is in sync (KIP-966)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from ...environment import Environment
from ...errors import RequestRefused
from ..codes import ErrorCode
from ..events import LeaderMoved, NodeStarted, NodeStopped
from .leadership import Leadership
from .logs.log import PartitionLog
from .logs.topic import Topics
from .nodes import Nodes
from .standing import NOBODY, Move, Standing


class Replication(Leadership):
    """Handlers ask here and nowhere else who answers for a partition.

    The logs are the cluster's, whoever leads them: a replica lacks nothing. Only who is in sync,
    and what counts as written while too few are, is as if each node had a log of its own.
    """

    def __init__(
        self,
        environment: Environment,
        nodes: Nodes,
        topics: Topics,
        changed: Callable[[], object],
    ) -> None:
        """`changed` is called when replicas were placed otherwise, which is kept."""
        super().__init__(nodes, topics, changed)
        self._environment = environment
        self._changed = changed

    def move_leader(self, log: PartitionLog, node: int, reason: str) -> None:
        """Begin another epoch, led by `node`: the present leader is another one's follower now.

        The one that leads already is elected anew. Raises RequestRefused.
        """
        self._nodes.check(node)
        if node not in self.replicas(log):
            self.placement.put(log, [node, *self.replicas(log)[1:]])
        self._standing(log).gain(node)
        self._lead(log, node, reason)
        self._settle(log, reason)

    def elect(self, log: PartitionLog, reason: str, *, unclean: bool = False) -> None:
        """Let the first replica lead again, or (`unclean`) any one where nobody leads (KIP-460).

        Raises RequestRefused where that changes nothing or cannot be.
        """
        leader, preferred = self.leader(log), self.replicas(log)[0]
        if leader == (preferred if not unclean else leader) and leader != NOBODY:
            raise RequestRefused(
                ErrorCode.ELECTION_NOT_NEEDED, "Leader election not needed for topic partition."
            )
        if unclean:
            chosen = self._nodes.first_alive(self.replicas(log))
            if chosen == NOBODY:
                raise RequestRefused(
                    ErrorCode.ELIGIBLE_LEADERS_NOT_AVAILABLE,
                    f"no replica of {log.topic}-{log.partition} is there",
                )
        elif preferred not in self.in_sync(log):
            raise RequestRefused(
                ErrorCode.PREFERRED_LEADER_NOT_AVAILABLE,
                f"The preferred leader {preferred} of {log.topic}-{log.partition} is not in sync.",
            )
        else:
            chosen = preferred
        self._standing(log).gain(chosen)
        self._lead(log, chosen, reason)
        self._settle(log, reason)

    def place(self, topic: str, replicas: Sequence[Sequence[int]]) -> None:
        """Where the replicas of a topic's partitions are, each with its leader first."""
        self.placement.put_all(topic, replicas)
        self.created(self._topics[topic].logs)

    def place_new(self, log: PartitionLog, replicas: Sequence[int]) -> None:
        """The same of one partition by which a topic grew."""
        self.placement.put(log, list(replicas))
        self.created([log])

    def created(self, logs: Iterable[PartitionLog]) -> None:
        """New partitions are led and in sync without the nodes that are stopped."""
        if not self._nodes.stopped:
            return
        for log in logs:
            alive = [node for node in self.replicas(log) if node not in self._nodes.stopped]
            standing = Standing(self._nodes.first_alive(alive), alive)
            if not alive:
                standing.eligible = list(self.replicas(log))
            self._standings[log] = standing

    def reassign(self, log: PartitionLog, target: Sequence[int] | None, reason: str) -> None:
        """Move one partition's replicas, as soon as all of the target are there.

        None leaves those that there were. A leader that goes gives way. Raises RequestRefused.
        """
        standing = self._standing(log)
        move = standing.move
        if target is not None:
            before = self.replicas(log) if move is None else move.before
            standing.move = Move(list(before), list(target))
        elif move is None:
            raise RequestRefused(
                ErrorCode.NO_REASSIGNMENT_IN_PROGRESS,
                f"{log.topic}-{log.partition} is not being moved",
            )
        else:
            kept = [node for node in self.replicas(log) if node not in move.adding]
            standing.move = None
            self.placement.put(log, kept)
            for node in move.adding:
                standing.lose(node, self.least_in_sync(log))
        self._settle(log, reason)

    def _settle(self, log: PartitionLog, reason: str) -> None:
        """All replicas that are there catch up with the leader, and a move may be over."""
        standing, least = self._standing(log), self.least_in_sync(log)
        if standing.leader != NOBODY:
            for node in self.replicas(log):
                if node not in self._nodes.stopped and node not in standing.in_sync:
                    standing.gain(node)
        move = standing.move
        if move is not None and move.is_done(standing.in_sync):
            self._finish(log, standing, move, reason)
        standing.weigh(least)
        self._weigh(log)
        if standing.is_as_at_first(self.replicas(log)):
            del self._standings[log]

    def _finish(self, log: PartitionLog, standing: Standing, move: Move, reason: str) -> None:
        standing.move = None
        least = self.least_in_sync(log)
        self.placement.put(log, list(move.target))
        for node in move.removing:
            standing.lose(node, least)
        if standing.leader not in move.target:
            heirs = [node for node in move.target if node in standing.in_sync]
            self._lead(log, heirs[0], reason)
        elif move.removing:
            # As in Kafka: who still follows a replica that is gone is fenced.
            self._lead(log, standing.leader, reason)

    def _weigh(self, log: PartitionLog) -> None:
        """Whether what is written counts: with too few in sync the high watermark stands still."""
        # Who produces with acks=all on the short path asks anew.
        log.terms = object()
        if len(self.in_sync(log)) < self.least_in_sync(log):
            self.held.setdefault(log, log.high_watermark)
        elif self.held.pop(log, None) is not None:
            log.watchlist.notify(-1)

    def stop(self, node: int) -> None:
        """A node is gone: what it led is led by another one in sync, or by nobody."""
        self._nodes.check(node)
        self._nodes.stop(node)
        reason, led = f"node {node} stopped", 0
        for log in self._topics.logs():
            if node not in self.replicas(log):
                continue
            standing = self._standing(log)
            standing.lose(node, self.least_in_sync(log))
            if standing.leader == node:
                led += 1
                heirs = [one for one in self.replicas(log) if one in standing.in_sync]
                self._lead(log, self._nodes.first_alive(heirs), reason)
            self._weigh(log)
        self._environment.spine.emit(NodeStopped("kafka", node, led))

    def start(self, node: int) -> None:
        """A node is back, as a follower: it leads what nobody could lead without it."""
        self._nodes.start(node)
        reason = f"node {node} started"
        for log in list(self._topics.logs()):
            if node not in self.replicas(log):
                continue
            standing = self._standing(log)
            if standing.leader == NOBODY and node in standing.eligible:
                standing.gain(node)
                self._lead(log, node, reason)
            self._settle(log, reason)
        self._environment.spine.emit(NodeStarted("kafka", node))

    def add(self, node: int) -> None:
        """Another node, which has no replica until one is moved there. Raises RequestRefused."""
        # Where nobody put them they go by the nodes that there are: they are to stay.
        self.placement.pin()
        self._nodes.add(node)
        for log in self._topics.logs():
            # Of a single node nobody asks who leads.
            log.terms = object()
        self._environment.spine.emit(NodeStarted("kafka", node))

    def remove(self, node: int) -> None:
        """A node goes for good: other nodes take over its replicas. Raises RequestRefused."""
        self._nodes.check_removable(node)
        self.placement.pin()
        if node not in self._nodes.stopped:
            self.stop(node)
        self._nodes.remove(node)
        self._evict(f"node {node} was removed")

    def _evict(self, reason: str) -> None:
        """Replicas on nodes that are not there any more move to others, as far as there are."""
        there = self._nodes.ids
        for log in list(self._topics.logs()):
            placed = self.replicas(log)
            if all(node in there for node in placed):
                continue
            standing = self._standing(log)
            # Of a move under way those stay that it was to end with.
            wanted = placed if standing.move is None else standing.move.target
            standing.move = None
            kept = [node for node in wanted if node in there]
            spare = [node for node in (*self._nodes.alive, *there) if node not in kept]
            self.placement.put(log, (kept + spare)[: len(wanted)])
            standing.in_sync = [node for node in standing.in_sync if node in self.replicas(log)]
            standing.eligible = [node for node in standing.eligible if node in there]
            if standing.leader not in standing.in_sync:
                alive = self._nodes.first_alive(standing.in_sync or self.replicas(log))
                if alive != NOBODY:
                    standing.gain(alive)
                self._lead(log, alive, reason)
            self._settle(log, reason)

    def forget(self, topic: str) -> None:
        """It is gone; of its partitions `forget_log` is told."""
        self.placement.forget(topic)

    def forget_log(self, log: PartitionLog) -> None:
        self._standings.pop(log, None)
        self.held.pop(log, None)

    def clear(self) -> None:
        """Everything is where it was at first."""
        self._standings.clear()
        self.held.clear()
        self.placement.by_topic.clear()

    # What outlives a restart.

    def dump(self) -> dict[str, list[int]]:
        """The leaders of topics that are not all led by their first replicas."""
        led = {log.topic for log in self._standings}
        return {name: [self.leader(log) for log in self._topics[name].logs] for name in led}

    def restore(self, leaders: Mapping[str, Sequence[int]]) -> None:
        """Take up what `dump` gave, as far as the nodes are there; the topics are made."""
        self.created(self._topics.logs())
        self._evict("its node is not there any more")
        for name in leaders.keys() & self._topics.keys():
            for log, leader in zip(self._topics[name].logs, leaders[name], strict=False):
                if leader in self.in_sync(log):
                    self._standing(log).leader = leader

    def _lead(self, log: PartitionLog, node: int, reason: str) -> None:
        before = self.leader(log)
        self._standing(log).leader = node
        self._changed()
        log.begin_epoch()
        event = LeaderMoved("kafka", log.topic, log.partition, before, node, reason)
        self._environment.spine.emit(event)

    def _standing(self, log: PartitionLog) -> Standing:
        found = self._standings.get(log)
        if found is None:
            replicas = self.placement.of(log)
            found = self._standings[log] = Standing(replicas[0], replicas)
        return found
