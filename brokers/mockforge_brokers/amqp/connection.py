"""One client's connection: bursts in, frames taken apart, channels served, one burst out."""

import struct
from collections.abc import Callable
from enum import Enum, auto
from random import Random
from typing import Any, Final

from ..contract import Peer
from ..environment import Environment
from ..errors import ProtocolError, RequestRefused
from ..events import ClientIdentified, Event, LimitReached, ProtocolViolated, RequestDenied, Warned
from ..journal import Row, Splitter
from .assembly import Assembly
from .channel.channel import AMQP, Channel
from .channel.handlers import HANDLERS
from .channel.publication import Publication
from .codes import ReplyCode, reply_text
from .events import ChannelClosed, ChannelOpened, PublisherBlocked, PublisherUnblocked
from .handshake import Handshake, Refused
from .heartbeat import Heartbeat
from .options import AmqpOptions
from .rows import read_rows
from .state.consumer import Consumer
from .state.virtual_host import VirtualHost
from .wire import methods
from .wire.frames import (
    BODY,
    END,
    HEAD_SIZE,
    HEADER,
    HEARTBEAT,
    HEARTBEAT_FRAME,
    METHOD,
    OVERHEAD,
    PROTOCOL_HEADER,
    content_head,
    head,
    method,
)
from .wire.units import UnitSplitter

_PUBLISH: Final = methods.BY_NAME["basic.publish"].prefix
_ACK: Final = b"\x00\x00\x00\x0d" + methods.BY_NAME["basic.ack"].prefix
"""Size and method of every basic.ack frame, from its fourth byte on."""
_ack: Final = struct.Struct(">BHIIQBB")
_NO_FRAME: Final = b"\xff"
_MOST_PUBLICATIONS: Final = 8192


class Phase(Enum):
    HEADER = auto()
    HANDSHAKE = auto()
    OPEN = auto()
    CLOSING = auto()
    """Our connection.close is sent; only its answer counts."""
    ENDED = auto()


class Connection:
    """The `Connection` of contract.py and the `Line` of its channels."""

    def __init__(
        self,
        peer: Peer,
        environment: Environment,
        options: AmqpOptions,
        vhosts: dict[str, VirtualHost],
        gone: Callable[["Connection"], None],
    ) -> None:
        self.id = peer.id
        self.peer = peer
        self.out: list[bytes] = []
        self.bulky = False
        self.outgoing = 0
        self.messages_in = 0
        self.channels: dict[int, Channel] = {}
        self.refilled: list[Consumer] = []
        self.relieved: list[Channel] = []
        self.unconfirmed: list[Channel] = []
        self.blocked = False
        self.phase = Phase.HEADER
        self.spine = environment.spine
        self.random: Random = environment.random
        self.handshake = Handshake(options, self.out.append, self._warn)
        self.agreement = self.handshake.agreement
        self.client = ""
        self.user = ""
        self.vhost = next(iter(vhosts.values()))
        self.max_payload = self.handshake.max_payload
        self._environment = environment
        self._options = options
        self._vhosts = vhosts
        self._gone = gone
        self._rest = b""
        self._last = Publication(_NO_FRAME, None, "", "", False)  # type: ignore[arg-type]
        self._nothing = self._last
        self._publications: dict[bytes, Publication] = {}
        self._assemblies: dict[int, Assembly] = {}
        self._serving = (0, 0)
        self._writable = True
        self._held_back = False
        self._queue_names: dict[str, str] = {}
        self._timer = environment.clock.call_later(options.handshake_timeout, self._too_slow)
        self._heartbeat: Heartbeat | None = None

    # What transport asks (contract.py).

    def receive(self, data: bytes) -> int:
        if self._heartbeat is not None:
            self._heartbeat.seen()
        if self._rest:
            data = self._rest + data
        taken = self._phase_header(data) if self.phase is Phase.HEADER else 0
        taken = self._walk(data, taken)
        self._rest = data[taken:]
        if self.unconfirmed or self.refilled or self.relieved:
            self._finish_burst()
        vhost_memory = self.vhost.memory
        if vhost_memory.used > vhost_memory.mark or vhost_memory.waiting:
            self._check_memory()
        if self._assemblies:
            return len(self._rest) + sum(item.raw_size for item in self._assemblies.values())
        return len(self._rest)

    def take_rest(self) -> bytes:
        rest, self._rest = self._rest, b""
        return rest

    def set_writable(self, writable: bool) -> None:
        self._writable = writable
        self._refresh()

    def connection_lost(self, reason: str) -> None:
        self._end(reason)

    def shutdown(self) -> None:
        if self.phase is Phase.OPEN:
            self._say_close(ReplyCode.CONNECTION_FORCED, "broker forced connection closure")
        self._end("the broker ended")

    def splitter(self, direction: int) -> Splitter:
        return UnitSplitter()

    def rows(self, direction: int, frame: bytes) -> list[Row]:
        return read_rows(direction, frame, self._queue_names)

    # What channels ask (channel/line.py).

    @property
    def flowing(self) -> bool:
        return self._writable and not self._held_back

    @property
    def cancel_notify(self) -> bool:
        return "consumer_cancel_notify" in self.agreement.capabilities

    def hold_back(self) -> None:
        if not self._held_back:
            self._held_back = True
            self._refresh()
            # The loop writes what waits before it comes to this.
            self._environment.clock.call_later(0, self._go_on)

    def name_queue(self, consumer_tag: str, queue: str) -> None:
        self._queue_names[consumer_tag] = queue

    def _go_on(self) -> None:
        self._held_back = False
        self._refresh()

    def _refresh(self) -> None:
        for channel in tuple(self.channels.values()):
            channel.refresh()

    # Frames.

    def _walk(self, data: bytes, at: int) -> int:
        """Handle the whole frames from `at` on; returns where the first incomplete one begins."""
        size = len(data)
        try:
            while at < size:
                if data.startswith(self._last.frame, at) or data.startswith(_PUBLISH, at + 7):
                    after = self._publish(data, at)
                elif data.startswith(_ACK, at + 3):
                    after = self._acknowledge(data, at)
                else:
                    after = self._frame(data, at)
                if after == at:
                    break
                at = after
        except ProtocolError as error:
            self._fail(error)
            return size
        return at

    def _publish(self, data: bytes, at: int) -> int:
        """A basic.publish with all of its content, if that is whole and follows at once."""
        publication = self._last
        if not data.startswith(publication.frame, at):
            found = self._publication(data, at)
            if found is None:
                return self._frame(data, at)
            publication = found
        start = at + publication.size
        if len(data) - start < content_head.size:
            return at
        kind, number, length, _, _, size, flags = content_head.unpack_from(data, start)
        most = self.max_payload
        channel = publication.channel
        if kind != HEADER or number != channel.number or size > most or not 14 <= length <= most:
            return self._frame(data, at)
        body: int = start + length + OVERHEAD
        end: int = body + size + OVERHEAD if size else body
        if end > len(data):
            return at
        if not _whole(data, start, body, end, number, size):
            return self._frame(data, at)
        self._last = publication
        self.messages_in += 1
        try:
            channel.publish(publication, data[start:end], size, flags)
        except RequestRefused as refusal:
            self._refuse(channel, refusal, "basic.publish")
        return end

    def _publication(self, data: bytes, at: int) -> Publication | None:
        """What a publish's method frame stands for; None sends it the slow way."""
        _, number, size = head.unpack_from(data, at)
        frame = data[at : at + size + OVERHEAD]
        found = self._publications.get(frame)
        if found is None:
            channel = self.channels.get(number)
            whole = len(frame) == size + OVERHEAD and frame[0] == METHOD and frame[-1] == END
            if channel is None or channel.closing or number in self._assemblies or not whole:
                return None
            self._serving = (60, 40)
            found = channel.publication(frame)
            if len(self._publications) >= _MOST_PUBLICATIONS:
                self._publications.clear()
            self._publications[frame] = found
        return found

    def _acknowledge(self, data: bytes, at: int) -> int:
        """A basic.ack of one delivery; what is unusual about it goes the slow way."""
        if len(data) - at < _ack.size:
            return at
        kind, number, _, _, tag, bits, end = _ack.unpack_from(data, at)
        channel = self.channels.get(number)
        if kind != METHOD or bits or end != END or channel is None or channel.closing:
            return self._frame(data, at)
        try:
            channel.acknowledge(tag)
        except RequestRefused as refusal:
            self._refuse(channel, refusal, "basic.ack")
        return at + _ack.size

    def _frame(self, data: bytes, at: int) -> int:
        """Any one frame; returns where it ends, or `at` if it is not whole."""
        if len(data) - at < HEAD_SIZE:
            return at
        kind, number, size = head.unpack_from(data, at)
        if size > self.max_payload:
            raise _frame_error(kind, b"", f"{{frame_too_large,{size},{self.max_payload}}}")
        end: int = at + size + OVERHEAD
        if end > len(data):
            return at
        payload = data[at + HEAD_SIZE : end - 1]
        if data[end - 1] != END:
            raise _frame_error(kind, payload, f"{{invalid_frame_end_marker,{data[end - 1]}}}")
        if kind not in (METHOD, HEADER, BODY, HEARTBEAT):
            raise _frame_error(kind, payload, "unknown_frame")
        if kind != HEARTBEAT and self.phase is not Phase.ENDED:
            self._serving = (0, 0)
            if self.phase is Phase.OPEN and number:
                self._channel_frame(kind, number, data[at:end])
            else:
                self._connection_frame(kind, number, payload)
        return end

    def _phase_header(self, data: bytes) -> int:
        """The eight bytes before all frames; returns how many were taken."""
        if len(data) < len(PROTOCOL_HEADER):
            return 0
        if data.startswith(PROTOCOL_HEADER):
            self.phase = Phase.HANDSHAKE
            self.handshake.start()
            return len(PROTOCOL_HEADER)
        # AMQP 2.2.4: answer with the header that we do speak, and hang up.
        self.out.append(PROTOCOL_HEADER)
        self._violated(f"no AMQP 0-9-1 header: {data[:8]!r}")
        self.peer.close("it does not speak AMQP 0-9-1")
        self._end("it does not speak AMQP 0-9-1")
        return len(data)

    # Methods of channel 0.

    def _connection_frame(self, kind: int, number: int, payload: bytes) -> None:
        name, values = self._method(kind, payload)
        if name == "connection.close-ok" and self.phase is Phase.CLOSING:
            self.peer.close("closed")
            self._end("closed")
        elif name == "connection.close":
            self.out.append(method(0, "connection.close-ok"))
            reason = f"closed by the client: {values['reply_code']} {values['reply_text']}"
            self.peer.close(reason)
            self._end(reason)
        elif self.phase is Phase.HANDSHAKE:
            if self.handshake.receive(name, values):
                self._opened()
        elif self.phase is Phase.OPEN:
            self._update(name)

    def _update(self, name: str) -> None:
        if name != "connection.update-secret":
            raise ProtocolError(
                "unexpected method in connection state running", ReplyCode.CHANNEL_ERROR
            )
        self.out.append(method(0, "connection.update-secret-ok"))

    def _opened(self) -> None:
        agreement = self.agreement
        self._timer.cancel()
        self.phase = Phase.OPEN
        self.max_payload = self.handshake.max_payload
        self.vhost = self._vhosts[agreement.virtual_host]
        self.user = agreement.user
        self.client = agreement.client or f"{agreement.user}@{self.peer.address}"
        self.out.append(method(0, "connection.open-ok"))
        if agreement.heartbeat:
            self._heartbeat = Heartbeat(
                self._environment.clock, agreement.heartbeat, self._beat, self._silent
            )
        self._tell(ClientIdentified(AMQP, self.id, self.client, agreement.software))

    # Methods and content of channels.

    def _channel_frame(self, kind: int, number: int, frame: bytes) -> None:
        channel = self.channels.get(number)
        payload = frame[HEAD_SIZE:-1]
        if channel is None:
            self._open_channel(number, kind, payload)
        elif channel.closing:
            self._await_close_ok(channel, kind, payload)
        elif number in self._assemblies:
            self._content(channel, kind, frame)
        elif kind != METHOD:
            raise ProtocolError(
                "expected method frame, got non method frame instead", ReplyCode.UNEXPECTED_FRAME
            )
        elif payload.startswith(_PUBLISH):
            self._method(kind, payload)
            self._assemblies[number] = Assembly(frame)
        else:
            self._serve(channel, *self._method(kind, payload))

    def _serve(self, channel: Channel, name: str, values: dict[str, Any]) -> None:
        channel.confirm()
        handler = HANDLERS.get(name)
        if handler is not None:
            values.pop("ticket", None)
            try:
                handler(channel, **values)
            except RequestRefused as refusal:
                self._refuse(channel, refusal, name)
        elif name == "channel.close":
            channel.send("channel.close-ok")
            self._drop_channel(channel)
            reason = f"closed by the client: {values['reply_text']}"
            channel.end(reason)
            self._tell(ChannelClosed(AMQP, self.id, channel.number, values["reply_code"], reason))
        elif name == "channel.open":
            raise ProtocolError("second 'channel.open' seen", ReplyCode.CHANNEL_ERROR)
        else:
            raise ProtocolError(f"unexpected {name}", ReplyCode.COMMAND_INVALID)

    def _content(self, channel: Channel, kind: int, frame: bytes) -> None:
        self._serving = (60, 40)
        assembly = self._assemblies[channel.number]
        try:
            if assembly.add(kind, frame, self._environment.limits.amqp_message):
                del self._assemblies[channel.number]
                self.messages_in += 1
                publication = channel.publication(assembly.method)
                channel.publish(publication, assembly.content, assembly.size, assembly.flags)
        except RequestRefused as refusal:
            self._assemblies.pop(channel.number, None)
            self._refuse(channel, refusal, "basic.publish")

    def _open_channel(self, number: int, kind: int, payload: bytes) -> None:
        name, _ = self._method(kind, payload)
        if name != "channel.open":
            raise ProtocolError("expected 'channel.open'", ReplyCode.CHANNEL_ERROR)
        if number > self.agreement.channel_max:
            raise ProtocolError(
                f"channel {number} is over the negotiated channel_max "
                f"({self.agreement.channel_max})",
                ReplyCode.NOT_ALLOWED,
            )
        channel = self.channels[number] = Channel(number, self)
        channel.send("channel.open-ok")
        self._tell(ChannelOpened(AMQP, self.id, number))

    def _await_close_ok(self, channel: Channel, kind: int, payload: bytes) -> None:
        """AMQP 1.5.2.5: after channel.close all but its answer is dropped unread."""
        found = methods.find(payload) if kind == METHOD else None
        if found is None or found.name not in ("channel.close-ok", "channel.close"):
            return
        if found.name == "channel.close":
            channel.send("channel.close-ok")
        self._drop_channel(channel)

    def _drop_channel(self, channel: Channel) -> None:
        self.channels.pop(channel.number, None)
        self._forget_publications()

    def _forget_publications(self) -> None:
        self._publications.clear()
        self._last = self._nothing

    def _method(self, kind: int, payload: bytes) -> tuple[str, dict[str, Any]]:
        """The method of a frame, by name, with its fields; raises ProtocolError."""
        if kind != METHOD:
            raise ProtocolError(
                "expected method frame, got non method frame instead", ReplyCode.UNEXPECTED_FRAME
            )
        found = methods.find(payload)
        if found is None:
            # RabbitMQ 3.10 crashes on it: its client sees a reset.
            raise Refused(f"no such method: {_octets(payload[:4])}")
        self._serving = (found.class_id, found.method_id)
        try:
            return found.name, methods.decode(found, payload)
        except ProtocolError as error:
            self._violated(error.text)
            raise ProtocolError(
                f"cannot decode {_octets(payload[4:])}", ReplyCode.FRAME_ERROR
            ) from error

    # What a burst leaves to do.

    def _finish_burst(self) -> None:
        for channel in self.unconfirmed:
            channel.confirm()
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

    def _check_memory(self) -> None:
        memory = self.vhost.memory
        if memory.used > memory.mark and self.messages_in and not self.blocked:
            self.blocked = True
            if "connection.blocked" in self.agreement.capabilities:
                self.out.append(method(0, "connection.blocked", reason="low on memory"))
            if not memory.waiting:
                self._tell(LimitReached(AMQP, "amqp_memory", "queues", "publishers wait"))
            self._tell(PublisherBlocked(AMQP, self.id, self.client))
            memory.wait(self.id, self._unblock)
            self.peer.pause_reading()
        else:
            memory.settle()

    def _unblock(self) -> None:
        self.blocked = False
        if "connection.blocked" in self.agreement.capabilities:
            self.out.append(method(0, "connection.unblocked"))
            self.peer.wake()
        self._tell(PublisherUnblocked(AMQP, self.id, self.client))
        self.peer.resume_reading()

    # When something ends.

    def _refuse(self, channel: Channel, refusal: RequestRefused, name: str) -> None:
        """A channel's request was refused: the channel ends, the connection lives on."""
        found = methods.BY_NAME[name]
        channel.confirm()
        channel.send(
            "channel.close",
            reply_code=refusal.code,
            reply_text=reply_text(refusal.code, refusal.text),
            class_id=found.class_id,
            method_id=found.method_id,
        )
        channel.closing = True
        self._forget_publications()
        reason = reply_text(refusal.code, refusal.text)
        channel.end(reason)
        self._tell(RequestDenied(AMQP, self.id, self.client, name, refusal.code, refusal.text))
        self._tell(ChannelClosed(AMQP, self.id, channel.number, refusal.code, reason))

    def _fail(self, error: ProtocolError) -> None:
        """The peer broke the rules: say so and end, or just end where RabbitMQ does."""
        self._violated(error.text)
        if isinstance(error, Refused):
            if error.delay:
                self.phase = Phase.ENDED
                self._arm(error.delay, lambda: self.peer.abort(error.text))
            else:
                self.peer.abort(error.text)
                self._end(error.text)
        elif self.phase is Phase.CLOSING:
            self.peer.close("it did not answer our connection.close")
        else:
            self.close(error.code or ReplyCode.FRAME_ERROR, error.text)

    def close(self, code: int, text: str) -> None:
        """Send connection.close and wait a little for its answer."""
        if self.phase in (Phase.CLOSING, Phase.ENDED):
            return
        if self.phase is Phase.HEADER:
            self.peer.close(text)
            return
        self._say_close(code, text)
        self._end_channels(text)
        self.phase = Phase.CLOSING
        self._arm(self._options.close_timeout, lambda: self.peer.close(text))

    def _say_close(self, code: int, text: str) -> None:
        class_id, method_id = self._serving
        if not self.out:
            self.peer.wake()
        self.out.append(
            method(
                0,
                "connection.close",
                reply_code=code,
                reply_text=reply_text(code, text),
                class_id=class_id,
                method_id=method_id,
            )
        )

    def _end(self, reason: str) -> None:
        self.phase = Phase.ENDED
        self._timer.cancel()
        self._end_channels(reason)
        self._gone(self)

    def _end_channels(self, reason: str) -> None:
        """Requeue, end consumers, delete exclusive queues: at once, before the next client."""
        if self._heartbeat is not None:
            self._heartbeat.stop()
        channels = tuple(self.channels.values())
        self.channels.clear()
        self._assemblies.clear()
        self._forget_publications()
        for channel in channels:
            channel.closing = True
            channel.end(reason)
        self.vhost.delete_exclusive(self.id)
        self.vhost.memory.forget(self.id)
        self.vhost.memory.settle()

    def _arm(self, delay: float, callback: Callable[[], object]) -> None:
        self._timer.cancel()
        self._timer = self._environment.clock.call_later(delay, callback)

    def _too_slow(self) -> None:
        text = f"no {self.handshake.expected} within {self._options.handshake_timeout:g} s"
        self._violated(text)
        self.peer.abort(text)

    def _beat(self) -> None:
        if not self.out:
            self.peer.wake()
        self.out.append(HEARTBEAT_FRAME)

    def _silent(self) -> None:
        text = f"missed heartbeats: nothing came for twice {self.agreement.heartbeat} s"
        self._violated(text)
        self.peer.abort(text)

    # Facts.

    def _tell(self, event: Event) -> None:
        self.spine.emit(event)

    def _violated(self, text: str) -> None:
        self._tell(ProtocolViolated(AMQP, self.id, self.client, text))

    def _warn(self, text: str) -> None:
        self._tell(Warned(AMQP, f"connection {self.id}", text))


def _whole(data: bytes, start: int, body: int, end: int, number: int, size: int) -> bool:
    """The header and the one body frame of a content end where they should."""
    if data[body - 1] != END or data[start + 8] != 60 or data[end - 1] != END:
        return False
    return not size or head.unpack_from(data, body) == (BODY, number, size)


def _octets(raw: bytes) -> str:
    """Bytes as Erlang prints them, which is what RabbitMQ's texts show."""
    return f"<<{','.join(map(str, raw))}>>"


def _frame_error(kind: int, payload: bytes, reason: str) -> ProtocolError:
    text = f"type {kind}, all octets = {_octets(payload)}: {reason}"
    return ProtocolError(text, ReplyCode.FRAME_ERROR)
