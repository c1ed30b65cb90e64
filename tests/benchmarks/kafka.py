"""Kafka beside librdkafka's own C mock and Apache Kafka, with librdkafka as the client.

100 bytes and one partition where nothing else is said. The mock forgets what is more than 5 MB of
a partition; the others keep it. Before a row is measured each has records of 1 MB and the same load
for a while: a server in Java is compiled by then, and ours has met its limit of all logs and lets
the oldest go, as one that has been up for long. While memory is touched for the first time, each
page of it costs more than all that is done with a record, and small records take long to fill it.
"""

import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from . import kafka_apache, sessions
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
    program,
    running,
    show,
)

_LOADS = (
    ("produce, batched", "batched"),
    ("produce, batched, idempotent", "idempotent"),
    ("produce, transactions of 100 records", "transactional"),
    ("produce, one record a request", "single"),
    ("produce and consume, batched", "flow"),
    ("produce, batched over 24 partitions", "spread"),
    ("consume from 24 partitions", "consume"),
)
_WARM_UP = "4"
"""Seconds of each load before one is measured: with 1 MB records that fills a gibibyte."""


def mock() -> Subject:
    """rd_kafka_mock_cluster_new in a process of its own."""
    program = compile_c("kafka_mock.c", "-lrdkafka")

    @contextmanager
    def start() -> Iterator[int]:
        with running([str(program)], stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            yield Port.of(int(process.stdout.readline()), process.pid)

    return Subject("librdkafka's C mock", _version(), start)


def _version() -> str:
    header = Path("/usr/include/librdkafka/rdkafka.h")
    found = (
        re.search(r"RD_KAFKA_VERSION\s+0x(\w+)", header.read_text()) if header.exists() else None
    )
    return ".".join(str(int(found[1][i : i + 2], 16)) for i in (0, 2, 4)) if found else ""


def run(settings: Settings) -> None:
    try:
        load = compile_c("kafka_load.c", "-lrdkafka", "-lpthread")
        subjects = [ours("kafka"), *before("kafka", settings), mock()]
    except Skipped as reason:
        print(f"Kafka skipped: {reason} (librdkafka-dev is needed)")
        return
    original: list[Subject] = []
    try:
        original = [kafka_apache.apache_kafka()]
    except Skipped as reason:
        print(f"skipped beside ours: {reason}")
    subjects += original

    def warm_up(port: int, mode: str) -> None:
        for each in ("large", mode):
            measure([str(load), str(port), each, _WARM_UP])

    rows = [(f"{title}, 100 bytes", mode) for title, mode in _LOADS]
    for title, mode in [*rows, ("produce, 1 MB records", "large")]:
        compare(
            f"Kafka {title}",
            subjects,
            lambda port, mode=mode: measure(  # type: ignore[misc]
                [str(load), str(port), mode, str(settings.seconds)]
            ),
            settings,
            unit="records/s",
            warm_up=lambda port, mode=mode: warm_up(port, mode),  # type: ignore[misc]
        )
    compare(
        "Kafka 50 consumers join one group",
        subjects,
        lambda port: measure([str(load), str(port), "group", "0"]),
        settings,
        unit="ms until it stands",
        less=True,
    )
    _start([program("kafka"), mock(), *original], settings)


def _start(subjects: list[Subject], settings: Settings) -> None:
    """From the command until a client is answered, and the memory then."""
    titles = "Kafka start, ours with all three brokers", "Kafka memory after the start"
    if not any(settings.only.lower() in title.lower() for title in titles):
        return
    took: dict[str, list[float]] = {subject.name: [] for subject in subjects}
    sizes: dict[str, list[float]] = {subject.name: [] for subject in subjects}
    skipped: dict[str, str] = {}
    for _ in range(settings.rounds):
        for subject in subjects:
            begun = time.perf_counter()
            try:
                with subject.start() as port:
                    assert isinstance(port, Port)
                    sessions.login_of("kafka", port)
                    took[subject.name].append((time.perf_counter() - begun) * 1000)
                    sizes[subject.name].append(memory(port.pid))
            except Skipped as reason:
                skipped[subject.name] = str(reason)
    show(titles[0], subjects, took, skipped, settings, "ms", less=True)
    show(titles[1], subjects, sizes, skipped, settings, "MiB", less=True)
