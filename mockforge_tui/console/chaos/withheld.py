"""What a client sent that a fault or hold kept from the broker: it may come yet, or again."""

from collections.abc import Iterator
from typing import Final
from weakref import ref

from mockforge_brokers.misbehaviour.queue import Queue

from .streams import Address

_MOST: Final = 10_000
"""Messages of one client; those that come after are forgotten."""


class Withheld:
    """The messages of one client by address and name, each with where it waits or waited."""

    def __init__(self) -> None:
        self._places: dict[tuple[Address, str], ref[Queue]] = {}

    def __bool__(self) -> bool:
        return bool(self._places)

    def __iter__(self) -> Iterator[str]:
        return (name for _, name in self._places)

    def add(self, address: Address, name: str, place: "ref[Queue]") -> None:
        if len(self._places) < _MOST:
            self._places.setdefault((address, name), place)

    def arrived(self, address: Address, name: str) -> None:
        self._places.pop((address, name), None)

    def lost(self) -> list[str]:
        """Those that wait no more, and have not come since."""
        return [name for (_, name), place in self._places.items() if not _waits(place)]

    def settle(self) -> None:
        """What waits still is held up by others than this run, and may yet go in."""
        for each in [each for each, place in self._places.items() if _waits(place)]:
            del self._places[each]


def _waits(place: "ref[Queue]") -> bool:
    """Whether something is still on its way there: what it is, is not looked at."""
    queue = place()
    return queue is not None and bool(queue) and not queue.ended
