"""What a socket needs of the server that accepted it."""

from collections.abc import Callable
from typing import Any, Protocol

from .busy_poll import BusyPoll
from .contract import Broker
from .durations import Sampled
from .environment import Environment
from .fairness import Backlog
from .turns import Turns


class Accepting(Protocol):
    """One broker's server (transport.Server is it), with what its sockets share."""

    broker: Broker
    environment: Environment
    endpoints: dict[int, Any]
    """Those that are open, by their connection's number."""
    turns: Turns
    backlog: Backlog
    poll: BusyPoll
    bursts: Sampled

    @property
    def call_later(self) -> Callable[..., Any]:
        """The loop's."""
        ...

    def refuse(self, transport: Any) -> None:
        """One socket too many."""

    def forget(self, endpoint: Any) -> None:
        """It is closed."""
