"""The nodes of the cluster: who is there, who controls it, and who coordinates what."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from ...environment import Environment
from ...errors import RequestRefused
from ..codes import ErrorCode
from ..events import CoordinatorMoved
from ..options import KafkaOptions
from .standing import NOBODY

_REPLICAS: Final = 3
"""Of a partition whose creator did not say; fewer where there are fewer nodes."""


class Nodes:
    """Each coordinates some groups and transactions, until they are moved; see `Replication`, too.

    Handlers ask here and nowhere else who answers for a group or transaction.
    """

    def __init__(
        self,
        environment: Environment,
        options: KafkaOptions,
        changed: Callable[[], object],
        rack: Callable[[int], str | None] = lambda node: None,
    ) -> None:
        """`changed` is called when a coordinator was moved, which is kept.

        `rack` says in which rack a node is, if in any.
        """
        self.rack = rack
        first = options.broker_id
        self._first = first
        self.ids: Sequence[int] = tuple(range(first, first + options.nodes))
        self.many = options.nodes > 1
        self.stopped: set[int] = set()
        self.unregistered: set[int] = set()
        """Of those that are stopped: as if they never were, until they are started."""
        self.moved_coordinators: dict[str, int] = {}
        self.homes: list[int] = list(self.ids)
        """Who coordinates, by the hash of a group or transactional id.

        As the leaders of Kafka's __consumer_offsets: they stay where they moved when a node stopped
        (until preferred leaders are elected, which is never done here by itself).
        """
        self._environment = environment
        self._controller = first
        self._changed = changed

    @property
    def usual_replicas(self) -> int:
        """Of a partition whose creator did not say."""
        return min(len(self.ids), _REPLICAS)

    def __contains__(self, node_id: int) -> bool:
        return node_id in self.ids

    def place(self, node: int) -> int:
        """The number of a node's listeners, which no other one gets when it is removed."""
        return node - self._first

    def at(self, place: int) -> int:
        """The node whose listeners have this number."""
        return self._first + place

    @property
    def alive(self) -> Sequence[int]:
        return [node for node in self.ids if node not in self.stopped]

    @property
    def registered(self) -> Sequence[int]:
        return [node for node in self.ids if node not in self.unregistered]

    @property
    def controller(self) -> int:
        return self.first_alive((self._controller, *self.ids))

    def coordinator(self, key: str) -> int:
        """Of a group or transactional id; -1: no node is there."""
        hashed = sum(key.encode()) % len(self.homes)
        chosen = self.moved_coordinators.get(key, self.homes[hashed])
        return NOBODY if chosen in self.stopped else chosen

    def nearest(self, leader: int, in_sync: Sequence[int], rack: str) -> int:
        """Which replica somebody in a rack reads best (KIP-392), as RackAwareReplicaSelector says.

        The leader where it is in this rack, or none of those in sync is.
        """
        near = [node for node in in_sync if self.rack(node) == rack]
        return leader if leader in near else max(near, default=leader)

    def stop(self, node: int) -> None:
        """What it coordinates goes to the next one that is there."""
        self.stopped.add(node)
        place = self.ids.index(node)
        heir = self.first_alive((*self.ids[place:], *self.ids))
        if heir == NOBODY:
            # Who was the last in sync is waited for: others may lack what it took.
            return
        self.homes = [heir if one == node else one for one in self.homes]
        for key, one in self.moved_coordinators.items():
            if one == node:
                self.moved_coordinators[key] = heir
        self._changed()

    def start(self, node: int) -> None:
        """It is there again, and coordinates what nobody else took over."""
        self.stopped.discard(node)
        self.unregistered.discard(node)

    def add(self, node: int) -> None:
        """Another node: it coordinates nothing yet, as in Kafka. Raises RequestRefused."""
        if node in self.ids or node < self._first:
            there = "is in the cluster already"
            raise RequestRefused(
                ErrorCode.DUPLICATE_BROKER_REGISTRATION,
                f"node {node} {there if node in self.ids else f'is below {self._first}'};"
                f" the next one is {max(self.ids) + 1}",
            )
        self.ids = tuple(sorted((*self.ids, node)))
        self.many = True

    def check_removable(self, node: int) -> None:
        """Raises RequestRefused for a node that is not there, or without which nobody is."""
        if node not in self.ids:
            self.check(node)
        if all(one == node for one in self.alive):
            raise RequestRefused(
                ErrorCode.INVALID_REQUEST, f"node {node} is the last one: add another one first"
            )

    def remove(self, node: int) -> None:
        """It is stopped, and somebody else is there: it is as if it never was."""
        self.ids = tuple(one for one in self.ids if one != node)
        self.many = len(self.ids) > 1
        self.stopped.discard(node)
        self.unregistered.discard(node)
        heir = self.alive[0]
        # It kept what it coordinated if all others were stopped when it stopped.
        self.homes = [heir if one == node else one for one in self.homes]
        for key, one in self.moved_coordinators.items():
            if one == node:
                self.moved_coordinators[key] = heir
        if self._controller == node:
            self._controller = heir
        self._changed()

    def first_alive(self, nodes: Sequence[int]) -> int:
        return next((node for node in nodes if node not in self.stopped), NOBODY)

    def check(self, node: int) -> None:
        """Raises RequestRefused for a node that is not there."""
        if node not in self.ids or node in self.stopped:
            state = "is stopped" if node in self.ids else "is not in the cluster"
            there = ", ".join(map(str, self.alive))
            raise RequestRefused(
                ErrorCode.BROKER_NOT_AVAILABLE, f"node {node} {state}; there is {there or 'none'}"
            )

    def unregister(self, node: int) -> None:
        """Forget a node that is stopped (KIP-631). Raises RequestRefused."""
        if node not in self.registered:
            raise RequestRefused(
                ErrorCode.BROKER_ID_NOT_REGISTERED, f"Broker ID {node} is not currently registered"
            )
        if node not in self.stopped:
            # Apache Kafka goes on without it, and it without Apache Kafka: nobody wants that here.
            raise RequestRefused(
                ErrorCode.INVALID_REQUEST, f"node {node} runs: stop it before it is unregistered"
            )
        self.unregistered.add(node)

    def move_coordinator(self, key: str, node: int, reason: str) -> None:
        """Raises RequestRefused."""
        self.check(node)
        self.moved_coordinators[key] = node
        self._changed()
        self._environment.spine.emit(CoordinatorMoved("kafka", key, node, reason))

    def move_controller(self, node: int) -> None:
        """Raises RequestRefused."""
        self.check(node)
        self._controller = node

    def restore(self, coordinators: Mapping[str, int], homes: Sequence[int]) -> None:
        """Take up who coordinated, as far as these nodes are there."""
        there = self.ids
        self.moved_coordinators = {key: one for key, one in coordinators.items() if one in there}
        if len(homes) == len(self.homes) and all(one in there for one in homes):
            self.homes = list(homes)

    def clear(self) -> None:
        """Everything is where it was at first; a node that is stopped stays so."""
        self.moved_coordinators.clear()
        self.homes = [
            self.first_alive((one, *self.ids[place:], *self.ids))
            for place, one in enumerate(self.ids)
        ]
        self._controller = self.ids[0]
