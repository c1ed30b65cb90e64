"""Memory: of an idle server, of an idle connection, and what connections leave behind."""

from contextlib import ExitStack
from pathlib import Path

from . import sessions
from .common import ROOT, Port, Settings, Skipped, compare, compile_c, measure, memory, program
from .flight import subjects_of

_IDLE = 1_000
_FEW, _MANY = 1_000, 100_000
_TITLES = (("mqtt", "MQTT"), ("amqp", "AMQP"), ("kafka", "Kafka"))


def run(settings: Settings) -> None:
    once = Settings(1, settings.seconds, settings.only, settings.against)
    for protocol, title in _TITLES:
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
    _left_behind(settings)


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


def _left_behind(settings: Settings) -> None:
    """The whole program, headless: its memory after few and after many short connections."""
    try:
        load = compile_c("connect_load.c")
    except Skipped as reason:
        print(f"skipped: {reason}")
        return
    checkouts = [ROOT] if settings.against is None else [ROOT, settings.against.resolve()]
    for protocol, title in _TITLES:
        title = f"{title} memory after {_FEW:,} and after {_MANY:,} short connections"
        if settings.only.lower() not in title.lower():
            continue
        print(f"\n{title} (MiB)")
        for checkout in checkouts:
            subject = program(protocol, checkout)
            with subject.start() as port:
                assert isinstance(port, Port)
                start = memory(port.pid)
                few = _visited(load, port, protocol, _FEW)
                many = _visited(load, port, protocol, _MANY - _FEW)
            print(
                f"  {subject.name:28} at start {start:4.0f}, then {few:4.0f} and {many:4.0f}"
                f"   (+{many - few:.1f})"
            )


def _visited(load: Path, port: Port, protocol: str, count: int) -> float:
    """MiB after so many short connections more."""
    # The first step of a login is enough to be a client, and to leave is to vanish.
    request, answer = sessions.login_of(protocol, port)[0]
    while count:
        some = min(count, 10_000)
        measure([str(load), str(port), f"n{some}", "1", request.hex(), str(answer)])
        count -= some
    return memory(port.pid)
