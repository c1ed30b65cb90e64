"""Clients without sockets: a `Peer` that keeps what it was sent, and the loop's part played."""

from mockforge_brokers.access import Principal
from mockforge_brokers.contract import Broker
from mockforge_brokers.environment import Environment
from mockforge_brokers.journal import IN, OUT, Tape
from mockforge_brokers.listener import Listener


class FakePeer:
    """One connection's other end, as `contract.Peer` describes it.

    `ended` is "" while open, then "closed" or "reset"; `reason` is the broker's word for why.
    """

    def __init__(self, number: int, opened: float) -> None:
        self.id = number
        self.address = f"127.0.0.1:{50_000 + number}"
        self.local = ("127.0.0.1", 1)
        self.listener = Listener("fake", port=1)
        self.principal = Principal()
        self.opened = opened
        self.bytes_in = 0
        self.bytes_out = 0
        self.awake = False
        self.paused = 0
        self.ended = ""
        self.reason = ""

    def wake(self) -> None:
        self.awake = True

    def close(self, reason: str) -> None:
        if not self.ended:
            self.ended, self.reason = "closed", reason

    def abort(self, reason: str) -> None:
        if not self.ended:
            self.ended, self.reason = "reset", reason

    def pause_reading(self) -> None:
        self.paused += 1

    def resume_reading(self) -> None:
        self.paused -= 1


class FakeClient:
    """A client in a test's hands: sends bytes, takes what came back."""

    def __init__(self, network: "FakeNetwork") -> None:
        environment = network.environment
        self.network = network
        self.peer = FakePeer(environment.next_connection(), environment.clock.wall())
        self.connection = network.broker.connect(self.peer)
        self.history: list[tuple[int, bytes]] = []
        self.gone = False
        self._received = bytearray()
        self._tape: Tape | None = None
        if environment.journal is not None:
            self._tape = environment.journal.open(
                network.broker.protocol, self.peer.id, self.connection
            )

    def send(self, data: bytes) -> None:
        """One burst of bytes; what it causes at any client is there when this returns."""
        assert not self.peer.ended, f"the connection was {self.peer.ended}: {self.peer.reason}"
        self.history.append((IN, data))
        self.peer.bytes_in += len(data)
        tail = self.connection.receive(data)
        if self._tape is not None:
            self._tape.add(IN, data, tail)
        self.flush()
        self.network.settle()

    def take(self, count: int | None = None) -> bytes:
        """The next `count` received bytes, or all that came so far."""
        data = bytes(self._received if count is None else self._received[:count])
        del self._received[: len(data)]
        return data

    def peek(self) -> bytes:
        """What came so far and was not yet taken."""
        return bytes(self._received)

    def vanish(self, reason: str = "the client closed the connection") -> None:
        """The socket ends without a goodbye."""
        if not self.peer.ended:
            self.peer.ended, self.peer.reason = "closed", reason
        self.network.settle()

    def set_writable(self, writable: bool) -> None:
        """Pretend that the socket's buffer passed its mark (False) or drained (True)."""
        self.connection.set_writable(writable)
        self.flush()
        self.network.settle()

    def flush(self) -> None:
        self.peer.awake = False
        if self.connection.out and not self.gone:
            data = b"".join(self.connection.out)
            self.connection.out.clear()
            self.connection.bulky = False
            self.peer.bytes_out += len(data)
            self._received += data
            self.history.append((OUT, data))
            if self._tape is not None:
                self._tape.add(OUT, data)

    def lose(self) -> None:
        """Tell the connection that its socket is gone, once."""
        if not self.gone:
            if self.peer.ended == "closed":
                self.flush()
            self.gone = True
            self.connection.connection_lost(self.peer.reason)


class FakeNetwork:
    """One broker with clients around it, and the part that the loop's next turn plays."""

    def __init__(self, broker: Broker, environment: Environment) -> None:
        self.broker = broker
        self.environment = environment
        self.clients: list[FakeClient] = []

    def connect(self) -> FakeClient:
        client = FakeClient(self)
        self.clients.append(client)
        return client

    def settle(self) -> None:
        """Flush who was woken and take leave of who ended, until nothing is left to do."""
        busy = True
        while busy:
            busy = False
            for client in self.clients:
                if client.peer.ended and not client.gone:
                    client.lose()
                    busy = True
                elif client.peer.awake and not client.gone:
                    client.flush()
                    busy = True
        for client in self.clients:
            assert client.gone or not client.connection.out, "output that nobody was woken for"
