"""Public suites against our brokers: `python -m tests.suites NAME --at CHECKOUT`.

The suite is somebody's checkout (`ls` names the suites and where they are from). What it needs is
fetched and built in its folder `mockforge-suite` once (`--prepare`: no more than that). Our broker
is started with the options that the suite wants, at the usual ports. Then passed, failed and
skipped are printed, and compared with `known/NAME.txt`: the end is 1 where something else fails.
`--beside` puts the original in our place, `--list` prints all outcomes.
"""

import argparse
import sys
import time
from pathlib import Path

from tests.benchmarks.common import Skipped

from . import amqp, mqtt, table
from .place import Place
from .suite import Suite

SUITES: dict[str, Suite] = {suite.name: suite for suite in [*mqtt.SUITES, *amqp.SUITES]}


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.suites")
    parser.add_argument("name", choices=["ls", *SUITES], help="of a suite; ls: names them")
    parser.add_argument("--at", type=Path, metavar="CHECKOUT", help="where the suite is")
    parser.add_argument("--beside", action="store_true", help="the original in our place")
    parser.add_argument("--prepare", action="store_true", help="only fetch and build")
    parser.add_argument("--list", action="store_true", help="print each test's outcome")
    given = parser.parse_args()
    if given.name != "ls" and given.at is None:
        parser.error(f"--at CHECKOUT: of https://github.com/{SUITES[given.name].source}")
    return given


def listed() -> str:
    rows = []
    for name, suite in SUITES.items():
        known = table.read(name)
        rows.append(f"{name:24}{suite.source:36}{known.version:22}{known.ours}; {known.beside}")
    return "\n".join(rows)


def prepare(suite: Suite, place: Place) -> None:
    if place.once("prepared"):
        suite.prepare(place)
        place.done("prepared")


def main() -> int:
    given = options()
    if given.name == "ls":
        print(listed())
        return 0
    suite, began = SUITES[given.name], time.monotonic()
    try:
        place = Place(given.at)
        prepare(suite, place)
        if given.prepare:
            return 0
        name = suite.original() if given.beside else "ours"
        with (suite.beside if given.beside else suite.ours)(place) as peer:
            outcomes = suite.run(place, peer)
    except Skipped as reason:
        print(f"{given.name}: cannot run: {reason}")
        return 1
    known = table.read(given.name)
    wrong, fine = table.judged(outcomes, known, given.beside)
    if given.list:
        print("\n".join(f"{outcome}: {test}" for test, outcome in sorted(outcomes.items())))
    print("\n".join([*fine, *wrong]))
    if known.version != place.version:
        print(f"this checkout is {place.version}; the table is of {known.version or 'none yet'}")
    print(f"{name} {table.counted(outcomes)} ({time.monotonic() - began:.0f} s)")
    print(f"known: ours {known.ours}; {known.beside}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
