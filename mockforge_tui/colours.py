"""Colours of what command lines print: for terminals, and never where NO_COLOR is set."""

import os
import re
from typing import TextIO

_RED, _GREEN, _YELLOW, _FAINT, _PLAIN = (f"\x1b[{code}m" for code in (31, 32, 33, 2, 0))

_LINES = (
    (re.compile(r"^(\s*)(✓)(?= )"), _GREEN),
    (re.compile(r"^(\s*)(×.*)"), _RED),
    # Of a failure: what was wanted, and what stands there instead.
    (re.compile(r"^(\s+\S*: )(- .*)"), _RED),
    (re.compile(r"^(\s{10,})(\+ .*)"), _GREEN),
    (re.compile(r"^(\s*)(try {7}.*)"), _YELLOW),
    (re.compile(r"^(\s*)((?:expected|seen|too many|nearest|came|connected|fault) +)"), _FAINT),
)


def wanted(stream: TextIO) -> bool:
    """Whether what goes there may have colours; FORCE_COLOR is for logs that show them."""
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def painted(line: str) -> str:
    """A line of a scenario's report or of a failure, with its colours."""
    for pattern, colour in _LINES:
        found = pattern.match(line)
        if found is not None:
            before, shown = found.groups()
            return f"{before}{colour}{shown}{_PLAIN}{line[found.end() :]}"
    return line


def page(text: str, stream: TextIO) -> str:
    """Several lines for a stream, painted if it may have colours."""
    if not wanted(stream):
        return text
    return "\n".join(painted(line) for line in text.split("\n"))
