"""mosquitto_pub and mosquitto_sub, as the programs of this folder run them."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

sys.path.insert(0, str(Path(__file__).parents[1] / "python"))

from checks import CA, SECONDS

PLAIN = ("-h", "127.0.0.1", "-p", os.environ["MQTT_PORT"])
SECURED = ("-h", "localhost", "-p", str(urlsplit(os.environ["MQTT_TLS_URL"]).port), "--cafile", CA)


def tool(name: str, *words: str, server: tuple[str, ...] = PLAIN) -> str:
    done = subprocess.run(
        [f"mosquitto_{name}", *server, *words],
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
    )
    if done.returncode:
        raise AssertionError(f"status {done.returncode}: {done.stderr.strip()[-200:]}")
    return done.stdout


@contextmanager
def listening(*words: str, server: tuple[str, ...] = PLAIN) -> Iterator["subprocess.Popen[str]"]:
    """A mosquitto_sub that has its SUBACK."""
    process = subprocess.Popen(
        ["stdbuf", "-oL", "mosquitto_sub", *server, "-d", "-W", "30", *words],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("Subscribed"):
                break
        yield process
    finally:
        process.kill()
        process.wait()


def messages(process: "subprocess.Popen[str]", count: int) -> list[str]:
    """The next so many lines that are no trace of packets."""
    assert process.stdout is not None
    found: list[str] = []
    for line in process.stdout:
        if not line.startswith(("Client ", "Subscribed")):
            found.append(line.strip())
        if len(found) == count:
            return found
    raise AssertionError(f"only {found} came")
