"""MQTT against Mosquitto: one or many on either side, each QoS, payloads of 64 bytes to 64 KB."""

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

_SIZES = (("64 bytes", "64"), ("4 KB", "4096"), ("64 KB", "65536"))
_SHAPES = (
    ("1 to 1", ("4000", "1000", "100"), ("1", "1")),
    ("1 to 10", ("1000", "300", "30"), ("1", "10")),
    ("10 to 1", ("4000", "1000", "100"), ("10", "1")),
    ("50 to 1, one in flight each", ("50", "50", "50"), ("50", "1")),
)
"""Title, messages under way at most for each size, publishers and subscribers."""
_LOADS: tuple[tuple[str, ...], ...] = (
    *(
        (f"{shape}, QoS {qos}, {title}", qos, "1", window, size, *ends)
        for shape, windows, ends in _SHAPES
        for window, (title, size) in zip(windows, _SIZES, strict=True)
        for qos in ("0", "1", "2")
    ),
    ("1 to 1, QoS 0, 20 topics in turn, 64 bytes", "0", "20", "4000", "64"),
    ("1 to 1, QoS 1, 20 topics in turn, 64 bytes", "1", "20", "4000", "64"),
    ("1 to 1,000, QoS 0, 64 bytes", "0", "1", "20", "64", "1", "1000"),
    ("1 to 1,000, QoS 1, 64 bytes", "1", "1", "20", "64", "1", "1000"),
    ("1 to 1,000, QoS 2, 64 bytes", "2", "1", "20", "64", "1", "1000"),
)
"""Title, QoS, topics, messages under way at most, bytes of a payload, publishers, subscribers."""


def mosquitto(*, websocket: bool = False) -> Subject:
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
            "allow_anonymous true\nset_tcp_nodelay true\n"
            f"listener {free_port() if websocket else port} 127.0.0.1\n"
            # 2.0.11 starts no WebSocket listener alone, or at an address.
            + (f"listener {port}\nprotocol websockets\nsocket_domain ipv4\n" if websocket else "")
            + "max_inflight_messages 0\nmax_queued_messages 0\nlog_type none\npersistence false\n"
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
    for title, qos, *rest in _LOADS:
        compare(
            f"MQTT {title}, delivered",
            subjects,
            lambda port, qos=qos, rest=rest: measure(  # type: ignore[misc]
                [str(load), str(port), qos, str(settings.seconds), *rest]
            ),
            settings,
        )
