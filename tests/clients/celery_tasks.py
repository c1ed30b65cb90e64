"""The tasks of tests/clients/test_amqp_celery.py, which a Celery worker runs in its own process."""

import os
from collections.abc import Iterable
from typing import Any

from celery import Celery
from kombu import Queue

app = Celery("tasks", broker=os.environ["AMQP_URL"], backend=os.environ["RESULTS"])
app.conf.update(
    task_queues=[Queue("celery", queue_arguments={"x-max-priority": 10}), Queue("other")],
    task_acks_late=True,
    worker_prefetch_multiplier=1,
    broker_connection_retry_on_startup=True,
    result_chord_retry_interval=0.1,
)


@app.task(shared=False)
def add(one: int, other: int) -> int:
    return one + other


@app.task(shared=False)
def total(numbers: Iterable[int]) -> int:
    return sum(numbers)


@app.task(bind=True, max_retries=3, shared=False)
def third_time_lucky(self: Any) -> int:
    if self.request.retries < 2:
        raise self.retry(countdown=0.1)
    return int(self.request.retries)


@app.task(shared=False)
def fails() -> None:
    raise ValueError("no luck")


@app.task(shared=False)
def note(path: str, text: str) -> None:
    with open(path, "a") as file:
        file.write(text)
