"""A connection of the line protocol on a manual clock, with a lane into it."""

from mockforge_brokers.clock import ManualClock
from mockforge_brokers.environment import Environment
from mockforge_brokers.journal import IN
from mockforge_brokers.limits import Limits

from ..fake_peer import FakePeer
from ..lines import LineBroker
from ..misbehaving import lane


class Scene:
    """A lane into a line connection, with all that it forwarded."""

    def __init__(self, direction: int = IN, limits: Limits | None = None) -> None:
        self.clock = ManualClock()
        self.environment = Environment.create(self.clock, seed=1, limits=limits)
        self.peer = FakePeer(1, 0.0)
        self.connection = LineBroker(self.environment).connect(self.peer)
        self.peer.connection = self.connection
        self.passed: list[bytes] = []
        self.events: list[object] = []
        self.environment.spine.watch(self.events.append)
        self.lane = lane(
            direction, self.connection, self.peer, self.environment, self.passed.append
        )
        self.faults = self.environment.faults
        self.holds = self.environment.holds
