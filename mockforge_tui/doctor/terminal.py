"""The terminal: whether the screen fits there, in which colours and characters."""

import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from .finding import Finding

_LEAST: Final = (60, 16)
_SEVERAL: Final = (100, 30)
"""From here on panes stand side by side."""


class Terminal(NamedTuple):
    """What a process knows of the one it writes to; `size` is columns and lines, None for none."""

    size: tuple[int, int] | None
    encoding: str
    environment: Mapping[str, str]


def here() -> Terminal:
    """The terminal of standard output."""
    size = tuple(shutil.get_terminal_size()) if sys.stdout.isatty() else None
    encoding = sys.stdout.encoding or ""
    return Terminal(None if size is None else (size[0], size[1]), encoding, os.environ)


def terminal_findings(terminal: Terminal) -> Iterator[Finding]:
    if terminal.size is None:
        yield Finding("ok", "terminal", "standard output is none: a start runs as with --headless")
    else:
        yield _size(*terminal.size)
        yield _colours(terminal.environment)
    yield _characters(terminal.encoding)


def _size(width: int, height: int) -> Finding:
    if width < _LEAST[0] or height < _LEAST[1]:
        text = f"{width}x{height}, too small for the screen: {_LEAST[0]}x{_LEAST[1]} or more"
        return Finding("warning", "terminal", text)
    if width < _SEVERAL[0] or height < _SEVERAL[1]:
        text = f"{width}x{height}; {_SEVERAL[0]}x{_SEVERAL[1]} or more shows panes side by side"
        return Finding("ok", "terminal", text)
    return Finding("ok", "terminal", f"{width}x{height}")


def _colours(environment: Mapping[str, str]) -> Finding:
    term = environment.get("TERM", "")
    if term in ("", "dumb"):
        shown = f"TERM is {term}" if term else "TERM is not set"
        text = f"{shown}, so nothing can be drawn: TERM=xterm-256color, or --headless"
        return Finding("warning", "colours", text)
    if environment.get("NO_COLOR"):
        return Finding("ok", "colours", "none, by NO_COLOR; nothing is shown by colour alone")
    if environment.get("COLORTERM", "").lower() in ("truecolor", "24bit"):
        return Finding("ok", "colours", f"16 million ({term})")
    # Terminals name themselves so: xterm-256color, screen-256color, xterm-direct, linux.
    if "256" in term or "direct" in term:
        return Finding("ok", "colours", f"256 ({term}); COLORTERM=truecolor for all, where it can")
    text = f"16 at most ({term}): TERM=xterm-256color, where the terminal can"
    return Finding("warning", "colours", text)


def _characters(encoding: str) -> Finding:
    if encoding.lower().replace("-", "").replace("_", "") == "utf8":
        return Finding("ok", "characters", "UTF-8")
    shown = encoding or "unknown"
    text = f"{shown}, and frames and marks are Unicode: LANG=C.UTF-8 or PYTHONUTF8=1"
    return Finding("warning", "characters", text)
