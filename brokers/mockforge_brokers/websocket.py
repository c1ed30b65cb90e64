"""MQTT over WebSocket (MQTT 5, section 6): frames of wsproto, split and joined as they come."""

from collections.abc import Callable, Iterator
from typing import Final

from wsproto import ConnectionType, WSConnection
from wsproto.connection import Connection, ConnectionState
from wsproto.events import (
    AcceptConnection,
    BytesMessage,
    CloseConnection,
    Event,
    Ping,
    RejectConnection,
    Request,
    TextMessage,
)
from wsproto.frame_protocol import CloseReason
from wsproto.utilities import LocalProtocolError, RemoteProtocolError

from .errors import StreamFailed
from .first_bytes import undecided
from .journal import IN, OUT
from .outer_frames import Outer

SUBPROTOCOLS: Final = ("mqtt", "mqttv3.1")
"""What [MQTT-6.0.0-3] names, and what clients of MQTT 3.1 ask for."""

_MOST_HEAD: Final = 16 * 1024
_BINARY: Final = 0x82
"""The first byte of a frame that is a whole binary message."""


class WebSocketStream:
    """The server's side of one WebSocket. `explain` knows bytes that are no HTTP request.

    `keep` gets the heads of frames, for who looks.
    """

    __slots__ = (
        "_accepted",
        "_answer",
        "_early",
        "_explain",
        "_head",
        "_outer",
        "_rest",
        "_ws",
        "ended",
        "open",
    )

    def __init__(
        self,
        explain: Callable[[bytes], str] | None = None,
        keep: Callable[[int, bytes], object] | None = None,
    ) -> None:
        self._outer = None if keep is None else Outer(keep)
        self._accepted = b""
        """The HTTP answer that accepted the client, until it is sent: frames come behind it."""
        self.ended = False
        self._ws: WSConnection | Connection = WSConnection(ConnectionType.SERVER)
        self._explain = explain
        self._head = b""
        self._rest = 0
        """Bytes of a packet whose beginning is sent already."""
        self.open = False
        self._answer: list[bytes] = []
        self._early: list[bytes] = []

    def received(self, data: bytes) -> bytes:
        pieces: list[bytes] = []
        try:
            self._read(data, pieces)
        except StreamFailed as error:
            error.before = b"".join(pieces) + error.before
            raise
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _read(self, data: bytes, pieces: list[bytes]) -> None:
        """Add what is carried to `pieces`."""
        if not self.open:
            data = self._request(data)
        elif self._outer is not None:
            self._outer.passed(IN, data)
        try:
            if data:
                self._ws.receive_data(data)
            for event in self._ws.events():
                self._take(event, pieces)
            if isinstance(self._ws, WSConnection) and self._ws.connection is not None:
                # Without the parser of the request, which is half of an idle connection's memory.
                self._ws = self._ws.connection
                early, self._head = self._head, b""
                if early:
                    # Of a client that did not wait for the answer: only now are they frames.
                    pieces.append(self.received(early))
        except RemoteProtocolError as error:
            self._refuse(error)
        except UnicodeError as error:
            # wsproto decodes a request's target and host without a thought for those it cannot.
            self._reject(400, f"No WebSocket: {error}.")
            raise StreamFailed(f"WebSocket: {error}") from error

    def sent(self, data: bytes) -> bytes:
        if not self.open:
            self._early.append(data)
            return b""
        if self._ws.state is not ConnectionState.OPEN:
            return b""
        framed = b"".join(self._framed(data))
        if self._outer is not None:
            self._outer.passed(OUT, framed)
        return framed

    def _framed(self, data: bytes) -> Iterator[bytes]:
        """A frame for each MQTT packet, or for as much of it as is here.

        Several in one frame are legal [MQTT-6.0.0-2], but paho.mqtt.c waits for its socket while
        packets are in its buffer, and Mosquitto sends them singly. wsproto would take ten times
        as long for a burst of small packets. Where `data` ends amid a packet's first bytes, which
        only faults make it do, frames begin anywhere: that is legal too.
        """
        end = len(data)
        stop = min(self._rest, end)
        self._rest -= stop
        position = 0
        while position < end:
            if not stop:
                size = _packet_size(data, position) or end - position
                stop = min(position + size, end)
                self._rest = position + size - stop
            yield _frame_head(stop - position)
            yield data[position:stop]
            position, stop = stop, 0

    def answer(self) -> bytes:
        said, self._answer = b"".join(self._answer), []
        if self._outer is not None and self.open:
            self._outer.passed(OUT, said.removeprefix(self._accepted))
            self._accepted = b""
        if self.open and self._early:
            early, self._early = b"".join(self._early), []
            said += self.sent(early)
        return said

    def closed(self) -> bytes:
        if self.open and self._ws.state is ConnectionState.OPEN:
            words = self._ws.send(CloseConnection(CloseReason.NORMAL_CLOSURE))
            if self._outer is not None:
                self._outer.passed(OUT, words)
            return words
        return b""

    def _request(self, data: bytes) -> bytes:
        """The whole upgrade request, once it is there."""
        self._head += data
        # A header may come in pieces, and what it asks for stands anywhere in it.
        if self._explain is not None and not undecided(self._head):
            wrong = self._explain(self._head)
            if wrong:
                if wrong.startswith("it speaks HTTP"):
                    self._reject(426, "MQTT over WebSocket is served here, and nothing else.")
                raise StreamFailed(wrong)
            self._explain = None
        if b"\r\n\r\n" in self._head:
            self.open = True
            head, end, self._head = self._head.partition(b"\r\n\r\n")
            return head + end
        if len(self._head) > _MOST_HEAD:
            self._reject(431, "The request's header is too large.")
            raise StreamFailed("the WebSocket request has no end")
        return b""

    def _take(self, event: Event, pieces: list[bytes]) -> None:
        match event:
            case Request():
                self._upgrade(event)
            case BytesMessage():
                pieces.append(bytes(event.data))
            case TextMessage():
                # [MQTT-6.0.0-1] MQTT is carried in binary frames; others close the connection.
                self._say(CloseConnection(CloseReason.UNSUPPORTED_DATA, "binary frames only"))
                raise StreamFailed("a WebSocket text frame: MQTT wants binary ones [MQTT-6.0.0-1]")
            case Ping():
                self._say(event.response())
            case CloseConnection():
                if self._ws.state is ConnectionState.OPEN:
                    # No frame of the client's: wsproto says so what it could not read.
                    self._say(event)
                    raise StreamFailed(f"WebSocket: {event.reason}")
                if self._ws.state is ConnectionState.REMOTE_CLOSING:
                    self._say(event.response())
                self.ended = True

    def _upgrade(self, request: Request) -> None:
        offered = request.subprotocols
        for name in SUBPROTOCOLS:
            if name in offered:
                self._say(AcceptConnection(subprotocol=name))
                self._accepted = b"".join(self._answer)
                return
        text = f"sub-protocol {', '.join(offered) or '(none)'} is none of {', '.join(SUBPROTOCOLS)}"
        self._reject(400, f"WebSocket {text}.")
        raise StreamFailed(f"WebSocket: {text} [MQTT-6.0.0-3]")

    def _refuse(self, error: RemoteProtocolError) -> None:
        hint = error.event_hint
        if isinstance(hint, RejectConnection):
            status = 426 if "pgrade" in str(error) else hint.status_code
            self._reject(status, f"No WebSocket: {error}.")
        elif hint is not None:
            self._say(hint)
        raise StreamFailed(f"WebSocket: {error}") from error

    def _reject(self, status: int, text: str) -> None:
        """An HTTP answer that says why there is no WebSocket; wsproto has none for bad HTTP."""
        body = f"{text}\n".encode()
        # Nothing of this connection is a frame.
        self._outer = None
        headers = [
            (b"content-type", b"text/plain; charset=utf-8"),
            (b"content-length", str(len(body)).encode()),
            (b"connection", b"close"),
        ]
        if status == 426:
            headers += [(b"upgrade", b"websocket"), (b"sec-websocket-version", b"13")]
        lines = [f"HTTP/1.1 {status} {_PHRASES[status]}".encode()]
        lines += [name + b": " + value for name, value in headers]
        self._answer.append(b"\r\n".join([*lines, b"", body]))

    def _say(self, event: Event) -> None:
        try:
            self._answer.append(self._ws.send(event))
        except LocalProtocolError:
            # It is too late for it: the connection is closing already.
            pass


def _packet_size(data: bytes, position: int) -> int:
    """Of the MQTT packet that begins there; 0 where that cannot be read."""
    # As mqtt/wire/frames.py reads it, which a layer below the protocols does not import; whether
    # the length is a legal one is not its affair.
    length = shift = 0
    for place in range(position + 1, min(position + 5, len(data))):
        byte = data[place]
        length |= (byte & 0x7F) << shift
        if byte < 0x80:
            return place + 1 - position + length
        shift += 7
    return 0


def _frame_head(size: int) -> bytes:
    """Of a whole binary message, not masked since it comes from the server (RFC 6455, 5.2)."""
    if size < 126:
        return bytes((_BINARY, size))
    if size < 1 << 16:
        return b"%c\x7e" % _BINARY + size.to_bytes(2)
    return b"%c\x7f" % _BINARY + size.to_bytes(8)


_PHRASES: Final = {400: "Bad Request", 426: "Upgrade Required", 431: "Header Fields Too Large"}
