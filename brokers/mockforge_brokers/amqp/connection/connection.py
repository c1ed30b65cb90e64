"""One client's connection: its phases, its part of flow control, and its end."""

import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

from ...access import Guard
from ...contract import Peer
from ...environment import Environment
from ...errors import ProtocolError
from ...events import ClientIdentified, ProtocolViolated
from ...fairness import Steps
from ...first_bytes import misdirected
from ...journal import Past, Row, Splitter
from ...misbehaviour.skimming import Skim, Skimmer
from .. import misbehaviour
from ..channel.channel import AMQP, Channel
from ..channel.publishing import Publishing
from ..channel.unroutable import Unroutable
from ..codes import ReplyCode, reply_text
from ..lint import Lint
from ..options import AmqpOptions
from ..state.consumer import Consumer
from ..state.message import Message
from ..state.virtual_host import VirtualHost
from ..wire.frames import (
    FRAME_MIN_SIZE,
    HEAD_SIZE,
    HEARTBEAT_FRAME,
    LATER_HEADERS,
    METHOD,
    PROTOCOL_HEADER,
    method,
)
from ..wire.units import UnitSplitter
from ..wire.version_0_8 import OLD_VERSION, VERSIONS, modern, old_method
from . import journaling
from .blocking import Blocking
from .burst import BurstReader
from .channels import Channels
from .failures import (
    FramingLost,
    MethodFailed,
    ReaderCrashed,
    Refused,
    at_fault,
    read_method,
    unexpected_frame,
)
from .handshake import Handshake
from .heartbeat import Heartbeat
from .login import Login
from .phase import Phase
from .quotas import Quotas

_CLOSES: Final = (Phase.CLOSING, Phase.CLOSED)
_SAID_IN_HANDSHAKE: Final = (ReplyCode.ACCESS_REFUSED, ReplyCode.NOT_ALLOWED)
"""What a client is told before it is trusted: its login or its virtual host is none."""
_CRASH: Final = (ReplyCode.INTERNAL_ERROR, (0, 0))


class Connection:
    """The `Connection` of contract.py and the `Line` of its channels."""

    def __init__(
        self,
        peer: Peer,
        environment: Environment,
        options: AmqpOptions,
        vhosts: Mapping[str, VirtualHost],
        quotas: Quotas,
        lint: Lint,
        gone: Callable[[int], object],
        later_version: Callable[[Peer, bytes], int],
    ) -> None:
        self.id, self.lint = peer.id, lint
        self.peer = peer
        self.out: list[bytes] = []
        self.bulky = False
        self.outgoing = 0
        self.refilled: list[Consumer] = []
        self.relieved: list[Channel] = []
        self.unconfirmed: list[Publishing] = []
        self.phase = Phase.HEADER
        self.spine = environment.spine
        self.chores = environment.chores
        self.unserved = environment.unserved
        self._emit = environment.spine.emit
        self.unroutable = Unroutable(self.spine, self.id, "")
        self.client = ""
        self.user = ""
        self.vhost = next(iter(vhosts.values()))
        self.guard: Guard | None = None
        self._login = Login(peer, environment, vhosts, quotas)
        self.handshake = Handshake(options, self._login, self.out.append, self._found)
        self.agreement = self.handshake.agreement
        self.max_payload = self.handshake.max_payload
        met = partial(environment.usage.count, "amqp_message")
        self.channels = Channels(self, environment.limits.amqp_message, met, quotas)
        self.reader = BurstReader(self.channels, self._frame, environment.turn)
        self.begin = self.reader.begin
        # AMQP 4.2.3: as long as nothing is agreed on frames have the smallest size.
        self.reader.largest = FRAME_MIN_SIZE
        self._clock = environment.clock
        self._listeners = environment.listeners
        self._options = options
        self._vhosts = vhosts
        self._gone = gone
        self._later_version = later_version
        self._memory = self.vhost.memory
        self.blocking = Blocking(self, self._memory)
        self._rest: list[memoryview] = []
        self._kept = self._missing = 0
        self._writable = True
        self._held_back = False
        self._deaf = False
        self._method_frame = method
        self._queue_names: dict[str, str] = {}
        self._heartbeat: Heartbeat | None = None
        self._timer = self._clock.call_later(options.handshake_timeout, self._too_slow)

    # What transport asks (contract.py).

    def receive(self, data: bytes) -> int:
        if self._heartbeat is not None:
            self._heartbeat.seen()
        if self.phase is Phase.ENDED or self._deaf:
            return 0
        at = 0
        if self._rest:
            if len(data) < self._missing:
                self._keep(data, 0, self._missing - len(data))
                return self.incomplete
            data, at = self._join(data)
        taken = self._take(data, at)
        if taken < len(data):
            # What was not its turn yet lacks nothing.
            missing = 0 if self.reader.unfinished else self.reader.missing(data, taken)
            self._keep(data, taken, missing)
        if self.unconfirmed or self.refilled or self.relieved:
            self._finish_burst()
        memory = self._memory
        if memory.used > memory.mark or memory.waiting:
            self.blocking.check(self.channels.publishes)
        return self.incomplete

    def _take(self, data: bytes, at: int) -> int:
        """Handle what is whole from `at` on; returns where the rest begins."""
        try:
            if self.phase is Phase.HEADER:
                at = self._header(data)
            if self.phase is not Phase.HEADER:
                at = self.reader.walk(data, at)
        except ProtocolError as error:
            self._fail(error)
            return len(data)
        return at

    def _keep(self, data: bytes, at: int, missing: int) -> None:
        """Keep the bytes from `at` on; those of a large message are not copied before it is whole.

        `missing`: how many it lacks, if that is worth to be waited for (0: look at the next read).
        """
        self._rest.append(memoryview(data)[at:])
        self._kept += len(data) - at
        self._missing = missing

    def _join(self, data: bytes) -> tuple[bytes, int]:
        """What was kept with what comes now, and where in it to go on."""
        at, self._missing = self._missing, 0
        if not at:
            return self.take_rest() + data, 0
        self._rest.append(memoryview(data)[:at])
        message = self.take_rest()
        taken = self._take(message, 0)
        if taken < len(message):
            return message[taken:] + data[at:], 0
        return data, at

    @property
    def unfinished(self) -> bool:
        return self.reader.unfinished and not (self._deaf or self.phase is Phase.ENDED)

    @property
    def incomplete(self) -> int:
        return self._kept + self.channels.incomplete

    def take_rest(self) -> bytes:
        rest = b"".join(self._rest)
        self._rest.clear()
        self._kept = self._missing = 0
        return rest

    def set_writable(self, writable: bool) -> None:
        self._writable = writable
        self._flow()

    def connection_lost(self, reason: str) -> None:
        self._end(reason)

    def shutdown(self) -> None:
        if self.phase is Phase.OPEN:
            self._say_close(
                ReplyCode.CONNECTION_FORCED,
                "broker forced connection closure with reason 'shutdown'",
            )
        self._end("the broker ended")
        self.peer.close("the broker ended")

    def past(self) -> Past:
        return journaling.past(self.client, self._queue_names, self.unroutable)

    def splitter(self, direction: int) -> Splitter:
        return UnitSplitter()

    def rows(self, direction: int, frame: bytes) -> list[Row]:
        if self._method_frame is old_method:
            frame = modern(frame)
        return journaling.rows(self._queue_names, self.unroutable, direction, frame)

    def parts(self, rows: list[Row]) -> list[Row]:
        return rows

    def refuse(self, frame: bytes, parts: list[Row], code: int, text: str) -> None:
        if self.phase in (Phase.HANDSHAKE, Phase.OPEN):
            misbehaviour.refuse(self, frame, code, text)

    def skimmer(self, direction: int) -> Skim:
        return Skimmer(partial(misbehaviour.find, direction))

    edit = misbehaviour.edit
    glance = staticmethod(misbehaviour.glance)
    body = staticmethod(misbehaviour.body)
    set_fields = staticmethod(misbehaviour.set_fields)
    notify_blocked = misbehaviour.notify_blocked
    repeat = misbehaviour.repeat
    repeated = staticmethod(misbehaviour.repeated)

    # What channels ask (channel/line.py).

    @property
    def flowing(self) -> bool:
        return self._writable and not self._held_back

    @property
    def cancel_notify(self) -> bool:
        return "consumer_cancel_notify" in self.agreement.capabilities

    @property
    def channel_count(self) -> int:
        return len(self.channels.open)

    def unacked(self) -> list[Message]:
        return self.channels.unacked()

    def hold_back(self) -> None:
        if not self._held_back:
            self._held_back = True
            self.channels.refresh()
            # The loop writes what waits before it comes to this.
            self._clock.call_later(0, self._go_on)

    def renew_guard(self) -> None:
        """Rules changed, or the user is known now."""
        if self.user:
            self.guard = self._login.guard(self.client, self.user)

    def name_queue(self, consumer_tag: str, queue: str) -> None:
        journaling.name_queue(self._queue_names, consumer_tag, queue)

    def _go_on(self) -> None:
        self._held_back = False
        self._flow()

    def _flow(self) -> None:
        self.channels.refresh()
        # What went out without an acknowledgement to come made room.
        self._memory.settle()

    # Frames.

    def _header(self, data: bytes) -> int:
        """The eight bytes before all frames; returns how many were taken."""
        if len(data) < len(PROTOCOL_HEADER):
            return 0
        version = VERSIONS.get(data[: len(PROTOCOL_HEADER)])
        if data[: len(PROTOCOL_HEADER)] in LATER_HEADERS:
            self._timer.cancel()
            self.phase = Phase.ENDED
            self._kept = self._later_version(self.peer, data)
            return len(data)
        if version is None:
            # AMQP 2.2.4: answer with the header that we do speak, and hang up.
            self.out.append(PROTOCOL_HEADER)
            wrong = misdirected(data, self.peer.listener, self._listeners)
            raise Refused(wrong or f"it does not speak AMQP 0-9-1: {data[:8]!r} is no header of it")
        self.phase = Phase.HANDSHAKE
        if version == OLD_VERSION:
            self._method_frame = self.channels.method_frame = old_method
        self.handshake.start(version)
        return len(PROTOCOL_HEADER)

    def _frame(self, kind: int, number: int, frame: bytes) -> None:
        if self._method_frame is old_method:
            frame = modern(frame)
        if self.phase is Phase.OPEN and number:
            self.channels.receive(kind, number, frame)
        elif not (number and self.phase in _CLOSES) and self.phase is not Phase.ENDED:
            if kind != METHOD:
                raise unexpected_frame()
            self._method(frame[HEAD_SIZE:-1])

    def _method(self, payload: bytes) -> None:
        """A method of channel 0."""
        found, values = read_method(payload)
        if found.name == "connection.close" and self.phase is not Phase.HANDSHAKE:
            self.out.append(self._method_frame(0, "connection.close-ok"))
            if self.phase is Phase.OPEN:
                self._closed_by_client(values["reply_code"], values["reply_text"])
        elif self.phase in _CLOSES:
            if found.name == "connection.close-ok":
                self._leave("closed")
        else:
            try:
                self._serve(found.name, values)
            except Refused:
                raise
            except ProtocolError as error:
                raise MethodFailed(error, found) from error

    def _serve(self, name: str, values: dict[str, Any]) -> None:
        if self.phase is Phase.HANDSHAKE:
            if self.handshake.receive(name, values):
                self._opened()
        elif name == "connection.update-secret":
            self._login.renew(self.client, values["new_secret"])
            self.out.append(method(0, "connection.update-secret-ok"))
        else:
            raise ProtocolError(
                "unexpected method in connection state running", ReplyCode.CHANNEL_ERROR
            )

    def _opened(self) -> None:
        agreement = self.agreement
        self._timer.cancel()
        self.phase = Phase.OPEN
        self.max_payload = self.handshake.max_payload
        self.reader.largest = agreement.frame_max
        self.channels.channel_max = agreement.channel_max
        self.vhost = self._vhosts[agreement.virtual_host]
        self.user = agreement.user
        self.renew_guard()
        self.client = agreement.client or f"{agreement.user}@{self.peer.address}"
        self.unroutable.client = self.client
        self.blocking.wanted = "connection.blocked" in agreement.capabilities
        self.out.append(method(0, "connection.open-ok"))
        if agreement.heartbeat:
            self._heartbeat = Heartbeat(
                self._clock, agreement.heartbeat, self._beat, self._silent, self._listening
            )
        self._emit(ClientIdentified(AMQP, self.id, self.client, agreement.software))

    # What a burst leaves to do.

    def _finish_burst(self) -> None:
        for publishing in self.unconfirmed:
            publishing.confirm()
        self.unconfirmed.clear()
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

    def _fail(self, error: ProtocolError) -> None:
        """The peer broke the rules: say so and end, or just end where RabbitMQ does."""
        cause = error.__cause__.__cause__ if error.__cause__ else None
        text = f"{error.text} ({cause})" if isinstance(cause, ProtocolError) else error.text
        if self.phase in _CLOSES:
            # We have had our last word on it, and wait for no more than its hanging up.
            self._deaf = isinstance(error, FramingLost)
            return
        self._emit(ProtocolViolated(AMQP, self.id, self.client, text))
        if self.phase is Phase.HEADER:
            self._leave(error.text)
        elif isinstance(error, ReaderCrashed):
            self.peer.abort(error.text)
        elif self.phase is Phase.HANDSHAKE and error.code not in _SAID_IN_HANDSHAKE:
            self.phase = Phase.ENDED
            self._arm(self._options.close_timeout, lambda: self.peer.abort(error.text))
        else:
            self.close(error.code or ReplyCode.FRAME_ERROR, error.text, at_fault(error))
            self._deaf = isinstance(error, FramingLost)
            if self._deaf or error.code == ReplyCode.ACCESS_REFUSED:
                self._arm(self._options.close_timeout, lambda: self.peer.close(error.text))

    def close(self, code: int, text: str, ids: tuple[int, int] = (0, 0)) -> None:
        """Send connection.close, wait for its answer; `ids` name the method at fault.

        Asked a second time it does not wait.
        """
        if self.phase is Phase.ENDED:
            return
        if self.phase is Phase.HEADER or self.phase in _CLOSES:
            self.peer.close(text)
            return
        self._say_close(code, text, ids)
        self._end_channels(text)
        self.phase = Phase.CLOSING
        self._arm(self._closing_time, lambda: self.peer.close(text))

    def _closed_by_client(self, code: int, text: str) -> None:
        """It said so and hangs up itself; who hung up first would cut the answer's way to it."""
        reason = f"closed by the client: {code} {text}"
        self._end_channels(reason)
        self.phase = Phase.CLOSED
        self.peer.leaving(reason)
        self._arm(self._closing_time, lambda: self.peer.close(reason))

    @property
    def _closing_time(self) -> float:
        """Seconds that the client has to answer our close, or to hang up after its own."""
        return min(self.agreement.heartbeat or math.inf, self._options.closing_time)

    def _say_close(self, code: int, text: str, ids: tuple[int, int] = (0, 0)) -> None:
        if not self.out:
            self.peer.wake()
        self.out.append(
            self._method_frame(
                0,
                "connection.close",
                reply_code=code,
                # RabbitMQ keeps the reason of an internal error to its log, if no method is named.
                reply_text=reply_text(code, "" if (code, ids) == _CRASH else text),
                class_id=ids[0],
                method_id=ids[1],
            )
        )

    def _leave(self, reason: str) -> None:
        """Nothing more is to be said: write what is left, then hang up."""
        self._end(reason)
        self.peer.close(reason)

    def _end(self, reason: str) -> None:
        self.phase = Phase.ENDED
        self._timer.cancel()
        self._end_channels(reason)
        self._gone(self.id)

    def _end_channels(self, reason: str) -> None:
        """Requeue, end consumers, delete exclusive queues: at once, before the next client."""
        self.peer.ending()
        if self._heartbeat is not None:
            self._heartbeat.stop()
        self.chores.do(self._ending(reason))
        self.blocking.end()

    def _ending(self, reason: str) -> Steps:
        yield from self.channels.ending(reason)
        yield from self.vhost.ending_exclusive(self.id)

    def _arm(self, delay: float, callback: Callable[[], object]) -> None:
        self._timer.cancel()
        self._timer = self._clock.call_later(delay, callback)

    def _too_slow(self) -> None:
        text = f"no {self.handshake.expected} within {self._options.handshake_timeout:g} s"
        self._emit(ProtocolViolated(AMQP, self.id, self.client, text))
        self.peer.abort(text)

    def _beat(self) -> None:
        if not self.out:
            self.peer.wake()
        self.out.append(HEARTBEAT_FRAME)

    def _listening(self) -> bool:
        return self._writable and not self.blocking.blocked

    def _silent(self) -> None:
        text = f"missed heartbeats: nothing came for twice {self.agreement.heartbeat} s"
        self._emit(ProtocolViolated(AMQP, self.id, self.client, text))
        self.peer.abort(text)

    def _found(self, name: str, what: str) -> None:
        client = self.client or self.agreement.client or self.peer.address
        self.lint.report(self.id, client, name, what)
