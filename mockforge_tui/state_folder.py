"""The user's state folder, for the lines that were typed and for the log of a screen."""

import os
from pathlib import Path


def state_folder() -> Path | None:
    """`mockforge-tui` where state is kept (XDG Base Directory); None for a user without a home."""
    base = os.environ.get("XDG_STATE_HOME")
    if base:
        return Path(base) / "mockforge-tui"
    try:
        return Path.home() / ".local" / "state" / "mockforge-tui"
    except RuntimeError:
        # A user of a container has a number, and often nothing else.
        return None


def state_file(name: str) -> Path | None:
    """A file of the state folder, which is made; None where nothing can be kept there.

    That is no reason not to start: `unkept` says so.
    """
    folder = state_folder()
    if folder is None:
        return None
    path = folder / name
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return None
    # Path.exists raises where the folder may not be entered.
    if os.path.exists(path):
        return path if os.access(path, os.W_OK) else None
    return path if os.access(folder, os.W_OK | os.X_OK) else None


def unkept(*names: str) -> str:
    """Which of these files cannot be kept, why, and what to do; empty where all can."""
    missing = [name for name in names if state_file(name) is None]
    if not missing:
        return ""
    folder = state_folder()
    why = "this user has no home folder" if folder is None else f"{folder} may not be written"
    return f"not kept: {' and '.join(missing)}: {why}; XDG_STATE_HOME names another folder"
