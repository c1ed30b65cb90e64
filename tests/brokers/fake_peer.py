"""Clients without sockets: a `Peer` that keeps what it was sent, and the loop's part played."""

from collections.abc import Callable

from mockforge_brokers.access import Principal
from mockforge_brokers.contract import Broker, Connection, origin_of
from mockforge_brokers.environment import Environment
from mockforge_brokers.journal import IN, OUT, Origin, Tape
from mockforge_brokers.listener import Listener
from mockforge_brokers.snapshots import ConnectionView

FAR_BEHIND = 1 << 40
"""Bytes that wait for a peer which does not read: more than any limit."""


def finish(connection: Connection) -> None:
    """Have a connection go on with what it has not finished, as the loop does in later turns."""
    while connection.unfinished:
        connection.receive(b"")


class FakePeer:
    """One connection's other end, as `contract.Peer` describes it and `transport` plays it.

    `ended` is "" while open, then "closed" or "reset"; `reason` is the broker's word for why.
    The connection hears of its end within the call that ends it, whatever it is in the midst of;
    what it appends to `out` after that is never written.
    """

    def __init__(
        self,
        number: int,
        opened: float,
        protocol: str = "fake",
        network: "FakeNetwork | None" = None,
    ) -> None:
        self.id = number
        self.address = f"127.0.0.1:{50_000 + number}"
        self.local = ("127.0.0.1", 1)
        self.node = ""
        self.listener = Listener(protocol, port=1)
        self.principal = Principal()
        self.opened = opened
        self.bytes_in = 0
        self.bytes_out = 0
        self.waiting = 0
        self.awake = False
        self.paused = 0
        self.stopped = 0
        self.ended = ""
        self.reason = ""
        self.connection: Connection | None = None
        self.network = network
        self.last: ConnectionView | None = None
        self.written: list[bytes] = []

    def origin(self) -> Origin:
        return origin_of(self)

    def become(self, connection: Connection) -> None:
        self.connection = connection

    def identify(self, principal: Principal) -> None:
        self.principal = principal

    def wake(self) -> None:
        self.awake = True

    def close(self, reason: str) -> None:
        if not self.ended:
            self.flush()
        self._end("closed", reason)

    def abort(self, reason: str) -> None:
        self._end("reset", reason)

    def work(self, call: Callable[[], object]) -> None:
        call()

    def leaving(self, reason: str) -> None:
        self.reason = self.reason or reason

    def ending(self) -> None:
        if self.last is None and self.network is not None:
            self.last = self.network.broker.connection(self.id)

    def _end(self, how: str, reason: str) -> None:
        if not self.ended:
            self.ending()
            self.ended, self.reason = how, self.reason or reason
            if self.connection is not None:
                self.connection.connection_lost(self.reason)
            if self.last is not None and self.network is not None:
                self.network.environment.ended.add(self.last, self.reason)

    def flush(self) -> None:
        """The loop's part: write what is in `out`."""
        self.awake = False
        connection = self.connection
        if connection is not None and connection.out and not self.ended:
            self.written.append(b"".join(connection.out))
            connection.out.clear()
            connection.bulky = False

    def pause_reading(self) -> None:
        self.paused += 1

    def resume_reading(self) -> None:
        self.paused -= 1
        assert self.paused >= 0, "reading was resumed more often than paused"

    def pause_sending(self) -> None:
        self.stopped += 1
        if self.stopped == 1 and self.connection is not None and not self.ended:
            self.connection.set_writable(False)

    def resume_sending(self) -> None:
        self.stopped -= 1
        assert self.stopped >= 0, "sending was resumed more often than paused"
        if self.stopped == 0 and self.connection is not None and not self.ended:
            self.connection.set_writable(True)


class FakeClient:
    """A client in a test's hands: sends bytes, takes what came back."""

    def __init__(self, network: "FakeNetwork", listener: Listener | None = None) -> None:
        environment = network.environment
        self.network = network
        self.peer = FakePeer(
            environment.next_connection(),
            environment.clock.wall(),
            network.broker.protocol,
            network,
        )
        if listener is not None:
            self.peer.listener = listener
        self.peer.connection = network.broker.connect(self.peer)
        self.history: list[tuple[int, bytes]] = []
        self._received = bytearray()
        self._unread: list[bytes] = []
        self._parked = False
        self._tape: Tape | None = None
        if environment.journal is not None:
            place = None if listener is None else self.peer
            self._tape = environment.journal.open(
                network.broker.protocol, self.peer.id, self.connection, place
            )

    @property
    def connection(self) -> Connection:
        assert self.peer.connection is not None
        return self.peer.connection

    def send(self, data: bytes) -> None:
        """One burst of bytes; what it causes at any client is there when this returns.

        While the broker reads nothing from this client the bytes wait, as they would in a socket.
        """
        assert not self.peer.ended, f"the connection was {self.peer.ended}: {self.peer.reason}"
        self._unread.append(data)
        self.network.settle()

    def read(self) -> bool:
        """Hand over what waits to be read; False when there is nothing, or nobody reads."""
        if self.peer.paused or self.peer.ended:
            return False
        if self._parked:
            self._finish()
            return True
        if not self._unread:
            return False
        data = self._unread.pop(0)
        self.history.append((IN, data))
        self.peer.bytes_in += len(data)
        turn = self.network.environment.turn
        turn.begin()
        tail = self.connection.receive(data)
        if self._tape is not None:
            self._tape.add(IN, data, tail)
        self._finish()
        return True

    def _finish(self) -> None:
        """What the connection has not finished goes on in later turns, if somebody reads."""
        self._parked = False
        while self.connection.unfinished and not self.peer.ended:
            if self.peer.paused:
                self._parked = True
                break
            self.flush()
            self.network.environment.turn.begin()
            self.connection.receive(b"")
        self.flush()

    def take(self, count: int | None = None) -> bytes:
        """The next `count` received bytes, or all that came so far."""
        data = bytes(self._received if count is None else self._received[:count])
        del self._received[: len(data)]
        return data

    def peek(self) -> bytes:
        """What came so far and was not yet taken."""
        return bytes(self._received)

    def vanish(self, reason: str = "the client closed the connection") -> None:
        """The socket ends without a word."""
        self.flush()
        self.peer._end("closed", reason)
        self.network.settle()

    def set_writable(self, writable: bool) -> None:
        """Pretend that the socket's buffer passed its mark (False) or drained (True)."""
        self.peer.waiting = 0 if writable else FAR_BEHIND
        (self.peer.resume_sending if writable else self.peer.pause_sending)()
        self._finish()
        self.network.settle()

    def flush(self) -> None:
        self.peer.flush()
        for data in self.peer.written:
            self.peer.bytes_out += len(data)
            self._received += data
            self.history.append((OUT, data))
            if self._tape is not None:
                self._tape.add(OUT, data)
        self.peer.written.clear()
        if self.peer.ended and self._tape is not None:
            self._tape.end(self.connection.past())
            self._tape = None


class FakeNetwork:
    """One broker with clients around it, and the part that the loop's next turn plays."""

    def __init__(self, broker: Broker, environment: Environment) -> None:
        self.broker = broker
        self.environment = environment
        self.clients: list[FakeClient] = []

    def connect(self, listener: Listener | None = None) -> FakeClient:
        client = FakeClient(self, listener)
        self.clients.append(client)
        return client

    def settle(self) -> None:
        """Read, and flush who was woken, until nothing is left to do."""
        busy = True
        while busy:
            busy = False
            for client in self.clients:
                busy = client.read() or busy
                if client.peer.awake or client.peer.written or (client.peer.ended and client._tape):
                    client.flush()
                    busy = True
        for client in self.clients:
            assert client.peer.ended or not client.connection.out, "output nobody was woken for"
