"""The ready line, the ready file and the env file: how others learn that we serve."""

import json
import os
import tempfile
import time
from pathlib import Path
from typing import Any

_IMPORTED = time.monotonic()


def startup_ms() -> int:
    """Milliseconds since this process started (Linux: by /proc; elsewhere: since this import)."""
    try:
        # Field 22 of proc(5) stat is the start in clock ticks after boot; the name before it may
        # hold spaces and brackets.
        fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
        started = int(fields[19]) / os.sysconf("SC_CLK_TCK")
        return round((time.clock_gettime(time.CLOCK_BOOTTIME) - started) * 1000)
    except (OSError, AttributeError, ValueError, IndexError):
        return round((time.monotonic() - _IMPORTED) * 1000)


def ready_line(facts: dict[str, Any]) -> str:
    """One line of JSON; `facts` has what the brokers know of themselves."""
    return json.dumps({"event": "ready", **facts}, separators=(",", ":"))


def environment_lines(facts: dict[str, Any]) -> str:
    """`NAME=value` for each address that `facts` has, as a shell or an env file reads them."""
    lines = {}
    if "kafka" in facts:
        lines["KAFKA_BOOTSTRAP_SERVERS"] = facts["kafka"]["bootstrap"]
    if "mqtt" in facts:
        lines["MQTT_URL"] = url = facts["mqtt"]["url"]
        lines["MQTT_HOST"], _, lines["MQTT_PORT"] = url.removeprefix("mqtt://").rpartition(":")
    if "amqp" in facts:
        lines["AMQP_URL"] = facts["amqp"]["url"]
    if "admin" in facts:
        lines["MOCKFORGE_URL"] = facts["admin"]["url"]
    return "".join(f"{name}={value}\n" for name, value in lines.items())


def _umask() -> int:
    """What new files are not to allow; it can only be read by setting it."""
    mask = os.umask(0)
    os.umask(mask)
    return mask


def write_whole(path: Path, text: str) -> None:
    """Write a file so that a reader sees all of it or nothing. Raises OSError."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
