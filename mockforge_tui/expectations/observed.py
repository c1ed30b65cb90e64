"""What expectations need of the brokers that run."""

from collections.abc import Sequence
from typing import Protocol

from mockforge_brokers.clock import Clock
from mockforge_brokers.journal import Journal
from mockforge_brokers.listener import Listener
from mockforge_brokers.misbehaviour.rules import Faults
from mockforge_brokers.spine import Spine

from ..brokers import Brokers
from ..violations import Violations
from .record import Record


class Observed(Protocol):
    """Where expectations are looked at; a Runtime is one."""

    @property
    def clock(self) -> Clock: ...

    @property
    def brokers(self) -> Brokers: ...

    @property
    def spine(self) -> Spine: ...

    @property
    def faults(self) -> Faults: ...

    @property
    def listeners(self) -> Sequence[Listener]: ...

    @property
    def journal(self) -> Journal | None: ...

    @property
    def violations(self) -> Violations: ...

    @property
    def record(self) -> Record: ...
