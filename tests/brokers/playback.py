"""Replays golden transcripts: conversations as bytes, one line for each thing that happens.

    # a comment
    a > 10 0c 00 04 "MQTT" 04 02 00 3c    CONNECT, keep alive 60 (the comment: after two spaces)
        00 00                             hex on an indented line goes on
    a < 20 02 00 00                       what comes to `a` next; ?? is any byte, ... any bytes
    a < nothing                           nothing came to `a`
    a closed                              (or: a reset) the broker ended the connection
    a gone                                the client's socket vanishes
    a slow | a fast                       its write buffer passed the mark, drained
    advance 91                            time passes, in seconds
    event LimitReached mqtt_session_queue an event of this kind came, with this text in it
    ! publish sensors/temp 21.5           a verb that the test hands in

A client connects at its first line. At the end nothing may be left that no line expected.
"""

import re
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mockforge_brokers.clock import ManualClock
from mockforge_brokers.contract import Broker
from mockforge_brokers.environment import Environment
from mockforge_brokers.errors import ProtocolError
from mockforge_brokers.events import Event

from .fake_peer import FakeClient, FakeNetwork

TRANSCRIPTS = Path(__file__).parent / "transcripts"
_PIECE = re.compile(r'"(?P<text>[^"]*)"|(?P<hex>[0-9a-fA-F]{2})|(?P<any>\?\?)|(?P<rest>\.\.\.)')


@dataclass(slots=True)
class Step:
    """One line: who (or ""), what, and the rest of it without its comment."""

    line: int
    who: str
    verb: str
    rest: str = ""


def transcripts(protocol: str) -> list[Path]:
    """The transcript files of one protocol, for a test's parameters."""
    return sorted((TRANSCRIPTS / protocol).glob("*.txt"))


def parse(text: str) -> list[Step]:
    """The steps of a transcript."""
    steps: list[Step] = []
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.rstrip()
        if not line or line.lstrip().startswith("#"):
            continue
        if line[0].isspace():
            steps[-1].rest += " " + _uncommented(line.strip())
            continue
        first, _, rest = line.partition(" ")
        if first in ("advance", "event", "!"):
            steps.append(Step(number, "", first, _uncommented(rest.strip())))
            continue
        verb, _, rest = rest.strip().partition(" ")
        steps.append(Step(number, first, verb, _uncommented(rest.strip())))
    return steps


def _uncommented(text: str) -> str:
    """`text` up to two spaces that stand outside of quotes."""
    quoted = False
    for place, character in enumerate(text):
        if character == '"':
            quoted = not quoted
        elif not quoted and text.startswith("  ", place):
            return text[:place]
    return text


def to_bytes(text: str) -> bytes:
    """`10 0c "MQTT"` as bytes."""
    data = bytearray()
    for match in _pieces(text):
        if match["text"] is not None:
            data += match["text"].encode()
        elif match["hex"]:
            data += bytes.fromhex(match["hex"])
        else:
            raise ValueError(f"{match[0]} stands for what is received, not for what is sent")
    return bytes(data)


def to_pattern(text: str) -> re.Pattern[bytes]:
    """What a `<` line expects; an ending `...` takes all that is there."""
    pattern = b""
    pieces = _pieces(text)
    for match in pieces:
        if match["text"] is not None:
            pattern += re.escape(match["text"].encode())
        elif match["hex"]:
            pattern += re.escape(bytes.fromhex(match["hex"]))
        elif match["any"]:
            pattern += b"."
        else:
            pattern += b".*" if match is pieces[-1] else b".*?"
    return re.compile(pattern, re.DOTALL)


def _pieces(text: str) -> list[re.Match[str]]:
    matches = list(_PIECE.finditer(text))
    left = _PIECE.sub("", text).split()
    if left:
        raise ValueError(f"neither hex nor text: {left} (a comment begins after two spaces)")
    return matches


@dataclass
class Playback:
    """One broker, its clients by name, and the events not yet asked for."""

    broker: Broker
    environment: Environment
    clock: ManualClock
    verbs: Mapping[str, Callable[..., object]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.network = FakeNetwork(self.broker, self.environment)
        self.clients: dict[str, FakeClient] = {}
        self.events: list[Event] = []
        self.environment.spine.watch(self.events.append)

    def play(self, text: str) -> None:
        """Do and check every line; an AssertionError names the line."""
        for step in parse(text):
            try:
                self._do(step)
            except AssertionError as error:
                raise AssertionError(f"line {step.line}: {error}") from None
        for name, client in self.clients.items():
            assert not client.peek(), f"at the end {name} has unread {client.peek().hex(' ')}"
        self.check_rows()

    def client(self, name: str) -> FakeClient:
        client = self.clients.get(name)
        if client is None:
            client = self.clients[name] = self.network.connect()
        return client

    def _do(self, step: Step) -> None:
        match step.verb:
            case ">":
                self.client(step.who).send(to_bytes(step.rest))
            case "<":
                self._expect(self.client(step.who), step.rest)
            case "closed" | "reset" as ended:
                peer = self.client(step.who).peer
                assert peer.ended == ended, f"{step.who} is {peer.ended or 'open'}, not {ended}"
            case "gone":
                self.client(step.who).vanish()
            case "slow" | "fast":
                self.client(step.who).set_writable(step.verb == "fast")
            case "advance":
                self.clock.advance(float(step.rest))
                self.network.settle()
            case "event":
                self._expect_event(*step.rest.partition(" ")[::2])
            case "!":
                verb, *arguments = shlex.split(step.rest)
                self.verbs[verb](*arguments)
                self.network.settle()
            case _:
                raise ValueError(f"line {step.line}: unknown verb {step.verb!r}")

    def _expect(self, client: FakeClient, rest: str) -> None:
        got = client.peek()
        if rest.split()[:1] == ["nothing"]:
            assert not got, f"nothing was due, but {got.hex(' ')} came"
            return
        match = to_pattern(rest).match(got)
        ended = f" (the connection is {client.peer.ended})" if client.peer.ended else ""
        assert match, f"\n expected {rest}\n      got {got.hex(' ') or 'nothing'}{ended}\n{got!r}"
        client.take(match.end())

    def _expect_event(self, kind: str, text: str) -> None:
        for place, event in enumerate(self.events):
            if type(event).__name__ == kind and text in repr(event):
                del self.events[: place + 1]
                return
        raise AssertionError(f"no event {kind} {text} among {self.events}")

    def check_rows(self) -> None:
        """Every frame that passed can be shown: at least one row, and none of them raises."""
        for client in self.clients.values():
            for direction in (0, 1):
                splitter = client.connection.splitter(direction)
                data = b"".join(part for way, part in client.history if way == direction)
                try:
                    frames = splitter.feed(data)
                except ProtocolError:
                    continue
                for frame in frames:
                    assert client.connection.rows(direction, frame), frame.hex(" ")
