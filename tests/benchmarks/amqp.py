"""AMQP messages per second: our broker and RabbitMQ, side by side in one run.

    python tests/benchmarks/amqp.py [--rounds 5] [--seconds 2] [--modes auto,ack,...]

Both run in processes of their own on free loopback ports and get the same load (amqp_load.c) in
turns; printed are medians, spread and ratio. Without a compiler or RabbitMQ it says so.
"""

import argparse
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

HERE = Path(__file__).parent
MODES = ("auto", "ack", "multiple", "confirm", "fanout")
RABBITMQ = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")

SERVE = """
import asyncio, sys
from mockforge_brokers.amqp.broker import AmqpBroker
from mockforge_brokers.clock import LoopClock
from mockforge_brokers.environment import Environment
from mockforge_brokers.transport import Server

async def main():
    environment = Environment.create(LoopClock(asyncio.get_running_loop()))
    server = Server(AmqpBroker(environment), environment)
    print(await server.listen("127.0.0.1", 0), flush=True)
    await asyncio.Event().wait()

try:
    from uvloop import run
except ImportError:
    from asyncio import run
run(main())
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def end(process: subprocess.Popen[str]) -> None:
    process.terminate()
    try:
        process.wait(15)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@contextmanager
def ours() -> Iterator[int]:
    """Our broker, with journal and counters on."""
    process = subprocess.Popen([sys.executable, "-c", SERVE], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield int(process.stdout.readline())
    finally:
        end(process)


@contextmanager
def rabbitmq() -> Iterator[int]:
    """A RabbitMQ of its own, in a temporary folder."""
    with tempfile.TemporaryDirectory() as folder:
        port = free_port()
        environment = os.environ | {
            "HOME": folder,
            "RABBITMQ_NODENAME": f"bench{os.getpid()}@localhost",
            "RABBITMQ_MNESIA_BASE": f"{folder}/mnesia",
            "RABBITMQ_LOG_BASE": f"{folder}/log",
            "RABBITMQ_PID_FILE": f"{folder}/pid",
            "RABBITMQ_ENABLED_PLUGINS_FILE": f"{folder}/plugins",
            "RABBITMQ_CONFIG_FILE": f"{folder}/rabbitmq",
            "RABBITMQ_NODE_PORT": str(port),
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_DIST_PORT": str(free_port()),
            "ERL_EPMD_PORT": str(free_port()),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
        }
        with Path(folder, "output").open("w") as output:
            process = subprocess.Popen(
                [RABBITMQ], env=environment, stdout=output, stderr=output, text=True
            )
        try:
            wait_for_port(port, process)
            yield port
        finally:
            end(process)
            subprocess.run(["epmd", "-kill"], env=environment, capture_output=True, check=False)


def wait_for_port(port: int, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise SystemExit("RabbitMQ did not start")
        try:
            with socket.create_connection(("127.0.0.1", port), 1) as probe:
                probe.sendall(b"AMQP\x00\x00\x09\x01")
                if probe.recv(1):
                    return
        except OSError:
            time.sleep(0.2)
    raise SystemExit("RabbitMQ did not answer within 60 s")


def build(folder: str) -> Path:
    compiler = shutil.which("cc")
    if compiler is None:
        raise SystemExit("skipped: no C compiler for tests/benchmarks/amqp_load.c")
    target = Path(folder, "amqp_load")
    subprocess.run([compiler, "-O2", "-o", target, HERE / "amqp_load.c"], check=True)
    return target


def measure(load: Path, port: int, mode: str, seconds: float) -> float:
    command = [load, str(port), mode, str(seconds)]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=seconds + 30, check=False
    )
    if done.returncode:
        raise SystemExit(f"{mode}: {done.stderr}")
    return float(done.stdout)


def report(name: str, rates: list[float]) -> str:
    low, middle, high = min(rates), statistics.median(rates), max(rates)
    return f"{name} {middle / 1000:7.1f} k/s [{low / 1000:.1f} to {high / 1000:.1f}]"


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--seconds", type=float, default=2.0)
    options.add_argument("--modes", default=",".join(MODES))
    chosen = options.parse_args()
    with ExitStack() as stack:
        load = build(stack.enter_context(tempfile.TemporaryDirectory()))
        ports = {"ours": stack.enter_context(ours())}
        if RABBITMQ.exists():
            ports["RabbitMQ"] = stack.enter_context(rabbitmq())
        else:
            print("skipped: no RabbitMQ at", RABBITMQ)
        for mode in chosen.modes.split(","):
            rates: dict[str, list[float]] = {name: [] for name in ports}
            for _ in range(chosen.rounds):
                for name, port in ports.items():
                    rates[name].append(measure(load, port, mode, chosen.seconds))
            line = "   ".join(report(name, found) for name, found in rates.items())
            if "RabbitMQ" in rates:
                pairs = zip(rates["ours"], rates["RabbitMQ"], strict=True)
                ratio = statistics.median(mine / theirs for mine, theirs in pairs)
                line += f"   {ratio:.1f} x"
            print(f"{mode:9}{line}", flush=True)


if __name__ == "__main__":
    main()
