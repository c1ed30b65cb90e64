"""How AMQP's clients settled messages, kept for who asks afterwards."""

from collections import Counter, deque
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from itertools import islice
from typing import Final, NamedTuple

from ..brokers import Brokers
from ..fixtures.expected.model import Settled, Settlement
from .check import Check, State

MOST: Final = 100_000
"""Settlements that are kept."""


class _Kept(NamedTuple):
    vhost: str
    queue: str
    settlement: Settlement
    client: str
    messages: int


class SettlementRecord:
    """The newest settlements; `newest` counts all of them."""

    def __init__(self, brokers: Brokers) -> None:
        self.newest = 0
        self._brokers = brokers
        self._kept: deque[_Kept] = deque(maxlen=MOST)

    def start(self) -> Callable[[], None]:
        """Keep what comes from now on; returns how to stop."""
        amqp = self._brokers.amqp
        return amqp.settlements.watch(self._see) if amqp is not None else lambda: None

    def _see(self, vhost: str, queue: str, settlement: Settlement, client: str, count: int) -> None:
        self.newest += 1
        self._kept.append(_Kept(vhost, queue, settlement, client, count))

    def since(self, number: int) -> Iterator[_Kept]:
        """Those after the one of this number that are still here, newest first."""
        return islice(reversed(self._kept), max(0, self.newest - number))

    def lost(self, number: int) -> int:
        """Of those after this number, how many were too many to be kept."""
        return max(0, self.newest - number - len(self._kept))


class SettledCheck(Check):
    """Counts what came since. `host` says where the queue is, or that it is nowhere.

    Several virtual hosts may have a queue of this name: those of one count. Of a queue that has
    gone it is the one where it was at the last look, or else that of its newest settlement.
    """

    def __init__(
        self,
        expectation: Settled,
        record: SettlementRecord,
        since: int,
        host: Callable[[], str | None],
    ) -> None:
        super().__init__()
        self._expected = expectation
        self._record = record
        self._at = since
        self._host = host
        self._was_at: str | None = None
        self._counts: dict[str, Counter[Settlement]] = {}
        """By virtual host."""
        self._by_others: Counter[str] = Counter()
        self._lost = 0

    def look(self) -> State:
        expected, record = self._expected, self._record
        self._lost += record.lost(self._at)
        for vhost, queue, settlement, client, messages in record.since(self._at):
            if queue != expected.queue:
                continue
            counts = self._counts.setdefault(vhost, Counter())
            if fnmatchcase(client, expected.client):
                counts[settlement] += messages
            elif settlement == expected.settlement:
                self._by_others[vhost] += messages
        self._at = record.newest
        count = self._counts.get(self._where(), Counter())[expected.settlement]
        if expected.most is not None and count > expected.most:
            return State.BROKEN
        return State.MET if count >= expected.least else State.OPEN

    def _where(self) -> str:
        self._was_at = self._host() or self._was_at
        return self._was_at or next(iter(self._counts), "")

    @property
    def seen(self) -> str:
        where = self._where()
        counts = self._counts.get(where, Counter())
        found = [f"{count:,} {settlement}" for settlement, count in sorted(counts.items())]
        if others := self._by_others[where]:
            found.append(f"{others:,} {self._expected.settlement} by others")
        if self._lost:
            found.append(f"{self._lost:,} settlements were too many to be kept")
        if not found:
            return "none" if self._host() is not None else "there is no such queue"
        return ", ".join(found)
