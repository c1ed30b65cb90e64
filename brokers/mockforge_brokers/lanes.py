"""How one endpoint's bytes go while rules or holds may be about them.

Made when the first burst meets a rule or hold that is in force, and given up when none is and
nothing waits: an endpoint without pays one test for each burst.
"""

from collections.abc import Callable
from typing import Final, Protocol

from .contract import Connection, Peer
from .environment import Environment
from .journal import IN, OUT
from .misbehaviour.concern import Concern
from .misbehaviour.exchanges import Exchanges
from .misbehaviour.lane import Lane
from .misbehaviour.skimming import Skimmer

_NOTHING: Final = Skimmer()
"""Of the way that has no lane: nothing goes past."""


class Inspected(Peer, Protocol):
    """What an endpoint is to its lanes."""

    environment: Environment
    connection: Connection
    lanes: "Lanes | None"
    cleared: int
    """The version of the rules (see `InForce`) of which none can be about it."""

    def write(self, data: bytes) -> None: ...

    def forward_in(self, frame: bytes) -> None:
        """Handle one whole frame that may go on."""
        ...

    def forward_out(self, frame: bytes) -> None:
        """Write one whole frame that may go on."""
        ...


class Lanes:
    """Both directions of one endpoint; a lane is there while what passes has to be looked at.

    `skims_in` and `skims_out` say what goes past them unread: who has a burst asks them first.
    """

    __slots__ = (
        "_concern",
        "_connection",
        "_endpoint",
        "_exchanges",
        "_in_force",
        "_inward",
        "_outward",
        "skims_in",
        "skims_out",
    )

    def __init__(self, endpoint: Inspected) -> None:
        self._endpoint = endpoint
        self._in_force = endpoint.environment.in_force
        self._exchanges = Exchanges()
        self._inward: Lane | None = None
        self._outward: Lane | None = None
        self.skims_in = self.skims_out = _NOTHING
        self.adopt(endpoint.connection)

    def adopt(self, connection: Connection) -> None:
        """Another connection took over."""
        environment = self._endpoint.environment
        self._connection = connection
        self._concern = Concern(environment.faults, environment.holds, self._endpoint, connection)
        if self._inward is not None:
            self._inward.adopt(connection)
            self.skims_in = self._inward.skimmer
        if self._outward is not None:
            self._outward.adopt(connection)
            self.skims_out = self._outward.skimmer

    @property
    def needed(self) -> bool:
        """Something of this endpoint is to be looked at, or waits."""
        return bool(self._inward or self._outward) or self._concern.asks()

    def open(self) -> None:
        """Ask the rules that name `op:open` about an endpoint that was just accepted."""
        self._lane_of(IN).open()

    @property
    def queued(self) -> int:
        """Bytes that wait in a lane, of the direction where it is more."""
        return max(
            lane.queue.size if lane is not None else 0 for lane in (self._inward, self._outward)
        )

    @property
    def idle_outward(self) -> bool:
        """Nothing waits to be written."""
        return self._outward is None or self._outward.drained

    def dark(self, direction: int) -> bool:
        """Nothing passes any more in this direction."""
        return direction in self._exchanges.dark

    def receive(self, data: bytes) -> int:
        """As `Connection.receive`, of the frames that may go on."""
        connection, lane = self._connection, self._inward
        if lane is None:
            if not self._concern.asks():
                self._give_up()
                return connection.receive(data)
            lane = self._lane_of(IN)
            data = connection.take_rest() + data
        elif lane.idle and not self._concern.asks():
            self._leave(IN)
            return connection.receive(lane.take_rest() + data)
        if connection.unfinished:
            # What passed the lane already comes first.
            connection.receive(b"")
        lane.feed(data)
        pending = lane.pending
        if not pending and lane.idle and not self._concern.asks():
            # Now it is known who the client is: what it sends next need not come in here.
            self._leave(IN)
        return pending

    @property
    def look_at_output(self) -> bool:
        """Whether output is to come to `send` in one piece."""
        return self._outward is not None or self._concern.asks()

    def send(self, data: bytes) -> None:
        """Write the frames that may go on."""
        lane = self._outward
        if lane is None:
            if not self._concern.asks():
                self._give_up()
                self._endpoint.write(data)
                return
            lane = self._lane_of(OUT)
        elif lane.idle and not self._concern.asks():
            self._leave(OUT)
            self._endpoint.write(data)
            return
        lane.feed(data)

    def unsettle(self) -> None:
        """Whose connection it is has changed: nothing goes past unread."""
        self._exchanges.unsettle()

    def after(self, direction: int, callback: Callable[[], object]) -> bool:
        """Call once all that waits has gone its way, and the end may be seen; False for now."""
        lane = self._lane_of(direction) if self._exchanges.stopped(direction) else None
        if lane is not None:
            # Perhaps nothing passed since then, and the end is the first that waits.
            self._exchanges.stop(lane)
        else:
            lane = self._outward if direction == OUT else self._inward
        if self._in_force.active:
            lane = lane or self._lane_of(direction)
            lane.close()
        if lane is None or lane.drained:
            return False
        lane.when_drained(callback)
        return True

    def end_inward(self) -> None:
        """The connection is over: what waits for it goes with it."""
        if self._inward is not None:
            self._inward.end()

    def end(self) -> None:
        """The socket is gone."""
        if self._outward is not None:
            self._outward.end()
        self._exchanges.lighten()

    def _lane_of(self, direction: int) -> Lane:
        """The lane of a direction, made where there is none."""
        if direction == OUT:
            self._outward = self._outward or self._lane(OUT, self._endpoint.forward_out)
            self.skims_out = self._outward.skimmer
            return self._outward
        self._inward = self._inward or self._lane(IN, self._endpoint.forward_in)
        self.skims_in = self._inward.skimmer
        return self._inward

    def _lane(self, direction: int, forward: Callable[[bytes], object]) -> Lane:
        endpoint = self._endpoint
        parts = endpoint.environment.misbehaviour
        return Lane(direction, endpoint.connection, endpoint, forward, parts, self._exchanges)

    def _leave(self, direction: int) -> None:
        """No rule is about this way any more, and nothing waits."""
        if direction == IN:
            self._inward, self.skims_in = None, _NOTHING
        else:
            self._outward, self.skims_out = None, _NOTHING
        # A circle with its endpoint would stay until the collector comes by.
        self._exchanges.lanes.pop(direction, None)
        self._give_up()

    def _give_up(self) -> None:
        """No lane is left, and as the rules are now nothing could ask for one."""
        if not (self._inward or self._outward):
            self._endpoint.lanes = None
            self._endpoint.cleared = self._in_force.version
