"""What a check of any expectation is: it looks again and again, and remembers how far it looked."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from enum import Enum

from mockforge_brokers.journal import Row

from .message import Message


class State(Enum):
    MET = "met"
    OPEN = "open"
    """Not yet, but it still may."""
    BROKEN = "broken"
    """Nothing that comes can make it good."""


class Check(ABC):
    """Looks at one expectation again and again."""

    found: list[Message]
    """The messages that it is about, oldest first."""

    frames: Sequence[Row] = ()
    """The frames that it is about, oldest first, where it is about frames."""
    behind = False
    """There was more to look at than one turn has time for: the next look goes on."""
    certain = True
    """While it is met, nothing that is still to be looked at can break it."""

    def __init__(self) -> None:
        self.found = []

    @abstractmethod
    def look(self) -> State: ...

    def close(self) -> None:  # noqa: B027 (most look at no more than what is there)
        """Its time is over: what comes from now on does not count."""

    @property
    @abstractmethod
    def seen(self) -> str:
        """What is there instead, in words."""
