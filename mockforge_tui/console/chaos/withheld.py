"""What a client sent that a fault or hold kept from the broker: it may come yet, or again."""

from collections.abc import Iterator
from typing import Final
from weakref import ref

from mockforge_brokers.journal import Row
from mockforge_brokers.misbehaviour.queue import Queue

from .streams import Address

_MOST: Final = 10_000
"""Messages of one client; those that come after are forgotten."""

Sent = tuple[Address, str]
"""Where a message goes, and its name."""
Coming = tuple[Address, str | None]
"""What comes in, perhaps changed so that it has no name."""


class Withheld:
    """The messages of one client by address and name, each with where it waits or waited."""

    def __init__(self) -> None:
        self._places: dict[Sent, ref[Queue]] = {}
        self._changed: dict[Coming, Sent] = {}
        """What was sent, by what goes in instead."""

    def __bool__(self) -> bool:
        return bool(self._places)

    def __iter__(self) -> Iterator[str]:
        return (name for _, name in self._places)

    def add(self, address: Address, name: str, place: "ref[Queue]") -> None:
        if len(self._places) < _MOST:
            self._places.setdefault((address, name), place)

    def change(self, before: Coming, instead: Coming) -> None:
        """A fault or a person made another message of it, which its client cannot know."""
        sent = self._sent(before)
        if sent in self._places and len(self._changed) < _MOST:
            earlier = self._changed.pop(instead, None)
            if earlier is not None:
                # Two that became the same: which of them arrives nobody can say.
                self._places.pop(earlier, None)
            self._changed[instead] = sent

    def forget(self, before: Coming) -> None:
        """What becomes of it nobody can say."""
        sent = self._sent(before)
        if sent is not None:
            self._places.pop(sent, None)

    def arrived(self, message: Coming) -> Sent | None:
        """Returns it as it was sent; None if that has no name."""
        sent = self._sent(message)
        if sent is not None:
            self._places.pop(sent, None)
        return sent

    def _sent(self, message: Coming) -> Sent | None:
        sent = self._changed.pop(message, None)
        if sent is not None and sent in self._places:
            return sent
        address, name = message
        return None if name is None else (address, name)

    def lost(self) -> list[str]:
        """Those that wait no more, and have not come since."""
        return [name for (_, name), place in self._places.items() if not _waits(place)]

    def settle(self) -> None:
        """What waits still is held up by others than this run, and may yet go in."""
        for each in [each for each, place in self._places.items() if _waits(place)]:
            del self._places[each]


def says_how_it_arrives(row: Row, queue: Queue) -> bool:
    """Whether the message of a row will come in under the address and name that the row has.

    A topic alias of MQTT is set by a frame that may wait in front of it, or be lost; a part of an
    AMQP 1.0 message that comes in several transfers has neither its properties nor its body.
    """
    if "topic_alias" in row.detail and (queue or not row.destination):
        return False
    return row.operation != "transfer" or "properties" in row.detail


def _waits(place: "ref[Queue]") -> bool:
    """Whether something is still on its way there: what it is, is not looked at."""
    queue = place()
    return queue is not None and bool(queue) and not queue.ended
