"""What others suffer: a client's round trips while somebody else asks much of the same broker."""

import multiprocessing
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial

from mockforge_brokers.amqp.records import table
from mockforge_brokers.amqp.wire.frames import method
from mockforge_brokers.mqtt.wire.encode import encode_packet
from mockforge_brokers.mqtt.wire.packets import Connect, Publish, Request, Subscribe

from . import sessions
from .common import Port, Settings, Skipped, Subject, compile_c, memory
from .flight import fly, subjects_of

_PAUSE = 2_000
"""Microseconds between two round trips of the probe."""
_BIG = 15_000_000


def _flood(port: int, data: bytes, clients: int, kind: str, *, reads: bool = False) -> None:
    """Send the same bytes for ever from several clients, as fast as they are taken."""
    open_client = sessions.mqtt_client if kind == "mqtt" else sessions.amqp_client
    sockets = [open_client(port) for _ in range(clients)]
    for each in sockets:
        each.setblocking(False)
    rest = dict.fromkeys(sockets, b"")
    while True:
        busy = False
        for each in sockets:
            if reads:
                try:
                    each.recv(1 << 20)
                except BlockingIOError:
                    pass
            try:
                left = rest[each] or data
                rest[each] = left[each.send(left) :]
                busy = True
            except BlockingIOError:
                pass
        if not busy:
            time.sleep(0.0005)


def idle(port: int) -> None:
    time.sleep(3600)


def mqtt_flood(port: int) -> None:
    taker = sessions.mqtt_client(port)
    sessions.ask(taker, encode_packet(Subscribe(1, [Request("flood", 0)]), 4))
    multiprocessing.Process(target=_drain, args=(taker,), daemon=True).start()
    _flood(port, encode_packet(Publish("flood", bytes(64)), 4) * 1000, 10, "mqtt")


def _drain(client: socket.socket) -> None:
    client.settimeout(None)
    while client.recv(1 << 20):
        """Take all of it."""


def mqtt_bodies(port: int) -> None:
    _flood(port, encode_packet(Publish("big", bytes(_BIG)), 4), 2, "mqtt")


def mqtt_never_reads(port: int) -> None:
    taker = sessions.mqtt_client(port)
    sessions.ask(taker, encode_packet(Subscribe(1, [Request("flood", 1)]), 4))
    _flood(port, encode_packet(Publish("flood", bytes(1000)), 4) * 100, 4, "mqtt")


def mqtt_properties(port: int) -> None:
    """CONNECT with 5,000 user properties, again and again."""
    pairs = [(f"key {number}", "value") for number in range(5000)]
    connect = encode_packet(Connect("p", 5, properties={"user_property": pairs}), 5)
    while True:
        with sessions.dial(port) as client:
            client.sendall(connect)
            client.recv(100)


def connect_storm(port: int) -> None:
    """500 clients at once, again and again."""
    connect = encode_packet(Connect(""), 4)
    while True:
        clients = [sessions.dial(port) for _ in range(500)]
        for each in clients:
            each.sendall(connect)
        for each in clients:
            each.close()


def amqp_wide(port: int) -> None:
    """1,500 consumed queues on one fanout exchange, ten publishers."""
    client = sessions.amqp_client(port)
    frames = []
    for number in range(1500):
        queue = f"wide-{number}"
        frames += [
            method(1, "queue.declare", queue=queue, no_wait=True, arguments=table({})),
            method(1, "queue.bind", queue=queue, exchange="amq.fanout", no_wait=True,
                   arguments=table({})),
            method(1, "basic.consume", queue=queue, no_wait=True, arguments=table({})),
        ]  # fmt: skip
    sessions.ask(client, b"".join(frames))
    _flood(port, sessions.publish("amq.fanout", "", b"") * 50, 10, "amqp")


def amqp_bodies(port: int) -> None:
    client = sessions.amqp_client(port)
    declare = method(1, "queue.declare", queue="big", arguments=table({"x-max-length": 2}))
    sessions.ask(client, declare)
    consume = method(1, "basic.consume", queue="big", no_ack=True, arguments=table({}))
    sessions.ask(client, consume)
    multiprocessing.Process(target=_drain, args=(client,), daemon=True).start()
    _flood(port, sessions.publish("", "big", bytes(20_000_000)), 2, "amqp")


LOADS: dict[str, Sequence[Callable[[int], None]]] = {
    "mqtt": (idle, mqtt_flood, mqtt_bodies, mqtt_never_reads, mqtt_properties, connect_storm),
    "amqp": (idle, amqp_wide, amqp_bodies),
}


@contextmanager
def _loaded(load: Callable[[int], None], port: int) -> Iterator[None]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.benchmarks.fairness", load.__name__, str(int(port))],
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        time.sleep(4 if load is amqp_wide else 1.5)
        yield
    finally:
        subprocess.run(["kill", "-KILL", f"-{process.pid}"], check=False)
        process.wait()


def run(settings: Settings) -> None:
    try:
        probe = compile_c("flight_load.c")
    except Skipped as reason:
        print(f"skipped: {reason}")
        return
    for protocol, loads in LOADS.items():
        for load in loads:
            title = f"{protocol} round trips beside {load.__name__}"
            if settings.only.lower() not in title.lower():
                continue
            print(f"\n{title} (us: p50, p99, longest; the server's MiB)")
            for subject in subjects_of(protocol, settings):
                _beside(subject, protocol, load, partial(fly, probe), settings)


def _beside(
    subject: Subject,
    protocol: str,
    load: Callable[[int], None],
    fly: Callable[..., list[float]],
    settings: Settings,
) -> None:
    with subject.start() as port:
        assert isinstance(port, Port)
        flight = sessions.ECHO[protocol](port, 100, 1)
        label = f"{subject.name} {subject.version}".strip()
        with _loaded(load, port):
            try:
                _, median, most, longest = fly(flight, max(settings.seconds, 5.0), _PAUSE)
            except (Skipped, subprocess.TimeoutExpired) as reason:
                print(f"  {label:28} no answer: {reason}")
                return
            used = memory(port.pid)
        print(f"  {label:28} {median:>9,.0f} {most:>9,.0f} {longest:>11,.0f} {used:>8,.0f} MiB")


if __name__ == "__main__":
    name, where = sys.argv[1:]
    (chosen,) = (each for loads in LOADS.values() for each in set(loads) if each.__name__ == name)
    chosen(int(where))
