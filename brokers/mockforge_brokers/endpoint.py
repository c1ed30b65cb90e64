"""One socket: hands on what it reads, writes once for each burst, and knows how it may end.

Three ends are apart. `_lost`: the protocol's connection is over and knows it; whatever it
parked has no effect any more. `closing`: nothing more is read from or written by it; the same
moment but for a refused socket, which never had a connection. The socket's own end
(`connection_lost` of asyncio) may come much later: answers still go out, a lane may delay the last
of them, and `HangUp` waits for the peer's end so that no reset destroys what it has not read.
"""

import asyncio
from collections.abc import Callable
from typing import Final, cast

from .accepting import Accepting
from .access import Principal
from .bugs import logged
from .bulk import only_by_transport, read_now
from .contract import Connection, origin_of
from .events import (
    ClientBehindProxy,
    ConnectionClosed,
    ConnectionOpened,
)
from .fairness import FULL, SMALL
from .flow import Flow
from .hangup import HangUp, local_address, peer_address, reset, why_lost
from .journal import IN, OUT, Origin, Tape
from .lanes import Lanes
from .listener import Listener
from .misbehaviour.skimming import UNSETTLED
from .snapshots import ConnectionView
from .turns import CROWD, FEW

_NOBODY: Final = Principal()
_LARGE: Final = 64 * 1024
"""What a frame lacks that is worth a system call of our own, or a read that is written at once."""
_AT_ONCE: Final = 1024 * 1024
"""Bytes that are read so at most: others wait meanwhile."""
_HEAD: Final = 4096
"""Bytes that are read behind a large frame, to see whether another one follows."""


class Endpoint(Flow):
    """One socket with its connection; also the `Peer` that the connection talks to."""

    __slots__ = (
        "_close_reason",
        "_hangup",
        "_last",
        "_local",
        "_outer",
        "address",
        "bytes_in",
        "id",
        "listener",
        "opened",
        "principal",
    )

    def __init__(
        self, server: Accepting, listener: Listener, local: tuple[str, int] | None = None
    ) -> None:
        """`local`: what its client dialled, where all of this listener dial the same."""
        # Here and below not by super(), which costs each connection as much as all that they set.
        Flow.__init__(self, server)
        self.listener = listener
        self.id = 0
        self.address = ""
        self._local = local
        self.opened = 0.0
        self.principal = _NOBODY
        self.bytes_in = 0
        self._last: ConnectionView | None = None
        self._outer: Tape | None = None
        """Of the frames around this connection's bytes, on a WebSocket."""
        self._close_reason = ""
        self._hangup: HangUp | None = None

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport = cast("asyncio.Transport", transport)
        self._by_transport = only_by_transport(transport)
        server, environment = self.server, self.environment
        if len(server.endpoints) >= environment.limits.connections:
            server.refuse(transport)
            self.closing = True
            return
        self.id = environment.next_connection()
        self.address = peer_address(transport)
        self.opened = environment.clock.wall()
        transport.set_write_buffer_limits(high=environment.limits.write_mark)
        self.connection = connection = server.broker.connect(self)
        protocol = server.broker.protocol
        if environment.journal is not None:
            self._tape = environment.journal.open(protocol, self.id, connection, self)
        server.endpoints[self.id] = self
        environment.spine.emit(ConnectionOpened(protocol, self.id, self.address))
        if environment.faults.active:
            (self.lanes or self.inspect()).open()

    def data_received(self, data: bytes) -> None:
        if self.closing:
            return
        count = len(data)
        self.bytes_in += count
        # What waits keeps its order. Small reads go at once however crowded it is: pings and single
        # messages are not to wait behind floods.
        if self._later is not None or (count > SMALL and self.server.backlog.crowded()):
            self._wait(data)
            return
        bursts = self.server.bursts
        bursts.left -= 1
        if bursts.left <= 0:
            self._measure(data)
        elif self.server.turns.answers.gathering:
            self.handle_of_many(data)
        else:
            self.handle(data)
        if count > SMALL:
            connection = self.connection
            if connection.missing >= _LARGE or (count >= FULL and connection.expected >= _LARGE):
                self._read_on()

    def _read_on(self) -> None:
        """Read what a large frame lacks past the loop, in one piece, and such as follow it.

        What the loop reads goes through a buffer of its own, and comes in many pieces.
        """
        self.server.turns.answers.write()
        while True:
            # Where somebody wants nothing read, or the turn is up, the loop goes on in its time.
            if (
                self._raw_descriptor() < 0
                or self.paused
                or self.closing
                or self.transport.is_closing()
                or self.server.backlog.crowded()
            ):
                return
            connection = self.connection
            lacks, most = connection.missing, connection.expected
            most = min(lacks or (most if most >= _LARGE else _HEAD), _AT_ONCE)
            try:
                data = read_now(self._descriptor, most)
            except OSError as error:
                # The system says it once: the loop would be told that the peer has ended in order.
                self.abort(why_lost(error))
                return
            # The end of what comes is told the loop, too.
            if not data:
                return
            self.bytes_in += len(data)
            if len(data) < lacks and self.lanes is None and not self.environment.in_force.active:
                self._add_part(data)
                continue
            self.handle(data)
            if self.closing:
                return
            missing = self.connection.missing
            # Nothing large follows, or of what may nothing more is there.
            if (most == _HEAD and missing < _LARGE) or (not missing and len(data) < most):
                return

    def _add_part(self, data: bytes) -> None:
        """As `handle`, of what does not make a frame whole: nothing comes of it yet."""
        try:
            tail = self.connection.receive(data)
        except Exception as error:
            self.fail(error, data)
            return
        if self._tape is not None:
            self._tape.add(IN, data, tail)

    def _measure(self, data: bytes) -> None:
        now = self.environment.turn.now
        begun = now()
        if self.server.turns.answers.gathering:
            self.handle_of_many(data)
        else:
            self.handle(data)
        self.server.bursts.add(now() - begun)

    def handle(self, data: bytes) -> None:
        environment, turns = self.environment, self.server.turns
        turn = environment.turn
        # As turn.begin(), written out: this is on the way of each message.
        begun = turn.now()
        turn.until = begun + turn.length
        if turns.crowd <= FEW:
            self.server.poll.burst(begun, self.id)
        turns.speaking = self
        lanes = self.lanes
        try:
            if (
                lanes is None
                and environment.in_force.active
                and self.cleared != environment.in_force.version
            ):
                lanes = self.look_again()
            # As `Skimmer.passes`, written out, too.
            if lanes is None or (
                (skims := lanes.skims_in).version == environment.in_force.version
                and (
                    (
                        len(data) == skims.size
                        and data.startswith(skims.head)
                        and (not skims.tail or data.startswith(skims.tail, skims.tail_at))
                    )
                    or skims.skim(data)
                )
            ):
                tail = self.connection.receive(data)
            else:
                tail = lanes.receive(data)
        except Exception as error:
            turns.speaking = None
            self.fail(error, data)
            if not turns.armed:
                turns.others(at_once=False)
            return
        connection = self.connection
        if connection.unfinished:
            self._go_on_later()
        turns.speaking = None
        # What others gave it to write is on its way already, and this goes with it.
        if connection.out and not self._awake:
            self._answer(data, tail)
        elif self._tape is not None and data:
            self._tape.add(IN, data, tail)
        if turns.waiting and (turns.crowd <= CROWD or not turns.armed):
            turns.heard(self, len(data))

    def _answer(self, data: bytes, tail: int) -> None:
        """Write what these bytes gave the connection to say, and keep both for who looks."""
        # At once while this turn of the loop has time, else with all others at its end.
        turns = self.server.turns
        if turns.crowd > CROWD and turns.armed:
            # As below, where it is known that nobody is answered at once.
            turns.answers.gather()
            if self._tape is not None and data:
                self._tape.add(IN, data, tail)
            self._awake = True
            turns.waiting.append(self)
            return
        connection = self.connection
        at_once = turns.may_answer(self)
        if at_once and data and not (tail or connection.bulky or self.closing):
            # As `flush`, for whole frames with an answer that nothing could stop: as most are where
            # a client waits for each answer. What it does not wait for comes behind the write.
            pieces = connection.out
            answer = pieces[0] if len(pieces) == 1 else b"".join(pieces)
            if (self.lanes is None and not self.environment.in_force.active) or self._past(answer):
                pieces.clear()
                if self._by_transport:
                    self.transport.write(answer)
                else:
                    self._write_data(answer)
                self.bytes_out += len(answer)
                if self._tape is not None:
                    self._tape.add_exchange(data, answer)
                return
            # Joined already, for `flush` below.
            pieces[:] = (answer,)
        if self._tape is not None and data:
            self._tape.add(IN, data, tail)
        if at_once:
            self.flush()
        else:
            # As `wake`, whose questions are answered.
            self._awake = True
            turns.flush_soon(self)

    def _past(self, answer: bytes) -> bool:
        """Whether no rule is about an answer, and nothing waits that it would overtake."""
        lanes, version = self.lanes, self.environment.in_force.version
        if lanes is None:
            return self.cleared == version
        return lanes.skims_out.passes(answer, version)

    def eof_received(self) -> bool:
        later = self._later
        if later is not None:
            if not (later.pauses or self.closing) and self.transport.can_write_eof():
                # Its end waits with it: what it sent before it left holds nobody up.
                later.ended = True
                return True
            self.catch_up()
        return self._has_left()

    def _has_left(self) -> bool:
        """All that the client sent is handled; whether nobody is to be told yet that it left."""
        if (
            not self.closing
            and (self.lanes is not None or self.environment.in_force.active)
            and self._end_is_withheld()
        ):
            return True
        self._follow()
        return False

    def _end_is_withheld(self) -> bool:
        """Whether a rule has it that its end is not seen, or not yet."""
        if self._dark(IN):
            # The end of its bytes is lost as they are.
            return True
        # What it sent before it left is delayed or held, and still has its effect.
        return self.transport.can_write_eof() and self._waits(IN, self._follow)

    def catch_up(self) -> None:
        """Handle all that came: a layer below us tells of its end before that had its turns."""
        while self._later is not None and self._later.work():
            pass

    def _follow(self) -> None:
        """The client left, and the last of its frames is handled."""
        self.flush_now()
        self._lose("the client closed the connection")
        if self.transport.get_write_buffer_size():
            self._hang_up()
        else:
            self.transport.close()

    def origin(self) -> Origin:
        return origin_of(self)

    def locate(self, address: str) -> None:
        """A proxy in front of it says where it is."""
        proxy, self.address = self.address, address
        event = ClientBehindProxy(self.protocol, self.id, address, proxy)
        self.environment.spine.emit(event)

    def identify(self, principal: Principal) -> None:
        self.principal = principal
        # Rules may be about it that were not before.
        self.cleared = UNSETTLED
        if self.lanes is not None:
            self.lanes.unsettle()

    def framed(self, direction: int, heads: bytes) -> None:
        """A WebSocket below us passed frames with these heads."""
        journal = self.environment.journal
        if journal is None or not self.id:
            return
        if self._outer is None:
            from .outer_frames import OuterFrames

            owner = OuterFrames(lambda: self.connection.client)
            self._outer = journal.open(self.protocol, self.id, owner, self)
        self._outer.add(direction, heads)

    def connection_lost(self, exc: Exception | None) -> None:
        # One that was refused as one too many.
        if not self.id:
            return
        if not self._lost:
            self._lose(why_lost(exc))
        self.server.endpoints.pop(self.id, None)
        if self._hangup is not None:
            self._hangup.end()
        if self.lanes is not None:
            self.lanes.end()
        if self._outer is not None:
            self._end_outer(self._outer)
        if self._tape is not None:
            self._tape.end(self.connection.past())
        self.server.forget(self)
        self.connection.let_go()
        # The two know each other, too.
        del self.connection

    def _end_outer(self, tape: Tape) -> None:
        from .outer_frames import OuterFrames

        client = self.connection.client
        tape.end(OuterFrames(lambda: client).past(), self._tape)

    # What the connection calls: the Peer of contract.py.

    @property
    def local(self) -> tuple[str, int]:
        # Few ask, and the system has to be asked.
        if self._local is None:
            self._local = local_address(self.transport)
        return self._local

    @property
    def node(self) -> str:
        return self.transport.get_extra_info("node") or ""

    def become(self, connection: Connection) -> None:
        self.connection = connection
        if self._tape is not None:
            self._tape.owner = connection
        if self.lanes is not None:
            self.lanes.adopt(connection)

    def close(self, reason: str) -> None:
        if self.closing:
            return
        self.flush_now()
        self._lose(reason)
        self._end_in_order()

    def _end_in_order(self) -> None:
        if self._dark(OUT):
            return  # Nor does our end arrive; the rule's end resets the connection.
        if not self._waits(OUT, self._hang_up):
            self._hang_up()

    def work(self, call: Callable[[], object]) -> None:
        try:
            call()
        except Exception as error:
            self.fail(error, b"")

    def abort(self, reason: str) -> None:
        reset(self.transport)
        self._lose(reason)

    def leaving(self, reason: str) -> None:
        self._close_reason = self._close_reason or reason

    def ending(self) -> None:
        if self._last is None:
            try:
                self._last = self.server.broker.connection(self.id)
            except Exception as error:
                self.fail(error, b"")

    def _lose(self, reason: str) -> None:
        """The connection is over, whoever ended it: nothing of it takes effect from here on.

        What was written before may still be on its way, and the socket may live on for a while.
        """
        self.closing = True
        self.server.turns.answers.write()
        if self._lost:
            return
        self._lost = True
        self.ending()
        reason = self._close_reason or reason
        if self.lanes is not None:
            self.lanes.end_inward()
        try:
            self.connection.connection_lost(reason)
        except Exception as error:
            self.fail(error, b"")
        environment = self.environment
        if self._last is not None:
            environment.ended.add(self._last, reason)
        protocol = self.server.broker.protocol
        environment.spine.emit(ConnectionClosed(protocol, self.id, self.connection.client, reason))

    def shut_down(self) -> None:
        """The broker ends."""
        if not self._lost:
            self.connection.shutdown()
            self.close("the broker ended")

    def _hang_up(self) -> None:
        self._hangup = HangUp(self.transport, self.server.call_later)
        self._hangup.begin()

    # What its parts call: lanes, and bytes that wait for another turn.

    def inspect(self) -> Lanes:
        self.lanes = lanes = Lanes(self)
        return lanes

    def forward_in(self, frame: bytes) -> None:
        if self.closing:
            return
        try:
            self.connection.receive(frame)
        except Exception as error:
            self.fail(error, frame)
            return
        self._go_on_later()
        if self.connection.out:
            self.wake()

    # When something is wrong.

    def fail(self, error: Exception, data: bytes) -> None:
        self.server.turns.answers.write()
        if self._tape is not None and data:
            self._tape.add(IN, data)
        failed = logged(error, self.protocol, self.id, self.connection.client, self._tape)
        self._emit(failed)
        self.abort(f"a bug of ours: {failed.error}")
