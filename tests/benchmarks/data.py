"""What a data folder costs at 1 KB: the same load in memory and kept, in turns.

Clients that pipeline, as those who care for throughput do, and clients with one confirmed record in
flight each, of which one alone shows what a write for each record costs. The folder is as by
default: what is confirmed is what the system has (`serve --through` is `--data-sync commit`). What
the disk takes by itself comes first, and beside each row what a plain writer of as many bytes has
that syncs each 5 ms: over many seconds nobody has more than that. With `TMPDIR=/dev/shm` the folder
is in memory, and what is left is our own work and the system's.

Before Kafka's batches are measured both have taken them for a while: until the limit of all logs is
met each page is touched for the first time, which costs more than the copy that fills it, and who
is slower has it for longer.
"""

import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from . import sessions
from .common import Settings, Skipped, compare, compile_c, measure, ours
from .flight import fly

_SIZE = 1024
_INTERVAL = 0.005
_WARM_UP = 5.0
"""Seconds."""
_PUBLISHERS = (400, 50, 1)
_MQTT = ("1", "{seconds}", "1", "{window}", str(_SIZE), "{publishers}", "1", "1")
"""QoS 1 to one subscriber whose session lasts: each message is on disk until it acknowledges."""
_PIPELINED: tuple[tuple[str, str, tuple[str, ...], tuple[str, ...]], ...] = (
    (
        "kafka, one producer, acks=all, batches with linger 5 ms",
        "kafka_load.c",
        ("-lrdkafka", "-lpthread"),
        ("batched", "{seconds}", str(_SIZE)),
    ),
    (
        "kafka, one producer, acks=all, batches over 24 partitions",
        "kafka_load.c",
        ("-lrdkafka", "-lpthread"),
        ("spread", "{seconds}", str(_SIZE)),
    ),
    (
        "kafka, one producer, acks=all, one record a request",
        "kafka_load.c",
        ("-lrdkafka", "-lpthread"),
        ("single", "{seconds}", str(_SIZE)),
    ),
    (
        "mqtt, one publisher, QoS 1, 20 in flight",
        "mqtt_load.c",
        (),
        tuple(each.format(seconds="{seconds}", window=20, publishers=1) for each in _MQTT),
    ),
    (
        "mqtt, 50 publishers, QoS 1, 20 in flight each",
        "mqtt_load.c",
        (),
        tuple(each.format(seconds="{seconds}", window=1000, publishers=50) for each in _MQTT),
    ),
    (
        "amqp, one publisher, persistent, 1,000 confirms in flight, no consumer",
        "amqp_load.c",
        (),
        ("keep", "{seconds}", str(_SIZE)),
    ),
    (
        "amqp, one publisher, persistent, 1,000 confirms in flight, each acknowledged",
        "amqp_load.c",
        (),
        ("keepack", "{seconds}", str(_SIZE)),
    ),
)
"""Title, load generator with what its compiler needs, and its arguments behind the port."""


def run(settings: Settings) -> None:
    if not settings.only:
        for size in (4 * 1024, 256 * 1024, 4 * 1024 * 1024):
            commits = _disk(size, settings.seconds)
            speed = commits * size / 1024
            print(f"the disk: {commits:,.0f} commits/s of {size >> 10} KB, {speed:,.0f} KB/s")
    for title, source, flags, words in _PIPELINED:
        once = _measuring(words, settings.seconds)
        warm_up = _measuring(words, _WARM_UP) if "batches" in title else None
        _compare(title, source, flags, once, settings, warm_up)
    for publishers in _PUBLISHERS:
        title = f"kafka, {publishers} publishers, one confirmed record in flight each"
        _compare(title, "flight_load.c", (), _flying(publishers, settings), settings)


def _disk(size: int, seconds: float) -> float:
    """Commits a second of so many bytes each, into a file that grows."""
    data, count = os.urandom(size), 0
    with tempfile.TemporaryFile(buffering=0) as file:
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            file.write(data)
            os.fsync(file.fileno())
            count += 1
    return count / seconds


def _plainly(seconds: float) -> float:
    """Messages a second of a program that only writes them, and syncs each 5 ms."""
    data, count = os.urandom(64 * _SIZE), 0
    with tempfile.TemporaryFile(buffering=0) as file:
        begun = now = synced = time.perf_counter()
        while now < begun + seconds:
            count += file.write(data) // _SIZE
            now = time.perf_counter()
            if now > synced + _INTERVAL:
                os.fdatasync(file.fileno())
                now = synced = time.perf_counter()
        os.fdatasync(file.fileno())
        return count / (time.perf_counter() - begun)


def _measuring(words: tuple[str, ...], seconds: float) -> Callable[[Path, int], float]:
    arguments = [each.format(seconds=seconds) for each in words]
    return lambda load, port: measure([str(load), str(port), *arguments])


def _flying(publishers: int, settings: Settings) -> Callable[[Path, int], float]:
    def once(load: Path, port: int) -> float:
        flight = sessions.CONFIRMED["kafka"](port, _SIZE, publishers)
        return fly(load, flight, settings.seconds)[0]

    return once


def _compare(
    title: str,
    source: str,
    flags: tuple[str, ...],
    once: Callable[[Path, int], float],
    settings: Settings,
    warm_up: Callable[[Path, int], float] | None = None,
) -> None:
    protocol = title.split(",")[0]
    try:
        load = compile_c(source, *flags)
    except Skipped as reason:
        print(f"{title}: skipped: {reason}")
        return
    medians = compare(
        f"{title}, 1 KB",
        [ours(protocol), ours(protocol, "--keep")],
        lambda port: once(load, port),
        settings,
        warm_up=None if warm_up is None else lambda port: warm_up(load, port),
    )
    if medians:
        print(f"  {'a plain writer':28} {_plainly(settings.seconds):>12,.0f}")
