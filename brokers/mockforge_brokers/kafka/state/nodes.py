"""The nodes of the cluster: who is there, who controls it, and who coordinates what."""

from __future__ import annotations

from collections.abc import Callable, Sequence
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
        self, environment: Environment, options: KafkaOptions, changed: Callable[[], object]
    ) -> None:
        """`changed` is called when a coordinator was moved, which is kept."""
        first = options.broker_id
        self.ids: Sequence[int] = tuple(range(first, first + options.nodes))
        self.many = options.nodes > 1
        self.stopped: set[int] = set()
        self.unregistered: set[int] = set()
        """Of those that are stopped: as if they never were, until they are started."""
        self.moved_coordinators: dict[str, int] = {}
        self._environment = environment
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
    def registered(self) -> Sequence[int]:
        return [node for node in self.ids if node not in self.unregistered]

    @property
    def controller(self) -> int:
        return self.first_alive((self._controller, *self.ids))

    def coordinator(self, key: str) -> int:
        """Of a group or transactional id; -1: no node is there."""
        hashed = sum(key.encode()) % len(self.ids)
        chosen = self.moved_coordinators.get(key, self.ids[hashed])
        return self.first_alive((chosen, *self.ids[hashed:], *self.ids))

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

    def clear(self) -> None:
        """Everything is where it was at first; a node that is stopped stays so."""
        self.moved_coordinators.clear()
        self._controller = self.ids[0]
