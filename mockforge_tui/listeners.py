"""Where clients are accepted: the listeners that a config asks for, opened and named."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, overload

from mockforge_brokers.errors import BrokerError, InvalidInput
from mockforge_brokers.listener import Listener
from mockforge_brokers.transport import Server

from .brokers import Brokers
from .config import Config
from .listening import Certificates, of_node, wanted
from .ports import cannot_listen

_NEXT = 100
"""So many ports are tried behind one that is taken."""


class CannotListen(BrokerError):
    """A port is not to be had; the text names who holds it and the option that changes it."""


class Listeners(Sequence[Listener]):
    """Those that are open, in the order in which they were opened.

    `next_free` takes the next port where one is taken and says so in `notices`.
    """

    def __init__(
        self,
        config: Config,
        brokers: Brokers,
        servers: Mapping[str, Server],
        notices: list[str],
        *,
        next_free: bool = False,
    ) -> None:
        """Raises InvalidInput for certificates that cannot be used."""
        self.accepting = False
        """All of them accept."""
        self._config = config
        self._brokers = brokers
        self._servers = servers
        self._notices = notices
        self._next_free = next_free
        self._certificates = None if config.tls is None else Certificates(config)
        self._open: list[Listener] = []

    @overload
    def __getitem__(self, index: int) -> Listener: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Listener]: ...

    def __getitem__(self, index: int | slice) -> Listener | Sequence[Listener]:
        return self._open[index]

    def __len__(self) -> int:
        return len(self._open)

    @property
    def ports(self) -> dict[str, int]:
        """By protocol: the port of its first listener."""
        return {each.protocol: each.port for each in reversed(self._open)}

    def facts(self) -> dict[str, Any]:
        """Addresses by protocol, as the ready line has them; listeners that are off are left out.

        `{"kafka": {"bootstrap": "127.0.0.1:9092"}, "mqtt": {"url": "mqtt://...", "ws": ...}}`
        """
        facts: dict[str, Any] = {}
        first: dict[str, str] = {}
        for listener in self._open:
            broker = self._brokers[listener.protocol]
            of_protocol = facts.setdefault(listener.protocol, {})
            address = broker.address(listener)
            # A cluster's clients are given the addresses of all its nodes.
            names = {broker.address_name: first.setdefault(listener.protocol, listener.name)}
            if listener.name != "plain":
                names[listener.name] = listener.name
            for name, kind in names.items():
                if kind == listener.name:
                    before = of_protocol.get(name)
                    of_protocol[name] = f"{before},{address}" if before else address
        if self._certificates is not None and self._certificates.facts:
            facts["tls"] = self._certificates.facts
        return facts

    def show_certificate(self, *, expired: bool) -> None:
        """What the next TLS handshakes meet; raises InvalidInput where that cannot be chosen."""
        if self._certificates is None:
            raise InvalidInput("there is no TLS here: start with --tls auto")
        self._certificates.show(expired=expired)

    def add_node(self, protocol: str, node: int) -> list[Listener]:
        """Accept clients of another node, in each way in which those of the first one come.

        Raises InvalidInput, and then nobody listens for it.
        """
        # Each by its name once; the first of the cluster's nodes may be gone, its ways are not.
        ways = {each.name: each for each in self._open if each.protocol == protocol}
        asked = [of_node(way, node, self._config) for way in ways.values()]
        try:
            added = self._servers[protocol].listen_now(asked)
        except (OSError, OverflowError) as error:
            places = ", ".join(each.place for each in asked)
            raise InvalidInput(
                f"{protocol}/{node} cannot listen at port {places}: {error}; --{protocol}-port 0"
                " takes free ones"
            ) from None
        self._open += added
        return added

    def remove_node(self, protocol: str, node: int) -> None:
        """Listen for its clients no more."""
        self._servers[protocol].forget_listeners(node)
        self._open = [each for each in self._open if (each.protocol, each.node) != (protocol, node)]

    async def open(self) -> None:
        """Listen everywhere. Raises CannotListen."""
        for each in wanted(self._config, self._brokers, self._certificates):
            await (self._open_path(each) if each.path else self._open_port(each))
        self.accepting = True

    async def close(self) -> None:
        """End every connection and listen no more."""
        await asyncio.gather(*(server.close() for server in self._servers.values()))

    def forget_certificates(self) -> None:
        if self._certificates is not None:
            self._certificates.remove()

    async def _open_path(self, asked: Listener) -> None:
        try:
            self._open.append(await self._servers[asked.protocol].listen(asked))
        except OSError as error:
            raise CannotListen(
                f"{asked.service} cannot listen at {asked.path}: {error.strerror}; "
                f"choose another path with --{asked.service}"
            ) from None

    async def _open_port(self, asked: Listener) -> None:
        async def listen(port: int) -> int:
            self._open.append(await self._servers[asked.protocol].listen(asked.at(port)))
            return self._open[-1].port

        try:
            await self.take_port(asked.service, asked.host, listen, asked.port)
        except CannotListen as error:
            if asked.name != "ws" or self._config.mqtt_ws_port is not None:
                raise
            # Nobody asked for it by name: no reason not to serve the rest.
            self._notices.append(f"{error}. There is no MQTT over WebSocket")

    async def take_port(
        self,
        service: str,
        host: str,
        listen: Callable[[int], Awaitable[int]],
        port: int | None = None,
    ) -> int:
        """Call `listen` with this port, else the configured one; returns the port that it bound.

        Where the port is taken and `next_free` is set, the next hundred are tried. Raises
        CannotListen.
        """
        wanted = self._config.port(service) if port is None else port
        last = wanted + (_NEXT if self._next_free and wanted else 0)
        for port in range(wanted, last + 1):
            try:
                bound = await listen(port)
            except (OSError, OverflowError) as error:
                if port == last:
                    raise CannotListen(cannot_listen(service, host, wanted, error)) from None
            else:
                if bound != wanted and wanted:
                    self._notices.append(f"port {wanted} is taken: {service} is at {bound}")
                return bound
        raise AssertionError("a range of ports is never empty")
