"""Bytes of one endpoint that wait for another slice of the loop's time, with all behind them."""

import asyncio
from typing import Protocol

from .contract import Connection
from .hangup import was_reset


class Reader(Protocol):
    """What an endpoint is to its bytes."""

    closing: bool
    paused: int
    """How many want nothing read; bytes that wait are one of them, where they `pause`."""
    connection: Connection
    transport: asyncio.Transport

    def handle_waiting(self, data: bytes) -> None:
        """What came before; nothing, where its connection has not finished what it has."""
        ...

    def abort(self, reason: str) -> None: ...

    def pause_reading(self) -> None: ...

    def caught_up(self) -> None:
        """Nothing waits any more."""
        ...


class Later:
    """There while something waits; the backlog calls `go_on`."""

    __slots__ = ("_over", "_pieces", "_reader", "ended", "parked", "pauses")

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._pieces: list[bytes] = []
        self._over = False
        self.pauses = 0
        """1: nothing more is read meanwhile."""
        self.ended = False
        """Nothing more comes, which is to be told once nothing waits."""
        self.parked = False
        """Its turn came while it must not be taken: it waits until reading is resumed."""

    def pause(self) -> None:
        """Have nothing more read until nothing waits."""
        self.pauses = 1
        self._reader.pause_reading()

    def add(self, data: bytes) -> None:
        self._pieces.append(data)

    def go_on(self) -> bool:
        """It is our turn again; True when there is still more to do."""
        # While somebody else wants nothing read, what came before waits as well.
        self.parked = self._reader.paused > self.pauses and not self._over
        return not self.parked and self.work()

    def work(self) -> bool:
        """The same, whoever wants nothing read."""
        reader = self._reader
        if reader.closing or self._over:
            return False
        # Of who is read the loop tells it.
        if self.pauses and was_reset(reader.transport):
            reader.abort("the connection was lost: reset by the client")
            return False
        pieces = self._pieces
        data = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        pieces.clear()
        reader.handle_waiting(data)
        if reader.closing:
            return False
        if not reader.connection.unfinished:
            self._over = True
            reader.caught_up()
        elif not (self.pauses or self.ended):
            self.pause()
        return not self._over
