"""The smallest protocol that the shared floor can carry: lines, answered with an echo."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from mockforge_brokers.contract import Peer
from mockforge_brokers.environment import Environment
from mockforge_brokers.errors import InvalidInput, ProtocolError
from mockforge_brokers.journal import IN, Past, Row
from mockforge_brokers.listener import Listener
from mockforge_brokers.misbehaviour.decisions import Changes
from mockforge_brokers.misbehaviour.skimming import Skimmer
from mockforge_brokers.snapshots import ConnectionView, DestinationView, GroupView, Metric


class LineSkimmer(Skimmer):
    def __init__(self, glance: Callable[[bytes], tuple[bytes, bool] | None]) -> None:
        super().__init__()
        self._glance = glance

    def skim(self, data: bytes) -> bool:
        frames = data.splitlines(keepends=True)
        return all(frame.endswith(b"\n") and self._glance(frame) in self.looks for frame in frames)


class LineSplitter:
    def __init__(self) -> None:
        self._rest = b""

    @property
    def pending(self) -> int:
        return len(self._rest)

    def feed(self, data: bytes) -> list[bytes]:
        *lines, self._rest = (self._rest + data).split(b"\n")
        if any(b"\0" in line for line in lines):
            self._rest = b"".join(line + b"\n" for line in lines) + self._rest
            raise ProtocolError("a zero byte")
        return [line + b"\n" for line in lines]

    def take(self) -> bytes:
        rest, self._rest = self._rest, b""
        return rest


def _splitter(direction: int) -> LineSplitter:
    return LineSplitter()


def _rows(direction: int, frame: bytes) -> list[Row]:
    word = frame.split()[0].decode() if frame.split() else ""
    return [Row("lines", direction, word, destination=word, payload=frame, size=len(frame))]


class LineConnection:
    """Echoes; `bug` raises, `bye` closes, `all TEXT` tells everybody, `big N` answers N bytes."""

    def __init__(self, broker: "LineBroker", peer: Peer) -> None:
        self.out: list[bytes] = []
        self.bulky = False
        self.unfinished = False
        self.client = "?"
        self.lines: list[bytes] = []
        self.writable: list[bool] = []
        self.lost: list[str] = []
        self.peer = peer
        self._broker = broker
        self._splitter = LineSplitter()
        self._waiting: list[bytes] = []

    def receive(self, data: bytes) -> int:
        turn = self._broker.environment.turn
        self._waiting += self._splitter.feed(data)
        self.unfinished = False
        while self._waiting:
            self._handle(self._waiting.pop(0))
            if self._waiting and turn.now() > turn.until:
                self.unfinished = True
                break
        return self._splitter.pending + sum(map(len, self._waiting))

    def _handle(self, line: bytes) -> None:
        self.lines.append(line)
        word, _, rest = line.rstrip(b"\n").partition(b" ")
        match word:
            case b"bug":
                raise ZeroDivisionError("a bug")
            case b"bye":
                self.out.append(b"bye\n")
                self.peer.close("said bye")
            case b"all":
                for other in self._broker.live.values():
                    other.out.append(rest + b"\n")
                    other.peer.wake()
            case b"big":
                self.out += [b"x" * (int(rest) - 1) + b"\n", b"end\n"]
                self.bulky = True
            case _:
                self.out.append(line)

    @property
    def missing(self) -> int:
        return 0

    expected = missing

    def take_rest(self) -> bytes:
        waiting = b"".join(self._waiting)
        self._waiting.clear()
        return waiting + self._splitter.take()

    def set_writable(self, writable: bool) -> None:
        self.writable.append(writable)

    def connection_lost(self, reason: str) -> None:
        self.lost.append(reason)
        self._broker.live.pop(self.peer.id, None)

    def let_go(self) -> None:
        """Nothing that it has knows it."""

    def past(self) -> Past:
        return Past(self.client, _splitter, _rows)

    def shutdown(self) -> None:
        self.out.append(b"the end\n")
        self.peer.close("the broker ended")

    def splitter(self, direction: int) -> LineSplitter:
        return LineSplitter()

    def rows(self, direction: int, frame: bytes) -> list[Row]:
        return _rows(direction, frame)

    def parts(self, rows: list[Row]) -> list[Row]:
        return rows

    def refuse(self, frame: bytes, parts: list[Row], code: int, text: str) -> None:
        self.out.append(f"no {code} {text}\n".encode())

    def edit(self, direction: int, frame: bytes, changes: Mapping[int, Changes]) -> bytes:
        payload = changes[0].payload
        if not isinstance(payload, bytes) or b"\n" in payload:
            raise InvalidInput("a line's payload is one line")
        return payload + b"\n"

    def glance(self, direction: int, frame: bytes) -> tuple[bytes, bool] | None:
        return frame.split()[0], False

    def skimmer(self, direction: int) -> Skimmer:
        return LineSkimmer(partial(self.glance, direction))

    def set_fields(self, direction: int, frame: bytes, values: Mapping[str, str]) -> bytes:
        if "word" not in values:
            raise InvalidInput("a line has no field but its word")
        return values["word"].encode() + b"\n"

    def malformed(self, name: str) -> bytes:
        if name != "endless":
            raise InvalidInput(f"a line is never {name}")
        return b"line without end"

    def notify_blocked(self, reason: str | None) -> None:
        self.out.append(f"blocked {reason}\n".encode())

    def body(self, frame: bytes) -> range:
        return range(len(frame) - 1)

    def repeat(self, frame: bytes, *, dup: bool) -> None:
        self.receive(frame)

    def repeated(self, frame: bytes, *, dup: bool) -> bytes:
        return frame


def _view(one: LineConnection) -> ConnectionView:
    peer = one.peer
    return ConnectionView(peer.id, "lines", one.client, peer.address, "open", peer.opened)


class LineBroker:
    protocol = "lines"
    refusals: Mapping[str, int] = {"NO": 7}
    address_name = "url"

    def __init__(self, environment: Environment) -> None:
        self.environment = environment
        self.live: dict[int, LineConnection] = {}
        self.all: list[LineConnection] = []

    def connect(self, peer: Peer) -> LineConnection:
        connection = LineConnection(self, peer)
        self.live[peer.id] = connection
        self.all.append(connection)
        return connection

    def address(self, listener: Listener) -> str:
        return listener.reachable

    def settings_at(self, listener: Listener) -> Mapping[str, object]:
        return {}

    def connections(self) -> list[ConnectionView]:
        return [_view(one) for one in self.live.values()]

    def connection(self, number: int) -> ConnectionView | None:
        found = self.live.get(number)
        return _view(found) if found is not None else None

    def destinations(self) -> list[DestinationView]:
        return []

    def groups(self) -> list[GroupView]:
        return []

    def metrics(self) -> list[Metric]:
        return []

    def disconnect(self, connection: int, reason: str, *, reset: bool = False) -> bool:
        return False

    def watch(
        self, callback: Callable[[Any], object], destination: str | None = None
    ) -> Callable[[], None]:
        return lambda: None

    def reset(self) -> None:
        self.live.clear()


def is_word(word: str, direction: int = IN) -> Callable[[Row], bool]:
    """A filter over rows: this word, in this direction."""
    return lambda row: row.operation == word and row.direction == direction
