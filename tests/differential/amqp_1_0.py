"""AMQP 1.0 beside RabbitMQ: `python -m tests.differential.amqp_1_0 PORT [--record] [--only NAME]`.

Each script of amqp_1_0_scripts is played to the RabbitMQ at PORT, and to a broker of ours without
sockets; what differs is printed. `--record` keeps what RabbitMQ answered in
amqp-1-0-rabbitmq.json, which tests/brokers/amqp/v1_0/test_original.py compares ours with.
RabbitMQ takes ten minutes for it, or less in several virtual hosts at once (`--vhosts a b c d`).

What no client can tell, or comes in no certain order, is left out of both (`comparable`);
where all the rest may differ, and why, stands in amqp_1_0_known.py.
"""

import argparse
import json
import re
import socket
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from difflib import unified_diff
from pathlib import Path
from queue import SimpleQueue
from typing import Any
from uuid import UUID

from brokers.amqp import client as classic
from brokers.amqp.client import Scene
from brokers.amqp.v1_0 import client as modern
from mockforge_brokers.amqp.options import AmqpOptions
from mockforge_brokers.amqp.v1_0.wire import message
from mockforge_brokers.amqp.v1_0.wire.performatives import Composite
from mockforge_brokers.amqp.v1_0.wire.values import Array, DecodeError, Described, Opaque, Symbol

KEPT = Path(__file__).parent / "amqp-1-0-rabbitmq.json"
RELEASE = "4.3"
QUIET = 0.25
"""Seconds without a byte, after which RabbitMQ is taken to have said all."""

Trace = list[str]

_GENERATED = re.compile(r"amq\.(gen|dyn|rabbitmq\.reply-to)[-.][-.\w=~%]*")
_NODE = re.compile(r"\brabbit@mockforge\b|\br43@localhost\b")
_MOMENT = re.compile(r"Timestamp\(1[5-9]\d{11}\)|Field\(type='T', value=1[5-9]\d{8}\)")


class Line:
    """A socket in the place of a `FakeClient` and its peer."""

    ended = ""

    def __init__(self, port: int, quiet: float = QUIET) -> None:
        self.peer = self
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._socket.settimeout(quiet)

    def send(self, data: bytes) -> None:
        with suppress(OSError):
            self._socket.sendall(data)

    def take(self) -> bytes:
        found = b""
        with suppress(OSError):
            while piece := self._socket.recv(1 << 16):
                found += piece
        return found

    def close(self) -> None:
        self._socket.close()


class _Scene:
    """What a client asks of a scene."""

    def __init__(self, port: int, vhost: str) -> None:
        self.lines: list[Line] = []
        self._port = port
        self.vhost = vhost

    def stranger(self) -> Any:
        return self

    def connect(self, listener: object = None) -> Line:
        self.lines.append(Line(self._port))
        return self.lines[-1]

    @property
    def fake(self) -> Line:
        return self.connect()


class _New(modern.Client):
    """Each answer is a line of the trace."""

    def __init__(self, scene: Any, tell: Callable[[str], None]) -> None:
        super().__init__(scene)
        self.tell = tell
        self.silent = False
        self.ended = False

    def received(self) -> list[modern.Got]:
        try:
            came = super().received()
        except DecodeError as error:
            self.tell(f"  ?? {error}")
            return []
        for got in came:
            self.ended |= got.name in ("end", "close")
            if not self.silent:
                self.tell(f"  {_told(got)}")
        return came

    def again(self) -> None:
        """Where the last step ended the session: another one."""
        if self.ended:
            self.ended, self.silent = False, True
            self.send("end")
            self.begin()
            self.silent = False


class Talk:
    """One script with one broker: its clients, and what they were told."""

    def __init__(self, scene: Any) -> None:
        self.trace: Trace = []
        self._scene = scene
        self._network = getattr(scene, "network", scene)
        self._vhost = getattr(scene, "vhost", "/")
        self._declared: list[str] = []
        self._exchanges: list[str] = []
        self._old: classic.Client | None = None

    def say(self, text: str) -> None:
        self.trace.append(text)

    def client(self, **given: Any) -> _New:
        """A new client of AMQP 1.0, with a session."""
        found = _New(self._scene, self.say)
        found.silent = True
        with suppress(AssertionError):
            found.connect(**{"hostname": f"vhost:{self._vhost}", **given})
        found.silent = False
        return found

    def stranger(self) -> _New:
        return _New(self._scene, self.say)

    @property
    def old(self) -> classic.Client:
        """A client of AMQP 0-9-1 with an open channel."""
        if self._old is None:
            self._old = classic.Client(self._network)
            self._old.connect(vhost=self._vhost)
            self._old.open()
        return self._old

    def ask(self, name: str, **values: Any) -> list[classic.Got]:
        """A method of AMQP 0-9-1, whose answers are told."""
        came = self.old.send(name, **values)
        for got in came:
            self.say(f"  {got.name} {_plainly(got)}")
        if any(got.name == "channel.close" for got in came):
            self.old.send("channel.close-ok")
            self.old.open()
        return came

    def queue(self, name: str, *, durable: bool = True, **arguments: Any) -> str:
        given = {f"x-{key.replace('_', '-')}": value for key, value in arguments.items()}
        self.old.send("queue.declare", queue=name, durable=durable, arguments=given)
        self._declared.append(name)
        return name

    def exchange(self, name: str, kind: str = "direct", **given: Any) -> str:
        self.old.send("exchange.declare", exchange=name, exchange_type=kind, durable=True, **given)
        self._exchanges.append(name)
        return name

    def made(self, queue: str) -> None:
        """The script made it: it is taken away in the end."""
        self._declared.append(queue)

    def end(self) -> None:
        if not (self._declared or self._exchanges):
            return
        client = classic.Client(self._network)
        client.connect(vhost=self._vhost)
        client.open()
        for name in self._declared:
            client.send("queue.delete", queue=name)
        for name in self._exchanges:
            client.send("exchange.delete", exchange=name)


def _told(got: modern.Got) -> str:
    fields = dict(got.fields)
    if got.name == "protocol header":
        return f"header {fields['header'].hex(' ')}"
    if got.name == "open":
        fields.pop("properties", None)
        fields.pop("container_id", None)
    where = f" on {got.channel}" if got.channel else ""
    text = f"{got.name}{where} {_fields(fields)}"
    if got.name == "transfer":
        text += f" {_message(got.payload)}" if got.sections else f" + {len(got.payload)} bytes"
    return _same(text)


def _same(text: str) -> str:
    """Without what is another each time."""
    text = _GENERATED.sub(r"amq.\1-...", text)
    return _MOMENT.sub("<moment>", _NODE.sub("<node>", text))


def _message(payload: bytes) -> str:
    found = message.read(payload)
    body = message.body_value(found.body) if found.encoded else found.body
    parts = {
        "header": found.header,
        "annotations": found.annotations,
        "properties": found.properties,
        "application": found.application,
        "body": body if not isinstance(body, bytes) or len(body) < 200 else len(body),
    }
    return " ".join(
        f"{name}={shown(value)}" for name, value in parts.items() if value or value == 0
    )


def _fields(fields: dict[str, Any]) -> str:
    return ", ".join(f"{name}={shown(value)}" for name, value in sorted(fields.items()))


def shown(value: Any) -> str:
    """A value with its type; what is in no order in its order by name."""
    match value:
        case None | bool() | bytes():
            return repr(value)
        case Composite(name, fields):
            return f"{name}{{{_fields(fields)}}}"
        case Described(descriptor, inner):
            return f"@{shown(descriptor)} {shown(inner)}"
        case Array(_, items, _):
            return f"array[{', '.join(map(shown, items))}]"
        case Opaque() | UUID():
            return repr(value)
        case dict():
            pairs = sorted((shown(key), shown(item)) for key, item in value.items())
            return f"{{{', '.join(f'{key}: {item}' for key, item in pairs)}}}"
        case list() | tuple():
            return f"[{', '.join(map(shown, value))}]"
        case Symbol():
            return f":{value}"
        case str():
            return repr(str(value))
    plain = float(value) if isinstance(value, float) else int(value)
    return f"{type(value).__name__}({plain})"


def _plainly(got: classic.Got) -> str:
    values = {name: value for name, value in got.values.items() if name != "delivery_tag"}
    parts = [f"{name}={value!r}" for name, value in sorted(values.items())]
    for name, value in sorted(got.properties.items()):
        if name == "headers":
            value = dict(sorted(value.items()))
        parts.append(f"{name}={value!r}")
    if got.body:
        parts.append(f"body={got.body!r}" if len(got.body) < 200 else f"{len(got.body)} bytes")
    return _same(" ".join(parts))


def play(script: Callable[[Talk], None], port: int = 0, vhost: str = "/") -> Trace:
    """What the broker at a port said, or one of ours that is like the RabbitMQ recorded."""
    if not port:
        talk = Talk(Scene(AmqpOptions(as_version=RELEASE)))
        script(talk)
        return talk.trace
    scene = _Scene(port, vhost)
    talk = Talk(scene)
    try:
        script(talk)
    finally:
        talk.end()
        for line in scene.lines:
            line.close()
    return talk.trace


_CRASH = re.compile(
    r"error=error{condition=:amqp:internal-error, description=(['\"])"
    r"(Reader error|Unexpected frame|[a-z_]+\n|{(badmatch|badkey|case_clause)).*?\1(?=[},])",
    re.DOTALL,
)
_WINDOWS = re.compile(
    r"\b(incoming_window|next_incoming_id|next_outgoing_id|outgoing_window)=UInt\(\d+\)(, )?"
)
_UNSEEN = (
    # Any bytes that are its own serve; these fields have the values that they have when left out.
    re.compile(r"delivery_tag=b(['\"]).*?\1, "),
    re.compile(r"(message_format=UInt\(0\)|more=False|drain=False|echo=False), "),
)
_LATE = ("transfer", "disposition", "flow")
"""What answers a step in no order that RabbitMQ keeps: queues are processes of their own there."""


def comparable(trace: Trace, vhost: str = "/") -> dict[str, Trace]:
    """The answers to each step that has a name, by that name, without what nobody can tell."""
    found: dict[str, Trace] = {}
    name, answers = "", Trace()
    for line in (*trace, ""):
        if line.startswith("  "):
            where = rf"(vhost'?:? \\?'){vhost}(\\?')"
            answers.append(_visible(re.sub(where, r"\1/\2", line)))
            continue
        answers.sort(key=_lateness)
        if answers or name:
            found[name if name not in found else f"{name} #{len(found)}"] = answers
        name, answers = line, Trace()
    return found


def _visible(line: str) -> str:
    line = _CRASH.sub("<crash>", line)
    for unseen in _UNSEEN:
        line = unseen.sub("", line)
    if ":rabbitmq:active" in line:
        line = re.sub(r"(available|link_credit|delivery_count)=UInt\(\d+\), ", "", line)
    if line.startswith("  flow") and "handle=" in line:
        line = _WINDOWS.sub("", line)
    return line.rstrip(", ")


def _lateness(line: str) -> int:
    name = line.split()[0]
    return _LATE.index(name) + 1 if name in _LATE else 0


def differences(theirs: dict[str, Trace], ours: dict[str, Trace]) -> Trace:
    """Lines of both, by the step's name."""
    found: Trace = []
    for name in theirs | ours:
        left, right = theirs.get(name, []), ours.get(name, [])
        if left != right:
            lines = unified_diff(left, right, n=9, lineterm="")
            found += [name, *(line for line in lines if line[:2] not in ("--", "++", "@@"))]
    return found


def main(words: Sequence[str] | None = None) -> int:
    from .amqp_1_0_scripts import SCRIPTS

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("port", type=int)
    parser.add_argument("--record", action="store_true")
    parser.add_argument("--only", nargs="+", default=list(SCRIPTS))
    parser.add_argument("--vhosts", nargs="+", default=["/"])
    options = parser.parse_args(words)
    free: SimpleQueue[str] = SimpleQueue()
    for vhost in options.vhosts:
        free.put(vhost)

    def ask(name: str) -> dict[str, Trace]:
        vhost = free.get()
        try:
            return comparable(play(SCRIPTS[name], options.port, vhost), vhost)
        finally:
            free.put(vhost)

    kept = json.loads(KEPT.read_text()) if KEPT.exists() else {}
    differ = 0
    with ThreadPoolExecutor(len(options.vhosts)) as pool:
        for name, theirs in zip(options.only, pool.map(ask, options.only), strict=True):
            kept[name] = theirs
            lines = differences(theirs, comparable(play(SCRIPTS[name])))
            differ += bool(lines)
            print(f"{name}: {'differs' if lines else 'same'}", *lines, sep="\n", flush=True)
    if options.record:
        kept = {name: kept[name] for name in SCRIPTS if name in kept}
        KEPT.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n")
    print(f"{differ} of {len(options.only)} differ")
    return int(differ > 0)


if __name__ == "__main__":
    sys.exit(main())
