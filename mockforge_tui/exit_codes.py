"""What the program's exit status says."""

from enum import IntEnum


class ExitCode(IntEnum):
    OK = 0
    EXPECTATION_FAILED = 1
    USAGE = 2
    BAD_INPUT = 3
    """A config, fixture or scenario cannot be used."""
    CANNOT_LISTEN = 4
    TIMED_OUT = 5
    BUG = 6
    INTERRUPTED = 130
    """The second Ctrl-C."""
