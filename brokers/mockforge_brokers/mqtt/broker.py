"""The MQTT broker: its connections, its state, and what people may ask of it."""

from collections.abc import Callable

from ..clock import Timer
from ..contract import Peer
from ..environment import Environment
from ..events import MessageSeen
from ..snapshots import ConnectionView, DestinationView, GroupView, Metric
from .codes import Reason
from .connection import MqttConnection
from .options import MqttOptions
from .state.router import Router
from .state.sessions import Sessions
from .wire.publish import PublishRenderer


class MqttBroker:
    """`contract.Broker` for MQTT."""

    protocol = "mqtt"

    def __init__(self, environment: Environment, options: MqttOptions | None = None) -> None:
        self.environment = environment
        self.options = options or MqttOptions()
        self.router = Router(environment, merge_overlapping=self.options.merge_overlapping)
        self.sessions = Sessions(environment, self.router)
        self.renderer = PublishRenderer()
        self._connections: dict[int, MqttConnection] = {}
        self._tick: Timer | None = None

    def connect(self, peer: Peer) -> MqttConnection:
        connection = self._connections[peer.id] = MqttConnection(self, peer)
        return connection

    def gone(self, connection: MqttConnection) -> None:
        self._connections.pop(connection.peer.id, None)

    def disconnect(self, connection: int, reason: str, *, reset: bool = False) -> bool:
        found = self._connections.get(connection)
        if found is None:
            return False
        if reset:
            found.peer.abort(reason)
        else:
            found.goodbye(Reason.ADMINISTRATIVE_ACTION, reason)
        return True

    def watch(
        self, callback: Callable[[MessageSeen], object], destination: str | None = None
    ) -> Callable[[], None]:
        return self.router.watch(callback, destination)

    # Keep alive: one coarse tick for all.

    def watch_keep_alive(self) -> None:
        if self._tick is None:
            self._tick = self.environment.clock.call_later(1.0, self._check_keep_alive)

    def _check_keep_alive(self) -> None:
        self._tick = None
        now = self.environment.clock.now()
        for connection in tuple(self._connections.values()):
            silence = now - connection.last_heard
            if connection.keep_alive and silence > 1.5 * connection.keep_alive:
                # [MQTT-3.1.2-22] of MQTT 5, [MQTT-3.1.2-24] of 3.1.1.
                connection.goodbye(
                    Reason.KEEP_ALIVE_TIMEOUT,
                    f"silent for {silence:.0f} s with a keep alive of {connection.keep_alive} s",
                )
        if any(connection.keep_alive for connection in self._connections.values()):
            self.watch_keep_alive()

    def connections(self) -> list[ConnectionView]:
        return []

    def destinations(self) -> list[DestinationView]:
        return []

    def groups(self) -> list[GroupView]:
        return []

    def metrics(self) -> list[Metric]:
        return []

    def reset(self) -> None:
        pass
