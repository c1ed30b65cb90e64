"""Rates of fixtures beside the running screen: how many messages came, of how many were asked."""

import fcntl
import json
import os
import pty
import struct
import sys
import tempfile
import termios
import threading
import time
import urllib.request
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from .common import Settings

RATES = (1, 100, 5_000)
SECONDS = 30.0
_FILE = """
mockforge: 1
generators:
  - id: paced
    to: {%s}
    value: {order_id: "{{uuid}}", total: "{{float 5 500 | round 2}}", n: "{{sequence}}"}
    rate: %d/s
"""
_TARGETS = {"kafka": "kafka: paced", "mqtt": "mqtt: paced", "amqp": "amqp: paced"}
_READY = 60.0


def run(settings: Settings) -> None:
    print(f"\nRates of fixtures over {SECONDS:.0f} s, the screen at 120x40 beside them")
    for protocol, target in _TARGETS.items():
        for rate in RATES:
            title = f"{protocol} {rate:,}/s"
            if settings.only.lower() not in title.lower():
                continue
            asked, came, missed = _measured(target, rate)
            off = (came / asked - 1) * 100
            print(f"  {title:16} asked {asked:10,.1f}   came {came:10,}   {off:+6.2f} %"
                  f"   missed {missed:,}")  # fmt: skip


def _measured(target: str, rate: int) -> tuple[float, int, int]:
    """How many were asked for in the time, how many came, how many were left out."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        (folder / "paced.yaml").write_text(_FILE % (target, rate))
        url = stack.enter_context(_screen(folder))
        first, began = _status(url), time.perf_counter()
        time.sleep(SECONDS)
        last, ended = _status(url), time.perf_counter()
    missed = int(last["missed"]) - int(first["missed"])
    return rate * (ended - began), int(last["sent"]) - int(first["sent"]), missed


class _screen:
    """The program with its screen on a terminal of its own that is read; its admin address."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __enter__(self) -> str:
        ready = self._folder / "ready.json"
        self._pid, self._terminal = pty.fork()
        if not self._pid:
            os.environ |= {"TERM": "xterm-256color", "COLORTERM": "truecolor"}
            words = ["--random-ports", "--ready-file", str(ready), str(self._folder / "paced.yaml")]
            os.execv(sys.executable, [sys.executable, "-m", "mockforge_tui", *words])
        fcntl.ioctl(self._terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
        threading.Thread(target=self._read, daemon=True).start()
        deadline = time.monotonic() + _READY
        while not ready.exists():
            assert time.monotonic() < deadline, "the screen is not ready"
            time.sleep(0.05)
        return str(json.loads(ready.read_text())["admin"]["url"])

    def _read(self) -> None:
        try:
            while os.read(self._terminal, 1 << 16):
                pass
        except OSError:
            pass

    def __exit__(self, *_: object) -> None:
        os.kill(self._pid, 15)
        os.waitpid(self._pid, 0)
        os.close(self._terminal)


def _status(url: str) -> dict[str, Any]:
    with urllib.request.urlopen(f"{url}/fixtures", timeout=10) as answer:
        (found,) = json.load(answer)["items"]
    return dict(found)
