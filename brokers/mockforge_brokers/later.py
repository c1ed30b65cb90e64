"""Bytes of one endpoint that wait for another slice of the loop's time, with all behind them."""

import asyncio
from typing import Protocol

from .contract import Connection
from .hangup import was_reset


class Reader(Protocol):
    """What an endpoint is to its bytes."""

    closing: bool
    paused: int
    """How many want nothing read; while bytes wait that is one of them."""
    connection: Connection
    transport: asyncio.Transport

    def handle_waiting(self, data: bytes) -> None:
        """What came before; nothing, where its connection has not finished what it has."""
        ...

    def abort(self, reason: str) -> None: ...

    def caught_up(self) -> None:
        """Nothing waits any more."""
        ...


class Later:
    """There while something waits; the backlog calls `go_on`."""

    __slots__ = ("_over", "_pieces", "_reader", "parked")

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._pieces: list[bytes] = []
        self._over = False
        self.parked = False
        """Its turn came while it must not be taken: it waits until reading is resumed."""

    def add(self, data: bytes) -> None:
        self._pieces.append(data)

    def go_on(self) -> bool:
        """It is our turn again; True when there is still more to do."""
        # While somebody else wants nothing read, what came before waits as well.
        self.parked = self._reader.paused > 1 and not self._over
        return not self.parked and self.work()

    def work(self) -> bool:
        """The same, whoever wants nothing read."""
        reader = self._reader
        if reader.closing or self._over:
            return False
        if was_reset(reader.transport):
            reader.abort("the connection was lost: reset by the client")
            return False
        data = b"".join(self._pieces)
        self._pieces.clear()
        reader.handle_waiting(data)
        if not reader.closing and not reader.connection.unfinished:
            self._over = True
            reader.caught_up()
        return not self._over
