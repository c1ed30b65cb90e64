"""Lets `python -m mockforge_tui` be the command line."""

import gc
import sys


def main() -> None:
    """The console script's entry."""
    # What a start makes stays: looking for garbage meanwhile is 5 % of it. `instance` goes on.
    gc.disable()
    from .cli import run

    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
