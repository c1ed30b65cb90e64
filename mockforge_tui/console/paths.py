"""Files as people name them in a line."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from mockforge_brokers.errors import InvalidInput

from ..text import clean


@contextmanager
def opened(named: str, sign: str = "") -> Iterator[Path]:
    """The path of a name, `~` resolved; what goes wrong within is InvalidInput that names it.

    `sign` stands before the name in the line.
    """
    if "\0" in named:
        raise InvalidInput(f"{sign}{clean(named)}: a name of a file has no NUL")
    try:
        path = Path(named).expanduser()
    except RuntimeError as error:
        # A user of whom nobody knows the home: ~nobody/x.
        raise InvalidInput(f"{sign}{named}: {error}") from None
    try:
        yield path
    except OSError as error:
        raise refused(named, error, sign) from None


def at_home(path: str) -> str:
    """The same with `~` for the user's home, as people write it."""
    with suppress(RuntimeError, ValueError):
        return f"~{os.sep}{Path(path).relative_to(Path.home())}"
    return path


def refused(named: str, error: OSError, sign: str = "") -> InvalidInput:
    """What the system says of it, as a line's failure."""
    return InvalidInput(f"{sign}{named}: {error.strerror}")
