"""Where brokers meet asyncio: listens, accepts, and ends what it accepted."""

import asyncio
import logging
import socket
from collections.abc import Iterable
from contextlib import ExitStack, suppress
from typing import Final, NamedTuple, TypedDict

from . import unix_socket
from .bulk import give_back_memory, keep_large_blocks
from .busy_poll import BusyPoll
from .contract import Broker
from .datagrams import DatagramBroker, DatagramPort, bound_datagrams, join
from .durations import Histogram, Sampled
from .endpoint import Endpoint
from .environment import Environment
from .events import (
    ListenerOpened,
)
from .fairness import SLICE, Backlog
from .hangup import peer_address, reset
from .layered import Layered
from .listener import Listener
from .streams import layers
from .turns import Turns

_log = logging.getLogger(__name__)

_BACKLOG: Final = 1024
_ACCEPTED_AT_ONCE: Final = 32
_BURSTS_A_MEASUREMENT: Final = 16
_ALL_ADDRESSES: Final = ("0.0.0.0", "::")


class _Options(TypedDict):
    backlog: int
    start_serving: bool


class _Open(NamedTuple):
    """A place that accepts; one on ::1 beside that of a listener's own host is of the same one."""

    host: str
    listener: Listener
    server: asyncio.Server | DatagramPort
    place: unix_socket.Place | None


class Server:
    """One broker's listeners and sockets."""

    def __init__(self, broker: Broker, environment: Environment) -> None:
        self.broker = broker
        self.environment = environment
        self.endpoints: dict[int, Endpoint] = {}
        self._loop = asyncio.get_running_loop()
        keep_large_blocks()
        environment.freed.give_back = give_back_memory
        self.call_later = self._loop.call_later
        store = environment.store
        self.turns = Turns(
            environment.turn,
            self._loop.call_soon,
            None if store is None else store.commit,
            lambda: self.backlog.waiting > 0,
            gathers=store is None or store.prompt,
        )
        self.backlog = Backlog(environment.turn, self._loop.call_soon, self.turns.behind)
        environment.turn.length = SLICE
        self.poll = BusyPoll(environment.turn.now, self._loop.call_soon, environment.busy_poll)
        self.bursts = Sampled(_BURSTS_A_MEASUREMENT)
        environment.histograms.append(
            Histogram(
                "mockforge_burst_seconds",
                "From what was read at once to its answers handed to the system; one of "
                f"{_BURSTS_A_MEASUREMENT} is measured",
                ("protocol",),
                lambda: [((broker.protocol,), self.bursts)],
            )
        )
        self._open: list[_Open] = []
        self._paused: list[tuple[str, Listener]] = []
        self._reopening: set[asyncio.Task[None]] = set()
        self._removed: set[int] = set()
        """Nodes that are not in the cluster any more."""
        self._all_gone: asyncio.Future[None] | None = None
        if store is not None:
            store.on_failing(self._cut_off)
        environment.usage.gauge("connections", lambda: len(self.endpoints))
        environment.usage.gauge("write_mark", self._most_waiting)
        environment.usage.gauge("delayed_bytes", self._most_delayed)

    async def listen(self, listener: Listener) -> Listener:
        """Accept connections; returns the listener with the port that it got. Raises OSError.

        On 127.0.0.1 the same port number of ::1 is taken too where it exists, since clients that
        resolve `localhost` may try it first.
        """
        listener = await self._listen(listener, listener.host)
        if not listener.path and listener.host == "127.0.0.1":
            try:
                await self._listen(listener, "::1")
            except OSError:
                _log.debug("no listener at [::1]:%d", listener.port)
        self._opened(listener)
        return listener

    def _opened(self, listener: Listener) -> None:
        self.environment.listeners.append(listener)
        self.environment.spine.emit(
            ListenerOpened(
                listener.protocol, listener.host, listener.port, listener.name, listener.path
            )
        )

    async def _listen(
        self, listener: Listener, host: str, sock: socket.socket | None = None
    ) -> Listener:
        if listener.datagram:
            return await self._listen_datagrams(listener, host, sock)
        # A raw socket's endpoint is asyncio's protocol itself: nothing stands between.
        layered = listener.tls is not None or listener.websocket or listener.proxied

        local: tuple[str, int] | None = None

        def accept() -> asyncio.Protocol:
            endpoint = self._endpoint(listener, local)
            if not layered:
                return endpoint
            kept = None if self.environment.journal is None else endpoint.framed
            listeners = self.environment.listeners
            stream = layers(listener, listeners, endpoint.identify, endpoint.locate, kept)
            return endpoint if stream is None else Layered(endpoint, stream)

        place: unix_socket.Place | None = None
        options: _Options = {"backlog": _ACCEPTED_AT_ONCE, "start_serving": False}
        if listener.path:
            sock = sock or unix_socket.bound(listener.path)
            place = unix_socket.Place(listener.path)
            server = await self._loop.create_unix_server(accept, sock=sock, **options)
        elif sock is None:
            server = await self._loop.create_server(accept, host, listener.port, **options)
        else:
            server = await self._loop.create_server(accept, sock=sock, **options)
        if not listener.path:
            listener = listener.at(server.sockets[0].getsockname()[1])
            local = _only_address(server.sockets)
        await server.start_serving()
        for each in server.sockets:
            # The loop accepts as many in one turn as its backlog has; the system may keep more.
            with each.dup() as sock:
                sock.listen(_BACKLOG)
        self._open.append(_Open(host, listener, server, place))
        return listener

    async def _listen_datagrams(
        self, listener: Listener, host: str, sock: socket.socket | None
    ) -> Listener:
        assert isinstance(self.broker, DatagramBroker)
        framing = self.broker.datagrams()
        if sock is None:
            sock = bound_datagrams(host, listener.port)
        listener = listener.at(sock.getsockname()[1])

        def accept() -> Endpoint:
            return self._endpoint(listener)

        port = DatagramPort(framing, accept, self.environment, listener.protocol)
        join(sock, framing.joins())
        await self._loop.create_datagram_endpoint(lambda: port, sock=sock)
        framing.opened(port.send)
        self._open.append(_Open(host, listener, port, None))
        return listener

    def _endpoint(self, listener: Listener, local: tuple[str, int] | None = None) -> Endpoint:
        store = self.environment.store
        if store is None:
            return Endpoint(self, listener, local)
        from .durable_endpoint import DurableEndpoint

        return DurableEndpoint(self, listener, local, store)

    def _cut_off(self) -> None:
        """Nothing can be kept: who waits to hear that something is does so in vain."""
        from .durable_endpoint import DurableEndpoint

        store = self.environment.store
        if store is not None and store.failing:
            durable = [
                each for each in self.endpoints.values() if isinstance(each, DurableEndpoint)
            ]
            # Whoever is cut off may let others wait as well: for a group that is yet to be written.
            for endpoint in [each for each in durable if each.holding]:
                endpoint.cut_off(store.failing)

    def _most_waiting(self) -> int:
        return max((endpoint.waiting for endpoint in self.endpoints.values()), default=0)

    def _most_delayed(self) -> int:
        return max((endpoint.delayed for endpoint in self.endpoints.values()), default=0)

    def stop_listening(self, node: int | None = None) -> None:
        """Accept no more, or none of one node's clients."""
        kept = []
        for each in self._open:
            if node not in (None, each.listener.node):
                kept.append(each)
                continue
            each.server.close()
            if each.place is not None:
                each.place.remove()
            # With the port that it got: clients find it there again.
            self._paused.append((each.host, each.listener))
        self._open = kept

    def forget_listeners(self, node: int) -> None:
        """A node was removed: nobody listens at its places again."""
        self.stop_listening(node)
        self._removed.add(node)
        self._paused = [each for each in self._paused if each[1].node != node]
        listeners = self.environment.listeners
        listeners[:] = [
            each for each in listeners if (each.protocol, each.node) != (self.broker.protocol, node)
        ]

    def listen_now(self, asked: Iterable[Listener]) -> list[Listener]:
        """As `listen`, for who cannot wait for it: clients can connect when this returns.

        They are served in the loop's next turns. Raises OSError, then nobody listens anywhere.
        """
        socks = []
        with ExitStack() as opened:
            for listener in asked:
                sock = opened.enter_context(_bound(listener.host, listener))
                bound = listener.at(sock.getsockname()[1])
                socks.append((bound.host, bound, sock))
                if bound.host == "127.0.0.1":
                    with suppress(OSError):
                        socks.append(("::1", bound, opened.enter_context(_bound("::1", bound))))
            opened.pop_all()
        for each in socks:
            self._removed.discard(each[1].node)
            self._serve(*each)
        added = list(dict.fromkeys(listener for _, listener, _ in socks))
        for listener in added:
            self._opened(listener)
        return added

    def _serve(self, host: str, listener: Listener, sock: socket.socket) -> None:
        """Accept at a place that is ours already."""
        task = self._loop.create_task(self._accept_at(host, listener, sock))
        self._reopening.add(task)
        task.add_done_callback(self._reopening.discard)

    async def _accept_at(self, host: str, listener: Listener, sock: socket.socket) -> None:
        if listener.node in self._removed:
            # In the same turn in which it was to be served.
            sock.close()
        else:
            await self._listen(listener, host, sock)

    def listen_again(self, node: int | None = None) -> None:
        """Accept where `stop_listening` ended it, of one node or all. Raises OSError, then nowhere.

        Clients can connect when this returns; they are served in the loop's next turns.
        """
        again = [each for each in self._paused if node in (None, each[1].node)]
        with ExitStack() as opened:
            socks = []
            for host, listener in again:
                sock = opened.enter_context(_bound(host, listener))
                socks.append((host, listener, sock))
            opened.pop_all()
        self._paused = [each for each in self._paused if each not in again]
        for host, listener, sock in socks:
            self._serve(host, listener, sock)

    async def close(self, grace: float = 0.5) -> None:
        """Close all connections and end; who does not go within `grace` seconds is reset."""
        self.stop_listening()
        for endpoint in tuple(self.endpoints.values()):
            endpoint.shut_down()
        if self.endpoints:
            self._all_gone = self._loop.create_future()
            try:
                await asyncio.wait_for(self._all_gone, grace)
            except TimeoutError:
                for endpoint in tuple(self.endpoints.values()):
                    reset(endpoint.transport)
                await asyncio.sleep(0)

    def refuse(self, transport: asyncio.Transport) -> None:
        where = peer_address(transport)
        reset(transport)
        self.environment.usage.met(
            self.broker.protocol,
            "connections",
            f"the {self.broker.protocol} listener",
            "connections reset: {lost:,}, the last from {last}",
            last=where,
        )

    def forget(self, endpoint: Endpoint) -> None:
        if self._all_gone is not None and not self.endpoints and not self._all_gone.done():
            self._all_gone.set_result(None)


def _only_address(sockets: Iterable[socket.socket]) -> tuple[str, int] | None:
    """What all clients of these dial; None: the system has to be asked of each."""
    found = {sock.getsockname()[:2] for sock in sockets}
    if len(found) > 1:
        return None
    [(host, port)] = found
    return None if host in _ALL_ADDRESSES or "%" in host else (host, port)


def _bound(host: str, listener: Listener) -> socket.socket:
    """A socket that listens there; raises OSError."""
    if listener.path:
        sock = unix_socket.bound(listener.path)
        sock.listen(_BACKLOG)
        return sock
    if listener.datagram:
        return bound_datagrams(host, listener.port)
    [(family, _, _, _, address), *_] = socket.getaddrinfo(
        host, listener.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )
    return socket.create_server(address, family=family, backlog=_BACKLOG)
