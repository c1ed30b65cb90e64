"""How fast queues and exchanges grow: their counters are looked at from time to time.

RabbitMQ samples every five seconds; here a rate is what came in the last second or two.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from .churn import Churn
from .state.exchanges import Exchange
from .state.queues.queue import Queue
from .state.virtual_host import VirtualHost

Counted = Queue | Exchange | Churn
Rates = tuple[float, ...]
"""A second, in the order of the counters."""
OF_QUEUE: Final = ("publish", "deliver_get", "ack", "redeliver")
OF_DEPTH: Final = ("messages", "messages_ready", "messages_unacknowledged")
OF_EXCHANGE: Final = ("publish_in", "publish_out")
_LEAST: Final = 1.0
"""Seconds that a rate is made of at least."""


def counts(thing: Counted) -> tuple[int, ...]:
    """By the names above: those of a queue, then of its depth, or those of an exchange.

    Those of churn are named where it is.
    """
    if isinstance(thing, Churn):
        return thing.counts
    if isinstance(thing, Exchange):
        return thing.published, thing.published - thing.unroutable
    ready, unacked = len(thing.messages), thing.unacked
    return (
        thing.published,
        thing.delivered,
        thing.acknowledged,
        thing.redelivered,
        ready + unacked,
        ready,
        unacked,
    )


class Sampling:
    """Remembers the last two looks; the older one is what rates are measured from."""

    def __init__(self, vhosts: Mapping[str, VirtualHost], churn: Churn) -> None:
        self._vhosts = vhosts
        self._churn = churn
        self._older: dict[Counted, tuple[int, ...]] = {}
        self._newer: dict[Counted, tuple[int, ...]] = {}
        self._older_at: float | None = None
        self._newer_at: float | None = None

    @property
    def size(self) -> int:
        """How many things a look takes in."""
        return sum(len(each.queues) + len(each.exchanges) for each in self._vhosts.values())

    def look(self, now: float) -> None:
        if self._newer_at is not None and now - self._newer_at < _LEAST:
            return
        self._older, self._older_at = self._newer, self._newer_at
        self._newer_at = now
        self._newer = {
            thing: counts(thing)
            for host in self._vhosts.values()
            for things in (host.queues.values(), host.exchanges.values())
            for thing in things
        }
        self._newer[self._churn] = self._churn.counts

    def rates(self, thing: Counted, now: float) -> Rates:
        """What was there at neither look has come since the last one."""
        found = counts(thing)
        before, at = self._older.get(thing), self._older_at
        if before is None:
            before, at = self._newer.get(thing, (0,) * len(found)), self._newer_at
        if at is None:
            return (0.0,) * len(found)
        passed = max(_LEAST, now - at)
        return tuple(round((new - old) / passed, 2) for new, old in zip(found, before, strict=True))


def detailed(
    names: Sequence[str], numbers: Iterable[int], rates: Iterable[float]
) -> dict[str, Any]:
    """`{"publish": 3, "publish_details": {"rate": 1.5}}`, as RabbitMQ has them."""
    made: dict[str, Any] = {}
    for name, number, rate in zip(names, numbers, rates, strict=True):
        made[name] = number
        made[f"{name}_details"] = {"rate": rate}
    return made


def added(rows: Iterable[Sequence[float]], width: int) -> list[Any]:
    """Counters or rates of several things as those of one."""
    total: list[Any] = [0] * width
    for row in rows:
        for at, number in enumerate(row):
            total[at] += number
    return [round(number, 2) for number in total]
