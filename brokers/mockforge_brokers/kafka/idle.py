"""Connections on which nothing goes for long are closed, as by Kafka's connections.max.idle.ms.

Also where a fetch waits, as in Kafka. What counts is the time that passes by itself: an hour of
`clock advance` is no silence of those who had no chance to speak.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from ..environment import Environment
from ..fairness import Steps
from .state.configs.broker import BrokerConfig

if TYPE_CHECKING:
    from .connection import KafkaConnection

_LOOKS: Final = 10
"""So many in the time after which a connection is closed: it is that much too late at most."""
_LEAST: Final = 0.01
_KEY: Final = "connections.max.idle.ms"


class Idle:
    """Compares how many bytes went with what it was at the last look: requests cost nothing."""

    def __init__(
        self,
        environment: Environment,
        config: BrokerConfig,
        connections: Mapping[int, KafkaConnection],
    ) -> None:
        self._environment = environment
        self._config = config
        self._connections = connections
        self._seen: dict[int, tuple[int, float]] = {}
        """By connection: the bytes that had gone both ways, and for how long there were no more."""
        self._looked = 0.0
        self._armed = False

    def watch(self) -> None:
        """Look from now on, as long as there are connections."""
        # Each connection asks for it, and the setting is looked for in four places.
        if self._armed or (most := self._config.number(_KEY)) < 0:
            return
        self._armed = True
        pause = max(_LEAST, most / 1000 / _LOOKS)
        clock = self._environment.clock
        self._looked = clock.steady()
        clock.call_later(pause, self._look, pause)

    def _look(self, pause: float) -> None:
        clock = self._environment.clock
        passed = clock.steady() - self._looked
        if passed < pause / 2 and self._connections:
            # A person moves the time on: it may be a month of rounds, and nothing for any of them.
            clock.call_later(pause, self._look, pause)
            return
        # Of a time in which the whole process stood still nobody could have used more.
        self._environment.chores.do(self._round(min(passed, 2 * pause)))

    def _round(self, passed: float) -> Steps:
        most = self._config.number(_KEY)
        seen: dict[int, tuple[int, float]] = {}
        for number, connection in tuple(self._connections.items()):
            went = connection.peer.bytes_in + connection.peer.bytes_out
            before, silent = self._seen.get(number, (-1, 0.0))
            silent = silent + passed if went == before else 0.0
            if silent * 1000 > most and number in self._connections:
                connection.end(f"idle for longer than {_KEY}={most}")
            seen[number] = (went, silent)
            yield
        self._seen = seen
        self._armed = False
        if self._connections:
            self.watch()
