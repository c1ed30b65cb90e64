"""Which event loops run brokers."""

from asyncio import AbstractEventLoop
from collections.abc import Callable
from typing import Final
from weakref import WeakSet

LOOPS: Final[WeakSet[AbstractEventLoop]] = WeakSet()
"""Those of this process that run an instance, or did."""


def loop_factory() -> Callable[[], AbstractEventLoop] | None:
    """uvloop where it is installed; None: asyncio's own loop, which works as well."""
    try:
        import uvloop
    except ImportError:
        return None
    factory: Callable[[], AbstractEventLoop] = uvloop.new_event_loop
    return factory
