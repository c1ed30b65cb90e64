"""Celery: a worker in a process of its own, which goes on when its connection is gone."""

import importlib.metadata
import os
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from celery import Celery, chain, group
from checks import CA, RUN, SECONDS, equal, happen, run, until

SECURED = bool(os.environ.get("MATRIX_SECURED"))
app = Celery(
    "amqp_celery",
    broker=os.environ["AMQP_TLS_URL" if SECURED else "AMQP_URL"],
    backend="rpc://",
)
app.conf.update(
    task_default_queue=f"{RUN}-celery{'-tls' if SECURED else ''}",
    task_acks_late=True,
    worker_prefetch_multiplier=1,
    task_queue_max_priority=10,
    broker_connection_retry_on_startup=True,
    broker_connection_max_retries=None,
    broker_use_ssl={"ca_certs": CA, "cert_reqs": ssl.CERT_REQUIRED} if SECURED else None,
)


@app.task
def add(one: int, other: int) -> int:
    return one + other


@app.task(bind=True, max_retries=3)
def third_time_lucky(self: Any) -> int:
    if self.request.retries < 2:
        raise self.retry(countdown=0.1)
    return int(self.request.retries)


@contextmanager
def worker() -> Iterator[None]:
    command = ["-m", "celery", "-A", "amqp_celery", "worker", "-P", "solo", "-l", "warning"]
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            [sys.executable, *command, "-n", f"{RUN}@host"],
            cwd=os.path.dirname(__file__),
            stdout=output,
            stderr=output,
        )
        try:
            yield
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()


def tasks() -> None:
    with worker():
        equal(add.delay(1, 2).get(SECONDS), 3)
        results = group(add.s(number, number) for number in range(10))().get(SECONDS)
        equal(results, [number * 2 for number in range(10)])
        equal(chain(add.s(1, 2), add.s(10))().get(SECONDS), 13)
        equal(third_time_lucky.delay().get(SECONDS), 2)
        equal(add.apply_async((1, 1), countdown=0.3, priority=9).get(SECONDS), 2)


@app.task
def moment() -> float:
    return time.monotonic()


def priorities() -> None:
    """What waits for a worker goes by priority."""
    ranks = (1, 9, 5)
    waiting = {rank: moment.apply_async(priority=rank) for rank in ranks}
    with worker():
        done = {rank: result.get(SECONDS) for rank, result in waiting.items()}
        equal(sorted(ranks, key=done.__getitem__), [9, 5, 1])


def control() -> None:
    with worker():
        until(lambda: app.control.ping(timeout=0.5), "the worker's answer")
        found = app.control.inspect(timeout=2).registered()
        assert found, "the worker tells of its tasks"


def survive(what: str) -> None:
    with worker():
        equal(add.delay(1, 2).get(SECONDS), 3)
        happen(what)
        equal(answer(), 5)


def answer() -> int:
    """By a client of its own, as the web process is that comes after."""
    code = f"from amqp_celery import add; print(add.delay(2, 3).get({SECONDS}))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=os.path.dirname(__file__),
        capture_output=True,
        text=True,
        timeout=SECONDS * 2,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-300:]
    return int(done.stdout)


def secured() -> None:
    os.environ["MATRIX_SECURED"] = "yes"
    with worker():
        equal(answer(), 5)


if __name__ == "__main__":
    run(
        "celery",
        importlib.metadata.version("celery"),
        {
            "tasks": tasks,
            "priorities": priorities,
            "control": control,
            "kill": lambda: survive("kill"),
            "restart": lambda: survive("restart"),
            "TLS": secured,
        },
    )
