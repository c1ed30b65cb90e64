"""What leaves by one socket: one write for each burst."""

import asyncio
from abc import abstractmethod
from collections.abc import Callable
from typing import Final

from .accepting import Accepting
from .bulk import raw_descriptor, write_now, write_together
from .contract import Connection
from .events import Event
from .journal import OUT, Tape
from .lanes import Lanes
from .misbehaviour.skimming import UNSETTLED

_UNKNOWN: Final = -2
_LARGE: Final = 32 * 1024
"""Connections with a piece of more bytes say that they are bulky."""
_WORTH: Final = 1024
"""Bytes written to a client before its socket's number is worth to be asked for."""


class Outgoing(asyncio.Protocol):
    """The half of an endpoint that writes; `closing` says that nothing more is to be written."""

    __slots__ = (
        "_awake",
        "_by_transport",
        "_descriptor",
        "_tape",
        "bytes_out",
        "cleared",
        "closing",
        "connection",
        "environment",
        "lanes",
        "server",
        "transport",
    )

    connection: Connection
    transport: asyncio.Transport

    def __init__(self, server: Accepting) -> None:
        self.server = server
        self.environment = server.environment
        self.closing = False
        self.bytes_out = 0
        self.lanes: Lanes | None = None
        self.cleared = UNSETTLED
        """The version of the rules of which none can be about it: without lanes it needs none."""
        self._awake = False
        self._by_transport = False
        """Writes of our own gain nothing."""
        self._descriptor = _UNKNOWN
        self._tape: Tape | None = None

    @abstractmethod
    def inspect(self) -> Lanes:
        """Make the lanes, where there are none."""

    def look_again(self) -> Lanes | None:
        """The lanes that are needed as the rules are now, where there were none before."""
        lanes = self.inspect()
        if lanes.needed:
            return lanes
        self.lanes = None
        self.cleared = self.environment.in_force.version
        return None

    @abstractmethod
    def fail(self, error: Exception, data: bytes) -> None:
        """A bug of ours: log it with the last frames, end this connection, disturb nobody else."""

    @property
    def protocol(self) -> str:
        return self.server.broker.protocol

    @property
    def waiting(self) -> int:
        """Bytes that the socket has not taken yet."""
        return self.transport.get_write_buffer_size()

    @property
    def delayed(self) -> int:
        """Bytes that wait in a lane, of the direction where it is more."""
        return 0 if self.lanes is None else self.lanes.queued

    def wake(self) -> None:
        # However often a burst asks for it, it is written once: if it is its own, when it is
        # handled (`Endpoint.handle`).
        if not self._awake and (turns := self.server.turns).speaking is not self:
            self._awake = True
            turns.flush_soon(self)

    def flush(self) -> None:
        """Write all output: one write, unless single pieces are too large to be worth a copy."""
        self._awake = False
        if self.closing:
            return
        connection = self.connection
        pieces = connection.out
        if not pieces:
            return
        # A rule may have come since the last burst: lanes are made when there is first something
        # for them to look at.
        lanes = self.lanes
        if (
            lanes is None
            and self.environment.in_force.active
            and self.cleared != self.environment.in_force.version
        ):
            lanes = self.look_again()
        # One piece is written as it is; several are joined, since a copy of small ones costs less
        # than a system call for each.
        if len(pieces) == 1:
            data = pieces.pop()
            if len(data) > _LARGE:
                # What comes behind it may be small.
                connection.bulky = False
        elif connection.bulky and (lanes is None or not lanes.look_at_output):
            self._write_bulky(pieces)
            return
        else:
            data = b"".join(pieces)
            pieces.clear()
        if lanes is None:
            # As `write`, written out: this is on the way of each message.
            if self._by_transport:
                self.transport.write(data)
            else:
                self._write_data(data)
            self.bytes_out += len(data)
            if self._tape is not None:
                self._tape.add(OUT, data)
        else:
            self._write_by_lanes(lanes, data)

    def _write_by_lanes(self, lanes: Lanes, data: bytes) -> None:
        # It is joined, however large it is; a single piece may be a view.
        self.connection.bulky = False
        data = bytes(data)
        try:
            # As `Skimmer.passes`, written out: this is on the way of each message.
            if (skims := lanes.skims_out).version == self.environment.in_force.version and (
                (
                    len(data) == skims.size
                    and data.startswith(skims.head)
                    and (not skims.tail or data.startswith(skims.tail, skims.tail_at))
                )
                or skims.skim(data)
            ):
                self.write(data)
            else:
                lanes.send(data)
        except Exception as error:
            self.fail(error, b"")

    def send(self, data: bytes) -> None:
        """Hand bytes to the socket, and to no journal."""
        if self._by_transport:
            self.transport.write(data)
        else:
            self._write_data(data)
        self.bytes_out += len(data)

    def holds(self, answer: bytes) -> bool:
        """Whether this one may not be written yet: it will be by itself."""
        return False

    def write(self, data: bytes) -> None:
        self.send(data)
        if self._tape is not None:
            self._tape.add(OUT, data)

    def _write_data(self, data: bytes) -> None:
        if self._descriptor >= 0:
            write_now(self.transport, self._descriptor, data)
            return
        if self.bytes_out > _WORTH:
            self._raw_descriptor()
        self.transport.write(data)

    def _raw_descriptor(self) -> int:
        """Of the socket, where its bytes are as they come and go; else -1."""
        if self._descriptor == _UNKNOWN:
            self._descriptor = raw_descriptor(self.transport)
        return self._descriptor

    def _write_bulky(self, pieces: list[bytes]) -> None:
        self.bytes_out += (size := sum(map(len, pieces)))
        if self._tape is not None:
            self._tape.add_pieces(OUT, pieces, size)
        write_together(self.transport, pieces)
        self.connection.bulky = False
        pieces.clear()

    def forward_out(self, frame: bytes) -> None:
        # Also while we close: the last words may be delayed too.
        if not self.transport.is_closing():
            self.write(frame)

    def _dark(self, direction: int) -> bool:
        return self.lanes is not None and self.lanes.dark(direction)

    def _waits(self, direction: int, callback: Callable[[], object]) -> bool:
        """Whether frames wait in a lane; then it is called once they have gone their way."""
        lanes = self.lanes
        if lanes is None and self.environment.in_force.active:
            lanes = self.inspect()
        return lanes is not None and lanes.after(direction, callback)

    def _emit(self, event: Event) -> None:
        self.environment.spine.emit(event)
