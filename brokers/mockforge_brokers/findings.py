"""What lint found, counted by client and statement."""

from collections.abc import Callable, Iterable
from typing import Final

from msgspec import Struct

ERROR: Final = "error"
WARNING: Final = "warning"
SEVERITIES: Final = (ERROR, WARNING)

_MOST: Final = 1_000
"""Pairs of client and statement that are counted apart; clients may come under ever new names."""
_OTHERS: Final = "(others)"


class Finding(Struct, frozen=True):
    """What one client did against one statement, or our name for what is risky or outdated.

    `times` counts occurrences, but for `doubtful-topic`, which is counted once a connection.
    `ended` of them ended their connection. `text` is the last one in words, `last` its wall time,
    `connection` the one that it came by.
    """

    client: str
    statement: str
    severity: str
    times: int
    ended: int
    text: str
    last: float
    connection: int = 0


class _Count:
    __slots__ = ("connection", "ended", "last", "severity", "text", "times")

    def __init__(self, severity: str) -> None:
        self.severity = severity
        self.times = 0
        self.ended = 0
        self.text = ""
        self.last = 0.0
        self.connection = 0


class Findings:
    """All of them since the start, or since `clear`."""

    def __init__(self, wall: Callable[[], float]) -> None:
        self._wall = wall
        self._counts: dict[tuple[str, str], _Count] = {}

    def add(
        self,
        client: str,
        statement: str,
        text: str,
        severity: str,
        *,
        connection: int = 0,
        ended: bool = False,
    ) -> bool:
        """Count one; True when it is the first of this client and statement."""
        key = (client, statement)
        if key not in self._counts and len(self._counts) >= _MOST:
            key = (_OTHERS, statement)
        count = self._counts.get(key)
        new = count is None
        if count is None:
            count = self._counts[key] = _Count(severity)
        count.times += 1
        count.ended += ended
        count.text = text
        count.connection = connection
        count.last = self._wall()
        return new

    def views(self) -> list[Finding]:
        """Errors first, each in the order of their first time."""
        views = [
            Finding(
                *key, each.severity, each.times, each.ended, each.text, each.last, each.connection
            )
            for key, each in self._counts.items()
        ]
        return sorted(views, key=lambda view: SEVERITIES.index(view.severity))

    def of(self, client: str, statements: Iterable[str]) -> dict[str, str]:
        """What of these one client did, in words: `error, 3 times: PUBLISH: DUP with QoS 0`."""
        found: dict[str, str] = {}
        for statement in sorted(statements):
            count = self._counts.get((client, statement)) or self._counts.get((_OTHERS, statement))
            if count is not None:
                times = f", {count.times:,} times" if count.times > 1 else ""
                found[statement] = f"{count.severity}{times}: {count.text}"
        return found

    def by_statement(self) -> dict[tuple[str, str], int]:
        """How often each (statement, severity) was met, by all clients."""
        totals: dict[tuple[str, str], int] = {}
        for (_, statement), count in self._counts.items():
            key = (statement, count.severity)
            totals[key] = totals.get(key, 0) + count.times
        return totals

    def clear(self) -> None:
        self._counts.clear()
