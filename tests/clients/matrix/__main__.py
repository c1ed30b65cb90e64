"""Clients of all languages against one program: `python -m tests.clients.matrix [NAME ...]`.

Prints a table: client, version, what passed, and what did not with its reason. `--peer kafka`,
`mosquitto` or `rabbitmq` puts the original in our place, so that a red cell can be told from a
client's own fault. `--quick` takes what is there already and begins no client after a while; else
libraries are fetched and programs built (`toolchains.py`). `--record` writes what did not fail to
results.json and the README's table.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from tests.benchmarks.common import Skipped

from .catalogue import CLIENTS, Client
from .control import Control
from .results import Result, record, shown
from .subjects import PEERS, PROTOCOLS, Ours, Subject
from .toolchains import Toolchain, toolchains

LONGEST = 400.0
"""Seconds after which a program is ended."""


@contextmanager
def subject(peer: str | None) -> Iterator[Subject]:
    with tempfile.TemporaryDirectory(prefix="clients-") as folder:
        started = PEERS[peer](Path(folder)) if peer else Ours(Path(folder))
        try:
            yield started
        finally:
            started.close()


def run(client: Client, command: list[str], environment: dict[str, str]) -> Result:
    result = Result(client.protocol, client.name, client.language)
    with tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=errors, text=True
        )
        try:
            output, _ = process.communicate(timeout=LONGEST)
        except subprocess.TimeoutExpired:
            process.kill()
            output, _ = process.communicate()
            result.checks["end"] = f"failed: not within {LONGEST:g} s"
        for line in output.splitlines():
            if line.startswith("{"):
                result.read(json.loads(line))
        if process.returncode and "end" not in result.checks:
            errors.seek(0)
            last = errors.read().strip().splitlines()[-1:]
            result.checks["end"] = f"failed: status {process.returncode}: {' '.join(last)[:200]}"
    return result


def lane(
    clients: list[Client], chains: dict[str, Toolchain], variables: dict[str, str], end: float
) -> list[Result]:
    """The clients of one protocol, one after the other."""
    results = []
    for number, client in enumerate(clients):
        began = time.monotonic()
        try:
            if began > end:
                raise Skipped("no time left in a quick run")
            command = chains[client.language].command(client)
        except Skipped as reason:
            result = Result(client.protocol, client.name, client.language, skipped=str(reason))
        else:
            more = {
                "MATRIX_PROTOCOL": client.protocol,
                "MATRIX_RUN": f"{client.protocol[0]}{number}",
            }
            result = run(client, command, {**os.environ, **variables, **more})
        results.append(result)
        print(f"{result.line()}  ({time.monotonic() - began:.1f} s)", flush=True)
    return results


def prepared(clients: list[Client], fetch: bool) -> dict[str, Toolchain]:
    """The toolchains that are wanted; one that cannot be had gives its reason for each client."""
    chains = toolchains()
    for language in dict.fromkeys(client.language for client in clients):
        began = time.monotonic()
        try:
            chains[language].prepare(fetch)
        except Skipped as reason:
            chains[language] = _Missing(str(reason))
        if time.monotonic() - began > 1:
            print(f"{language}: made ready in {time.monotonic() - began:.0f} s", flush=True)
    return chains


class _Missing(Toolchain):
    def __init__(self, reason: str) -> None:
        self.reason = reason

    def command(self, client: Client) -> list[str]:
        raise Skipped(self.reason)


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.clients.matrix")
    parser.add_argument("names", nargs="*", help="of clients, languages or protocols; none: all")
    parser.add_argument("--peer", choices=sorted(PEERS), help="the original in our place")
    parser.add_argument("--quick", action="store_true", help="only what is there already")
    parser.add_argument("--budget", type=float, default=8, help="seconds of a quick run")
    parser.add_argument("--record", action="store_true", help="write results.json and README")
    return parser.parse_args()


def main() -> int:
    given = options()
    wanted = {name.lower() for name in given.names}
    with subject(given.peer) as dialled:
        clients = [
            client
            for client in CLIENTS
            if client.protocol in dialled.protocols
            and (
                not wanted
                or wanted & {client.name.lower(), client.language.lower(), client.protocol}
            )
        ]
        chains = prepared(clients, fetch=not given.quick)
        end = time.monotonic() + (given.budget if given.quick else 1e9)
        with Control(dialled) as control, ThreadPoolExecutor(len(PROTOCOLS)) as lanes:
            variables = {**dialled.facts, "MATRIX_CONTROL": control.url}
            if given.quick:
                variables["MATRIX_QUICK"] = "yes"
            if given.peer:
                variables["MATRIX_SECONDS"] = "90"
            running = [
                lanes.submit(
                    lane, [c for c in clients if c.protocol == protocol], chains, variables, end
                )
                for protocol in PROTOCOLS
            ]
            results = [result for each in running for result in each.result()]
    print(f"\n{dialled.name}\n{shown(results)}")
    failed = any(result.failed for result in results)
    if given.record and not (given.peer or given.quick or failed):
        record(results)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
