"""Lets `python -m mockforge_tui` be the command line."""

import sys


def main() -> None:
    """The console script's entry."""
    from .cli import run

    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
