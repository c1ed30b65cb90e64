"""Why a data folder is refused, and the mode of new files in it."""

import errno
from pathlib import Path
from typing import Final

from ..errors import InvalidInput
from .segments import VERSION

OURS: Final = 0o600
"""New files are for who runs us alone: messages and passwords are in them."""

NO_ROOM: Final = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)}
"""What systems answer where a disk is full, or all of it that is ours."""

_NOT_OURS: Final = {errno.EROFS, errno.EACCES, errno.EPERM}


class DataError(InvalidInput):
    """A data folder cannot be used; the text names it, says why, and what to do."""


def unusable(folder: Path, error: OSError) -> DataError:
    """The system does not let us open it, or write what a start has to write."""
    if error.errno in NO_ROOM:
        # Also to write again what is there: some file systems never write in place.
        return DataError(
            f"--data-dir {folder}: the disk is full, and a start writes a little to it: make "
            "room, and start again; all that was kept is as it was"
        )
    if isinstance(error, FileExistsError | NotADirectoryError):
        return DataError(f"--data-dir {folder}: a file is where a folder is to be: give a folder")
    why = f"--data-dir {folder}: {error.strerror or error}"
    if error.errno in _NOT_OURS:
        return DataError(f"{why}: let this user write to it, or give another folder")
    return DataError(why)


def newer(path: Path, version: int) -> DataError:
    return DataError(
        f"{path} has format {version}, and this program knows those up to {VERSION}: run the "
        "newer program that wrote it, or give another --data-dir"
    )
