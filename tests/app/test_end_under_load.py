"""SIGTERM ends the program also while clients ask more of it than it can do."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from .test_headless import Instance

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM")
@pytest.mark.parametrize(
    ("protocol", "load"),
    [("amqp", "amqp_wide"), ("mqtt", "mqtt_filters"), ("kafka", "kafka_metadata")],
)
def test_sigterm_ends_the_program_under_load(protocol: str, load: str) -> None:
    instance = Instance()
    facts = instance.facts[protocol]
    port = urlsplit(facts["url"]).port if "url" in facts else facts["bootstrap"].split(":")[1]
    clients = subprocess.Popen(
        [sys.executable, "-m", "tests.benchmarks.loads", load, str(port)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        start_new_session=True,
    )
    try:
        assert clients.stdout is not None
        assert clients.stdout.readline() == "ready\n"
        for _ in range(3):
            assert instance.get("health")[0] == 200, "it answers meanwhile"
        status, _ = instance.end(signal.SIGTERM)
        assert status == 0
    finally:
        os.killpg(clients.pid, signal.SIGKILL)
        clients.communicate()
