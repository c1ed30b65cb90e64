"""The end of a socket: our last bytes and FIN in order, or RST."""

import asyncio
import select
import socket
import struct
from collections.abc import Callable
from typing import Final

from . import unix_socket

LINGER: Final = 2.0
"""Seconds that a peer has to take some more of our last bytes, or to close its side."""


class HangUp:
    """The end of a connection from our side; a peer that does not play its part is cut off."""

    __slots__ = ("_call_later", "_timer", "_transport")

    def __init__(
        self,
        transport: asyncio.Transport,
        call_later: Callable[..., asyncio.TimerHandle],
    ) -> None:
        self._transport = transport
        self._call_later = call_later
        self._timer: asyncio.TimerHandle | None = None

    def begin(self) -> None:
        # A close with bytes of the peer unread would reset the connection, and the peer might
        # lose our last bytes: so only our side ends, and what still comes is thrown away. It is
        # read also where we had stopped reading for a while, as when a turn was up.
        transport = self._transport
        self._wait()
        try:
            if transport.can_write_eof() and not transport.is_closing():
                transport.write_eof()
                transport.resume_reading()
                return
        except OSError:
            # The peer is gone already, and the loop is yet to tell us.
            pass
        transport.close()

    def end(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _wait(self) -> None:
        left = self._transport.get_write_buffer_size()
        self._timer = self._call_later(LINGER, self._look, left)

    def _look(self, before: int) -> None:
        left = self._transport.get_write_buffer_size()
        if not left:
            self._transport.close()
        elif left < before:
            self._wait()
        else:
            reset(self._transport)


def reset(transport: asyncio.Transport) -> None:
    """Close with RST: what was not yet sent is thrown away (SO_LINGER of 0 s, socket(7))."""
    sock = transport.get_extra_info("socket")
    if sock is not None and not transport.is_closing():
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


def was_reset(transport: asyncio.Transport) -> bool:
    """Whether the peer reset the connection, which a loop that does not read is not told.

    A peer that only ended its side is not meant: what it sent before counts. On a Unix socket that
    looks like a hang-up, so only an error is one there. Where the system cannot say (Windows) the
    answer is no, and the next read or write tells.
    """
    sock = transport.get_extra_info("socket")
    if sock is None or not hasattr(select, "poll"):
        return False
    poll = select.poll()
    poll.register(sock.fileno(), 0)
    found = poll.poll(0)
    if sock.family == getattr(socket, "AF_UNIX", None):
        return any(events & select.POLLERR for _, events in found)
    return bool(found)


def peer_address(transport: asyncio.Transport) -> str:
    """Where a client is."""
    name = transport.get_extra_info("peername")
    if isinstance(name, tuple):
        return address_of(name)
    sock = transport.get_extra_info("socket")
    if sock is not None and sock.family == getattr(socket, "AF_UNIX", None):
        return unix_socket.address(sock)
    return address_of(name)


def local_address(transport: asyncio.Transport) -> tuple[str, int]:
    """Host and port that a client dialled; a Unix socket's path, and 0."""
    name = transport.get_extra_info("sockname") or ("", 0)
    return (name, 0) if isinstance(name, str) else name[:2]


def address_of(name: tuple[str, int] | None) -> str:
    """A socket's name as people write it."""
    if not name:
        return "unknown"
    host, port = name[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def why_lost(error: Exception | None) -> str:
    if error is None:
        return "the client closed the connection"
    return f"the connection was lost: {error}"
