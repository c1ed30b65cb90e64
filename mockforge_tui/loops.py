"""Which event loop runs the brokers."""

from asyncio import AbstractEventLoop
from collections.abc import Callable


def loop_factory() -> Callable[[], AbstractEventLoop] | None:
    """uvloop where it is installed; None: asyncio's own loop, which works as well."""
    try:
        import uvloop
    except ImportError:
        return None
    factory: Callable[[], AbstractEventLoop] = uvloop.new_event_loop
    return factory
