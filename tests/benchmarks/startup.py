"""How long a headless start takes: the ready line's `startup_ms`, and as seen from outside.

Beside the peers: from the start of a process until its first client has logged in.
"""

import json
import os
import subprocess
import sys
from statistics import median
from time import perf_counter

from . import sessions
from .common import Settings, Skipped, Subject, program, show
from .flight import PEERS

STARTS = 7
CASES = {
    "all three brokers": (),
    "the same, no admin": ("--no-admin",),
    "with the shop's fixtures": ("demo",),
}

_CLIENTS = {"mqtt": sessions.mqtt_client, "amqp": sessions.amqp_client}


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
    for protocol, title in (("mqtt", "MQTT"), ("amqp", "AMQP")):
        _beside(f"{title} start until a client is in", protocol, settings)


def _beside(title: str, protocol: str, settings: Settings) -> None:
    """Each subject started by itself, in turns: all of the program is up when it serves one."""
    if settings.only.lower() not in title.lower():
        return
    subjects = [program(protocol)]
    skipped: dict[str, str] = {}
    for peer in PEERS[protocol]:
        try:
            subjects.append(peer())
        except Skipped as reason:
            print(f"skipped beside ours: {reason}")
    figures: dict[str, list[float]] = {each.name: [] for each in subjects}
    for _ in range(settings.rounds):
        for each in subjects:
            try:
                figures[each.name].append(_until_served(each, protocol))
            except Skipped as reason:
                skipped[each.name] = str(reason)
    show(title, subjects, figures, skipped, settings, "ms", less=True)


def _until_served(subject: Subject, protocol: str) -> float:
    began = perf_counter()
    with subject.start() as port, _CLIENTS[protocol](port):
        return (perf_counter() - began) * 1000


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
