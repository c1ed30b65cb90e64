"""What all benchmarks share: compile, start, pin, measure in turns, print side by side."""

import json
import os
import random
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

HERE = Path(__file__).parent
ROOT = HERE.parent.parent

SERVER_CPU = 0
LOAD_CPU = 1

_FIRST_PORT, _OUTGOING = 20_000, 32_768
_DICE = random.SystemRandom()


@dataclass(frozen=True, slots=True)
class Settings:
    rounds: int = 5
    seconds: float = 2.0
    only: str = ""
    """Rows whose title has this in it."""
    against: Path | None = None
    """Another checkout of ours, measured beside this one."""


class Port(int):
    """A server's port, with the process that serves it and the URL of its admin's HTTP, if any."""

    pid = 0
    admin = ""

    @classmethod
    def of(cls, port: int, pid: int, admin: str = "") -> Self:
        made = cls(port)
        made.pid = pid
        made.admin = admin
        return made


class Rate(float):
    """Messages a second, with the 99th percentile in us of how long one took; 0: not measured."""

    p99 = 0.0

    @classmethod
    def of(cls, rate: float, p99: float) -> "Rate":
        made = cls(rate)
        made.p99 = p99
        return made


def memory(pid: int) -> float:
    """MiB of a process and all that it started, as `VmRSS` has it."""
    children: dict[int, list[int]] = {}
    sizes: dict[int, int] = {}
    for path in Path("/proc").glob("[0-9]*/status"):
        try:
            facts = dict(line.split(":", 1) for line in path.read_text().splitlines())
        except (OSError, ValueError):
            continue
        number = int(path.parent.name)
        children.setdefault(int(facts["PPid"]), []).append(number)
        sizes[number] = int(facts.get("VmRSS", "0").split()[0])
    total, waiting = 0, [pid]
    while waiting:
        number = waiting.pop()
        total += sizes.get(number, 0)
        waiting += children.get(number, [])
    return total / 1024


@dataclass(frozen=True, slots=True)
class Subject:
    """Who is measured: `start` runs it for the time of a `with` and gives its port."""

    name: str
    version: str
    start: Callable[[], AbstractContextManager[int]]


class Skipped(Exception):
    """A peer or a tool is not here; the text names it."""


def cpu_name() -> str:
    """The processor and how many of it we may use."""
    name = "unknown processor"
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        name = next(line.split(":", 1)[1].strip() for line in lines if "model name" in line)
    except (OSError, StopIteration):
        pass
    return f"{name}, {os.cpu_count()} logical cores"


def pinned(cpu: int, command: Sequence[str]) -> list[str]:
    """`command` on one core where that can be had, so that load and server do not mix."""
    if (os.cpu_count() or 1) > cpu and shutil.which("taskset"):
        return ["taskset", "-c", str(cpu), *command]
    return list(command)


def compile_c(source: str, *flags: str) -> Path:
    """The program of a C file beside us; raises Skipped without a compiler."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        raise Skipped("no C compiler")
    program = Path(tempfile.mkdtemp(prefix="benchmarks-")) / Path(source).stem
    made = subprocess.run(
        [compiler, "-O2", "-o", str(program), str(HERE / source), *flags],
        capture_output=True,
        text=True,
        check=False,
    )
    if made.returncode:
        raise Skipped(f"{source} does not compile: {made.stderr.strip().splitlines()[0]}")
    return program


@contextmanager
def running(command: Sequence[str], **options: object) -> Iterator[subprocess.Popen[str]]:
    """A server process for the time of a `with`."""
    process = subprocess.Popen(pinned(SERVER_CPU, command), text=True, **options)  # type: ignore[call-overload]
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _environment(checkout: Path) -> dict[str, str]:
    return os.environ | {"PYTHONPATH": f"{checkout / 'brokers'}{os.pathsep}{checkout}"}


def _name(checkout: Path, options: Sequence[str] = ()) -> str:
    name = "ours" if checkout == ROOT else f"ours of {checkout.name}"
    return " ".join((name, *options))


def ours(protocol: str, *options: str, checkout: Path = ROOT) -> Subject:
    """Our broker in a process of its own, journal and counters on."""

    @contextmanager
    def start() -> Iterator[int]:
        command = [sys.executable, "-m", "tests.benchmarks.serve", protocol, *options]
        # Its data folder is in there; it may be gigabytes, and who is killed removes nothing.
        with (
            tempfile.TemporaryDirectory(prefix="benchmarks-") as folder,
            running(
                command,
                stdout=subprocess.PIPE,
                cwd=checkout,
                env=_environment(checkout) | {"TMPDIR": folder},
            ) as process,
        ):
            assert process.stdout is not None
            yield Port.of(int(process.stdout.readline()), process.pid)

    return Subject(_name(checkout, options), "", start)


def program(protocol: str, checkout: Path = ROOT) -> Subject:
    """The whole program, headless, with all three brokers and the admin's HTTP."""

    @contextmanager
    def start() -> Iterator[int]:
        command = [sys.executable, "-m", "mockforge_tui", "--headless", "--random-ports"]
        with running(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=checkout,
            env=_environment(checkout),
        ) as process:
            assert process.stdout is not None
            ready = json.loads(process.stdout.readline())
            if protocol == "kafka":
                port = int(ready["kafka"]["bootstrap"].rsplit(":", 1)[1])
            else:
                port = urlsplit(ready[protocol]["url"]).port
            yield Port.of(port, process.pid, ready["admin"]["url"])

    return Subject(_name(checkout), "", start)


def before(protocol: str, settings: Settings) -> list[Subject]:
    """The other checkout, if one is asked for."""
    if settings.against is None:
        return []
    return [ours(protocol, checkout=settings.against.resolve())]


def free_port() -> int:
    """One below those that the system gives to outgoing connections.

    Of those one might be somebody's by the time that a program listens there, or does so again.
    """
    for _ in range(1_000):
        port = _DICE.randrange(_FIRST_PORT, _OUTGOING)
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
    raise Skipped(f"no free port from {_FIRST_PORT} to {_OUTGOING}")


def wait_for_port(port: int, seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            if time.monotonic() > deadline:
                raise Skipped(f"nothing listens on port {port}") from None
            time.sleep(0.05)


def measure(command: Sequence[str]) -> Rate:
    """The first number that a load generator prints, and the one behind `p99` where it has that."""
    done = subprocess.run(
        pinned(LOAD_CPU, command), capture_output=True, text=True, timeout=120, check=False
    )
    if done.returncode:
        raise Skipped(f"{Path(command[0]).name}: {done.stderr.strip() or done.returncode}")
    rate, *rest = done.stdout.split()
    return Rate.of(float(rate), float(rest[1]) if rest[:1] == ["p99"] else 0.0)


def compare(
    title: str,
    subjects: Sequence[Subject],
    once: Callable[[int], float],
    settings: Settings,
    unit: str = "messages/s",
    *,
    less: bool = False,
    warm_up: Callable[[int], object] | None = None,
) -> dict[str, float]:
    """Measure all subjects in turns, print medians and ratios to the first; returns medians.

    All stay up meanwhile: an idle server costs the busy one nothing. A subject that cannot do it is
    named with the reason. Where `less` is better the
    ratio is turned round, so that more than 1 always speaks for ours. `warm_up` is done to each
    before, and not measured.
    """
    if settings.only.lower() not in title.lower():
        return {}
    figures: dict[str, list[float]] = {subject.name: [] for subject in subjects}
    skipped: dict[str, str] = {}
    with ExitStack() as stack:
        ports: dict[str, int] = {}
        for subject in subjects:
            try:
                ports[subject.name] = stack.enter_context(subject.start())
                if warm_up is not None:
                    warm_up(ports[subject.name])
            except Skipped as reason:
                skipped[subject.name] = str(reason)
        for _ in range(settings.rounds):
            for name in [each for each in figures if each not in skipped]:
                try:
                    figures[name].append(once(ports[name]))
                except Skipped as reason:
                    # What one of them cannot do is no reason to leave out the others.
                    skipped[name] = str(reason)
    return show(title, subjects, figures, skipped, settings, unit, less=less)


def _p99(value: float) -> float:
    return value.p99 if isinstance(value, Rate) else 0.0


def show(
    title: str,
    subjects: Sequence[Subject],
    figures: dict[str, list[float]],
    skipped: dict[str, str],
    settings: Settings,
    unit: str,
    *,
    less: bool = False,
) -> dict[str, float]:
    """Print medians and ratios to the first subject, as `compare` does; returns medians."""
    medians = {
        name: statistics.median(values) for name, values in figures.items() if name not in skipped
    }
    slow = {name: statistics.median(map(_p99, figures[name])) for name in medians}
    first = subjects[0].name
    print(f"\n{title} ({unit}, median of {settings.rounds} rounds in turns)")
    for subject in subjects:
        label = f"{subject.name} {subject.version}".strip()
        if subject.name in skipped:
            print(f"  {label:28} skipped: {skipped[subject.name][:200]}")
            continue
        values, theirs = figures[subject.name], medians[subject.name]
        ratio = ""
        if subject.name != first and first in medians:
            ours_is = theirs / medians[first] if less else medians[first] / theirs
            ratio = f"   ours is {ours_is:.2f}x"
        if slow[subject.name]:
            ratio = f"   p99 {slow[subject.name]:,.0f} us{ratio}"
            if subject.name != first and slow.get(first):
                ratio += f", p99 {slow[subject.name] / slow[first]:.2f}x"
        print(f"  {label:28} {theirs:>12,.0f}   ({min(values):,.0f} to {max(values):,.0f}){ratio}")
    return medians
