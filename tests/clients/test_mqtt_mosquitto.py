"""Mosquitto's own clients."""

import shutil
import subprocess

import pytest

from clients.conftest import Servers

pytestmark = pytest.mark.client

MOSQUITTO_SUB = shutil.which("mosquitto_sub")


@pytest.mark.skipif(MOSQUITTO_SUB is None, reason="mosquitto_sub is not installed")
def test_health_check_by_mosquitto_sub_is_answered_at_once(servers: Servers) -> None:
    command = [str(MOSQUITTO_SUB), "-p", str(servers.ports["mqtt"]), "-t", "$SYS/#", "-C", "1"]
    done = subprocess.run([*command, "-W", "10"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("mockforge-tui version")
