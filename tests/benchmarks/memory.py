"""Memory: of an idle server, of an idle connection, and what connections leave behind."""

import json
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from urllib.parse import urlsplit

from . import sessions
from .common import ROOT, Port, Settings, Skipped, compare, compile_c, measure, memory, running
from .flight import subjects_of

_IDLE = 1_000
_FEW, _MANY = 1_000, 100_000
_OPEN: dict[str, Callable[[int], object]] = {
    "mqtt": sessions.mqtt_client,
    "amqp": sessions.amqp_client,
    "kafka": lambda port: sessions.ask(sessions.dial(port), sessions.kafka_login()[0][0], 0.02),
}


def run(settings: Settings) -> None:
    once = Settings(1, settings.seconds, settings.only, settings.against)
    for protocol, title in (("mqtt", "MQTT"), ("amqp", "AMQP"), ("kafka", "Kafka")):
        subjects = subjects_of(protocol, settings)
        compare(f"{title} server at rest", subjects, _at_rest, once, "MiB", less=True)
        compare(
            f"{title} idle connection, of {_IDLE:,}",
            subjects,
            lambda port, protocol=protocol: _idle(protocol, port),  # type: ignore[misc]
            once,
            "bytes",
            less=True,
        )
    if settings.only.lower() in "after short connections":
        _left_behind()


def _at_rest(port: int) -> float:
    assert isinstance(port, Port)
    return memory(port.pid)


def _idle(protocol: str, port: int) -> float:
    assert isinstance(port, Port)
    with ExitStack() as stack:
        before = memory(port.pid)
        for request, _ in [sessions.login_of(protocol, port)[0]]:
            for _ in range(_IDLE):
                client = stack.enter_context(sessions.dial(port))
                client.sendall(request)
                client.recv(1 << 16)
        return (memory(port.pid) - before) * 1024 * 1024 / _IDLE


def _left_behind() -> None:
    """The whole program, headless: its memory after few and after many short connections."""
    try:
        load = compile_c("connect_load.c")
    except Skipped as reason:
        print(f"skipped: {reason}")
        return
    command = [sys.executable, "-m", "mockforge_tui", "--headless", "--random-ports"]
    print(f"\nMemory after {_FEW:,} and after {_MANY:,} short connections (MiB)")
    for protocol in ("mqtt", "amqp", "kafka"):
        quiet = subprocess.DEVNULL
        with running(command, stdout=subprocess.PIPE, stderr=quiet, cwd=ROOT) as process:
            assert process.stdout is not None
            port = _port(json.loads(process.stdout.readline()), protocol)
            # The first step of a login is enough to be a client, and to leave is to vanish.
            request, answer = sessions.login_of(protocol, port)[0]
            start = memory(process.pid)
            figures, made = [], 0
            for goal in (_FEW, _MANY):
                while made < goal:
                    words = [str(load), str(port), "-", "1", request.hex(), str(answer)]
                    words[2] = f"n{min(goal - made, 10_000)}"
                    measure(words)
                    made += min(goal - made, 10_000)
                figures.append(memory(process.pid))
            few, many = figures
            print(
                f"  {protocol:8} at start {start:4.0f}, then {few:4.0f} and {many:4.0f}"
                f"   (+{many - few:.1f})"
            )


def _port(ready: dict[str, dict[str, str]], protocol: str) -> int:
    if protocol == "kafka":
        return int(ready["kafka"]["bootstrap"].rsplit(":", 1)[1])
    return urlsplit(ready[protocol]["url"]).port or 0
