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
    place = error.filename or folder
    here = str(place) == str(folder)
    why = f"{f'--data-dir {folder}' if here else place}: {error.strerror or error}"
    other = "another folder" if here else "another --data-dir"
    if error.errno in _NOT_OURS:
        return DataError(f"{why}: let this user write to it, or give {other}")
    return DataError(f"{why}: see to that, or give {other}")


def must_be_file(path: Path) -> None:
    """Raises DataError for what is there and is none: to open a pipe waits for ever."""
    if path.is_file() or not (path.exists() or path.is_symlink()):
        return
    if path.is_dir():
        what = "a folder"
    elif path.exists():
        what = "no file but a pipe, a socket or a device"
    else:
        what = f"a link to {path.readlink()}, where nothing is"
    raise DataError(
        f"{path} is {what}, and a file of the data is to be there. It is left as it is: put the "
        "file in its place from a backup, or give another --data-dir"
    )


def misnamed(names: dict[Path, Path]) -> DataError:
    """Segments (at least one) that have what others should, by their heads."""
    told = ", ".join(f"{path} has the content of {own.name}" for path, own in names.items())
    return DataError(
        f"{told}: somebody copied or renamed it. All is left as it is: let each have its own name "
        "again, take them from a backup, or give another --data-dir"
    )


def newer(path: Path, version: int) -> DataError:
    return DataError(
        f"{path} has format {version}, and this program knows those up to {VERSION}: run the "
        "newer program that wrote it, or give another --data-dir"
    )
