"""Where log lines go: standard error, or a file while the screen has the terminal."""

import json
import logging
import sys

from .state_folder import state_file
from .text import clean


class _Json(logging.Formatter):
    """One JSON object a line, as log collectors read them."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": self.formatTime(record, "%Y-%m-%dT%H:%M:%S"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["trace"] = self.formatException(record.exc_info)
        return json.dumps(line)


class _Plain(logging.Formatter):
    """Lines for people, free of anything that a terminal obeys."""

    def format(self, record: logging.LogRecord) -> str:
        return "\n".join(map(clean, super().format(record).split("\n")))


def set_up(level: str, form: str, *, screen: bool = False) -> None:
    """Send all log records of at least `level` (debug, info, warning, error) to one handler."""
    handler = _into_a_file() if screen else logging.StreamHandler(sys.stderr)
    plain = _Plain("%(asctime)s %(levelname)-7s %(name)s: %(message)s")
    handler.setFormatter(_Json() if form == "json" else plain)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())


def _into_a_file() -> logging.Handler:
    """`console.log` in the user's state folder; nothing is logged where it cannot be kept."""
    path = state_file("console.log")
    if path is None:
        return logging.NullHandler()
    from logging.handlers import RotatingFileHandler

    return RotatingFileHandler(
        path,
        maxBytes=1_000_000,
        backupCount=1,
        delay=True,
        encoding="utf-8",
        errors="backslashreplace",
    )
