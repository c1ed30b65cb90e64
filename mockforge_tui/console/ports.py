"""What the commands need from the runtime and from the front end that shows them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from mockforge_brokers.access import Access
from mockforge_brokers.clock import MovableClock
from mockforge_brokers.ended import EndedConnections
from mockforge_brokers.events import BrokerRestarted
from mockforge_brokers.fairness import Chores
from mockforge_brokers.journal import Journal, Row
from mockforge_brokers.listener import Listener
from mockforge_brokers.misbehaviour.holds import Holds
from mockforge_brokers.misbehaviour.rules import Faults
from mockforge_brokers.spine import Spine
from mockforge_brokers.storage.store import Store
from mockforge_brokers.usage import Usage

from ..brokers import Brokers
from ..expectations.record import Record
from ..filters import Filter
from ..fixtures.messages import Outgoing
from ..recordings import Recordings
from ..snapshots import Snapshot, Snapshots
from ..violations import Violations

if TYPE_CHECKING:
    from ..fixtures.model import FixtureSet, Generator
    from ..fixtures.running import GeneratorStatus
    from .chaos.run import Run


class Receipt(Protocol):
    """Where a message went: `place` is for people (`orders p0@97`), `reached` counts takers."""

    @property
    def place(self) -> str: ...

    @property
    def reached(self) -> int | None: ...


class Fixtures(Protocol):
    """Loaded fixtures and those added at the prompt; FixtureEngine is one."""

    fixtures: "FixtureSet"

    def status(self) -> "Sequence[GeneratorStatus]": ...

    def source(self, name: str) -> str:
        """The fixture as its file has it."""
        ...

    def emit(self, name: str, count: int = 1) -> tuple[Outgoing, ...]:
        """Make and publish beats now; returns the last one's messages."""
        ...

    def start(self, name: str) -> None: ...

    def stop(self, name: str) -> None: ...

    def set_rate(self, name: str, rate: float) -> None: ...

    def add(self, generator: "Generator") -> None: ...

    def remove(self, name: str) -> None: ...


class Production(Protocol):
    @property
    def engine(self) -> Fixtures:
        """Another one after fixtures were loaded anew."""
        ...


class Runtime(Protocol):
    """The brokers that run, as the commands see them."""

    @property
    def seed(self) -> int: ...

    @property
    def clock(self) -> MovableClock: ...

    @property
    def spine(self) -> Spine: ...

    @property
    def chores(self) -> Chores:
        """For work that would keep clients waiting."""
        ...

    @property
    def faults(self) -> Faults: ...

    @property
    def holds(self) -> Holds: ...

    @property
    def brokers(self) -> Brokers:
        """Those that run."""
        ...

    @property
    def listeners(self) -> Sequence[Listener]:
        """Where clients are accepted."""
        ...

    @property
    def access(self) -> Access:
        """Who may log in, and what for."""
        ...

    @property
    def usage(self) -> Usage: ...

    @property
    def store(self) -> Store | None:
        """Where state is kept on disk."""
        ...

    @property
    def ended(self) -> EndedConnections:
        """Connections that are over."""
        ...

    @property
    def journal(self) -> Journal | None: ...

    @property
    def production(self) -> Production: ...

    @property
    def violations(self) -> Violations: ...

    @property
    def record(self) -> Record:
        """The messages that entered, from when somebody asked for them."""
        ...

    @property
    def recordings(self) -> Recordings: ...

    @property
    def snapshots(self) -> Snapshots: ...

    @property
    def chaos(self) -> "list[Run]":
        """Runs of presets, the newest last, whichever front end began them."""
        ...

    def take_snapshot(self, name: str) -> Snapshot:
        """Raises InvalidInput."""
        ...

    def reset(self, to: str | None = None) -> None:
        """Back to the state right after loading, or to a snapshot, at once. Raises InvalidInput."""
        ...

    def stop_broker(
        self, protocol: str, *, hard: bool = False, seconds: float | None = None
    ) -> BrokerRestarted:
        """End its connections and refuse new ones, perhaps for a while; raises InvalidInput."""
        ...

    def restart_broker(self, protocol: str, *, hard: bool = False) -> BrokerRestarted:
        """End its connections, and accept new ones; raises InvalidInput."""
        ...

    def start_broker(self, protocol: str) -> None:
        """Accept connections again; raises InvalidInput."""
        ...

    def add_node(self, name: str) -> tuple[str, Sequence[Listener]]:
        """Another node of a cluster, and where it listens; raises InvalidInput."""
        ...

    def remove_node(self, name: str, *, hard: bool = False) -> int:
        """A node goes for good; returns how many connections it had. Raises InvalidInput."""
        ...

    def show_certificate(self, *, expired: bool, seconds: float | None = None) -> None:
        """What the next TLS handshakes meet, for so long where a time is given.

        Raises InvalidInput where that cannot be chosen.
        """
        ...

    def publish(self, message: Outgoing) -> Receipt:
        """Publish as if a client had; raises InvalidInput."""
        ...


class View(Protocol):
    """The screen, for commands that change what is looked at. The line shell has none."""

    def show_filter(self, shown: Filter | None) -> None:
        """Show only rows that match (None: all)."""
        ...

    def screenshot(self, path: str | None) -> str:
        """Write the screen as SVG; returns the path."""
        ...

    def places(self) -> Sequence[str]:
        """The panes that can be gone to now."""
        ...

    def jump(self, name: str | None) -> None:
        """Go to a pane; None: show the letters that go to panes and lines."""
        ...

    def themes(self) -> Sequence[str]: ...

    def set_theme(self, name: str) -> None: ...

    def copy(self, text: str) -> str:
        """Ask the terminal to keep a text; returns the file that has it too (empty: none)."""
        ...

    def numbered(self, first: int, last: int) -> Sequence[Row]:
        """Rows of the flow by their numbers, as far as they are still there."""
        ...

    def marked(self) -> Sequence[Row]:
        """Rows that the person marked; the one under the cursor comes first."""
        ...

    def before(self, row: Row) -> Sequence[Row]:
        """What is before a row under the cursor in the place where it is stored, newest first."""
        ...
