"""What each program does with its checks: one line of JSON for the client, and one for each check.

The same lines come from the programs of the other languages:
{"client": NAME, "version": V}, {"check": NAME, "ok": true}, {"check": NAME, "failed": WHY},
{"check": NAME, "skipped": WHY}.
"""

import asyncio
import inspect
import json
import os
import time
import traceback
import urllib.request
from collections.abc import Callable
from typing import Any

RUN = os.environ["MATRIX_RUN"]
"""Makes names that no other run has used."""
CA = os.environ["MOCKFORGE_TLS_CA"]
SECONDS = float(os.environ.get("MATRIX_SECONDS", "30"))
"""How long a fact is waited for: an original takes its time to start again."""
QUICK = bool(os.environ.get("MATRIX_QUICK"))
"""Begin no check after a few seconds."""


class Skip(Exception):
    """The client cannot do it; the text says why."""


def say(**line: object) -> None:
    print(json.dumps(line), flush=True)


def run(
    client: str,
    version: str,
    checks: dict[str, Callable[[], Any]],
    last: Callable[[], None] = lambda: None,
) -> None:
    """Each check in turn, and what is last; a coroutine gets a loop of its own."""
    say(client=client, version=version)
    start = time.monotonic()
    for name, check in checks.items():
        began = time.monotonic()
        if QUICK and began > start + 3:
            say(check=name, skipped="no time left in a quick run")
            continue
        try:
            if inspect.iscoroutinefunction(check):
                asyncio.run(asyncio.wait_for(check(), SECONDS * 2))
            else:
                check()
        except Skip as reason:
            say(check=name, skipped=str(reason))
        except Exception as error:
            place = traceback.extract_tb(error.__traceback__)
            line = next((e.lineno for e in reversed(place) if "programs" in e.filename), 0)
            say(check=name, failed=f"{type(error).__name__}: {error} (line {line})")
        else:
            say(check=name, ok=True, seconds=round(time.monotonic() - began, 1))
    last()
    os._exit(0)


def happen(what: str) -> None:
    """Let all connections be cut (kill), or the broker go and come back (restart)."""
    protocol = os.environ["MATRIX_PROTOCOL"]
    with urllib.request.urlopen(f"{os.environ['MATRIX_CONTROL']}/{protocol}/{what}") as answer:
        answer.read()


async def happen_async(what: str) -> None:
    await asyncio.get_running_loop().run_in_executor(None, happen, what)


def until(fact: Callable[[], Any], what: str, seconds: float = SECONDS) -> Any:
    deadline = time.monotonic() + seconds
    while not (value := fact()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds:g} s: {what}")
        time.sleep(0.02)
    return value


async def until_async(fact: Callable[[], Any], what: str, seconds: float = SECONDS) -> Any:
    deadline = time.monotonic() + seconds
    while not (value := fact()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds:g} s: {what}")
        await asyncio.sleep(0.02)
    return value


def equal(got: object, wanted: object, what: str = "") -> None:
    if got != wanted:
        raise AssertionError(f"{what or 'got'}: {got!r}, not {wanted!r}")


def refused(act: Callable[[], Any], *kinds: type[BaseException]) -> None:
    """It raises one of these kinds."""
    try:
        act()
    except kinds:
        return
    raise AssertionError("it was not refused")
