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
from ...errors import ProtocolError, RequestRefused
from ...events import ClientIdentified, ProtocolViolated
from ...fairness import Steps
from ...journal import Past, Row, Splitter
from ...misbehaviour.skimming import Skim
from ..channel.unroutable import Unroutable
from ..codes import ReplyCode
from ..connection.blocking import Blocking
from ..connection.flow import Flow
from ..connection.heartbeat import Heartbeat
from ..connection.login import Login
from ..connection.phase import Phase
from ..connection.quotas import Quotas
from ..events import ChannelClosed, ChannelOpened, ConsumerEnded, ConsumerStarted
from ..options import AmqpOptions
from ..state.consumer import Consumer
from ..state.message import Message
from ..state.virtual_host import VirtualHost
from . import misbehaviour
from .failures import (
    DECODE_ERROR,
    FRAMING_ERROR,
    INTERNAL_ERROR,
    RESOURCE_LIMIT,
    UNAUTHORIZED,
    ConnectionFailed,
    Failed,
    SessionFailed,
    Unreadable,
    as_failure,
    condition_of,
)
from .handshake import Handshake
from .links import Outgoing
from .rows import Names, past, rows
from .session import Session
from .wire import performatives
from .wire.frames import (
    HEAD_SIZE,
    HEARTBEAT,
    MIN_MAX_FRAME_SIZE,
    head,
    performative,
)
from .wire.performatives import Composite
from .wire.units import FrameSplitter

PROTOCOL: Final = "amqp"
_BURST: Final = 512 * 1024
"""Bytes of deliveries before they must be written and the loop served."""
_BULKY: Final = 32 * 1024
_CLOSES: Final = (Phase.CLOSING, Phase.CLOSED)


class Connection:
    """The `Connection` of contract.py for a client that speaks AMQP 1.0."""

    def __init__(
        self,
        peer: Peer,
        environment: Environment,
        options: AmqpOptions,
        vhosts: Mapping[str, VirtualHost],
        quotas: Quotas,
        gone: Callable[[int], object],
    ) -> None:
        self.id = peer.id
        self.peer = peer
        self.out: list[bytes] = []
        self.bulky = False
        self.phase = Phase.HEADER
        self.spine = environment.spine
        self.client = ""
        self.user = ""
        self.guard: Guard | None = None
        self.vhost = next(iter(vhosts.values()))
        self.sessions: dict[int, Session] = {}
        self.max_frame = MIN_MAX_FRAME_SIZE
        self.max_payload = options.frame_max - 8
        self.published = 0
        self.delivered = 0
        self.unroutable = Unroutable(self.spine, self.id, "")
        self.names = Names()
        self.unfinished = False
        self._options = options
        self._vhosts = vhosts
        self._gone = gone
        self._chores = environment.chores
        self._turn = environment.turn
        self._clock = environment.clock
        self._login = Login(peer, environment, vhosts, quotas)
        self.handshake = Handshake(options, self._login, vhosts, self.out.append)
        self.blocking = Blocking(self, self.vhost.memory)
        self._rest = b""
        self._outgoing = 0
        self._flow = Flow(self._clock, self._refresh)
        self.set_writable = self._flow.set_writable
        self._beats: Heartbeat | None = None
        self._patience: Heartbeat | None = None
        self._timer = self._clock.call_later(options.handshake_timeout, self._too_slow)

    # What transport asks (contract.py).

    def receive(self, data: bytes) -> int:
        if self._patience is not None:
            self._patience.seen()
        if self.phase is Phase.ENDED:
            return 0
        if self._rest:
            data = self._rest + data
        try:
            taken = self._walk(data)
        except ProtocolError as failure:
            taken = len(data)
            self._fail(failure)
        self._rest = data[taken:]
        for session in tuple(self.sessions.values()):
            session.finish_burst()
        self.blocking.check(self.published)
        return len(self._rest)

    def _walk(self, data: bytes) -> int:
        """Handle what is whole; returns where the rest begins."""
        at, turn = 0, self._turn
        self.unfinished = False
        while len(data) - at >= HEAD_SIZE and self.phase is not Phase.ENDED:
            if at and turn.now() > turn.until:
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

    def take_rest(self) -> bytes:
        rest, self._rest = self._rest, b""
        return rest

    @property
    def incomplete(self) -> int:
        """Bytes of what is not whole yet."""
        partial = (
            link.partial.size
            for session in self.sessions.values()
            for link in session.incoming.values()
            if link.partial is not None
        )
        return len(self._rest) + sum(partial)

    def connection_lost(self, reason: str) -> None:
        self._end(reason)

    def shutdown(self) -> None:
        if self.phase is Phase.OPEN:
            self._say_close(_forced("shutdown"))
        self._end("the broker ended")
        self.peer.close("the broker ended")

    def past(self) -> Past:
        return past(self.client, self.names, self.unroutable)

    def splitter(self, direction: int) -> Splitter:
        return FrameSplitter()

    def rows(self, direction: int, frame: bytes) -> list[Row]:
        return rows(self.names, self.unroutable, direction, frame)

    def parts(self, rows: list[Row]) -> list[Row]:
        return rows

    def refuse(self, frame: bytes, parts: list[Row], code: int, text: str) -> None:
        if self.phase in (Phase.HANDSHAKE, Phase.OPEN):
            misbehaviour.refuse(self, frame, code, text)

    def skimmer(self, direction: int) -> Skim:
        return misbehaviour.skim

    edit = misbehaviour.edit
    glance = staticmethod(misbehaviour.glance)
    body = staticmethod(misbehaviour.body)
    set_fields = staticmethod(misbehaviour.set_fields)
    repeat = misbehaviour.repeat
    repeated = staticmethod(misbehaviour.repeated)

    def notify_blocked(self, reason: str | None) -> None:
        """AMQP 1.0 has no word for it: the windows of sessions stay shut."""

    # What sessions ask.

    def send(self, frame: bytes) -> None:
        if not self.out:
            self._outgoing = 0
            self.peer.wake()
        self.out.append(frame)

    def send_all(self, frames: list[bytes]) -> None:
        """The transfers of one delivery, or some of them."""
        for frame in frames:
            self.send(frame)
            self._outgoing += len(frame)
            self.bulky |= len(frame) > _BULKY
        if self._outgoing > _BURST:
            self._flow.hold_back()

    @property
    def flowing(self) -> bool:
        return self._flow.open

    def permit(self, operation: str, kind: str, name: str) -> None:
        """Raise SessionFailed where the user may not do this, as RabbitMQ ends the session."""
        guard, vhost = self.guard, self.vhost.name
        name = name or "amq.default"
        if guard is not None and guard.denial(operation, f"{vhost}:{name}"):
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

    def refused(self, text: str) -> None:
        """What a client asked for cannot be: people see it though the connection lives on."""
        self.spine.emit(ProtocolViolated(PROTOCOL, self.id, self.client, text))

    # What the broker asks.

    @property
    def consumers_time_out(self) -> bool:
        return self._options.profile.later_consumers_time_out

    @property
    def channel_count(self) -> int:
        return len(self.sessions)

    def renew_guard(self) -> None:
        if self.user:
            self.guard = self._login.guard(self.client, self.user)

    def unacked(self) -> list[Message]:
        return [each for session in self.sessions.values() for each in session.unacked()]

    def close(self, code: int, text: str) -> None:
        """End it in the name of a person; the client has its time to answer."""
        if self.phase is not Phase.OPEN:
            if self.phase is not Phase.ENDED:
                self.peer.close(text)
            return
        self.close_failed(
            _forced(text) if code == ReplyCode.CONNECTION_FORCED else _failed(code, text)
        )

    # Frames.

    def _frame(self, channel: int, body: bytes) -> None:
        found, end = performatives.read(body)
        handshake = self.handshake
        if handshake.sasl:
            handshake.authenticate(found)
            self.phase = Phase.HEADER
        elif found.name == "close":
            self._closed_by_client(found)
        elif self.phase in _CLOSES:
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
            self._of_session(channel, found, body[end:])

    def _opened(self) -> None:
        handshake = self.handshake
        self._timer.cancel()
        self.phase = Phase.OPEN
        self.user = handshake.user
        self.client = self.unroutable.client = handshake.container
        self.vhost = self._vhosts[handshake.vhost]
        self.max_frame = handshake.max_frame
        self.renew_guard()
        if handshake.idle:
            self._beats = Heartbeat(self._clock, handshake.idle, self._beat, _nothing, _never)
        self._patience = Heartbeat(
            self._clock, self._options.heartbeat, _nothing, self._silent, self._listening
        )
        self.spine.emit(ClientIdentified(PROTOCOL, self.id, self.client, handshake.software))

    # Sessions.

    def _of_session(self, channel: int, found: Composite, payload: bytes) -> None:
        session = self.sessions.get(channel)
        if session is None:
            if found.name == "begin":
                self._begin(channel, found)
            return
        if found.name == "end":
            session.finish_burst()
            self._end_session(session, "ended by the client")
            session.reply("end")
            return
        try:
            session.receive(found, payload)
        except (SessionFailed, RequestRefused) as failed:
            self.fail_session(session, failed)

    def fail_session(self, session: Session, failed: SessionFailed | RequestRefused) -> None:
        failure = as_failure(SessionFailed, failed)
        self.refused(failure.text)
        session.finish_burst()
        self._end_session(session, failure.text, code=failed.code or ReplyCode.CHANNEL_ERROR)
        session.reply("end", error=failure.error)

    def fail_soon(self, session: Session, failed: SessionFailed) -> None:
        """As `fail_session`, in a turn of its own."""

        def fail() -> None:
            if self.sessions.get(session.number) is session:
                self.fail_session(session, failed)

        self._clock.call_later(0, fail)

    def _begin(self, channel: int, found: Composite) -> None:
        if found.get("remote_channel") is not None:
            text = "begin answers none of ours: its remote-channel must not be set (2.7.2)"
            raise ConnectionFailed(INTERNAL_ERROR, text)
        session = self.sessions[channel] = Session(self, channel, found)
        session.begin()
        self.spine.emit(ChannelOpened(PROTOCOL, self.id, channel))

    def _end_session(
        self, session: Session, reason: str, code: int = ReplyCode.REPLY_SUCCESS
    ) -> None:
        del self.sessions[session.number]
        session.stop()
        self._chores.do(session.ending(reason))
        self.spine.emit(ChannelClosed(PROTOCOL, self.id, session.number, code, reason))

    def _refresh(self) -> None:
        for session in tuple(self.sessions.values()):
            if self.flowing:
                session.resume()
            else:
                session.pause()
        self.vhost.memory.settle()

    # Ends.

    def _fail(self, failure: ProtocolError) -> None:
        if self.phase in _CLOSES:
            return
        self.refused(failure.text)
        if self.phase is Phase.OPEN or (self.phase is Phase.HANDSHAKE and not self.handshake.sasl):
            failed = failure if isinstance(failure, Failed) else None
            if failed is not None or not isinstance(failure, Unreadable):
                self.close_failed(failed or ConnectionFailed(DECODE_ERROR, failure.text))
                return
        self._end(failure.text)
        self.peer.close(failure.text)

    def close_failed(self, failed: Failed) -> None:
        """Send close and wait for its answer."""
        self._say_close(failed)
        self._end_sessions(failed.text)
        self.phase = Phase.CLOSING
        self._arm(self._options.closing_time, lambda: self.peer.close(failed.text))

    def _say_close(self, failed: Failed) -> None:
        self.send(performative(0, "close", error=failed.error))

    def _closed_by_client(self, found: Composite) -> None:
        if self.phase is Phase.CLOSING:
            self._end("closed")
            self.peer.close("closed")
            return
        given = found.get("error")
        text = f": {given.get('condition')} {given.get('description', '')}" if given else ""
        reason = f"closed by the client{text}"
        self._end_sessions(reason)
        self.send(performative(0, "close"))
        self.phase = Phase.CLOSED
        self.peer.leaving(reason)
        self._arm(self._options.closing_time, lambda: self.peer.close(reason))

    def _end(self, reason: str) -> None:
        self.phase = Phase.ENDED
        self._timer.cancel()
        self._end_sessions(reason)
        self._gone(self.id)

    def _end_sessions(self, reason: str) -> None:
        """Requeue, end consumers, delete exclusive queues: at once, before the next client."""
        self.peer.ending()
        for heartbeat in (self._beats, self._patience):
            if heartbeat is not None:
                heartbeat.stop()
        self.blocking.end()
        for session in self.sessions.values():
            session.stop()
        self._chores.do(self._ending(reason))

    def _ending(self, reason: str) -> Steps:
        while self.sessions:
            _, session = self.sessions.popitem()
            yield from session.ending(reason)
        yield from self.vhost.ending_exclusive(self.id)

    def _arm(self, delay: float, callback: Callable[[], object]) -> None:
        self._timer.cancel()
        self._timer = self._clock.call_later(delay, callback)

    def _too_slow(self) -> None:
        text = f"AMQP 1.0 was not open within {self._options.handshake_timeout:g} s"
        self.refused(text)
        self.peer.abort(text)

    def _beat(self) -> None:
        self.send(HEARTBEAT)

    def _listening(self) -> bool:
        return self._flow.writable and not self.blocking.blocked

    def _silent(self) -> None:
        self._fail(
            ConnectionFailed(
                RESOURCE_LIMIT, "no frame received from client within idle timeout threshold"
            )
        )


def _nothing() -> None:
    """Two clocks: we beat as often as the client asks, and wait as long as we said."""


def _never() -> bool:
    return False


def _forced(reason: str) -> ConnectionFailed:
    """RabbitMQ's words for a connection that an operator or its own end closes."""
    return ConnectionFailed(INTERNAL_ERROR, f'Connection forced: "{reason}"')


def _failed(code: int, text: str) -> ConnectionFailed:
    return ConnectionFailed(condition_of(code), text)
