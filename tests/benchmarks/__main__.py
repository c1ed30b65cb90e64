"""`python -m tests.benchmarks [ROW ...]`: our brokers beside their peers."""

import argparse
import platform
import signal
import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from .common import Settings, cpu_name

_KNOWN = ("startup", "mqtt", "amqp", "kafka", "flight", "rules", "data", "connects", "memory",
          "crowd", "fairness", "pace")  # fmt: skip


def _end(*_: object) -> None:
    """As Ctrl-C: the servers that were started end, too, and it is said that rows are missing."""
    sys.exit("ended by SIGTERM before all rows were measured")


def main() -> None:
    signal.signal(signal.SIGTERM, _end)
    known = [name for name in _KNOWN if find_spec(f"{__package__}.{name}")]
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("protocols", nargs="*", help=f"of {', '.join(known)} (all)")
    parser.add_argument("--rounds", type=int, default=5, help="interleaved rounds (5)")
    parser.add_argument("--seconds", type=float, default=2.0, help="of one measurement (2)")
    parser.add_argument("--only", default="", help="rows whose title has this in it")
    parser.add_argument("--against", type=Path, help="another checkout of ours, beside this one")
    asked = parser.parse_args()
    for name in asked.protocols:
        if name not in known:
            parser.error(f"{name!r} is none of {', '.join(known)}")
    settings = Settings(asked.rounds, asked.seconds, asked.only, asked.against)
    print(f"{platform.python_implementation()} {platform.python_version()}, {cpu_name()}")
    for name in asked.protocols or known:
        import_module(f"{__package__}.{name}").run(settings)


main()
