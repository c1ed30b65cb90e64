"""AMQP against RabbitMQ: one publisher, one consumer, four properties."""

import os
import re
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from . import sessions
from .common import (
    Port,
    Settings,
    Skipped,
    Subject,
    before,
    compare,
    compile_c,
    free_port,
    measure,
    ours,
    wait_for_port,
)

_RABBITMQ = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
_MILLION = 1_000_000
_LOADS = (
    ("automatic acknowledgement, delivered", "auto", 0, 100),
    ("prefetch 1, each acknowledged, delivered", "ack1", 0, 100),
    ("prefetch 100, each acknowledged, delivered", "ack", 0, 100),
    ("no prefetch, each acknowledged, delivered", "ackall", 0, 100),
    ("prefetch 100, acknowledged in groups, delivered", "multiple", 0, 100),
    ("publisher confirms, 1,000 in flight, confirmed", "confirm", 0, 100),
    ("publisher confirms, singly, confirmed", "single", 0, 100),
    ("publisher confirms, windows of 100, confirmed", "batch", 0, 100),
    ("fanout to 10 queues, published", "fanout", 0, 100),
    ("fanout to 100 queues, published", "fanout100", 0, 100),
    ("topic exchange with 10,000 bindings, delivered", "topic", 0, 100),
    ("headers exchange with 100 bindings, delivered", "headers", 0, 100),
    ("queue of 10 priorities, delivered", "priority", 0, 100),
    ("message ids of their own, delivered", "ids", 0, 100),
    ("queue with a time to live, delivered", "ttl", 0, 100),
    ("queue of a million, filled and emptied", "deep", _MILLION, 100),
    ("bodies of 1 KB, delivered", "auto", 0, 1000),
    ("bodies of 10 KB, delivered", "auto", 0, 10_000),
    ("bodies of 100 KB, delivered", "auto", 0, 100_000),
    ("bodies of 1 MB, delivered", "auto", 0, 1_000_000),
)
"""Title, mode, seconds (0: as asked for; of a deep queue how many messages) and bytes."""
_CROWD = 1_000


def rabbitmq() -> Subject:
    """A RabbitMQ of its own in a temporary folder, on all cores: it can use them."""
    if not _RABBITMQ.exists():
        raise Skipped(f"no RabbitMQ at {_RABBITMQ}")
    libraries = [path.name for path in Path("/usr/lib/rabbitmq/lib").glob("rabbitmq_server-*")]
    version = re.search(r"-([\d.]+)", " ".join(libraries))

    @contextmanager
    def start() -> Iterator[int]:
        with tempfile.TemporaryDirectory(prefix="rabbitmq-") as folder:
            port = free_port()
            environment = node_environment(folder, port)
            with Path(folder, "output").open("w") as output:
                process = subprocess.Popen(
                    [_RABBITMQ],
                    env=environment,
                    stdout=output,
                    stderr=output,
                    cwd=folder,
                    start_new_session=True,
                )
            try:
                wait_for_port(port, 300)
                yield Port.of(port, process.pid)
            finally:
                process.terminate()
                try:
                    process.wait(10)
                except subprocess.TimeoutExpired:
                    # One that is overloaded ends when it has time to.
                    os.killpg(process.pid, signal.SIGKILL)
                    process.wait()
                # Its port mapper has a port of its own too, so that nobody else's is meant.
                subprocess.run(["epmd", "-kill"], env=environment, capture_output=True, check=False)

    return Subject("RabbitMQ", version[1] if version else "", start)


def node_environment(folder: str, port: int) -> dict[str, str]:
    return os.environ | {
        "HOME": folder,
        "RABBITMQ_NODENAME": f"bench{os.getpid()}@localhost",
        "RABBITMQ_MNESIA_BASE": f"{folder}/mnesia",
        "RABBITMQ_LOG_BASE": f"{folder}/log",
        "RABBITMQ_PID_FILE": f"{folder}/pid",
        "RABBITMQ_ENABLED_PLUGINS_FILE": f"{folder}/plugins",
        "RABBITMQ_CONFIG_FILE": f"{folder}/rabbitmq",
        "RABBITMQ_NODE_PORT": str(port),
        "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
        "RABBITMQ_DIST_PORT": str(free_port()),
        "ERL_EPMD_PORT": str(free_port()),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
    }


def run(settings: Settings) -> None:
    try:
        load = compile_c("amqp_load.c")
    except Skipped as reason:
        print(f"AMQP skipped: {reason}")
        return
    subjects = [ours("amqp"), *before("amqp", settings)]
    try:
        subjects.append(rabbitmq())
    except Skipped as reason:
        print(f"skipped beside ours: {reason}")
    for title, mode, seconds, size in _LOADS:
        compare(
            f"AMQP {title}",
            subjects,
            lambda port, mode=mode, seconds=seconds, size=size: measure(  # type: ignore[misc]
                [str(load), str(port), mode, str(seconds or settings.seconds), str(size)]
            ),
            settings,
        )

    def in_a_crowd(port: int) -> float:
        with ExitStack() as stack:
            for _ in range(_CROWD):
                stack.enter_context(sessions.amqp_client(port))
            return measure([str(load), str(port), "auto", str(settings.seconds), "100"])

    title = f"AMQP automatic acknowledgement beside {_CROWD:,} connections, delivered"
    compare(title, subjects, in_a_crowd, settings)
