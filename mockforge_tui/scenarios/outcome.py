"""How scenarios went, as values that reports are made of."""

from dataclasses import dataclass, field
from enum import Enum

from ..expectations.failure import Failure
from ..fixtures.source.problems import Position


class Status(Enum):
    PASSED = "passed"
    FAILED = "failed"
    """An expectation was not met, or a fault did not fire."""
    BROKEN = "broken"
    """A step could not be done at all."""
    TIMED_OUT = "timed out"
    STOPPED = "stopped"
    """Somebody ended it."""


@dataclass(frozen=True, slots=True)
class StepOutcome:
    """One step; `depth` counts the steps around it. Seconds count from the scenario's begin."""

    title: str
    position: Position
    status: Status
    began: float
    took: float
    depth: int = 0
    text: str = ""
    """What went wrong, on one or more lines."""
    failure: Failure | None = None


@dataclass(slots=True)
class ScenarioOutcome:
    """One scenario; `steps` are those that ended, in the order in which they did."""

    name: str
    position: Position
    started: float
    """Wall time."""
    status: Status = Status.PASSED
    took: float = 0.0
    text: str = ""
    failure: Failure | None = None
    steps: list[StepOutcome] = field(default_factory=list)
    left_out: int = 0
    """Steps that passed and are not among them, since there were too many."""

    @property
    def ok(self) -> bool:
        return self.status is Status.PASSED
