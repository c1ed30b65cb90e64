"""The lines that were typed before, in one file for the screen and the line shell."""

import os
import time
from pathlib import Path

from ..state_folder import state_file

_MOST = 2_000
_LONGEST = 10_000


def history_file() -> Path | None:
    """`history` in the user's state folder; None where it cannot be kept."""
    return state_file("history")


def read_history(path: Path) -> list[str]:
    """Lines, oldest first; the form is prompt-toolkit's: `# time`, then `+line`."""
    try:
        text = path.read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return []
    lines = [line[1:] for line in text.split("\n") if line.startswith("+")]
    return lines[-_MOST:]


def append_history(path: Path, line: str) -> None:
    """Add a line; a file that cannot be written is no reason to fail."""
    if not line.strip() or len(line) > _LONGEST:
        return
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="surrogateescape") as file:
            file.write(f"\n# {time.strftime('%Y-%m-%d %H:%M:%S')}\n")
            file.writelines(f"+{part}\n" for part in line.split("\n"))
    except OSError:
        pass
