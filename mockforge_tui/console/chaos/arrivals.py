"""Connections that have not said yet whose they are: from where they come, and what hit them."""

from dataclasses import dataclass, field
from typing import Final

_MOST_FAULTS: Final = 100
"""Of one connection that are kept until it is known whose it is."""


@dataclass(slots=True)
class Arrival:
    """A connection from `host`, `opened` at a moment of the clients' time.

    `faults` are kinds and operations.
    """

    host: str
    opened: float
    faults: list[tuple[str, str]] = field(default_factory=list)


class Arrivals:
    """Those that are open; each is taken once, when its client is known or it ended."""

    def __init__(self) -> None:
        self._known: dict[int, Arrival] = {}

    def __len__(self) -> int:
        return len(self._known)

    def opened(self, connection: int, address: str, now: float) -> None:
        self._known[connection] = Arrival(host_of(address), now)

    def hit(self, connection: int, kind: str, operation: str) -> None:
        arrival = self._known.get(connection)
        if arrival is not None and len(arrival.faults) < _MOST_FAULTS:
            arrival.faults.append((kind, operation))

    def take(self, connection: int) -> Arrival | None:
        return self._known.pop(connection, None)

    def clear(self) -> None:
        """Nobody wants to know any more."""
        self._known.clear()


def host_of(address: str) -> str:
    """An address without its port: two connections of one client have different ones."""
    return address.rpartition(":")[0] or address
