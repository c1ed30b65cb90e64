"""Where the candidates of a completer come from."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..session import Session

Candidate = tuple[str, str]
"""A value, and what it is."""

Source = Callable[["Session"], Iterable[Candidate]]
