"""One message on the way: round trips, many publishers that wait for each answer, bodies."""

import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

from . import amqp, kafka, kafka_apache, mqtt, sessions
from .common import (
    LOAD_CPU,
    Settings,
    Skipped,
    Subject,
    before,
    compare,
    compile_c,
    ours,
    pinned,
)
from .sessions import Flight

BODIES = ((1_000, "1 KB"), (10_000, "10 KB"), (100_000, "100 KB"), (1_000_000, "1 MB"))
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
    except Skipped as reason:
        print(f"skipped: {reason}")
        return
    for protocol in ("mqtt", "amqp", "kafka"):
        subjects = subjects_of(protocol, settings)
        for at, what in ((1, "p50"), (2, "p99")):
            compare(
                f"{_ROUND[protocol]}, round trip {what}, 100 bytes",
                subjects,
                lambda port, at=at, protocol=protocol: fly(  # type: ignore[misc]
                    load, sessions.ECHO[protocol](port, 100, 1), settings.seconds
                )[at],
                settings,
                "us",
                less=True,
            )
        rows = [(100, "50 publishers, one in flight each", 50)]
        rows += [(size, f"{name} bodies, 8 publishers, one in flight each", 8)
                 for size, name in BODIES]  # fmt: skip
        for size, title, clients in rows:
            compare(
                f"{_CONFIRMED[protocol]}, {title}",
                subjects,
                lambda port, size=size, clients=clients, protocol=protocol: fly(  # type: ignore[misc]
                    load, sessions.CONFIRMED[protocol](port, size, clients), settings.seconds
                )[0],
                settings,
            )
