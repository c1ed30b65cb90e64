"""Who a suite dials, at the usual ports: ours with the options that it needs, or the original."""

import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.benchmarks.amqp import node_environment
from tests.benchmarks.common import Skipped, wait_for_port

MQTT = 1883
AMQP = 5672
MANAGEMENT = 15672
RABBITMQ = Path("/usr/lib/rabbitmq/bin")


def must_be_free(*ports: int) -> None:
    for port in ports:
        with socket.socket() as tried:
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                tried.bind(("127.0.0.1", port))
            except OSError:
                raise Skipped(
                    f"port {port} is taken; a network of one's own has all: unshare -rn sh -c "
                    "'ip link set lo up; python -m tests.suites ...'"
                ) from None


@contextmanager
def started(
    command: Sequence[str], output: Path, ports: Sequence[int], **variables: str
) -> Iterator[None]:
    """A server, until it listens; what it prints is added to `output`."""
    must_be_free(*ports)
    with output.open("a") as out:
        process = subprocess.Popen(
            command, stdout=out, stderr=out, cwd=output.parent,
            env={**os.environ, **variables},
        )  # fmt: skip
        try:
            for port in ports:
                wait_for_port(port, 400)
            yield
        finally:
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@contextmanager
def ours(
    folder: Path, ports: Sequence[int], options: Sequence[str], **variables: str
) -> Iterator[None]:
    """`mockforge-tui --headless` of this checkout; `options` say which brokers it has."""
    root = Path(__file__).parent.parent.parent
    command = [sys.executable, "-m", "mockforge_tui", "--headless", "--no-kafka", *options]
    path = os.pathsep.join([str(root / "brokers"), str(root)])
    with started(command, folder / "ours.log", ports, PYTHONPATH=path, **variables):
        yield


def mosquitto_version() -> str:
    program = shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if program is None:
        raise Skipped("no mosquitto")
    said = subprocess.run([program, "-h"], capture_output=True, text=True, check=False).stdout
    found = re.search(r"version (\S+)", said)
    return f"Mosquitto {found[1] if found else ''}"


@contextmanager
def mosquitto(
    folder: Path, ports: Sequence[int], lines: Sequence[str], name: str = "mosquitto"
) -> Iterator[None]:
    """Mosquitto with these lines of its configuration file, which is called so."""
    conf = folder / f"{name}.conf"
    conf.write_text("\n".join(["user root", "allow_anonymous true", *lines]) + "\n")
    program = shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    with started([str(program), "-c", str(conf)], folder / f"{name}.log", ports):
        yield


def rabbitmq_version() -> str:
    found = sorted(RABBITMQ.parent.glob("lib/rabbitmq_server-*"))
    if not found:
        raise Skipped(f"no {RABBITMQ}/rabbitmq-server")
    return f"RabbitMQ {found[-1].name.removeprefix('rabbitmq_server-')}"


@contextmanager
def rabbitmq(
    folder: Path, lines: Sequence[str] = (), plugins: str = ""
) -> Iterator[dict[str, str]]:
    """A node of its own with these lines of rabbitmq.conf; yields rabbitmqctl's variables."""
    data = folder / "rabbitmq"
    shutil.rmtree(data, ignore_errors=True)
    data.mkdir()
    variables = node_environment(str(data), AMQP)
    (data / "plugins").write_text(f"[{plugins}].\n")
    for taken in ("RABBITMQ_NODE_PORT", "RABBITMQ_NODE_IP_ADDRESS"):
        del variables[taken]
    listening = [f"listeners.tcp.1 = 127.0.0.1:{AMQP}", f"listeners.tcp.2 = ::1:{AMQP}"]
    listening = [*listening[: 1 + _has_ipv6()], "loopback_users = none"]
    (data / "rabbitmq.conf").write_text("\n".join([*listening, *lines]) + "\n")
    variables["RABBITMQ_CONFIG_FILE"] = str(data / "rabbitmq.conf")
    ports = [AMQP, *[MANAGEMENT] * ("rabbitmq_management" in plugins)]
    with ExitStack() as stack:
        stack.callback(
            subprocess.run, ["epmd", "-kill"], env=variables, capture_output=True, check=False
        )
        command = [str(RABBITMQ / "rabbitmq-server")]
        stack.enter_context(started(command, folder / "rabbitmq.log", ports, **variables))
        _settled(variables)
        yield variables


def _has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as tried:
            tried.bind(("::1", 0))
    except OSError:
        return False
    return True


def _settled(variables: dict[str, str]) -> None:
    """It listens before its users are there."""
    deadline = time.monotonic() + 60
    ctl = [str(RABBITMQ / "rabbitmqctl"), "await_startup", "--timeout", "60"]
    while subprocess.run(ctl, env=variables, capture_output=True, check=False).returncode:
        if time.monotonic() > deadline:
            raise Skipped("RabbitMQ did not start")
