"""Which known names are like a word: for "did you mean"."""

from collections.abc import Iterable
from itertools import islice
from typing import Final

_LONGEST: Final = 200
_MOST: Final = 5_000


def get_close_matches(
    word: str, known: Iterable[str], n: int = 1, cutoff: float = 0.6
) -> list[str]:
    """As difflib has it, in bounded time: clients may give names of 64 KiB, and very many.

    To compare two names takes time by the product of their lengths.
    """
    if len(word) > _LONGEST:
        return []
    from difflib import get_close_matches as close  # only for a mistake

    near = (name for name in known if len(name) <= _LONGEST)
    return close(word, list(islice(near, _MOST)), n, cutoff)
