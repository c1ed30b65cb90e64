"""Files as people name them in a line."""

from collections.abc import Iterator
from contextlib import contextmanager
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


def refused(named: str, error: OSError, sign: str = "") -> InvalidInput:
    """What the system says of it, as a line's failure."""
    return InvalidInput(f"{sign}{named}: {error.strerror}")
