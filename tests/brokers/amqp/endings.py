"""Who ends an AMQP connection, when and in which order, recorded of RabbitMQ 3.10.8 by recorder.py.

RabbitMQ sets SO_LINGER to 0 on every socket (`tcp_listen_options.linger`), so each of its ends
is a reset, even where all is said and done; ours is one only where the connection is refused.
`recorded` has what RabbitMQ did; where ours says FIN instead `resets` is False.

`python -m brokers.amqp.endings PORT` (in tests/) plays it all to a server and prints what differs.
"""

# ruff: noqa: E501 (a recorded ending is a line)

import sys
from collections.abc import Callable
from typing import NamedTuple

from mockforge_brokers.amqp.records import plain, table
from mockforge_brokers.amqp.wire import frames, methods
from recorder import Recorder

Script = Callable[[Recorder], None]


class Ending(NamedTuple):
    """`seconds`: how long RabbitMQ took to end it after the script, about (0: at once)."""

    case: str
    script: Script
    recorded: list[str]
    resets: bool = False
    seconds: float = 0.0

    @property
    def expected(self) -> list[str]:
        """The record that ours must make."""
        return [
            line.replace("< RST", "< FIN") if not self.resets else line for line in self.recorded
        ]


def frame_names(data: bytes) -> tuple[list[str], int]:
    """What the recorder needs: methods by name, a close with its code."""
    names: list[str] = []
    at = 0
    while len(data) - at >= frames.HEAD_SIZE:
        if data.startswith(b"AMQP", at):
            names.append("protocol header")
            at += len(frames.PROTOCOL_HEADER)
            continue
        kind, _, size = frames.head.unpack_from(data, at)
        end = at + size + frames.OVERHEAD
        if end > len(data):
            break
        if kind == frames.METHOD:
            names.append(_method_name(data[at + frames.HEAD_SIZE : end - 1]))
        elif kind != frames.HEARTBEAT:
            names.append("header" if kind == frames.HEADER else "body")
        at = end
    return names, at


def _method_name(payload: bytes) -> str:
    method = methods.find(payload)
    assert method is not None
    code = plain(methods.decode(method, payload)).get("reply_code")
    return method.name if code is None else f"{method.name} {code}"


def start_ok(
    *, capable: bool = True, password: str = "guest", mechanism: str = "PLAIN", padding: int = 0
) -> bytes:
    capabilities = {"authentication_failure_close": True} if capable else {}
    properties = {"capabilities": capabilities, "padding": "x" * padding}
    return frames.method(
        0,
        "connection.start-ok",
        client_properties=table(properties),
        mechanism=mechanism,
        response=f"\0guest\0{password}",
        locale="en_US",
    )


def tune_ok(frame_max: int = 131_072) -> bytes:
    return frames.method(
        0, "connection.tune-ok", channel_max=2047, frame_max=frame_max, heartbeat=0
    )


OPEN = frames.method(0, "connection.open", virtual_host="/")
CLOSE = frames.method(0, "connection.close", reply_code=200, reply_text="bye")
CLOSE_OK = frames.method(0, "connection.close-ok")
DECLARE = frames.method(1, "queue.declare", queue="endings", exclusive=True)
PUBLISH = frames.method(1, "basic.publish", routing_key="endings")


def started(record: Recorder) -> None:
    record.send(frames.PROTOCOL_HEADER)
    record.until("connection.start")
    record.lines.clear()


def tuned(record: Recorder) -> None:
    started(record)
    record.send(start_ok())
    record.until("connection.tune")
    record.lines.clear()


def opened(record: Recorder) -> None:
    tuned(record)
    record.send(tune_ok() + OPEN)
    record.until("connection.open-ok")
    record.send(frames.method(1, "channel.open"))
    record.until("channel.open-ok")
    record.lines.clear()


def _header(header: bytes) -> Script:
    def script(record: Recorder) -> None:
        record.send(header, "header")
        record.ending()

    return script


def _refused(step: bytes, before: Script = started) -> Script:
    """A step of the handshake that ends it."""

    def script(record: Recorder) -> None:
        before(record)
        record.send(step, "step")
        record.ending()

    return script


def _failed(step: bytes, code: int, before: Script = opened) -> Script:
    """A step that the server answers with connection.close, and its answer."""

    def script(record: Recorder) -> None:
        before(record)
        record.send(step, "step")
        record.until(f"connection.close {code}")
        record.quiet(0.1)
        record.send(CLOSE_OK, "close-ok")
        record.ending()

    return script


def _close(record: Recorder) -> None:
    opened(record)
    record.send(CLOSE, "close")
    record.until("connection.close-ok")
    record.quiet()
    record.finish()
    record.ending()


def _close_then_more(record: Recorder) -> None:
    opened(record)
    record.send(CLOSE, "close")
    record.until("connection.close-ok")
    record.send(DECLARE, "declare")
    record.send(CLOSE, "close")
    record.until("connection.close-ok")
    record.send(b"garbage" * 10, "garbage")
    record.quiet()
    record.finish()
    record.ending()


def _close_after_channel_error(record: Recorder) -> None:
    opened(record)
    record.send(frames.method(1, "queue.declare", queue="nope", passive=True), "step")
    record.until("channel.close 404")
    record.send(CLOSE, "close")
    record.until("connection.close-ok")
    record.quiet()
    record.finish()
    record.ending()


def _both_close(record: Recorder) -> None:
    opened(record)
    record.send(frames.method(7, "queue.declare", queue="q"), "step")
    record.until("connection.close 504")
    record.send(CLOSE, "close")
    record.until("connection.close-ok")
    record.quiet()
    record.send(CLOSE_OK, "close-ok")
    record.ending()


def _deaf_while_closing(record: Recorder) -> None:
    opened(record)
    record.send(frames.method(7, "queue.declare", queue="q"), "step")
    record.until("connection.close 504")
    record.send(DECLARE, "declare")
    record.send(b"z" * 50, "garbage")
    record.quiet()
    record.finish()
    record.ending()


def _fin(record: Recorder) -> None:
    opened(record)
    record.finish()
    record.ending()


def _fin_at_once(record: Recorder) -> None:
    record.finish()
    record.ending()


_NAMELESS = frames.frame(1, 1, b"\x00\x63\x00\x01")
_CUT_PROPERTY = frames.frame(2, 1, bytes.fromhex("003c000000000000000000018000"))
_CLOSED = ["> step", "< open", "> close-ok", "< RST"]


def _closed(code: int) -> list[str]:
    return ["> step", f"< connection.close {code}", *_CLOSED[1:]]


ENDINGS = [
    Ending("close, FIN", _close, ["> close", "< connection.close-ok", "< open", "> FIN", "< RST"]),
    Ending(
        "close, more frames and garbage, FIN",
        _close_then_more,
        [
            "> close", "< connection.close-ok", "> declare", "> close", "< connection.close-ok",
            "> garbage", "< open", "> FIN", "< RST",
        ],
    ),
    Ending(
        "close after a channel error",
        _close_after_channel_error,
        [
            "> step", "< channel.close 404", "> close", "< connection.close-ok", "< open",
            "> FIN", "< RST",
        ],
    ),
    Ending("FIN", _fin, ["> FIN", "< RST"]),
    Ending("FIN before the header", _fin_at_once, ["> FIN", "< RST"]),
    Ending("unopened channel", _failed(frames.method(7, "queue.declare"), 504), _closed(504)),
    Ending("second open", _failed(OPEN, 504), _closed(504)),
    Ending("malformed content", _failed(PUBLISH + _CUT_PROPERTY + frames.frame(3, 1, b"x"), 541), _closed(541)),
    Ending("frame of type 9", _failed(frames.frame(9, 1, b""), 501), _closed(501)),
    Ending("heartbeat on a channel", _failed(frames.frame(8, 1, b""), 505), _closed(505)),
    Ending("wrong frame end", _failed(DECLARE[:-1] + b"\0", 501), _closed(501), seconds=3),
    Ending("too large frame", _failed(b"\x03\x00\x01\x00\x03\x00\x00abc", 501), _closed(501), seconds=3),
    Ending(
        "both close",
        _both_close,
        [
            "> step", "< connection.close 504", "> close", "< connection.close-ok", "< open",
            "> close-ok", "< RST",
        ],
    ),
    Ending(
        "garbage while the server's close is unanswered",
        _deaf_while_closing,
        ["> step", "< connection.close 504", "> declare", "> garbage", "< open", "> FIN", "< RST"],
    ),
    Ending("unknown method", _refused(_NAMELESS, opened), ["> step", "< RST"], resets=True),
    Ending("HTTP", _header(b"GET / HT"), ["> header", "< protocol header", "< RST"]),
    Ending("AMQP 1.0's header", _header(b"AMQP\0\1\0\0"), ["> header", "< protocol header", "< RST"]),
    Ending("header of 0-9-0", _header(b"AMQP\0\0\x09\0"), ["> header", "< protocol header", "< RST"]),
    Ending("wrong password, capable", _failed(start_ok(password="no"), 403, started), _closed(403)),
    Ending("wrong password", _refused(start_ok(capable=False, password="no")), ["> step", "< RST"], True, 3),
    Ending("unknown mechanism", _refused(start_ok(mechanism="NOPE")), ["> step", "< RST"], True, 3),
    Ending("tune-ok too early", _refused(tune_ok()), ["> step", "< RST"], True, 3),
    Ending("tune-ok too large", _refused(tune_ok(200_000), tuned), ["> step", "< RST"], True, 3),
    Ending("close during the handshake", _refused(CLOSE), ["> step", "< RST"], True, 3),
    Ending("wrong frame end in the handshake", _refused(start_ok()[:-1] + b"\0"), ["> step", "< RST"], True, 3),
    Ending("start-ok of more than 4096 bytes", _refused(start_ok(padding=4000)), ["> step", "< RST"], True, 3),
    Ending("unknown virtual host", _failed(tune_ok() + frames.method(0, "connection.open", virtual_host="nope"), 530, tuned), _closed(530)),
]  # fmt: skip


def play(ending: Ending, port: int) -> list[str]:
    """The record that a server at this port makes."""
    with Recorder(port, frame_names) as record:
        ending.script(record)
        return record.lines


if __name__ == "__main__":
    for one in ENDINGS:
        lines = play(one, int(sys.argv[1]))
        print("same" if lines == one.recorded else f"differs: {lines}", "-", one.case)
