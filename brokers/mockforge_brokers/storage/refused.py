"""Why a data folder is refused, and the mode of new files in it."""

from pathlib import Path
from typing import Final

from ..errors import InvalidInput
from .segments import VERSION

OURS: Final = 0o600
"""New files are for who runs us alone: messages and passwords are in them."""


class DataError(InvalidInput):
    """A data folder cannot be used; the text names it, says why, and what to do."""


def newer(path: Path, version: int) -> DataError:
    return DataError(
        f"{path} has format {version}, and this program knows those up to {VERSION}: run the "
        "newer program that wrote it, or give another --data-dir"
    )
