"""A client whose publish breaks off behind its header, and what the broker says to that."""

import socket
from collections.abc import Iterator

from pika import BasicProperties, frame, spec
from pika.exceptions import AMQPError

HOWS = ("drop", "half", "channel", "connection", "publish", "header", "body of another channel")
"""Hang up, end only this way; or what comes in place of the body."""
_SECONDS = 5.0


def broken_off(port: int, queue: str, how: str, size: int = 5) -> list[str]:
    """The methods that came by then, and how it ended."""
    with socket.create_connection(("127.0.0.1", port), timeout=_SECONDS) as client:
        frames = _frames(client)
        client.sendall(b"AMQP\x00\x00\x09\x01")
        next(frames)
        _say(client, 0, spec.Connection.StartOk({}, "PLAIN", "\0guest\0guest", "en_US"))
        next(frames)
        _say(client, 0, spec.Connection.TuneOk(2047, 131072, 0), spec.Connection.Open("/"))
        next(frames)
        for number in (1, 2):
            _say(client, number, spec.Channel.Open())
            next(frames)
        _say(client, 1, spec.Basic.Publish(0, "", queue))
        client.sendall(frame.Header(1, size, BasicProperties()).marshal())
        match how:
            case "drop":
                return []
            case "half":
                client.shutdown(socket.SHUT_WR)
            case "channel":
                _say(client, 1, spec.Channel.Close(200, "enough", 0, 0))
            case "connection":
                _say(client, 0, spec.Connection.Close(200, "enough", 0, 0))
            case "publish":
                _say(client, 1, spec.Basic.Publish(0, "", queue))
            case "header":
                client.sendall(frame.Header(1, size, BasicProperties()).marshal())
            case _:
                client.sendall(frame.Body(2, b"12345").marshal())
        return list(_said(frames))


def _say(client: socket.socket, channel: int, *methods: object) -> None:
    for each in methods:
        client.sendall(frame.Method(channel, each).marshal())


def _frames(client: socket.socket) -> Iterator[frame.Frame | str]:
    data = b""
    while True:
        try:
            taken, found = frame.decode_frame(data)
        except AMQPError as error:
            yield type(error).__name__
            return
        if found is not None:
            data = data[taken:]
            yield found
            continue
        try:
            more = client.recv(65536)
        except ConnectionResetError:
            more = b""
        except TimeoutError:
            yield "nothing more"
            return
        if not more:
            return
        data += more


def _said(frames: Iterator[frame.Frame | str]) -> Iterator[str]:
    for each in frames:
        if isinstance(each, str):
            yield each
            continue
        said = each.method
        if isinstance(said, (spec.Connection.Close, spec.Channel.Close)):
            failed = f"{said.class_id}.{said.method_id}"
            yield f"{said.NAME} {said.reply_code} {said.reply_text} {failed}"
            if isinstance(said, spec.Connection.Close):
                return
        else:
            yield said.NAME
