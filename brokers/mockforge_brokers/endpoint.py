"""One socket: hands on what it reads, writes once for each burst, and knows how it may end.

Three ends are apart. `_lost`: the protocol's connection is over and knows it; whatever it
parked has no effect any more. `_closing`: nothing more is read from or written by it; the same
moment but for a refused socket, which never had a connection. The socket's own end
(`connection_lost` of asyncio) may come much later: answers still go out, a lane may delay the last
of them, and `HangUp` waits for the peer's end so that no reset destroys what it has not read.

Reading and sending are paused by several at once (a slow peer, a turn that is up, a lane, the
protocol's own limits), so both are counted: the first to pause and the last to resume act.
"""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Final, cast

from .access import Principal
from .bugs import logged
from .bulk import write_together
from .contract import Connection, origin_of
from .events import (
    ClientBehindProxy,
    ConnectionClosed,
    ConnectionOpened,
    Event,
    PeerCaughtUp,
    PeerFellBehind,
)
from .fairness import SMALL
from .hangup import HangUp, local_address, peer_address, reset, was_reset, why_lost
from .journal import IN, OUT, Tape
from .listener import Listener
from .misbehaviour.concern import Concern
from .misbehaviour.lane import Lane
from .misbehaviour.rules import Exchanges
from .snapshots import ConnectionView

if TYPE_CHECKING:
    from .transport import Server

_NOBODY: Final = Principal()


class Endpoint(asyncio.Protocol):
    """One socket with its connection; also the `Peer` that the connection talks to."""

    __slots__ = (
        "_awake",
        "_close_reason",
        "_closing",
        "_concern",
        "_exchanges",
        "_hangup",
        "_inward",
        "_last",
        "_later",
        "_lost",
        "_outward",
        "_parked",
        "_paused",
        "_stopped",
        "_tape",
        "_transport",
        "address",
        "bytes_in",
        "bytes_out",
        "connection",
        "environment",
        "id",
        "listener",
        "local",
        "opened",
        "principal",
        "server",
        "slow",
    )

    def __init__(self, server: "Server", listener: Listener) -> None:
        self.server = server
        self.listener = listener
        self.environment = server.environment
        self.id = 0
        self.address = ""
        self.local = ("", 0)
        self.opened = 0.0
        self.principal = _NOBODY
        self.bytes_in = 0
        self.bytes_out = 0
        self._awake = self._closing = False
        self._later: list[bytes] | None = None
        self._parked = False
        self._lost = False
        self._last: ConnectionView | None = None
        self._close_reason = ""
        self.slow = False
        """The peer does not take what it is sent."""
        self._paused = 0
        self._stopped = 0
        self._concern: Concern | None = None
        self._exchanges: Exchanges | None = None
        self._inward: Lane | None = None
        self._outward: Lane | None = None
        self._hangup: HangUp | None = None
        self._tape: Tape | None = None

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport = cast("asyncio.Transport", transport)
        server, environment = self.server, self.environment
        if len(server.endpoints) >= environment.limits.connections:
            server.refuse(transport)
            self._closing = True
            return
        self.id = environment.next_connection()
        self.address = peer_address(transport)
        self.local = local_address(transport)
        self.opened = environment.clock.wall()
        transport.set_write_buffer_limits(high=environment.limits.write_mark)
        self.connection: Connection = server.broker.connect(self)
        if environment.journal is not None:
            self._tape = environment.journal.open(
                server.broker.protocol, self.id, self.connection, partial(origin_of, self)
            )
        server.endpoints[self.id] = self
        environment.spine.emit(ConnectionOpened(server.broker.protocol, self.id, self.address))
        if environment.faults.active:
            self._inward = self._lane(IN, self._forward_in)
            self._inward.open()

    def data_received(self, data: bytes) -> None:
        if self._closing:
            return
        count = len(data)
        self.bytes_in += count
        if self._later is not None or (count > SMALL and self.server.backlog.crowded()):
            self._wait(data)
        else:
            self._receive(data)

    def _wait(self, data: bytes) -> None:
        """Leave these bytes for a later turn of the loop, and the peer's next ones unread."""
        if self._later is None:
            self._later = []
            self.pause_reading()
            self.server.backlog.wait(self)
        self._later.append(data)

    def go_on(self) -> bool:
        """It is our turn again; True when there is still more to do."""
        # While somebody wants nothing read, what it sent before waits as well.
        self._parked = self._paused > 1 and self._later is not None
        return not self._parked and self._go_on()

    def _go_on(self) -> bool:
        if self._closing or self._later is None:
            return False
        if was_reset(self._transport):
            self.abort("the connection was lost: reset by the client")
            return False
        data = b"".join(self._later)
        self._later.clear()
        self._receive(data)
        if not self._closing and not self.connection.unfinished:
            self._later = None
            self.resume_reading()
        return self._later is not None

    def _receive(self, data: bytes) -> None:
        environment = self.environment
        environment.turn.begin()
        try:
            if environment.faults.active or environment.holds.active or self._inward is not None:
                tail = self._receive_inspected(data)
            else:
                tail = self.connection.receive(data)
        except Exception as error:
            self._fail(error, data)
            return
        if self._tape is not None and data:
            self._tape.add(IN, data, tail)
        self._go_on_later()
        if self.connection.out:
            if self.server.turns.may_answer(self):
                self.flush()
            else:
                self.wake()

    def eof_received(self) -> bool:
        while self._go_on():
            """Only a layer below us tells of an end before all that came is handled."""
        lane = self._inward
        if not self._closing and self._dark(IN):
            # The end of its bytes is lost as they are.
            return True
        if self._closing or lane is None or lane.idle or not self._transport.can_write_eof():
            self._follow()
            return False
        # What it sent before it left is delayed or held, and still has its effect.
        lane.when_idle(self._follow)
        return True

    def _follow(self) -> None:
        """The client left, and the last of its frames is handled."""
        self.flush()
        self._lose("the client closed the connection")
        if self._transport.get_write_buffer_size():
            self._hang_up()
        else:
            self._transport.close()

    def locate(self, address: str) -> None:
        """A proxy in front of it says where it is."""
        proxy, self.address = self.address, address
        event = ClientBehindProxy(self.protocol, self.id, address, proxy)
        self.environment.spine.emit(event)

    def identify(self, principal: Principal) -> None:
        """A layer below knows who it is."""
        self.principal = principal

    def pause_writing(self) -> None:
        self.slow = True
        self.pause_reading()
        self.pause_sending()
        pending = self._transport.get_write_buffer_size()
        self.environment.usage.count("write_mark", 0)
        self._emit(PeerFellBehind(self.protocol, self.id, self.connection.client, pending))

    def resume_writing(self) -> None:
        self.slow = False
        self._emit(PeerCaughtUp(self.protocol, self.id, self.connection.client))
        self.resume_sending()
        self.resume_reading()
        self.flush()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.id:
            return
        self._lose(why_lost(exc))
        self.server.endpoints.pop(self.id, None)
        for part in (self._hangup, self._outward):
            if part is not None:
                part.end()
        if self._exchanges is not None:
            self._exchanges.lighten()
        if self._tape is not None:
            self._tape.end(self.connection.past())
        self.server.forget(self)

    # What the connection calls: the Peer of contract.py.

    def become(self, connection: Connection) -> None:
        self.connection, self._concern = connection, None
        if self._tape is not None:
            self._tape.owner = connection
        for lane in filter(None, (self._inward, self._outward)):
            lane.adopt(connection)

    def wake(self) -> None:
        if not self._awake:
            self._awake = True
            self.server.turns.flush_soon(self)

    def close(self, reason: str) -> None:
        if self._closing:
            return
        self.flush()
        self._lose(reason)
        self._end_in_order()

    def _end_in_order(self) -> None:
        lane = self._outward
        if self._dark(OUT):
            return  # Nor does our end arrive; the rule's end resets the connection.
        if lane is None or lane.idle:
            self._hang_up()
        else:
            lane.when_idle(self._hang_up)

    def work(self, call: Callable[[], object]) -> None:
        call()

    def abort(self, reason: str) -> None:
        reset(self._transport)
        self._lose(reason)

    def leaving(self, reason: str) -> None:
        self._close_reason = self._close_reason or reason

    def ending(self) -> None:
        if self._last is None:
            try:
                self._last = self.server.broker.connection(self.id)
            except Exception as error:
                self._fail(error, b"")

    def pause_reading(self) -> None:
        self._paused += 1
        if self._paused == 1 and not self._transport.is_closing():
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        self._paused -= 1
        if self._parked and self._paused == 1:
            self._parked = False
            self.server.backlog.wait(self)
        if self._paused == 0 and not self._transport.is_closing():
            self._transport.resume_reading()

    def pause_sending(self) -> None:
        self._stopped += 1
        if self._stopped == 1 and not self._lost:
            self._set_writable(False)

    def resume_sending(self) -> None:
        self._stopped -= 1
        if self._stopped == 0 and not self._lost:
            self._set_writable(True)

    def _set_writable(self, writable: bool) -> None:
        try:
            self.connection.set_writable(writable)
        except Exception as error:
            self._fail(error, b"")
        self._go_on_later()

    def _go_on_later(self) -> None:
        """What the connection has not finished goes on in a later turn."""
        if self.connection.unfinished and self._later is None and not self._closing:
            self._wait(b"")

    def _lose(self, reason: str) -> None:
        """The connection is over, whoever ended it: nothing of it takes effect from here on.

        What was written before may still be on its way, and the socket may live on for a while.
        """
        self._closing = True
        if self._lost:
            return
        self._lost = True
        self.ending()
        reason = self._close_reason or reason
        if self._inward is not None:
            self._inward.end()
        try:
            self.connection.connection_lost(reason)
        except Exception as error:
            self._fail(error, b"")
        if self._last is not None:
            self.environment.ended.add(self._last, reason)
        self._emit(ConnectionClosed(self.protocol, self.id, self.connection.client, reason))

    def shut_down(self) -> None:
        """The broker ends."""
        if not self._lost:
            self.connection.shutdown()
            self.close("the broker ended")

    def _hang_up(self) -> None:
        self._hangup = HangUp(self._transport, self.server.call_later)
        self._hangup.begin(reading=not self._paused)

    # Writing.

    @property
    def protocol(self) -> str:
        return self.server.broker.protocol

    @property
    def waiting(self) -> int:
        """Bytes that the socket has not taken yet."""
        return self._transport.get_write_buffer_size()

    @property
    def delayed(self) -> int:
        """Bytes that wait in a lane, of the direction where it is more."""
        return max(lane.queued if lane is not None else 0 for lane in (self._inward, self._outward))

    def flush(self) -> None:
        """Write all output: one write, unless single pieces are too large to be worth a copy."""
        self._awake = False
        connection = self.connection
        pieces = connection.out
        if not pieces or self._closing:
            return
        environment = self.environment
        inspected = self._outward is not None or (
            (environment.faults.active or environment.holds.active) and self._concerned()
        )
        if len(pieces) == 1:
            data = pieces.pop()
        elif connection.bulky and not inspected:
            self._write_bulky(pieces)
            return
        else:
            data = b"".join(pieces)
            pieces.clear()
        if inspected:
            self._send_inspected(data)
        else:
            self._write(data)

    def _write(self, data: bytes) -> None:
        self.bytes_out += len(data)
        if self._tape is not None:
            self._tape.add(OUT, data)
        self._transport.write(data)

    def _write_bulky(self, pieces: list[bytes]) -> None:
        self.bytes_out += (size := sum(map(len, pieces)))
        if self._tape is not None:
            self._tape.add_pieces(OUT, pieces, size)
        write_together(self._transport, pieces)
        self.connection.bulky = False
        pieces.clear()

    # While faults or holds look at each frame.

    def _lane(self, direction: int, forward: Callable[[bytes], object]) -> Lane:
        self._exchanges = exchanges = self._exchanges or Exchanges()
        parts = self.environment.misbehaviour
        return Lane(direction, self.connection, self, forward, parts, exchanges)

    def _dark(self, direction: int) -> bool:
        return self._exchanges is not None and direction in self._exchanges.dark

    def _concerned(self) -> bool:
        """Whether a rule or hold can be about frames of this connection."""
        concern = self._concern
        if concern is None:
            faults, holds = self.environment.faults, self.environment.holds
            concern = Concern(faults, holds, self, self.connection)
            self._concern = concern
        return concern()

    def _receive_inspected(self, data: bytes) -> int:
        lane = self._inward
        if lane is None:
            if not self._concerned():
                return self.connection.receive(data)
            lane = self._inward = self._lane(IN, self._forward_in)
            data = self.connection.take_rest() + data
        elif lane.has_no_say(data):
            return self.connection.receive(data)
        elif lane.idle and not self._concerned():
            self._inward = None
            return self.connection.receive(lane.take_rest() + data)
        if self.connection.unfinished:
            # What passed the lane already comes first.
            self.connection.receive(b"")
        lane.feed(data)
        return lane.pending

    def _forward_in(self, frame: bytes) -> None:
        if self._closing:
            return
        try:
            self.connection.receive(frame)
        except Exception as error:
            self._fail(error, frame)
            return
        self._go_on_later()
        if self.connection.out:
            self.wake()

    def _send_inspected(self, data: bytes) -> None:
        lane = self._outward
        if lane is None:
            lane = self._outward = self._lane(OUT, self._forward_out)
        elif lane.has_no_say(data):
            self._write(data)
            return
        elif lane.idle and not self._concerned():
            self._outward = None
            self._write(data)
            return
        try:
            lane.feed(data)
        except Exception as error:
            self._fail(error, b"")

    def _forward_out(self, frame: bytes) -> None:
        # Also while we close: the last words may be delayed too.
        if not self._transport.is_closing():
            self._write(frame)

    # When something is wrong.

    def _emit(self, event: Event) -> None:
        self.environment.spine.emit(event)

    def _fail(self, error: Exception, data: bytes) -> None:
        """A bug of ours: log it with the last frames, end this connection, disturb nobody else."""
        if self._tape is not None and data:
            self._tape.add(IN, data)
        failed = logged(error, self.protocol, self.id, self.connection.client, self._tape)
        self._emit(failed)
        self.abort(f"a bug of ours: {failed.error}")
