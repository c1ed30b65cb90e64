"""A socket with layers: asyncio's side of streams.py, as asyncio's own SSLProtocol is of TLS.

It is the protocol of the socket and the transport of the endpoint, so that an endpoint knows
nothing of layers and a raw one pays nothing for them.
"""

import asyncio
from typing import Any, Final, Protocol, cast

from .environment import Environment
from .errors import StreamFailed
from .events import ProtocolViolated
from .streams import Stream

HANDSHAKE: Final = 10.0
"""Seconds in which the layers have to be agreed on."""


class Inner(Protocol):
    """What an endpoint is to its layers."""

    id: int
    environment: Environment

    @property
    def protocol(self) -> str: ...

    def connection_made(self, transport: asyncio.BaseTransport) -> None: ...

    def data_received(self, data: bytes) -> None: ...

    def eof_received(self) -> bool | None: ...

    def catch_up(self) -> None: ...

    def pause_writing(self) -> None: ...

    def resume_writing(self) -> None: ...

    def connection_lost(self, exc: Exception | None) -> None: ...

    def close(self, reason: str) -> None: ...


class Layered(asyncio.Protocol, asyncio.Transport):
    """Passes bytes through `stream` in both directions, and all else on as it is."""

    __slots__ = ("_below", "_inner", "_left", "_said_close", "_stream", "_timer")

    def __init__(self, inner: Inner, stream: Stream) -> None:
        super().__init__()
        self._inner = inner
        self._stream = stream
        self._said_close = False
        self._left = False
        self._timer: asyncio.TimerHandle | None = None

    # The socket's protocol.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._below = cast("asyncio.Transport", transport)
        self._timer = asyncio.get_running_loop().call_later(HANDSHAKE, self._too_slow)
        self._inner.connection_made(self)

    def data_received(self, data: bytes) -> None:
        if self._said_close:
            # We hung up: what still comes is thrown away, and is answered no more.
            return
        inner, stream = self._inner, self._stream
        try:
            data = stream.received(data)
        except StreamFailed as error:
            if error.before:
                # What it sent before that has its effect, however it was cut into reads.
                inner.data_received(error.before)
                inner.catch_up()
            self._fail(error.text)
            return
        if stream.open and self._timer is not None:
            self._timer.cancel()
            self._timer = None
        answer = stream.answer()
        if answer:
            self._below.write(answer)
        if data:
            inner.data_received(data)
        if stream.ended and not self._left:
            # The client took its leave in the layer's own way: as good as the end of its bytes.
            self._left = True
            if not inner.eof_received():
                self.close()

    def eof_received(self) -> bool | None:
        if not self._stream.open and not self._left and not self.is_closing():
            self._left = True
            self._report("the client left before TLS or WebSocket was agreed on: does it trust us?")
        return self._inner.eof_received()

    def pause_writing(self) -> None:
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        self._inner.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._inner.connection_lost(exc)

    # The endpoint's transport.

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self._below.write(self._stream.sent(bytes(data)))

    def can_write_eof(self) -> bool:
        return self._below.can_write_eof()

    def write_eof(self) -> None:
        self._say_close()
        self._below.write_eof()

    def close(self) -> None:
        if not self._below.is_closing():
            self._say_close()
        self._below.close()

    def abort(self) -> None:
        self._below.abort()

    def is_closing(self) -> bool:
        return self._below.is_closing()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        # Who writes to the socket itself must know that the bytes are not those of the layer.
        return True if name == "layered" else self._below.get_extra_info(name, default)

    def pause_reading(self) -> None:
        self._below.pause_reading()

    def resume_reading(self) -> None:
        self._below.resume_reading()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self._below.set_write_buffer_limits(high, low)

    def get_write_buffer_size(self) -> int:
        return self._below.get_write_buffer_size()

    def _say_close(self) -> None:
        if not self._said_close:
            self._said_close = True
            words = self._stream.closed()
            if words:
                self._below.write(words)

    def _too_slow(self) -> None:
        if not self._stream.open and not self._below.is_closing():
            self._fail(f"no TLS or WebSocket was agreed on within {HANDSHAKE:g} s")

    def _fail(self, reason: str) -> None:
        # The client's own end, which follows, is no further news.
        self._left = True
        self._report(reason)
        self._below.write(self._stream.answer())
        self._inner.close(reason)

    def _report(self, reason: str) -> None:
        inner = self._inner
        inner.environment.spine.emit(ProtocolViolated(inner.protocol, inner.id, "", reason))
