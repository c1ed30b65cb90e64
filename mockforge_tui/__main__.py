"""Lets `python -m mockforge_tui` be the command line."""

import gc
import io
import os
import sys


def main() -> None:
    """The console script's entry."""
    # What a start makes stays: looking for garbage meanwhile is 5 % of it. `instance` goes on.
    gc.disable()
    _open_standard_streams()
    try:
        from .cli import run

        status = run(sys.argv[1:])
    except KeyboardInterrupt:
        status = 130
    sys.exit(status)


def _open_standard_streams() -> None:
    """Put /dev/null where the caller closed one: else the first socket gets its number.

    What goes out is escaped where it cannot be encoded; bytes that are no text come in as they are.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            # The lowest free number is this one: those below are open by now.
            os.open(os.devnull, os.O_RDWR)
            mode = "r" if name == "stdin" else "w"
            setattr(sys, name, os.fdopen(number, mode, encoding="utf-8", closefd=False))
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A name that the terminal's encoding does not have must not end the program.
        sys.stdout.reconfigure(errors="backslashreplace")
    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(errors="surrogateescape")


if __name__ == "__main__":
    main()
