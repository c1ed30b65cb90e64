"""One client's connection: its phases, its part of flow control, and its end."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

from ...access import Guard
from ...contract import Peer
from ...environment import Environment
from ...errors import ProtocolError
from ...events import ClientIdentified
from ...first_bytes import misdirected
from ...journal import Past, Row, Splitter
from ...misbehaviour.skimming import ShapeSkimmer, Skimmer
from .. import misbehaviour
from ..channel.channel import Channel
from ..channel.publishing import Publishing
from ..channel.unroutable import Unroutable
from ..codes import ReplyCode
from ..counting import MethodCounts
from ..events import AMQP
from ..lint import Lint
from ..options import AmqpOptions
from ..state.consumer import Consumer
from ..state.message import Message
from ..state.virtual_host import VirtualHost
from ..wire.frames import (
    HEAD_SIZE,
    HEARTBEAT_FRAME,
    LATER_HEADERS,
    METHOD,
    PROTOCOL_HEADER,
    SASL_HEADER,
    method,
)
from ..wire.units import UnitSplitter
from ..wire.version_0_8 import OLD_VERSION, VERSIONS, modern, old_method
from . import journaling
from .blocking import Blocking
from .burst import BurstReader
from .channels import Channels
from .closing import Closing
from .failures import (
    MethodFailed,
    Refused,
    read_method,
    unexpected_frame,
)
from .flow import Flow
from .handshake import Handshake
from .heartbeat import Heartbeat
from .login import Login
from .phase import Phase
from .quotas import Quotas
from .unread import Unread

_MUCH: Final = 1024 * 1024
"""Bytes of large messages that may follow."""
_FEW: Final = 64
"""Messages of one full read that are large: they cost more to read than to handle."""
_OPEN_OK: Final = method(0, "connection.open-ok")
_CLOSES: Final = (Phase.CLOSING, Phase.CLOSED)
# Looked up for each read: a member of an enumeration costs as much as several calls.
_HEADER: Final = Phase.HEADER
_HANDSHAKE: Final = Phase.HANDSHAKE
_OPEN: Final = Phase.OPEN
_ENDED: Final = Phase.ENDED


class Connection:
    """The `Connection` of contract.py and the `Line` of its channels."""

    __slots__ = (
        "_clock",
        "_closing",
        "_flow",
        "_later_version",
        "_listeners",
        "_login",
        "_memory",
        "_published",
        "_queue_names",
        "_unread",
        "agreement",
        "begin",
        "blocking",
        "bulky",
        "channels",
        "chores",
        "client",
        "connection_lost",
        "counts",
        "guard",
        "handshake",
        "heartbeat",
        "hold_back",
        "id",
        "lint",
        "max_payload",
        "method_frame",
        "out",
        "outgoing",
        "peer",
        "phase",
        "reader",
        "refilled",
        "relieved",
        "set_writable",
        "shutdown",
        "spine",
        "take_rest",
        "unconfirmed",
        "unroutable",
        "unserved",
        "user",
        "vhost",
    )

    def __init__(
        self,
        peer: Peer,
        environment: Environment,
        options: AmqpOptions,
        vhosts: Mapping[str, VirtualHost],
        quotas: Quotas,
        lint: Lint,
        counts: MethodCounts,
        forget: Callable[[int], object],
        later_version: Callable[[Peer, bytes], int],
    ) -> None:
        self.id, self.lint, self.counts = peer.id, lint, counts
        self.peer = peer
        self.out: list[bytes] = []
        self.bulky = False
        self.outgoing = 0
        self.refilled: list[Consumer] = []
        self.relieved: list[Channel] = []
        self.unconfirmed: list[Publishing] = []
        self.phase = _HEADER
        self.spine = environment.spine
        self.chores = environment.chores
        self.unserved = environment.unserved
        self.unroutable = Unroutable(self.spine, self.id, "")
        self.client = ""
        self.user = ""
        self.vhost = next(iter(vhosts.values()))
        self.guard: Guard | None = None
        self._login = Login(peer, environment, vhosts, quotas, mechanisms=options.mechanisms)
        self.handshake = Handshake(options, self._login, self.say, self._found)
        self.agreement = self.handshake.agreement
        self.max_payload = self.handshake.max_payload
        self.channels = Channels(self, environment.limits.amqp_message, environment.usage, quotas)
        self.reader = BurstReader(self.channels, self._frame, environment.turn)
        self.begin = self.reader.begin
        self._clock = environment.clock
        self._listeners = environment.listeners
        self._later_version = later_version
        self._memory = self.vhost.memory
        self._published = 0
        self.blocking = Blocking(self, self._memory, self._clock, self.say)
        self._unread = Unread()
        self.take_rest = self._unread.take
        self._flow = Flow(self._clock, self._refresh)
        self.hold_back = self._flow.hold_back
        self.set_writable = self._flow.set_writable
        self.method_frame = method
        self._queue_names: dict[str, str] = {}
        self.heartbeat: Heartbeat | None = None
        self._closing = Closing(self, self._clock, options, forget)
        self.connection_lost, self.shutdown = self._closing.end, self._closing.shutdown

    # What transport asks (contract.py).

    def receive(self, data: bytes) -> int:
        if self.heartbeat is not None:
            self.heartbeat.quiet = 0
        # Who is deaf is no longer open.
        if self.phase is not _OPEN and (self.phase is _ENDED or self._closing.deaf):
            return 0
        at = 0
        unread, reader, memory = self._unread, self.reader, self._memory
        # As RabbitMQ: who only consumes goes on, and the first publish of others is not read.
        reader.holding = memory.used > memory.mark
        self._published = published = self.channels.publishes
        if unread.size:
            if len(data) < unread.missing:
                unread.keep(data, 0, unread.missing - len(data))
                return self.incomplete
            data, at = self._complete(data)
        taken = self._take(data, at)
        if taken < len(data):
            # What was not its turn yet lacks nothing.
            missing = 0 if reader.unfinished or reader.held else reader.missing(data, taken)
            unread.keep(data, taken, missing)
        if self.unconfirmed or self.refilled or self.relieved:
            self._finish_burst()
        if memory.used > memory.mark or memory.waiting:
            self.blocking.check(reader.held or self.channels.publishes != published)
            reader.held = False
        return unread.size + self.channels.incomplete

    def _take(self, data: bytes, at: int, *, failed: bool = False) -> int:
        """Handle what is whole from `at` on; returns where the rest begins.

        Behind an error the frames go on, or the answer to our close would not be found among them;
        behind a second one there is nothing more to hear.
        """
        try:
            if self.phase is _HEADER:
                at = self._header(data)
            if self.phase is not _HEADER:
                at = self.reader.walk(data, at)
        except ProtocolError as error:
            self._closing.fail(error)
            if failed or self._closing.deaf or self.phase not in _CLOSES:
                return len(data)
            return self._take(data, self.reader.behind(data), failed=True)
        return at

    def _complete(self, data: bytes) -> tuple[bytes, int]:
        """What was kept with what comes now, and where in it to go on."""
        unread = self._unread
        if unread.missing and self._body(unread.pieces(data)):
            used = unread.missing
            unread.clear()
            return data, used
        joined, used = unread.complete(data)
        if used == len(data):
            return joined, 0
        # The large message alone, so that what comes behind it is not copied with it.
        taken = self._take(joined, 0)
        if taken < len(joined):
            return joined[taken:] + data[used:], 0
        return data, used

    def _body(self, pieces: list[memoryview]) -> bool:
        try:
            return self.reader.body(pieces)
        except ProtocolError as error:
            self._closing.fail(error)
            return True

    @property
    def denied(self) -> bool:
        return self._login.denied

    @property
    def unfinished(self) -> bool:
        return self.reader.unfinished and not (self._closing.deaf or self.phase is _ENDED)

    @property
    def incomplete(self) -> int:
        return self._unread.size + self.channels.incomplete

    @property
    def missing(self) -> int:
        # Its frames are short, and none says how long all of a message is.
        return 0

    @property
    def expected(self) -> int:
        # A large message may come in many frames, and a read has a few messages or a part of one.
        channels = self.channels
        large = 0 < channels.publishes - self._published < _FEW or channels.incomplete
        return _MUCH if large else 0

    def past(self) -> Past:
        return journaling.past(self.client, self._queue_names, self.unroutable)

    def let_go(self) -> None:
        self.channels.let_go()
        self.heartbeat = None
        del self.handshake, self.reader, self.begin, self.blocking, self._flow, self.hold_back
        del self.set_writable, self._closing, self.connection_lost, self.shutdown

    def splitter(self, direction: int) -> Splitter:
        return UnitSplitter()

    def rows(self, direction: int, frame: bytes) -> list[Row]:
        if self.method_frame is old_method:
            frame = modern(frame)
        return journaling.rows(self._queue_names, self.unroutable, direction, frame)

    def parts(self, rows: list[Row]) -> list[Row]:
        return rows

    def refuse(self, frame: bytes, parts: list[Row], code: int, text: str) -> None:
        if self.phase in (_HANDSHAKE, _OPEN):
            misbehaviour.refuse(self, frame, code, text)

    def skimmer(self, direction: int) -> Skimmer:
        return ShapeSkimmer(partial(misbehaviour.find, direction))

    edit = misbehaviour.edit
    glance = staticmethod(misbehaviour.glance)
    body = staticmethod(misbehaviour.body)
    set_fields = staticmethod(misbehaviour.set_fields)
    notify_blocked = misbehaviour.notify_blocked
    malformed = None
    repeat = misbehaviour.repeat
    repeated = staticmethod(misbehaviour.repeated)

    # What channels ask (channel/line.py).

    @property
    def flowing(self) -> bool:
        return self._flow.open

    @property
    def cancel_notify(self) -> bool:
        return "consumer_cancel_notify" in self.agreement.capabilities

    @property
    def channel_count(self) -> int:
        return len(self.channels.open)

    def unacked(self) -> list[Message]:
        return self.channels.unacked()

    def renew_guard(self) -> None:
        """Rules changed, or the user is known now."""
        if self.user:
            self.guard = self._login.guard(self.client, self.user)

    def name_queue(self, consumer_tag: str, queue: str) -> None:
        journaling.name_queue(self._queue_names, consumer_tag, queue)

    def _refresh(self) -> None:
        self.channels.refresh()
        # What went out without an acknowledgement to come made room.
        self._memory.settle()

    # Frames.

    def say(self, frame: bytes) -> None:
        """Send a method of channel 0."""
        self.out.append(frame)
        self.counts.wrote(frame)

    def _header(self, data: bytes) -> int:
        """The eight bytes before all frames; returns how many were taken."""
        if len(data) < len(PROTOCOL_HEADER):
            return 0
        version = VERSIONS.get(data[: len(PROTOCOL_HEADER)])
        if data[: len(PROTOCOL_HEADER)] in LATER_HEADERS:
            self._closing.stop_waiting()
            self.phase = _ENDED
            self._unread.size = self._later_version(self.peer, data)
            return len(data)
        if version is None:
            # AMQP 2.2.4: answer with the header that we do speak, and hang up.
            strange = not data.startswith(PROTOCOL_HEADER[:6])
            later = strange and self.lint.profile.answers_strangers_with_sasl
            self.out.append(SASL_HEADER if later else PROTOCOL_HEADER)
            wrong = misdirected(data, self.peer.listener, self._listeners)
            raise Refused(wrong or f"it does not speak AMQP 0-9-1: {data[:8]!r} is no header of it")
        self.phase = _HANDSHAKE
        if version == OLD_VERSION:
            self.method_frame = self.channels.method_frame = old_method
        self.handshake.start(version)
        return len(PROTOCOL_HEADER)

    def _frame(self, kind: int, number: int, frame: bytes) -> None:
        if self.method_frame is old_method:
            frame = modern(frame)
        if self.phase is _OPEN and number:
            self.channels.receive(kind, number, frame)
        elif not (number and self.phase in _CLOSES) and self.phase is not _ENDED:
            if kind != METHOD:
                raise unexpected_frame()
            self._method(frame[HEAD_SIZE:-1])

    def _method(self, payload: bytes) -> None:
        """A method of channel 0."""
        found, values = read_method(payload)
        self.counts.received[found.name] += 1
        if found.name == "connection.close" and self.phase is not _HANDSHAKE:
            self.out.append(self.method_frame(0, "connection.close-ok"))
            self.counts.sent["connection.close-ok"] += 1
            if self.phase is _OPEN:
                self._closing.closed_by_client(values["reply_code"], values["reply_text"])
        elif self.phase in _CLOSES:
            if found.name == "connection.close-ok":
                self._closing.leave("closed")
        else:
            try:
                self._serve(found.name, values)
            except Refused:
                raise
            except ProtocolError as error:
                raise MethodFailed(error, found) from error

    def _serve(self, name: str, values: dict[str, Any]) -> None:
        if self.phase is _HANDSHAKE:
            if self.handshake.receive(name, values):
                self._opened()
        elif name == "connection.update-secret":
            self._login.renew(self.client, values["new_secret"])
            self.say(method(0, "connection.update-secret-ok"))
        else:
            raise ProtocolError(
                "unexpected method in connection state running", ReplyCode.CHANNEL_ERROR
            )

    def _opened(self) -> None:
        agreement = self.agreement
        self._closing.stop_waiting()
        self.phase = _OPEN
        self.max_payload = self.handshake.max_payload
        self.reader.largest = agreement.frame_max
        self.channels.channel_max = agreement.channel_max
        self.vhost = self._login.open(agreement.virtual_host)
        self.user = agreement.user
        self.renew_guard()
        self.client = agreement.client or f"{agreement.user}@{self.peer.address}"
        self.unroutable.client = self.client
        self.blocking.wanted = "connection.blocked" in agreement.capabilities
        self.say(_OPEN_OK)
        if agreement.heartbeat:
            self.heartbeat = Heartbeat(
                self._clock, agreement.heartbeat, self._beat, self._silent, self._listening
            )
        self.spine.emit(ClientIdentified(AMQP, self.id, self.client, agreement.software))

    # What a burst leaves to do.

    def _finish_burst(self) -> None:
        for publishing in self.unconfirmed:
            publishing.confirm()
        self.unconfirmed.clear()
        if self.reader.work is not None:
            # What is on its way back comes before all that it made room for.
            return
        if self.refilled:
            refilled, self.refilled = self.refilled, []
            for consumer in refilled:
                consumer.queue.refresh(consumer)
        if self.relieved:
            relieved = dict.fromkeys(self.relieved)
            self.relieved.clear()
            for channel in relieved:
                channel.refresh()

    # Ends.

    def close(self, code: int, text: str, ids: tuple[int, int] = (0, 0)) -> None:
        self._closing.close(code, text, ids)

    def _beat(self) -> None:
        if not self.out:
            self.peer.wake()
        self.out.append(HEARTBEAT_FRAME)

    def _listening(self) -> bool:
        return self._flow.writable and not self.blocking.blocked

    def _silent(self) -> None:
        seconds = self.agreement.heartbeat
        self._closing.abort(f"missed heartbeats: nothing came for twice {seconds} s")

    def _found(self, name: str, what: str) -> None:
        client = self.client or self.agreement.client or self.peer.address
        self.lint.report(self.id, client, name, what)
