"""What a suite is: where it comes from, what makes it ready, whom it dials, how it is run."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from .place import Place
from .readers import Outcomes


@dataclass(frozen=True, slots=True)
class Suite:
    name: str
    source: str
    """Repository at github.com."""
    prepare: Callable[[Place], None]
    """Fetches and builds, once for a checkout."""
    ours: Callable[[Place], AbstractContextManager[Any]]
    beside: Callable[[Place], AbstractContextManager[Any]]
    original: Callable[[], str]
    """The original's name and version."""
    run: Callable[[Place, Any], Outcomes]
    """Is given what `ours` or `beside` yields."""
