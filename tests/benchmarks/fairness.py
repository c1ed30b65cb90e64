"""What others suffer: a client's round trips while somebody else asks much of the same broker.

Beside each load: the probe's round trips, the longest answer of the admin's HTTP, the memory of
the server, and how long it takes to end after a SIGTERM, with the load still on. Ours is the whole
program, headless; only ours has an admin and is asked to end.
"""

import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from pathlib import Path

from . import sessions
from .common import LOAD_CPU, ROOT, Port, Settings, Skipped, Subject, compile_c, memory, pinned
from .common import program as whole
from .flight import PEERS, fly
from .loads import LOADS, Load

_PAUSE = 2_000
"""Microseconds between two round trips of the probe."""
_SETTING_UP = 30.0
"""Seconds that a load has until it begins."""
_ENDING = 10.0
"""Seconds after a SIGTERM until we give up."""


class Admin:
    """Asks the admin's HTTP for its health again and again; `longest` is in milliseconds."""

    def __init__(self, url: str) -> None:
        self.longest = 0.0
        self._url = f"{url}/health"
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> "Admin":
        with suppress(OSError):
            # What answers is loaded by the first request.
            urllib.request.urlopen(self._url, timeout=_ENDING).read()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join(_ENDING)

    def _run(self) -> None:
        while not self._over.wait(0.05):
            began = time.monotonic()
            try:
                urllib.request.urlopen(self._url, timeout=_ENDING).read()
            except OSError:
                self.longest = float("inf")
            self.longest = max(self.longest, (time.monotonic() - began) * 1000)


@contextmanager
def _loaded(load: Load, port: int) -> Iterator[subprocess.Popen[str]]:
    """A process that asks much of the server, in a session of its own so that all of it ends."""
    words = [sys.executable, "-m", "tests.benchmarks.loads", load.__name__, str(int(port))]
    process = subprocess.Popen(
        pinned(LOAD_CPU, words),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=ROOT,
        start_new_session=True,
    )
    assert process.stdout is not None
    try:
        poll = select.poll()
        poll.register(process.stdout, select.POLLIN)
        if not poll.poll(_SETTING_UP * 1000) or not process.stdout.readline():
            raise Skipped(f"the load was not set up within {_SETTING_UP:.0f} s")
        time.sleep(0.5)
        yield process
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        process.stdout.close()


def _ended(pid: int) -> float:
    """Ask the server to end; returns the seconds that it took."""
    began = time.monotonic()
    os.kill(pid, signal.SIGTERM)
    while os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        if time.monotonic() - began > _ENDING:
            return float("inf")
        time.sleep(0.002)
    return time.monotonic() - began


def run(settings: Settings) -> None:
    try:
        probe = compile_c("flight_load.c")
    except Skipped as reason:
        print(f"skipped: {reason}")
        return
    checkouts = [ROOT] if settings.against is None else [ROOT, settings.against.resolve()]
    for protocol, loads in LOADS.items():
        chosen = [each for each in loads if settings.only.lower() in _title(protocol, each)]
        if not chosen:
            continue
        subjects = [whole(protocol, checkout) for checkout in checkouts]
        try:
            subjects += [peer() for peer in PEERS[protocol]]
        except Skipped as reason:
            print(f"skipped beside ours: {reason}")
        for load in chosen:
            print(f"\n{_title(protocol, load)}: {load.__doc__ or 'nobody else is there.'}")
            print(_HEAD)
            for subject in subjects:
                _beside(subject, protocol, load, probe, settings)


def _title(protocol: str, load: Load) -> str:
    return f"{protocol} round trips beside {load.__name__}"


_HEAD = (
    f"  {'':26}{'p50 us':>9}{'p99 us':>10}{'longest us':>12}{'admin ms':>10}{'MiB':>7}{'ends s':>8}"
)


def _beside(subject: Subject, protocol: str, load: Load, probe: Path, settings: Settings) -> None:
    label = f"  {subject.name} {subject.version}".rstrip()
    try:
        row = _measured(subject, protocol, load, probe, settings)
    except (Skipped, OSError, subprocess.TimeoutExpired) as reason:
        row = f" no answer: {reason}"
    print(f"{label:28}{row}", flush=True)


def _measured(subject: Subject, protocol: str, load: Load, probe: Path, settings: Settings) -> str:
    with subject.start() as port, ExitStack() as stack:
        assert isinstance(port, Port)
        flight = sessions.ECHO[protocol](port, 100, 1)
        loading = stack.enter_context(_loaded(load, port))
        admin = Admin(port.admin)
        with admin if port.admin else nullcontext():
            _, median, most, longest = fly(probe, flight, settings.seconds, _PAUSE)
        row = f"{median:>9,.0f}{most:>10,.0f}{longest:>12,.0f}"
        row += f"{admin.longest:>10,.0f}" if port.admin else f"{'':10}"
        row += f"{memory(port.pid):>7,.0f}"
        gone = loading.poll() is not None
        if port.admin:
            note = _alarm(port.admin)
            row += f"{_ended(port.pid):>8.2f}{note}"
        return row + ("   (the load ended before)" if gone else "")


def _alarm(admin: str) -> str:
    """Who publishes waits for memory by right, and so does the probe: that is no lack of turns."""
    asked = urllib.request.Request(f"{admin}/commands", b'{"line": "limits"}')
    with suppress(OSError, KeyError):
        limits = json.load(urllib.request.urlopen(asked, timeout=_ENDING))["data"]
        if any(each["met"] for each in limits if each["limit"] == "amqp_memory"):
            return "   (all publishers wait: amqp_memory)"
    return ""
