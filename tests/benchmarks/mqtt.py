"""MQTT against Mosquitto: one publisher, one subscriber, 64 bytes."""

import re
import shutil
import subprocess
import tempfile
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
    free_port,
    measure,
    ours,
    running,
    wait_for_port,
)

_LOADS = (
    ("QoS 0", "0", "1"),
    ("QoS 1", "1", "1"),
    ("QoS 0, 20 topics in turn", "0", "20"),
    ("QoS 1, 20 topics in turn", "1", "20"),
)


def mosquitto() -> Subject:
    """Mosquitto with nothing limited that this load would meet."""
    program = shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
    if program is None:
        raise Skipped("Mosquitto is not installed")
    said = subprocess.run([program, "-h"], capture_output=True, text=True, check=False).stdout
    version = re.search(r"version ([\d.]+)", said)

    @contextmanager
    def start() -> Iterator[int]:
        port = free_port()
        config = Path(tempfile.mkdtemp(prefix="mosquitto-")) / "mosquitto.conf"
        config.write_text(
            f"listener {port} 127.0.0.1\nallow_anonymous true\nset_tcp_nodelay true\n"
            "max_inflight_messages 0\nmax_queued_messages 0\nlog_type none\npersistence false\n"
        )
        quiet = subprocess.DEVNULL
        with running([program, "-c", str(config)], stdout=quiet, stderr=quiet) as process:
            wait_for_port(port)
            yield Port.of(port, process.pid)

    return Subject("Mosquitto", version[1] if version else "", start)


def run(settings: Settings) -> None:
    try:
        load = compile_c("mqtt_load.c")
    except Skipped as reason:
        print(f"MQTT skipped: {reason}")
        return
    subjects = [ours("mqtt"), *before("mqtt", settings)]
    try:
        subjects.append(mosquitto())
    except Skipped as reason:
        print(f"skipped beside ours: {reason}")
    for title, qos, topics in _LOADS:
        compare(
            f"MQTT 1 to 1, {title}, 64 bytes, delivered",
            subjects,
            lambda port, qos=qos, topics=topics: measure(  # type: ignore[misc]
                [str(load), str(port), qos, str(settings.seconds), topics]
            ),
            settings,
        )
