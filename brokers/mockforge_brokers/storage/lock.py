"""Who has a data folder: one process at a time."""

import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Final

from .refused import OURS, DataError

LOCK: Final = "lock"
_MOST: Final = 32
"""Bytes of it: the number of a process."""


def locked(folder: Path) -> int:
    """The folder's lock, for as long as this process lives. Raises OSError, DataError."""
    lock = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, OURS)
    try:
        _take(lock)
    except (BlockingIOError, PermissionError):
        who = os.read(lock, 20).decode("ascii", "replace").strip()
        os.close(lock)
        raise DataError(
            f"--data-dir {folder} is in use by process {who or '?'}: end that one, or give "
            "another folder"
        ) from None
    except OSError:
        # A file system that has no locks.
        os.close(lock)
        raise
    if os.fstat(lock).st_size > _MOST:
        os.close(lock)
        raise DataError(
            f"{folder / LOCK} is no file of this program, which would write to it: give another "
            "--data-dir"
        )
    # Who has it is for people, and a full disk no reason not to read what is there.
    with suppress(OSError):
        os.truncate(lock, 0)
        os.write(lock, f"{os.getpid()}\n".encode())
    return lock


def _take(lock: int) -> None:
    """Raises OSError where another process has it."""
    if sys.platform == "win32":
        import msvcrt

        # Behind the process's number, which others are to read.
        os.lseek(lock, 64, os.SEEK_SET)
        msvcrt.locking(lock, msvcrt.LK_NBLCK, 1)
        os.lseek(lock, 0, os.SEEK_SET)
    else:
        import fcntl

        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
