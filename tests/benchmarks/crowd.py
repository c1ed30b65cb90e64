"""MQTT crowds: 10,000 idle connections (TCP, WebSocket), 100,000 filters, 100,000 retained."""

import resource
import socket
import time
from contextlib import ExitStack
from functools import cache

from mockforge_brokers.mqtt.wire.encode import encode_packet
from mockforge_brokers.mqtt.wire.packets import Connect, Publish, Request, Subscribe

from . import mqtt, sessions
from .common import (
    Port,
    Settings,
    Skipped,
    Subject,
    before,
    compare,
    compile_c,
    measure,
    memory,
    ours,
)

_CLIENTS = 9_990
"""Below our default limit of 10,000 connections; every subject has the same."""
_MANY = 100_000
_AT_ONCE = 1_000
_TOGETHER = 90


def run(settings: Settings) -> None:
    _allow_sockets()
    once = Settings(1, settings.seconds, settings.only, settings.against)
    _idle("TCP", _subjects(settings), once)
    _idle("WebSocket", _subjects(settings, "--websocket"), once)
    subjects = _subjects(settings)
    compare(f"MQTT subscribing to {_MANY:,} filters", subjects, _subscribe, once, "filters/s")
    compare(f"MQTT publishing {_MANY:,} retained", subjects, _retain, once, "messages/s")
    compare(f"MQTT # gets {_MANY:,} retained", subjects, _get_retained, once, "messages/s")
    try:
        load = str(compile_c("mqtt_load.c"))
    except Skipped as reason:
        print(f"skipped: {reason}")
        return

    def beside_filters(port: int) -> float:
        with ExitStack() as stack:
            _subscribe_all(stack.enter_context(sessions.mqtt_client(port)))
            return measure([load, str(port), "0", str(settings.seconds), "20"])

    title = f"MQTT 1 to 1, QoS 0, 20 topics, beside {_MANY:,} filters, delivered"
    compare(title, subjects, beside_filters, settings)


def _subjects(settings: Settings, *options: str) -> list[Subject]:
    subjects = [ours("mqtt", *options), *before("mqtt", settings)]
    try:
        subjects.append(mqtt.mosquitto(websocket="--websocket" in options))
    except Skipped as reason:
        print(f"skipped beside ours: {reason}")
    return subjects


def _allow_sockets() -> None:
    """Ours and, since it inherits them, the servers'."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


# Idle connections


def _idle(kind: str, subjects: list[Subject], settings: Settings) -> None:
    title = f"MQTT over {kind}, idle connection, of {_CLIENTS:,}"
    pace: dict[int, float] = {}

    def once(port: int) -> float:
        assert isinstance(port, Port)
        size, pace[port.pid] = _crowd(port, websocket=kind == "WebSocket")
        return size

    found = compare(title, subjects, once, settings, "bytes", less=True)
    for name, each in zip(found, pace.values(), strict=True):
        print(f"  {name:28} {each:>12,.0f} connects/s while the others stay, {_TOGETHER} at a time")


def _crowd(port: Port, *, websocket: bool) -> tuple[float, float]:
    """Bytes of a connection, and how many came a second."""
    with ExitStack() as stack:
        # What is loaded or grows with the first of them is not theirs.
        _come(stack, port, _TOGETHER, websocket=websocket)
        size, begin, count = memory(port.pid), time.perf_counter(), _CLIENTS - _TOGETHER
        _come(stack, port, count, websocket=websocket)
        took = time.perf_counter() - begin
        return (memory(port.pid) - size) * (1 << 20) / count, count / took


def _come(stack: ExitStack, port: int, count: int, *, websocket: bool) -> None:
    hello = encode_packet(Connect(""), 4)
    head = 0
    if websocket:
        # A final binary frame whose mask is 0.
        hello, head = bytes((0x82, 0x80 | len(hello), 0, 0, 0, 0)) + hello, 2
    while count > 0:
        some = [stack.enter_context(sessions.dial(port)) for _ in range(min(count, _TOGETHER))]
        if websocket:
            for client in some:
                client.sendall(_UPGRADE)
            for client in some:
                _expect_upgrade(client)
        for client in some:
            client.sendall(hello)
        for client in some:
            sessions.ask_for(client, b"", head + 4)
        count -= len(some)


_UPGRADE = (
    b"GET /mqtt HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Protocol: mqtt\r\n\r\n"
)


def _expect_upgrade(client: socket.socket) -> None:
    answer = b""
    while not answer.endswith(b"\r\n\r\n"):
        piece = client.recv(4096)
        if not piece:
            break
        answer += piece
    if b" 101 " not in answer:
        raise Skipped(f"no WebSocket: {answer[:80]!r}")


# Filters and retained messages


def _subscribe(port: int) -> float:
    _subscribes()
    with sessions.mqtt_client(port) as client:
        begin = time.perf_counter()
        _subscribe_all(client)
        return _MANY / (time.perf_counter() - begin)


def _subscribe_all(client: socket.socket) -> None:
    for packet in _subscribes():
        # Type, a length of two bytes, packet identifier, and a code for each.
        sessions.ask_for(client, packet, 5 + _AT_ONCE)


# Made beforehand, or our own encoder's time would be measured too, with everybody.
@cache
def _subscribes() -> list[bytes]:
    return [
        encode_packet(
            Subscribe(1, [Request(f"house/{number}/+", 0) for number in numbers]),
            4,
        )
        for numbers in _numbers()
    ]


@cache
def _publishes() -> list[bytes]:
    return [
        b"".join(
            encode_packet(
                Publish(f"kept/{number}", b"x" * 20, 1, True, packet_id=1 + number % _AT_ONCE), 4
            )
            for number in numbers
        )
        for numbers in _numbers()
    ]


def _numbers() -> list[range]:
    return [range(start, start + _AT_ONCE) for start in range(0, _MANY, _AT_ONCE)]


def _retain(port: int) -> float:
    _publishes()
    with sessions.mqtt_client(port) as client:
        begin = time.perf_counter()
        _retain_all(client)
        return _MANY / (time.perf_counter() - begin)


def _retain_all(client: socket.socket) -> None:
    """QoS 1, so that each is known to be there."""
    for packets in _publishes():
        sessions.ask_for(client, packets, 4 * _AT_ONCE)


def _get_retained(port: int) -> float:
    with sessions.mqtt_client(port) as client:
        _retain_all(client)
        each = [
            len(encode_packet(Publish(f"kept/{number}", b"x" * 20), 4)) for number in range(_MANY)
        ]
        wish = encode_packet(Subscribe(1, [Request("kept/#", 0)]), 4)
        begin = time.perf_counter()
        sessions.ask_for(client, wish, 5 + sum(each))
        return _MANY / (time.perf_counter() - begin)
