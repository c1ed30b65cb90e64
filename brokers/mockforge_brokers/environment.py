"""What every broker is given: time, the spine, the journal, faults, holds, limits, randomness."""

from random import Random

from msgspec import Struct, field

from .access import Access
from .busy_poll import LOOKING
from .clock import Clock
from .durations import Histogram
from .ended import EndedConnections
from .fairness import Chores, Turn
from .freed import Freed
from .journal import Journal
from .limits import Limits
from .listener import Listener
from .misbehaviour.holds import Holds
from .misbehaviour.in_force import InForce
from .misbehaviour.lane import Misbehaviour
from .misbehaviour.rules import Faults
from .spine import Spine
from .storage.store import Store
from .unserved import Unserved
from .usage import Usage


class Environment(Struct):
    """One for all brokers of a process, so that ids and faults are common to them.

    `journal` is None where nobody wants the raw bytes.
    """

    clock: Clock
    spine: Spine
    journal: Journal | None
    faults: Faults
    holds: Holds
    in_force: InForce
    """Of faults and holds together."""
    random: Random
    unserved: Unserved
    usage: Usage
    chores: Chores
    freed: Freed
    ended: EndedConnections
    limits: Limits = field(default_factory=Limits)
    turn: Turn = field(default_factory=Turn)
    """The time of the connection whose bytes are being handled."""
    listeners: list[Listener] = field(default_factory=list)
    """All that accept, of all protocols."""
    access: Access = field(default_factory=Access)
    store: Store | None = None
    """Where state is kept on disk; None: nowhere."""
    histograms: list[Histogram] = field(default_factory=list)
    """How long things take, by whoever measures them."""
    busy_poll: float = LOOKING
    """Seconds to look for what comes next before the loop sleeps; 0: it sleeps at once."""
    last_connection: int = 0

    @classmethod
    def create(
        cls,
        clock: Clock,
        *,
        seed: int | None = None,
        limits: Limits | None = None,
        journal: bool = True,
    ) -> "Environment":
        """An environment of new parts on `clock`."""
        limits = limits or Limits()
        spine = Spine(clock)
        random = Random(seed)
        usage = Usage(clock, spine, limits)
        made = Journal(clock, limits) if journal else None
        turn = Turn()
        in_force = InForce()
        holds = Holds(clock, spine, usage, in_force)
        ended = EndedConnections(clock, limits)
        if made is not None:
            usage.gauge("journal_total", lambda: made.size, lambda: made.left)
            usage.gauge("journal_connection", lambda: made.longest, lambda: made.shortened)
            usage.gauge("journal_ended", lambda: made.ended, lambda: made.ended_left)
        usage.gauge("ended_connections", lambda: len(ended), lambda: ended.forgotten)
        usage.gauge("held_frames", lambda: len(holds.held))
        return cls(
            clock=clock,
            spine=spine,
            journal=made,
            faults=Faults(clock, spine, Random(random.random()), in_force),
            holds=holds,
            in_force=in_force,
            random=random,
            unserved=Unserved(spine),
            usage=usage,
            chores=Chores(turn, clock.call_later),
            freed=Freed(clock),
            ended=ended,
            limits=limits,
            turn=turn,
        )

    @property
    def misbehaviour(self) -> Misbehaviour:
        """What a lane needs of all this."""
        return Misbehaviour(
            self.clock, self.faults, self.holds, self.in_force, self.limits, self.usage
        )

    def next_connection(self) -> int:
        """A connection number that no other connection of this process has."""
        self.last_connection += 1
        return self.last_connection
