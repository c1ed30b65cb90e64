"""`python -m tests.kills [PROTOCOL ...]`: ends in the midst of confirmed publishes, many in a row.

`--by kill` sends kill -9 to a program with a data folder. `--by full` does so once its disk is full
and it has said so, and makes room before it starts again (the folder is on a small disk in memory,
for which Linux's `unshare` is asked). `--by restart` restarts its broker instead, `--by hard-kept`
stops and starts it so that it begins with what is on disk. `--by restart-memory`, `--by stop` and
`--by hard` are about a program that keeps all in memory.

`all` in the protocols' place does what is promised of data folders one after the other: kills,
restarts and full disks by turns, then 200 damaged bytes; at the end, or at Ctrl-C, it prints one
table, and its status is 0 where nothing failed and all of it was done.
"""

import argparse
import os
import sys

from . import PROTOCOLS, WAYS, round_of
from .proof import Asked, prove

_OWN_MOUNTS = "MOCKFORGE_OWN_MOUNTS"


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.kills",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("protocols", nargs="*", choices=[*PROTOCOLS, "all", []], metavar="PROTOCOL")
    parser.add_argument("--times", type=int, default=50, help="rounds of each (50)")
    parser.add_argument("--messages", type=int, default=10_000, help="of a round (10,000)")
    parser.add_argument("--by", choices=WAYS, default="kill", help="what ends it (kill)")
    parser.add_argument("--damages", type=int, default=200, help="of `all` (200)")
    parser.add_argument("--fulls", type=int, default=5, help="of `all`, of each protocol (5)")
    asked = parser.parse_args()
    proof = "all" in asked.protocols
    if (proof or asked.by == "full") and _OWN_MOUNTS not in os.environ:
        # In a name space of its own everybody may mount something, and nobody else sees it.
        os.environ[_OWN_MOUNTS] = "1"
        again = [sys.executable, "-m", "tests.kills", *sys.argv[1:]]
        os.execvp("unshare", ["unshare", "--mount", "--map-root-user", *again])
    if proof:
        return prove(Asked(asked.times, asked.messages, asked.fulls, asked.damages))
    for number in range(asked.times):
        for protocol in asked.protocols or PROTOCOLS:
            said = round_of(protocol, asked.messages, number, asked.by)
            print(f"{protocol} {number + 1}: {said}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
