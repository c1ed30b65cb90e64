"""Messages of Kafka's transactions that may be aborted: then it is as if they had not come."""

from collections.abc import Iterator
from typing import Final

from mockforge_brokers.events import MessageSeen
from mockforge_brokers.kafka.events import TransactionAborted

from .streams import Coming, Stream

_MOST: Final = 10_000
"""Of one transaction and partition; those that come after count as if they were committed."""
_MOST_PLACES: Final = 10_000

_Place = tuple[str, int, int]
"""Topic, partition, producer id."""
_Met = tuple[Stream, Coming]


class Transactions:
    """Of each producer and partition the newest one: those before it were ended."""

    def __init__(self) -> None:
        self._newest: dict[_Place, tuple[int, list[_Met]]] = {}

    def met(self, event: MessageSeen, stream: Stream, coming: Coming) -> None:
        first = event.detail.get("transaction")
        if first is None:
            return
        place = event.destination, event.detail["partition"], event.detail["producer_id"]
        known, met = self._newest.pop(place, (-1, []))
        if known != first:
            met = []
        if len(met) < _MOST:
            met.append((stream, coming))
        self._newest[place] = first, met
        if len(self._newest) > _MOST_PLACES:
            del self._newest[next(iter(self._newest))]

    def aborted(self, event: TransactionAborted) -> Iterator[tuple[Stream, list[Coming]]]:
        """What did not come after all, by stream; of each partition the newest first."""
        found: dict[int, tuple[Stream, list[Coming]]] = {}
        for topic, partition, first in event.begun:
            place = topic, partition, event.producer_id
            known, met = self._newest.get(place, (-1, []))
            if known == first:
                del self._newest[place]
                for stream, coming in reversed(met):
                    found.setdefault(id(stream), (stream, []))[1].append(coming)
        yield from found.values()
