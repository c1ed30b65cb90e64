"""The fast paths of one connection: clients produce to several partitions in turns."""

from __future__ import annotations

from typing import Final

from .produce_path import AFTER_CORRELATION_ID, ProducePath

_MOST: Final = 100
"""Paths of one connection."""


class ProducePaths:
    """Those of one connection; none fits a request but the one that has its bytes."""

    __slots__ = ("_by_key", "last")

    def __init__(self) -> None:
        self.last: ProducePath | None = None
        """Of the last request; None: that one took the general path and nothing was learned."""
        self._by_key: dict[bytes, ProducePath] = {}

    def __len__(self) -> int:
        return len(self._by_key)

    def other(self, head: bytes) -> ProducePath | None:
        """One for a request beside the last one, to another partition of a topic with a name as
        long: so far its bytes must be known."""
        if self.last is None:
            return None
        size = len(self.last.key)
        return self._by_key.get(head[AFTER_CORRELATION_ID : AFTER_CORRELATION_ID + size])

    def add(self, path: ProducePath) -> None:
        """It is the last one's; the place of one that no longer fits is taken by its next one."""
        self.last = path
        if len(self._by_key) >= _MOST and path.key not in self._by_key:
            self._by_key.clear()
        self._by_key[path.key] = path
