"""`python -m tests.benchmarks [startup|mqtt|amqp|kafka ...]`: our brokers beside their peers."""

import argparse
import platform
from importlib import import_module
from importlib.util import find_spec

from .common import Settings, cpu_name


def main() -> None:
    known = [
        name for name in ("startup", "mqtt", "amqp", "kafka") if find_spec(f"{__package__}.{name}")
    ]
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("protocols", nargs="*", help=f"of {', '.join(known)}; all unless told")
    parser.add_argument("--rounds", type=int, default=5, help="interleaved rounds (5)")
    parser.add_argument("--seconds", type=float, default=2.0, help="of one measurement (2)")
    asked = parser.parse_args()
    for name in asked.protocols:
        if name not in known:
            parser.error(f"{name!r} is none of {', '.join(known)}")
    print(f"{platform.python_implementation()} {platform.python_version()}, {cpu_name()}")
    for name in asked.protocols or known:
        import_module(f"{__package__}.{name}").run(Settings(asked.rounds, asked.seconds))


main()
