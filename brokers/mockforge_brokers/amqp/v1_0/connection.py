"""A connection of AMQP 1.0: SASL, open, sessions, close (parts 2.4 and 5.3).

It takes over from the one that read the protocol header (connection/connection.py), and speaks for
the same broker: virtual hosts, users and limits are common to both versions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from ...access import Guard
from ...contract import Peer
from ...environment import Environment
from ...errors import ProtocolError
from ...events import ClientIdentified, ProtocolViolated
from ...fairness import Steps
from ...journal import Past, Row, Splitter
from ...misbehaviour.skimming import Skimmer
from ...permissions import escaped
from ..channel.unroutable import Unroutable
from ..connection.blocking import Blocking
from ..connection.flow import Flow
from ..connection.heartbeat import Heartbeat
from ..connection.login import Login
from ..connection.phase import Phase
from ..connection.quotas import Quotas
from ..counting import MethodCounts
from ..events import ConsumerEnded, ConsumerStarted
from ..lint import Lint
from ..options import CR_DEMO, AmqpOptions
from ..state.consumer import Consumer
from ..state.message import Message
from ..state.virtual_host import VirtualHost
from . import misbehaviour
from .closing import CLOSES, Closing
from .failures import (
    FRAMING_ERROR,
    RESOURCE_LIMIT,
    UNAUTHORIZED,
    ConnectionFailed,
    SessionFailed,
)
from .handshake import Handshake
from .links import MAX_MESSAGE, Outgoing
from .rows import Names, past, read_rows
from .session import Session
from .sessions import PROTOCOL, Sessions
from .wire import performatives
from .wire.frames import (
    HEAD_SIZE,
    HEARTBEAT,
    MIN_MAX_FRAME_SIZE,
    head,
)
from .wire.units import FrameSplitter

_BURST: Final = 512 * 1024
"""Bytes of deliveries before they must be written and the loop served."""
_BULKY: Final = 32 * 1024


class Connection:
    """The `Connection` of contract.py for a client that speaks AMQP 1.0."""

    def __init__(
        self,
        peer: Peer,
        environment: Environment,
        options: AmqpOptions,
        vhosts: Mapping[str, VirtualHost],
        quotas: Quotas,
        counts: MethodCounts,
        lint: Lint,
        forget: Callable[[int], object],
    ) -> None:
        self.id = peer.id
        self.counts = counts
        self.peer = peer
        self.out: list[bytes] = []
        self.bulky = False
        self.phase = Phase.HEADER
        self.spine = environment.spine
        self.chores = environment.chores
        self.usage = environment.usage
        self.client = ""
        self.user = ""
        self.impersonates = False
        """It may publish in anybody's name."""
        self.guard: Guard | None = None
        self.vhost = next(iter(vhosts.values()))
        self.max_frame = MIN_MAX_FRAME_SIZE
        self.max_payload = options.frame_max - 8
        self.max_message = min(MAX_MESSAGE, environment.limits.amqp_message)
        self.published = 0
        self.delivered = 0
        self.unroutable = Unroutable(self.spine, self.id, "")
        self.names = Names()
        self.unfinished = False
        self._options = options
        self._lint = lint
        self._turn = environment.turn
        self._clock = environment.clock
        self._login = Login(
            peer,
            environment,
            vhosts,
            quotas,
            "amqp10",
            # Nothing here sends sasl-challenge.
            [each for each in options.mechanisms if each != CR_DEMO],
        )
        self.handshake = Handshake(options, self._login, vhosts, self._say)
        self.blocking = Blocking(self, self.vhost.memory, self._clock, self.out.append)
        self._rest = b""
        self._work: Steps | None = None
        """What a frame asked for and is not done yet: the frames behind it wait."""
        self._outgoing = 0
        self._flow = Flow(self._clock, self._refresh)
        self.set_writable = self._flow.set_writable
        self._beats: Heartbeat | None = None
        self._patience: Heartbeat | None = None
        self.sessions = Sessions(self, self._clock, environment.chores)
        self.closing = Closing(self, self._clock, environment.chores, options, forget)

    # What transport asks (contract.py).

    def receive(self, data: bytes) -> int:
        if self._patience is not None:
            self._patience.quiet = 0
        if self.phase is Phase.ENDED:
            self.unfinished = False
            return 0
        published = self.published
        if self._rest:
            data = self._rest + data
        try:
            taken = self._walk(data)
        except ProtocolError as failure:
            taken = len(data)
            self.closing.fail(failure)
        self._rest = data[taken:]
        self.sessions.finish_burst()
        self.blocking.check(self.published != published)
        return len(self._rest)

    def _walk(self, data: bytes) -> int:
        """Handle what is whole; returns where the rest begins."""
        at, turn = 0, self._turn
        self.unfinished = False
        if self._work is not None:
            if turn.work(self._work):
                self.unfinished = True
                return at
            self._work = None
        while len(data) - at >= HEAD_SIZE and self.phase is not Phase.ENDED:
            if self.unfinished or (at and turn.now() > turn.until):
                self.unfinished = True
                break
            if self.phase is Phase.HEADER:
                self.handshake.header(data[at : at + HEAD_SIZE])
                self.phase = Phase.HANDSHAKE
                at += HEAD_SIZE
                continue
            size, offset, kind, channel = head.unpack_from(data, at)
            self.handshake.check_head(size, offset, kind)
            if len(data) - at < size:
                break
            if size > offset * 4:
                self._frame(channel, data[at + offset * 4 : at + size])
            at += size
        return at

    def begin(self, steps: Steps) -> None:
        """Do what a frame asks for; what there is no time for is done before the next frame."""
        if self._turn.work(steps):
            self._work = steps
            self.unfinished = True

    def stop_working(self) -> None:
        """What is not done yet ends here, and lets dead letters go that waited for it."""
        self._work = None

    def take_rest(self) -> bytes:
        rest, self._rest = self._rest, b""
        return rest

    @property
    def missing(self) -> int:
        # A large transfer comes in frames, none of which says how long all of it is.
        return 0

    expected = missing

    @property
    def incomplete(self) -> int:
        """Bytes of what is not whole yet."""
        return len(self._rest) + self.sessions.incomplete

    def connection_lost(self, reason: str) -> None:
        self.closing.end(reason)

    def shutdown(self) -> None:
        self.closing.shutdown()

    def past(self) -> Past:
        return past(self.client, self.names, self.unroutable)

    def let_go(self) -> None:
        """What sessions that end need of it stays: they may still be at work."""
        self.sessions.let_go()
        self._beats = self._patience = None
        del self.closing, self.handshake, self.blocking, self._flow, self.set_writable

    def splitter(self, direction: int) -> Splitter:
        return FrameSplitter()

    def rows(self, direction: int, frame: bytes) -> list[Row]:
        return read_rows(direction, frame, self.names, self.unroutable)

    def parts(self, rows: list[Row]) -> list[Row]:
        return rows

    def refuse(self, frame: bytes, parts: list[Row], code: int, text: str) -> None:
        if self.phase in (Phase.HANDSHAKE, Phase.OPEN):
            misbehaviour.refuse(self, frame, code, text)

    def skimmer(self, direction: int) -> Skimmer:
        """A frame's place stands in what it follows: each is read."""
        return Skimmer()

    edit = misbehaviour.edit
    glance = staticmethod(misbehaviour.glance)
    body = staticmethod(misbehaviour.body)
    set_fields = staticmethod(misbehaviour.set_fields)
    malformed = None
    repeat = misbehaviour.repeat
    repeated = staticmethod(misbehaviour.repeated)

    def notify_blocked(self, reason: str | None) -> None:
        """AMQP 1.0 has no word for it: the windows of sessions stay shut."""

    # What sessions ask.

    def send(self, frame: bytes) -> None:
        if not self.out:
            self._outgoing = 0
            self.peer.wake()
        self._say(frame)

    def _say(self, frame: bytes) -> None:
        self.out.append(frame)
        # A protocol header and a heartbeat end where a descriptor would begin: 00 53 CODE.
        if len(frame) > HEAD_SIZE:
            self.counts.sent_by_code[frame[HEAD_SIZE + 2]] += 1

    def send_all(self, frames: list[bytes]) -> None:
        """The transfers of one delivery, or some of them."""
        for frame in frames:
            self.send(frame)
            self._outgoing += len(frame)
            self.bulky |= len(frame) > _BULKY
        if self._outgoing > _BURST:
            self._flow.hold_back()

    @property
    def denied(self) -> bool:
        return self._login.denied

    @property
    def flowing(self) -> bool:
        return self._flow.open

    def permit(self, operation: str, kind: str, name: str) -> None:
        """Raise SessionFailed where the user may not do this, as RabbitMQ ends the session."""
        guard, vhost = self.guard, self.vhost.name
        name = name or "amq.default"
        if guard is not None and guard.denial(operation, f"{escaped(vhost)}:{name}"):
            raise SessionFailed(
                UNAUTHORIZED,
                f"{operation} access to {kind} '{name}' in vhost '{vhost}' refused for user "
                f"'{self.user}'",
            )

    def name_link(
        self, channel: int, handle: int, names: tuple[str, str], *, incoming: bool
    ) -> None:
        self.names.add(channel, handle, names, incoming=incoming)

    def consumer_started(self, session: Session, link: Outgoing) -> None:
        queue = link.consumer.queue.name
        self.name_link(session.number, link.handle, (queue, ""), incoming=False)
        self.spine.emit(ConsumerStarted(PROTOCOL, self.id, session.number, queue, link.name))

    def consumer_ended(self, session: Session, consumer: Consumer, reason: str) -> None:
        queue = consumer.queue.name
        self.delivered += consumer.delivered
        self.spine.emit(
            ConsumerEnded(PROTOCOL, self.id, session.number, queue, consumer.tag, reason)
        )

    def lint(self, name: str, what: str) -> None:
        """Report what some release of RabbitMQ does not take (lint.py)."""
        self._lint.report(self.id, self.client, name, what)

    def refused(self, text: str) -> None:
        """What a client asked for cannot be: people see it though the connection lives on."""
        self.spine.emit(ProtocolViolated(PROTOCOL, self.id, self.client, text))

    # What the broker asks.

    @property
    def consumers_time_out(self) -> bool:
        return self._options.profile.later_consumers_time_out

    @property
    def channel_count(self) -> int:
        return len(self.sessions.open)

    def renew_guard(self) -> None:
        if self.user:
            self.guard = self._login.guard(self.client, self.user)

    def unacked(self) -> list[Message]:
        return self.sessions.unacked()

    def close(self, code: int, text: str) -> None:
        self.closing.close(code, text)

    def stop_beating(self) -> None:
        for heartbeat in (self._beats, self._patience):
            if heartbeat is not None:
                heartbeat.stop()

    # Frames.

    def _frame(self, channel: int, body: bytes) -> None:
        found, end = performatives.read(body)
        self.counts.performatives[found.name] += 1
        handshake = self.handshake
        if handshake.sasl:
            handshake.authenticate(found)
            self.phase = Phase.HEADER
        elif found.name == "close":
            self.closing.closed_by_client(found)
        elif self.phase in CLOSES:
            return
        elif channel > handshake.channel_max:
            raise ConnectionFailed(
                FRAMING_ERROR,
                f"channel number ({channel}) exceeds maximum channel number "
                f"({handshake.channel_max})",
            )
        elif self.phase is Phase.HANDSHAKE:
            handshake.open(found)
            self._opened()
        else:
            self.sessions.receive(channel, found, body[end:])

    def _opened(self) -> None:
        handshake = self.handshake
        self.closing.stop_waiting()
        self.phase = Phase.OPEN
        self.user = handshake.user
        self.impersonates = self._login.impersonates
        self.client = self.unroutable.client = handshake.container
        self.vhost = self._login.open(handshake.vhost)
        self.max_frame = handshake.max_frame
        self.renew_guard()
        if handshake.idle:
            self._beats = Heartbeat(self._clock, handshake.idle, self._beat, _nothing, _never)
        self._patience = Heartbeat(
            self._clock, self._options.heartbeat, _nothing, self._silent, self._listening
        )
        self.spine.emit(ClientIdentified(PROTOCOL, self.id, self.client, handshake.software))

    def _refresh(self) -> None:
        self.sessions.refresh()
        self.vhost.memory.settle()

    def _beat(self) -> None:
        self.send(HEARTBEAT)

    def _listening(self) -> bool:
        return self._flow.writable and not self.blocking.blocked

    def _silent(self) -> None:
        text = "no frame received from client within idle timeout threshold"
        self.closing.fail(ConnectionFailed(RESOURCE_LIMIT, text))


def _nothing() -> None:
    """Two clocks: we beat as often as the client asks, and wait as long as we said."""


def _never() -> bool:
    return False
