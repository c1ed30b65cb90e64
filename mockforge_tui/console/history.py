"""The lines that were typed before, in one file for the screen and the line shell."""

import os
import tempfile
import time
from pathlib import Path

from ..state_folder import state_file

_MOST = 2_000
_LONGEST = 10_000
_LARGEST = 2 << 20
"""Bytes of the file; then its older half goes."""


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
            file.flush()
            is_large = os.fstat(file.fileno()).st_size > _LARGEST
        if is_large:
            _shorten(path)
    except OSError:
        pass


def _shorten(path: Path) -> None:
    """Leave the newest lines; another console that writes meanwhile may lose its last one."""
    # A link stays one.
    path = path.resolve()
    kept = path.read_bytes()[-_LARGEST // 2 :]
    # From the first line on that is whole.
    kept = kept[max(0, kept.find(b"\n# ")) :]
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
        file.write(kept)
    try:
        os.replace(file.name, path)
    except OSError:
        os.unlink(file.name)
        raise
