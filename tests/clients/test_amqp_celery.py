"""Celery as it is: a worker in a process of its own, results over RPC or in files."""

import gc
import importlib
import os
import subprocess
import sys
import warnings
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from mockforge_brokers.errors import InvalidInput

from clients.conftest import wait_for
from mockforge_tui import MockForge

pytest.importorskip("celery", reason="Celery is not installed")
from kombu import pools as kombu_pools

pytestmark = [
    pytest.mark.client,
    # Celery leaves the sockets of its results open.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

PATIENCE = 150
HERE = Path(__file__).parent


class Working:
    """A broker, a worker, and the tasks as this process calls them."""

    def __init__(self, mockforge: MockForge, tasks: Any, worker: "subprocess.Popen[str]") -> None:
        self.mockforge = mockforge
        self.tasks = tasks
        self.worker = worker

    def workers(self) -> list[dict[str, Any]]:
        queues = self.mockforge.run("queue ls").data
        return [each for each in queues if each["name"].endswith(".celery.pidbox")]


@pytest.fixture(params=["rpc://", "file://"])
def working(request: Any, tmp_path: Path, monkeypatch: Any) -> Iterator[Working]:
    results = request.param if request.param == "rpc://" else f"file://{tmp_path}"
    with MockForge(kafka=False, mqtt=False) as mockforge:
        monkeypatch.setenv("AMQP_URL", mockforge.amqp.url)
        monkeypatch.setenv("RESULTS", results)
        monkeypatch.syspath_prepend(str(HERE))
        sys.modules.pop("celery_tasks", None)
        tasks = importlib.import_module("celery_tasks")
        command = [sys.executable, "-m", "celery", "-A", "celery_tasks", "worker", "-P", "threads",
                   "-c", "2", "-Q", "celery,other", "-l", "error"]  # fmt: skip
        worker = subprocess.Popen(command, cwd=HERE, env=dict(os.environ), text=True)
        try:
            found = Working(mockforge, tasks, worker)
            wait_for(found.workers, PATIENCE, "the worker's queue of commands")
            yield found
        finally:
            worker.terminate()
            worker.wait(PATIENCE)
            tasks.app.close()
            sys.modules.pop("celery_tasks", None)
            del tasks
            swept()


def swept() -> None:
    """Collect at once what Celery leaves open, or a later test would be charged with it."""
    kombu_pools.reset()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


def test_tasks_run_and_their_results_come_back(working: Working) -> None:
    tasks = working.tasks
    assert tasks.add.delay(1, 2).get(timeout=PATIENCE) == 3
    many = [tasks.add.delay(number, number) for number in range(50)]
    assert sum(each.get(timeout=PATIENCE) for each in many) == 2450
    assert tasks.add.apply_async((3, 4), queue="other", priority=9).get(timeout=PATIENCE) == 7
    assert tasks.third_time_lucky.delay().get(timeout=PATIENCE) == 2
    assert tasks.add.apply_async((5, 6), countdown=0.2).get(timeout=PATIENCE) == 11
    failed = tasks.fails.delay().get(timeout=PATIENCE, propagate=False)
    assert str(failed) == "no luck"
    chain = tasks.add.s(1, 2) | tasks.add.s(3)
    assert chain.apply_async().get(timeout=PATIENCE) == 6


def test_a_chord_adds_up_what_its_tasks_returned(working: Working) -> None:
    if working.tasks.app.conf.result_backend == "rpc://":
        pytest.skip("Celery has no chords with results over RPC")
    from celery import chord

    header = [working.tasks.add.s(number, 1) for number in range(4)]
    assert chord(header)(working.tasks.total.s()).get(timeout=PATIENCE) == 10


def test_a_task_that_is_due_later_is_listed_by_its_worker_and_revoked(working: Working) -> None:
    later = working.tasks.add.apply_async((1, 1), countdown=3600)
    inspect = working.tasks.app.control.inspect(timeout=3)

    def scheduled() -> list[str]:
        answers = inspect.scheduled() or {}
        return [each["request"]["id"] for found in answers.values() for each in found]

    def revoked() -> list[str]:
        return [each for found in (inspect.revoked() or {}).values() for each in found]

    wait_for(lambda: later.id in scheduled(), PATIENCE, "the task among the scheduled ones")
    later.revoke()
    wait_for(lambda: later.id in revoked(), PATIENCE, "the task among the revoked ones")


def test_workers_answer_inspection_and_go_on_after_their_connection_was_killed(
    working: Working, tmp_path: Path
) -> None:
    inspect = working.tasks.app.control.inspect(timeout=3)
    wait_for(inspect.ping, PATIENCE, "a pong")
    (queues,) = wait_for(inspect.active_queues, PATIENCE, "its queues").values()
    assert {each["name"] for each in queues} == {"celery", "other"}
    for connection in working.mockforge.run("conn ls").data:
        # Those of who inspected may end by themselves meanwhile.
        with suppress(InvalidInput):
            working.mockforge.run(f"conn kill {connection['id']}")
    noted = tmp_path / "noted"
    working.tasks.note.apply_async((str(noted), "done"), retry=True)
    wait_for(noted.exists, PATIENCE, "the task after the break")
