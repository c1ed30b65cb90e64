"""Brokers, and nodes of them, that go away and come back; a certificate that expires."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final, Protocol

from mockforge_brokers.clock import Clock, Timer
from mockforge_brokers.contract import Nodes
from mockforge_brokers.errors import InvalidInput
from mockforge_brokers.events import BrokerRestarted, BrokerStarted, BrokerStopped, Warned
from mockforge_brokers.listener import Listener
from mockforge_brokers.spine import Spine

from .brokers import Brokers

_MOST_NODE: Final = 500
"""Their ports are a hundred apart."""


class Server(Protocol):
    """Where a broker's clients are accepted (transport.Server)."""

    def stop_listening(self, node: int | None = None) -> None: ...

    def listen_again(self, node: int | None = None) -> None: ...


class Listeners(Protocol):
    """Those that are open (listeners.Listeners)."""

    def add_node(self, protocol: str, node: int) -> Sequence[Listener]: ...

    def remove_node(self, protocol: str, node: int) -> None: ...

    def show_certificate(self, *, expired: bool) -> None: ...


class Stopping:
    """`name` is a protocol, or a node of its cluster: `kafka/2`."""

    def __init__(
        self,
        brokers: Brokers,
        servers: Mapping[str, Server],
        listeners: Listeners,
        clock: Clock,
        spine: Spine,
    ) -> None:
        self._brokers = brokers
        self._servers = servers
        self._listeners = listeners
        self._clock = clock
        self._spine = spine
        self._starting: dict[str, Timer] = {}
        self._renewal: Timer | None = None
        self._expired = False

    def cancel(self) -> None:
        """Nothing starts by itself any more, and no certificate is renewed."""
        for timer in (*self._starting.values(), self._renewal):
            if timer is not None:
                timer.cancel()

    def show_certificate(self, *, expired: bool, seconds: float | None) -> None:
        """What the next TLS handshakes meet, and the other one after so many seconds.

        Raises InvalidInput where that cannot be chosen.
        """
        self._show(expired)
        # Who chose last says how long: the end of an earlier choice is none of this one's.
        if self._renewal is not None:
            self._renewal.cancel()
        self._renewal = None
        if seconds is not None:
            self._renewal = self._clock.call_later(seconds, self._show, not expired)

    def _show(self, expired: bool) -> None:
        self._listeners.show_certificate(expired=expired)
        self._expired = expired

    def stop(self, name: str, *, hard: bool, seconds: float | None) -> BrokerRestarted:
        """End its connections and refuse new ones; what the protocol keeps stays.

        It starts again by itself after so many seconds, else by `start`. Raises InvalidInput.
        """
        protocol, slash, node = name.partition("/")
        server = self._server(protocol, stopped=False)
        if slash:
            nodes, number = self._node(protocol, node)
            place = nodes.place(number)
            ended = nodes.stop(number, hard=hard)
            server.stop_listening(place)
            event = BrokerRestarted(protocol, ended, "all: other nodes lead its partitions")
        else:
            server.stop_listening()
            self._brokers.stopped.add(protocol)
            # All of its nodes are there when it is.
            self._nodes_start_no_more(protocol)
            event = self._brokers[protocol].restart(hard=hard)
            self._spine.emit(BrokerStopped(protocol, hard))
        if seconds is not None:
            self._starting[name] = self._clock.call_later(seconds, self._start_again, name)
        return event

    def restart(self, name: str, *, hard: bool) -> BrokerRestarted:
        """As `stop` and `start`, at once: what of it is stopped already is there again too.

        A node of a cluster that restarts which cannot listen is a warning. Raises InvalidInput.
        """
        protocol, slash, node = name.partition("/")
        if slash:
            nodes, number = self._node(protocol, node)
            if number in nodes.stopped:
                event = BrokerRestarted(protocol, 0, "all: other nodes lead its partitions")
            else:
                event = self.stop(name, hard=hard, seconds=None)
            self.start(name)
            return event
        if protocol not in self._servers:
            raise InvalidInput(f"{protocol} does not run here")
        event = self._brokers[protocol].restart(hard=hard)
        if protocol in self._brokers.stopped:
            self.start(protocol)
        elif (cluster := self._brokers[protocol].nodes) is not None:
            for each in tuple(cluster.stopped):
                self._start_again(f"{protocol}/{each}")
        return event

    def start(self, name: str) -> None:
        """Accept connections again, at the same ports; a cluster with all its nodes.

        Raises InvalidInput.
        """
        protocol, slash, node = name.partition("/")
        server = self._server(protocol, stopped=not slash)
        if slash:
            nodes, number = self._node(protocol, node)
            if number not in nodes.stopped:
                raise InvalidInput(f"{name} runs already")
            self._listen(name, lambda: server.listen_again(nodes.place(number)))
            nodes.start(number)
        else:
            self._listen(name, server.listen_again)
            self._brokers.stopped.discard(protocol)
            cluster = self._brokers[protocol].nodes
            if cluster is not None:
                for each in cluster.stopped:
                    cluster.start(each)
            self._spine.emit(BrokerStarted(protocol))
            self._nodes_start_no_more(protocol)
        self._starts_no_more(name)

    def undo(self) -> None:
        """Whatever was stopped accepts connections again, and a certificate that expired holds.

        What cannot listen is a warning.
        """
        if self._expired:
            self.show_certificate(expired=False, seconds=None)
        for protocol, broker in self._brokers.items():
            if protocol in self._brokers.stopped:
                self._start_again(protocol)
            for node in tuple(broker.nodes.stopped) if broker.nodes is not None else ():
                self._start_again(f"{protocol}/{node}")

    def add(self, name: str) -> tuple[str, Sequence[Listener]]:
        """Another node of a cluster, by its number or (`kafka`) the next one.

        Returns its name and where it listens. Raises InvalidInput.
        """
        protocol, slash, text = name.partition("/")
        self._server(protocol, stopped=False)
        nodes = self._nodes(protocol)
        number = max(nodes.ids) + 1
        if slash:
            if not text.isdecimal() or int(text) > _MOST_NODE:
                raise InvalidInput(f"{name}: a node is a number from 1 to {_MOST_NODE:,}")
            number = int(text)
        nodes.add(number)
        try:
            added = self._listeners.add_node(protocol, nodes.place(number))
        except InvalidInput:
            nodes.remove(number)
            raise
        return f"{protocol}/{number}", added

    def remove(self, name: str, *, hard: bool) -> int:
        """A node goes for good; returns how many connections it had. Raises InvalidInput."""
        protocol, slash, text = name.partition("/")
        self._server(protocol, stopped=False)
        if not slash:
            raise InvalidInput(f"name the node: {protocol}/2; broker stop {protocol} stops all")
        nodes, number = self._node(protocol, text)
        place, ended = nodes.place(number), nodes.remove(number, hard=hard)
        self._listeners.remove_node(protocol, place)
        self._starts_no_more(name)
        return ended

    def _nodes_start_no_more(self, protocol: str) -> None:
        for node in [one for one in self._starting if one.startswith(f"{protocol}/")]:
            self._starts_no_more(node)

    def _starts_no_more(self, name: str) -> None:
        """By itself, after the time that it was stopped for."""
        timer = self._starting.pop(name, None)
        if timer is not None:
            timer.cancel()

    def _listen(self, name: str, listen: Callable[[], object]) -> None:
        try:
            listen()
        except OSError as error:
            raise InvalidInput(f"{name} cannot listen again: {error.strerror}") from None

    def _start_again(self, name: str) -> None:
        try:
            self.start(name)
        except InvalidInput as error:
            self._spine.emit(Warned(name.partition("/")[0], name, str(error)))

    def _server(self, protocol: str, *, stopped: bool) -> Server:
        if protocol not in self._servers:
            raise InvalidInput(f"{protocol} does not run here")
        if (protocol in self._brokers.stopped) != stopped:
            state = "runs already" if stopped else f"is stopped: broker start {protocol}"
            raise InvalidInput(f"{protocol} {state}")
        return self._servers[protocol]

    def _nodes(self, protocol: str) -> Nodes:
        nodes = self._brokers[protocol].nodes
        if nodes is None:
            raise InvalidInput(f"{protocol} has no nodes: Kafka has, with --kafka-nodes 3")
        return nodes

    def _node(self, protocol: str, node: str) -> tuple[Nodes, int]:
        nodes = self._nodes(protocol)
        known = [str(each) for each in nodes.ids]
        if node not in known:
            raise InvalidInput(f"{protocol} has no node {node}; there is {', '.join(known)}")
        return nodes, int(node)
