"""How long a headless start takes: the ready line's `startup_ms`, and as seen from outside."""

import json
import os
import subprocess
import sys
from statistics import median
from time import perf_counter

from .common import Settings

STARTS = 7
CASES = {
    "all three brokers": (),
    "the same, no admin": ("--no-admin",),
    "with the shop's fixtures": ("demo",),
}


def run(settings: Settings) -> None:
    # As users run it: with bytecode on disk.
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    print(f"\nHeadless start, median of {STARTS} (and fastest to slowest)")
    for name, arguments in CASES.items():
        start(arguments, environment)
        ready, seen = zip(*(start(arguments, environment) for _ in range(STARTS)), strict=True)
        print(
            f"  {name:28} startup_ms {median(ready):4.0f} ({min(ready)}-{max(ready)})"
            f"   seen from outside {median(seen):4.0f} ms"
        )


def start(arguments: tuple[str, ...], environment: dict[str, str]) -> tuple[int, float]:
    """One start: what the ready line says, and milliseconds until it came."""
    command = [sys.executable, "-m", "mockforge_tui", "--headless", "--random-ports", *arguments]
    began = perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        seen = (perf_counter() - began) * 1000
        process.terminate()
    return json.loads(line)["startup_ms"], seen
