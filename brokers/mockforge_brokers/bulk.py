"""How an endpoint reads: small reads straight from the loop, large ones in pieces of a fixed size.

A loop hands over what it read as bytes, up to 256 KiB of it: cheapest for a packet or two, but who
floods us would hold up everybody else. So after a read that was larger than `READ_SIZE` a
`BulkReader` takes the endpoint's place at its transport until reads are small again.
"""

import asyncio
from typing import Final

READ_SIZE: Final = 64 * 1024
"""Bytes of one read: enough to be fast, little enough that nobody else in the loop waits."""

_SMALL: Final = 4 * 1024
_CALM: Final = 32
"""Small reads in a row until a flood counts as over."""


class BulkReader(asyncio.BufferedProtocol):
    """In a reader's place while much comes; all of one server share its buffer."""

    def __init__(
        self, reader: asyncio.Protocol, transport: asyncio.Transport, buffer: memoryview
    ) -> None:
        self._reader = reader
        self._transport = transport
        self._buffer = buffer
        self._small = 0
        transport.set_protocol(self)

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        if nbytes > _SMALL:
            self._small = 0
        else:
            self._small += 1
            if self._small == _CALM:
                self._transport.set_protocol(self._reader)
        self._reader.data_received(bytes(self._buffer[:nbytes]))

    def eof_received(self) -> bool | None:
        return self._reader.eof_received()

    def pause_writing(self) -> None:
        self._reader.pause_writing()

    def resume_writing(self) -> None:
        self._reader.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        self._reader.connection_lost(exc)
