"""UDP for a protocol whose clients are told apart by their addresses: what asyncio's sockets are
to streams.

Each address that something comes from gets an endpoint, as an accepted socket does, so that faults,
holds and the journal see whole messages as they see a stream's frames. Nothing waits in here: what
cannot be read now is lost, as in a socket's full buffer, and a peer's end is not seen.
"""

import asyncio
import logging
import socket
from collections import deque
from collections.abc import Callable
from typing import Any, Final, Protocol, cast, runtime_checkable

from .environment import Environment
from .errors import ProtocolError
from .events import ProtocolViolated
from .hangup import address_of

_log = logging.getLogger(__name__)

_MOST_WAITING: Final = 100
"""Messages of one peer that are kept while it is not read."""

Address = tuple[str, int]


class Framing(Protocol):
    """What a protocol knows of its datagrams."""

    def unwrap(self, datagram: bytes) -> tuple[bytes, bytes]:
        """Which node behind the sender it is from (b"": itself), and the one message in it.

        Raises ProtocolError for what is no message.
        """
        ...

    def wrap(self, node: bytes, message: bytes) -> bytes: ...

    def cut(self, data: bytes) -> list[bytes]:
        """Messages that were written together, each for a datagram."""
        ...

    def opened(self, send: Callable[[bytes, Address], object]) -> None:
        """A socket is open; `send` writes to an address by it."""
        ...

    def joins(self) -> str:
        """A multicast group whose datagrams are wanted too; empty for none."""
        ...


@runtime_checkable
class DatagramBroker(Protocol):
    """A broker that serves UDP beside streams."""

    def datagrams(self) -> Framing: ...


class Inner(Protocol):
    """What an endpoint is to its address."""

    id: int
    environment: Environment

    @property
    def protocol(self) -> str: ...

    def connection_made(self, transport: asyncio.BaseTransport) -> None: ...

    def data_received(self, data: bytes) -> None: ...

    def connection_lost(self, exc: Exception | None) -> None: ...


def bound_datagrams(host: str, port: int) -> socket.socket:
    """A UDP socket there; raises OSError."""
    kind = socket.SOCK_DGRAM
    [(family, _, _, _, address), *_] = socket.getaddrinfo(host, port, type=kind)
    sock = socket.socket(family, kind)
    try:
        sock.setblocking(False)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        # What is written may go to a network's broadcast address.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        sock.bind(address)
    except BaseException:
        sock.close()
        raise
    return sock


def join(sock: socket.socket, group: str) -> None:
    """Take a multicast group's datagrams too (IPv4); raises OSError."""
    if group and sock.family == socket.AF_INET:
        membership = socket.inet_aton(group) + socket.inet_aton("0.0.0.0")
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, membership)


class DatagramPort(asyncio.DatagramProtocol):
    """One UDP socket; `accept` makes the endpoint of an address that is new."""

    def __init__(
        self,
        framing: Framing,
        accept: Callable[[], Inner],
        environment: Environment,
        protocol: str,
    ) -> None:
        self.framing = framing
        self.transport: asyncio.DatagramTransport | None = None
        self._accept = accept
        self._environment = environment
        self._protocol = protocol
        self._peers: dict[tuple[Address, bytes], DatagramPeer] = {}
        self._closing = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str | Any, int]) -> None:
        address = addr[:2]
        try:
            node, message = self.framing.unwrap(data)
        except ProtocolError as error:
            # Anybody can send anything here: it concerns nobody who is connected.
            text = f"{address_of(address)}: no message: {error.text}"
            self._environment.spine.emit(ProtocolViolated(self._protocol, 0, "", text))
            return
        peer = self._peers.get((address, node))
        if peer is None:
            if self._closing:
                return
            peer = DatagramPeer(self, address, node, self._accept())
            self._peers[address, node] = peer
            peer.begin()
        peer.received(message)

    def error_received(self, exc: Exception) -> None:
        # A peer that is gone is seen by its silence alone.
        _log.debug("UDP: %s", exc)

    def send(self, data: bytes, address: Address) -> None:
        if self.transport is not None and not self.transport.is_closing():
            self.transport.sendto(data, address)

    def close(self) -> None:
        """Accept nobody new; the socket goes with the last of its peers."""
        self._closing = True
        self._close_if_idle()

    def forget(self, peer: "DatagramPeer") -> None:
        if self._peers.get(peer.key) is peer:
            del self._peers[peer.key]
        self._close_if_idle()

    def _close_if_idle(self) -> None:
        if self._closing and not self._peers and self.transport is not None:
            self.transport.close()


class DatagramPeer(asyncio.Transport):
    """The transport of one address's endpoint, and of one node's behind a forwarder."""

    __slots__ = ("_address", "_closed", "_endpoint", "_node", "_paused", "_port", "_waiting")

    def __init__(self, port: DatagramPort, address: Address, node: bytes, endpoint: Inner) -> None:
        super().__init__()
        self._port = port
        self._address = address
        self._node = node
        self._endpoint = endpoint
        self._closed = False
        self._paused = False
        self._waiting: deque[bytes] = deque()

    @property
    def key(self) -> tuple[Address, bytes]:
        return self._address, self._node

    def begin(self) -> None:
        self._endpoint.connection_made(self)

    def received(self, message: bytes) -> None:
        if not self._paused and not self._waiting:
            self._endpoint.data_received(message)
        elif len(self._waiting) < _MOST_WAITING:
            self._waiting.append(message)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if self._closed:
            return
        port = self._port
        for message in port.framing.cut(bytes(data)):
            port.send(port.framing.wrap(self._node, message), self._address)

    def can_write_eof(self) -> bool:
        return False

    def is_closing(self) -> bool:
        return self._closed

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            # What comes from there now is somebody new.
            self._port.forget(self)
            asyncio.get_running_loop().call_soon(self._endpoint.connection_lost, None)

    def abort(self) -> None:
        self.close()

    def pause_reading(self) -> None:
        self._paused = True

    def resume_reading(self) -> None:
        self._paused = False
        while self._waiting and not self._paused and not self._closed:
            self._endpoint.data_received(self._waiting.popleft())

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """The system's buffer is all there is."""

    def get_write_buffer_size(self) -> int:
        return 0

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        if name == "peername":
            return self._address
        if name == "sockname" and self._port.transport is not None:
            return self._port.transport.get_extra_info("sockname", default)
        return self._node.hex() if name == "node" and self._node else default
