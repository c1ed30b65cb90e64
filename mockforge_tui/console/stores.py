"""What is stored in one place: read in order from either end, a page at a time."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from mockforge_brokers.journal import Row

CHUNK: Final = 100
"""Messages decoded at a time."""
MOST_LOOKED_AT: Final = 5_000
"""Messages that one page looks at for a filter: more would hold up the brokers."""


@dataclass(frozen=True, slots=True)
class Page:
    """Stored messages, oldest first.

    `total` is how many there are in all, `looked` how many this page read. `following` is where
    the next page begins (the `start` of a `page` call), empty at the end; `preceding` where the one
    before ends (the `end` of a call), empty at the beginning.
    """

    rows: Sequence[Row]
    total: int
    looked: int
    following: str = ""
    preceding: str = ""


class Store(ABC):
    """One place's stored messages in order: `forward` from a start, or `backward` from an end.

    A start is what a person wrote or what `place` said: for Kafka offsets by partition, for all
    others the number of messages before it. An end is what `place` or `reached` said.
    """

    total: int

    @abstractmethod
    def forward(self, start: str | None) -> Iterator[Row]: ...

    @abstractmethod
    def backward(self, end: str | None = None) -> Iterator[Row]: ...

    @abstractmethod
    def reached(self) -> str:
        """Where `backward` would go on; empty before the first message."""

    @property
    @abstractmethod
    def is_first(self) -> bool:
        """Whether nothing is before what `forward` would give next."""

    @abstractmethod
    def place(self) -> str:
        """Where `forward` would go on; empty behind the last message."""

    def grew(self) -> bool:
        """Whether more came behind what `forward` was to read; then `place` is where."""
        return False


def page(
    store: Store,
    count: int,
    *,
    start: str | None = None,
    where: Callable[[Row], bool] | None = None,
    newest: bool = False,
    end: str | None = None,
) -> Page:
    """At most `count` messages that `where` wants: the oldest, from `start` on, or the newest, up
    to `end`."""
    found: list[Row] = []
    looked = 0
    newest = newest or end is not None
    rows = store.backward(end) if newest else store.forward(start)
    begun = "" if newest or store.is_first else store.place()
    for row in rows:
        looked += 1
        if where is None or where(row):
            found.append(row)
            if len(found) == count:
                break
        if looked >= MOST_LOOKED_AT:
            break
    if newest:
        return Page(found[::-1], store.total, looked, end or "", store.reached())
    return Page(found, store.total, looked, store.place(), begun)
