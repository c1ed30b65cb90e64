"""One message on the way: round trips, many publishers that wait for each answer, bodies.

Kafka's large bodies are sent for a while before they are measured, to all alike: a log keeps them
until a limit is met, and a page that is touched for the first time costs more than the copy that
fills it. MQTT and AMQP use the memory of what was delivered again.

Beside the round trips stands that of a program that only sends back what it reads: nobody's is
shorter, so a peer that takes twice as long cannot be beaten by more than that.
"""

import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from . import amqp, kafka, kafka_apache, mqtt, sessions
from .common import (
    LOAD_CPU,
    Port,
    Settings,
    Skipped,
    Subject,
    before,
    compare,
    compile_c,
    ours,
    pinned,
    running,
)
from .sessions import Flight

BODIES = ((1_000, "1 KB"), (10_000, "10 KB"), (100_000, "100 KB"), (1_000_000, "1 MB"))
_LARGE = 100_000
_WARM_UP = 3.0
"""Seconds, in which Kafka's limit of all logs is met by large bodies."""
PEERS: dict[str, tuple[Callable[[], Subject], ...]] = {
    "mqtt": (mqtt.mosquitto,),
    "amqp": (amqp.rabbitmq,),
    "kafka": (kafka.mock, kafka_apache.apache_kafka),
}
_CONFIRMED = {
    "mqtt": "MQTT QoS 1 to one subscriber",
    "amqp": "AMQP confirms, one consumer",
    "kafka": "Kafka acks=1",
}
_ROUND = {
    "mqtt": "MQTT QoS 0 to itself",
    "amqp": "AMQP to itself",
    "kafka": "Kafka produce acks=1",
}


def subjects_of(protocol: str, settings: Settings) -> list[Subject]:
    """Ours, the other checkout, and the peers that are here."""
    subjects = [ours(protocol), *before(protocol, settings)]
    for peer in PEERS[protocol]:
        try:
            subjects.append(peer())
        except Skipped as reason:
            print(f"skipped beside ours: {reason}")
    return subjects


class EchoPort(Port):
    """Of a server that speaks no protocol."""


def echo() -> Subject:
    """What the system and the load take by themselves; raises Skipped."""
    program = compile_c("echo.c")

    @contextmanager
    def start() -> Iterator[int]:
        with running([str(program)], stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            yield EchoPort.of(int(process.stdout.readline()), process.pid)

    return Subject("an echo, the least", "", start)


def fly(load: Path, flight: Flight, seconds: float, pause: int = 0) -> list[float]:
    """Exchanges a second, then median, 99th percentile and longest round trip in us."""
    with (
        tempfile.NamedTemporaryFile() as file,
        sessions.closing([*flight.clients, *flight.drained]),
    ):
        file.write(flight.request)
        file.flush()
        names = [str(each.fileno()) for each in flight.clients]
        names += [f"d{each.fileno()}" for each in flight.drained]
        done = subprocess.run(
            pinned(
                LOAD_CPU,
                [str(load), str(seconds), str(pause), str(flight.answer), file.name, *names],
            ),
            pass_fds=[each.fileno() for each in (*flight.clients, *flight.drained)],
            capture_output=True,
            text=True,
            check=False,
            timeout=seconds + 30,
        )
    if done.returncode:
        raise Skipped(done.stderr.strip())
    return [float(word) for word in done.stdout.split()]


def run(settings: Settings) -> None:
    try:
        load = compile_c("flight_load.c")
        least = echo()
    except Skipped as reason:
        print(f"skipped: {reason}")
        return
    for protocol in ("mqtt", "amqp", "kafka"):
        subjects = subjects_of(protocol, settings)
        for at, what in ((1, "p50"), (2, "p99")):

            def trip(port: int, at: int = at, protocol: str = protocol) -> float:
                plain = isinstance(port, EchoPort)
                build = sessions.plain_echo if plain else sessions.ECHO[protocol]
                return fly(load, build(port, 100, 1), settings.seconds)[at]

            compare(
                f"{_ROUND[protocol]}, round trip {what}, 100 bytes",
                [*subjects, least],
                trip,
                settings,
                "us",
                less=True,
            )
        rows = [(100, "50 publishers, one in flight each", 50)]
        rows += [(size, f"{name} bodies, 8 publishers, one in flight each", 8)
                 for size, name in BODIES]  # fmt: skip
        for size, title, clients in rows:

            def once(
                port: int,
                seconds: float = settings.seconds,
                size: int = size,
                clients: int = clients,
                protocol: str = protocol,
            ) -> float:
                return fly(load, sessions.CONFIRMED[protocol](port, size, clients), seconds)[0]

            warm_up = partial(once, seconds=_WARM_UP)
            compare(
                f"{_CONFIRMED[protocol]}, {title}",
                subjects,
                once,
                settings,
                warm_up=warm_up if protocol == "kafka" and size >= _LARGE else None,
            )
