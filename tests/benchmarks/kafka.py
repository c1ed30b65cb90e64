"""Kafka against librdkafka's own C mock: librdkafka on both ends, 100 bytes, one partition."""

import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .common import (
    Port,
    Settings,
    Skipped,
    Subject,
    before,
    compare,
    compile_c,
    measure,
    ours,
    running,
)

_LOADS = (
    ("produce, batched", "batched"),
    ("produce, batched, idempotent", "idempotent"),
    ("produce, transactions of 100 records", "transactional"),
    ("produce, one record a request", "single"),
    ("produce and consume, batched", "flow"),
    ("produce, batched over 24 partitions", "spread"),
)


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
    for title, mode in _LOADS:
        compare(
            f"Kafka {title}, 100 bytes",
            subjects,
            lambda port, mode=mode: measure(  # type: ignore[misc]
                [str(load), str(port), mode, str(settings.seconds)]
            ),
            settings,
            unit="records/s",
        )
    compare(
        "Kafka produce, 1 MB records",
        subjects,
        lambda port: measure([str(load), str(port), "large", str(settings.seconds)]),
        settings,
        unit="records/s",
    )
    compare(
        "Kafka 50 consumers join one group",
        subjects,
        lambda port: measure([str(load), str(port), "group", "0"]),
        settings,
        unit="ms until it stands",
        less=True,
    )
