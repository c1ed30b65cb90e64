"""A client that sleeps, wakes up for what waits, and may be at another address by then (6.14).

                 DISCONNECT(duration)              PINGREQ(client id)
    active ------------------------------> asleep <--------------------> awake
       ^--------------- CONNECT --------------|       PINGRESP: all sent

A sleeping client keeps its connection here, so that people see it and its will stays due; only its
session is not ready, and so keeps what is for it.
"""

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from .connection import SnConnection

ACTIVE: Final = "active"
ASLEEP: Final = "asleep"
AWAKE: Final = "awake"

_MINUTE: Final = 60


def tolerated(seconds: float) -> float:
    """How long who said so much may be silent: 10 % more, 50 % of a minute or less (7.2)."""
    return seconds * (1.1 if seconds > _MINUTE else 1.5)


class Sleep:
    """One client's: its state by 6.14 and the seconds for which it said that it sleeps."""

    __slots__ = ("_connection", "_name", "duration", "state")

    def __init__(self, connection: "SnConnection") -> None:
        self._connection = connection
        self._name = ""
        """Under which the gateway finds it; its address may connect as another client later."""
        self.state = ACTIVE
        self.duration = 0

    @property
    def active(self) -> bool:
        return self.state is ACTIVE

    @property
    def awake(self) -> bool:
        return self.state is AWAKE

    def begin(self, seconds: int) -> None:
        """The client is away for so long: what comes for it waits."""
        connection = self._connection
        self.duration = seconds
        self.state = ASLEEP
        self._name = connection.client
        connection.outlet.pause()
        connection.broker.router.set_ready(connection.in_session, False)
        connection.gateway.sleepers[self._name] = connection
        connection.broker.silence.allow(connection, tolerated(seconds))

    def wake_up(self) -> None:
        """It asks for what waits; PINGRESP says that this was all."""
        if self.awake:
            # Sent again, since PINGRESP did not come yet: its answers say what is missing.
            return
        connection = self._connection
        session = connection.in_session
        self.state = AWAKE
        connection.outlet.awake = True
        session.slow = False
        session.resume()
        connection.broker.router.forget_routes()
        connection.outlet.go_on()

    def again(self) -> None:
        """For as long as it said before."""
        self.begin(self.duration)

    def end(self) -> None:
        """It connects again, or is gone."""
        connection = self._connection
        self.state = ACTIVE
        connection.outlet.retries.settle_all()
        sleepers = connection.gateway.sleepers
        if sleepers.get(self._name) is connection:
            del sleepers[self._name]

    def move_to(self, other: "SnConnection") -> None:
        """The client sent its PINGREQ from another address: it is there from now on."""
        connection = self._connection
        session = connection.in_session
        other.client, other.keep_alive = connection.client, connection.keep_alive
        other.will = connection.will
        other.outlet.take_over(connection.outlet)
        connection.session = None
        other.session = session
        session.attach(other.outlet, session.window)
        other.peer.identify(connection.peer.principal)
        other.renew_guard()
        other.sleep.begin(self.duration)
        self.end()
        connection.closed = True
        connection.peer.close(f"the client moved to {other.peer.address}")
