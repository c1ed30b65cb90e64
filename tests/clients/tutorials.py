"""RabbitMQ's six tutorials, as printed, in Python, JavaScript, Java and Go.

`python -m tests.clients.tutorials [LANGUAGE ...]`, apart from the tests, since they dial
localhost:5672. Their programs are fetched (`git clone`), or lie in the folder that
`RABBITMQ_TUTORIALS` names. `--running` leaves the broker to be started by somebody else.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.common import Skipped, wait_for_port

from .matrix.toolchains import CACHE, Java

REPOSITORY = "https://github.com/rabbitmq/rabbitmq-tutorials"
PORT = 5672
SECONDS = 40.0
SOON = 3.0
"""Within which a message is shown, where it has found its queue."""


@dataclass(frozen=True, slots=True)
class Tutorial:
    name: str
    waits: str
    """The program that is started first, and its arguments."""
    acts: str
    shown: str
    """What the first prints then."""
    answers: str = ""
    """What the second prints itself."""


TUTORIALS = [
    Tutorial("hello world", "receive", "send", "Hello World!"),
    Tutorial("work queues", "worker", "new_task a task..", "Done"),
    Tutorial("publish and subscribe", "receive_logs", "emit_log some news", "some news"),
    Tutorial("routing", "receive_logs_direct warning error", "emit_log_direct error Run", "Run"),
    Tutorial("topics", "receive_logs_topic kern.* *.info", "emit_log_topic kern.warn Hot", "Hot"),
    Tutorial("RPC", "rpc_server", "rpc_client 30", "fib(30)", "832040"),
]
Command = Callable[[str], list[str]]


def python(folder: Path) -> Command:
    return lambda name: [sys.executable, "-u", str(folder / "python" / f"{name}.py")]


def javascript(folder: Path) -> Command:
    here = folder / "javascript-nodejs"
    if not (here / "node_modules").exists():
        _made("npm", "install", "--no-audit", "--no-fund", "--loglevel=error", cwd=here)
    return lambda name: ["node", str(here / "src" / f"{name}.js")]


def java(folder: Path) -> Command:
    if shutil.which("mvn") is None:
        raise Skipped("no mvn")
    chain = Java("java")
    chain.built = folder
    library = chain.jars(chain.sources / "amqp" / "pom.xml")
    here = folder / "java"
    classes = [
        str(here / f"{_in_java(word.split()[0])}.java")
        for tutorial in TUTORIALS
        for word in (tutorial.waits, tutorial.acts)
    ]
    _made("javac", "-nowarn", "-cp", f"{library}/*", "-d", str(here), *classes, cwd=here)
    return lambda name: ["java", "-cp", f"{here}:{library}/*", _in_java(name)]


def go(folder: Path) -> Command:
    here = folder / "go"
    names = [word.split()[0] for each in TUTORIALS for word in (each.waits, each.acts)]
    for name in names:
        _made("go", "build", "-o", f"{name}.program", f"{name}.go", cwd=here)
    return lambda name: [str(here / f"{name}.program")]


LANGUAGES: dict[str, Callable[[Path], Command]] = {
    "Python": python,
    "JavaScript": javascript,
    "Java": java,
    "Go": go,
}


def _in_java(name: str) -> str:
    special = {"receive": "Recv", "rpc_server": "RPCServer", "rpc_client": "RPCClient"}
    return special.get(name) or "".join(part.capitalize() for part in name.split("_"))


def _made(*command: str, cwd: Path) -> None:
    try:
        done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise Skipped(f"no {command[0]}") from None
    if done.returncode:
        raise Skipped(f"{command[0]}: {(done.stdout + done.stderr).strip()[-300:]}")


def fetched(folder: Path) -> Path:
    """The tutorials in a folder of this run, where they may be built."""
    given = os.environ.get("RABBITMQ_TUTORIALS")
    source = Path(given) if given else CACHE / "tutorials"
    if not source.exists():
        source.parent.mkdir(parents=True, exist_ok=True)
        _made("git", "clone", "-q", "--depth", "1", REPOSITORY, str(source), cwd=source.parent)
    return Path(shutil.copytree(source, folder / "tutorials"))


@contextmanager
def output(command: list[str], path: Path) -> Iterator[Callable[[], str]]:
    """A program for as long as a `with`, and what it has printed so far."""
    with path.open("w") as to:
        process = subprocess.Popen(command, stdout=to, stderr=to)
    try:
        yield path.read_text
    finally:
        process.kill()
        process.wait()


def until(read: Callable[[], str], pattern: str, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not re.search(pattern, read()):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def played(tutorial: Tutorial, command: Command, folder: Path) -> str:
    """What is wrong, or nothing."""
    waits, *chosen = tutorial.waits.split()
    acts, *given = tutorial.acts.split()
    with output([*command(waits), *chosen], folder / "output") as read:
        if not until(read, "[Ww]aiting", SECONDS):
            return f"{waits} does not wait: {read()[-300:]}"
        # Some say that they wait before they have bound their queue: one run may come too early.
        for _ in range(5):
            done = subprocess.run(
                [*command(acts), *given],
                capture_output=True,
                text=True,
                check=False,
                timeout=SECONDS,
            )
            said = done.stdout + done.stderr
            if done.returncode or tutorial.answers not in said:
                return f"{acts}: status {done.returncode}: {said[-300:]}"
            if until(read, re.escape(tutorial.shown), SOON):
                return ""
        return f"{waits} did not show {tutorial.shown!r}: {read()[-300:]}"


@contextmanager
def broker(running: bool) -> Iterator[None]:
    if running:
        yield
        return
    process = subprocess.Popen(
        [sys.executable, "-m", "mockforge_tui", "--headless", "--no-kafka", "--no-mqtt"],
        stdout=subprocess.DEVNULL,
    )
    try:
        wait_for_port(PORT, 30)
        yield
    finally:
        process.terminate()
        process.wait()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.clients.tutorials")
    parser.add_argument("languages", nargs="*", metavar="LANGUAGE", default=[*LANGUAGES])
    parser.add_argument("--running", action="store_true", help="the broker is there already")
    given = parser.parse_args()
    if unknown := [name for name in given.languages if name not in LANGUAGES]:
        parser.error(f"{unknown[0]!r} is none of {', '.join(LANGUAGES)}")
    failed = 0
    with tempfile.TemporaryDirectory(prefix="tutorials-") as made, broker(given.running):
        folder = Path(made)
        source = fetched(folder)
        for language in given.languages:
            try:
                command = LANGUAGES[language](source)
            except Skipped as reason:
                print(f"{language}: skipped: {reason}", flush=True)
                continue
            wrong = {each.name: played(each, command, folder) for each in TUTORIALS}
            failed += sum(map(bool, wrong.values()))
            found = "; ".join(f"{name}: {text}" if text else name for name, text in wrong.items())
            print(f"{language}: {found}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
